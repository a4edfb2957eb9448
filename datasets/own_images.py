"""Images of one's own: a folder, or a file.

What a path may name:

- a folder of PNG, TIFF, JPEG and .npy files, in the order of their names. Hidden files are passed over; a file of any
  other kind, and a folder within, is refused;
- one such file. A TIFF may hold several pages;
- an .npz or HDF5 file with one array, or `file.npz:name`, `file.h5:/entry/data`.

An array of two dimensions is an image, one of three is a stack (N, h, w). All images have one size and one type:
uint8, uint16, float32, float64, complex64 or complex128. No other type has a stated scale, and none is converted.
Colour images of 8 bits become grey by the luma of ITU-R BT.601, (299 R + 587 G + 114 B) / 1000, as Pillow rounds it;
transparency has no grey, so only opaque images are taken. An image must be finite and not zero everywhere. What is
wrong with a file is said with its name, and nothing is skipped.

Nobody but the owner knows which of these images are alike. All of them are therefore test images, unless a part `train`
is set aside: an image then goes where the hash of its pixels says. Copies of an image never come apart, and an image
stays where it is when others are added; two photographs of one thing may come apart.
"""

from __future__ import annotations

import importlib.util
import os
import re
import warnings
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import Field, field_validator

from datasets.errors import DatasetError
from datasets.files import open_regular
from datasets.image_set import DTYPES, ImageSet, ImageSource, digest_of

PICTURES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
HDF5 = (".h5", ".hdf5", ".nxs", ".cxi")

_WITHIN = re.compile(
    rf"(?P<file>.*(?:\.npz|{'|'.join(map(re.escape, HDF5))}))(?::(?P<name>.*))?", re.IGNORECASE | re.DOTALL
)
_GREY = ("L", "I;16", "I;16L", "I;16B", "F")


class OwnImages(ImageSource):
    """A folder or a file of images."""

    name: ClassVar[str] = "images"
    summary: ClassVar[str] = (
        "images of your own: a folder of PNG, TIFF, JPEG or .npy files, or an .npy, .npz or HDF5 file"
    )

    path: str = Field(description="the folder, the file, or file.npz:name, file.h5:/name of the array in it")
    size: int | None = Field(None, ge=1, description="cut this many rows and columns from the middle of every image")
    train: float = Field(0.0, ge=0, le=1, description="part of the images that is set aside for training")

    @field_validator("path")
    @classmethod
    def _not_empty(cls, path: str) -> str:
        if not path.strip():
            raise ValueError("name a folder or a file")
        return path

    def read(self, split: str, folder: str | Path | None = None) -> ImageSet:
        self.refuse(folder)
        found = list(_images(self.path))
        first = found[0]
        images = np.empty((len(found), *self._cut(*first).shape), first[1].dtype)
        for row, (where, image) in zip(images, found, strict=True):
            if image.dtype != first[1].dtype:
                raise DatasetError(f"{where} is {image.dtype}, but {first[0]} is {first[1].dtype}")
            image = self._cut(where, image)
            if image.shape != row.shape:
                raise DatasetError(
                    f"{where} is {_by(image.shape)}, but {first[0]} is {_by(row.shape)}: give size=… to cut them"
                )
            _check_values(where, image)
            row[:] = image
        del found
        images = images[self._belongs(images, split)]
        if not len(images):
            raise DatasetError(f"'{self.label}' has no {split} images: {self._reason(split)}")
        return ImageSet(
            name=self.label, split=split, images=images, labels=None, source=self.path, digest=digest_of(images)
        )

    def _cut(self, where: str, image: NDArray) -> NDArray:
        if self.size is None:
            return image
        rows, columns = ((n - self.size) // 2 for n in image.shape)
        if min(rows, columns) < 0:
            raise DatasetError(f"{where} is {_by(image.shape)}, too small for size={self.size}")
        return image[rows : rows + self.size, columns : columns + self.size]

    def _belongs(self, images: NDArray, split: str) -> NDArray[np.bool_]:
        """(N,) True for the images of this split."""
        draws = np.array([int(digest_of(image[None])[:13], 16) / 16**13 for image in images])
        trains = draws < self.train
        return trains if split == "train" else ~trains

    def _reason(self, split: str) -> str:
        if split == "train" and not self.train:
            return "all of them are for testing; train=0.8 sets four of five aside"
        return f"train={self.train:g} left none of them"


def read_array(given: str) -> NDArray:
    """The numbers in a file, of whatever kind and number of axes, as they are: counts, masks, or images.

    Args:
        given: the file, or file.npz:name, file.h5:/name.

    Raises:
        DatasetError: it is not there, damaged, coloured, no file of numbers, or holds several arrays and none is named.
    """
    path = Path(os.path.expanduser(given))  # noqa: PTH111 - a user that there is not is left as it is
    within = _WITHIN.fullmatch(given)
    if within:
        file = Path(os.path.expanduser(within["file"]))  # noqa: PTH111
        array = (_npz if file.suffix.lower() == ".npz" else _hdf5)(file, within["name"])
    elif path.suffix.lower() in PICTURES:
        array = _picture(path, _plain)
    else:
        array = _folder_reader(path)(path)
    if array.dtype.kind not in "biuf":
        raise DatasetError(f"{given} holds {array.dtype}: real numbers are expected")
    return array


def _images(given: str) -> Iterator[tuple[str, NDArray]]:
    """The images (h, w) at a path in their order, at least one, each with what it is called in messages."""
    path = Path(os.path.expanduser(given))  # noqa: PTH111 - a user that there is not is left as it is
    within = _WITHIN.fullmatch(given)
    if path.is_dir():
        for file in files_of(path):
            yield from _stack(str(file), _folder_reader(file)(file))
    elif within:
        file = Path(os.path.expanduser(within["file"]))  # noqa: PTH111
        reader = _npz if file.suffix.lower() == ".npz" else _hdf5
        yield from _stack(given, reader(file, within["name"]))
    else:
        yield from _stack(str(path), _folder_reader(path)(path))


def files_of(folder: Path) -> list[Path]:
    """What lies in a folder in the order of its names, without hidden files.

    Raises:
        DatasetError: it cannot be read, or is empty.
    """
    try:
        found = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read: {error.strerror}") from error
    if not found:
        raise DatasetError(f"{folder} has no images: the folder is empty")
    return found


def _folder_reader(file: Path) -> Callable[[Path], NDArray]:
    suffix = file.suffix.lower()
    if suffix in PICTURES:
        return _picture
    if suffix == ".npy":
        return _npy
    if not os.path.lexists(file):
        raise DatasetError(f"{file} does not exist")
    what = "is a folder" if file.is_dir() else "is no image"
    raise DatasetError(f"{file} {what}: give a file that ends in {', '.join((*PICTURES, '.npy'))}, or a path by itself")


def _stack(where: str, array: NDArray) -> Iterator[tuple[str, NDArray]]:
    if array.dtype.newbyteorder("=") not in DTYPES:
        raise DatasetError(f"{where} holds {array.dtype}: save it as {', '.join(map(str, DTYPES))}")
    if array.ndim not in (2, 3):
        raise DatasetError(f"{where} has shape {array.shape}: an image is (h, w), a stack of images (N, h, w)")
    if not array.size:
        raise DatasetError(f"{where} has shape {array.shape}: there is nothing in it")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim == 2:
        yield where, array
    else:
        for number, image in enumerate(array):
            yield f"{where} (image {number})", image


def _check_values(where: str, image: NDArray) -> None:
    if not np.isfinite(image).all():
        raise DatasetError(f"{where} holds values that are not finite")
    if not image.any():
        raise DatasetError(f"{where} is zero everywhere")


def _picture(file: Path, values: Callable[[Path, Image.Image, bool], NDArray] | None = None) -> NDArray:
    """(h, w), or (pages, h, w) of a TIFF that has several. `values` reads a page: as grey if it is absent."""

    def decoded(stream: BufferedReader) -> NDArray:
        deep = _png_depth(stream) == 16
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(stream) as image:
                count = getattr(image, "n_frames", 1)
                if count > 1 and image.format != "TIFF":
                    raise DatasetError(f"{file} is an animation of {count} images: save each by itself")
                pages = []
                for page in range(count):
                    image.seek(page)
                    pages.append((values or _grey)(file, image, deep))
        if len({page.shape for page in pages}) > 1:
            raise DatasetError(f"{file} has pages of different sizes")
        return pages[0] if count == 1 else np.stack(pages)

    return _read(file, decoded)


def _grey(file: Path, image: Image.Image, deep: bool) -> NDArray:
    if deep and image.mode not in _GREY:
        raise DatasetError(f"{file} has colours or transparency of 16 bits: save it as grey")
    if image.mode == "I":
        raise DatasetError(f"{file} holds integers of 32 bits, which have no stated scale: save it as float32")
    image.load()
    transparent = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    if transparent and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255:
        raise DatasetError(f"{file} has transparent pixels: save it without transparency")
    if image.mode in ("P", "PA", "RGBA"):
        image = image.convert("RGB")
    if image.mode in ("1", "LA", "RGB"):
        image = image.convert("L")
    if image.mode not in _GREY:
        raise DatasetError(f"{file} has the colours {image.mode}: save it as grey or RGB")
    return np.asarray(image)


def _plain(file: Path, image: Image.Image, deep: bool) -> NDArray:
    """The numbers of a page that has one channel."""
    if image.mode not in (*_GREY, "1", "I") or "transparency" in image.info:
        raise DatasetError(f"{file} has colours ({image.mode}): numbers have one channel")
    image.load()
    return np.asarray(image)


def _png_depth(stream: BufferedReader) -> int:
    """Bits of a channel if the stream is a PNG file, which Pillow rounds to 8 without a word; else 0."""
    head = stream.read(25)
    stream.seek(0)
    return head[24] if len(head) == 25 and head.startswith(b"\x89PNG\r\n\x1a\n") else 0


def _npy(file: Path) -> NDArray:
    return _read(file, lambda stream: np.lib.format.read_array(stream, allow_pickle=False))


def _npz(file: Path, name: str | None) -> NDArray:
    def chosen(stream: BufferedReader) -> NDArray:
        arrays = np.load(stream, allow_pickle=False)
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise DatasetError(f"{file} is no .npz file")
        return arrays[_choose(file, name, arrays.files, arrays.files)]

    return _read(file, chosen)


def _hdf5(file: Path, name: str | None) -> NDArray:
    if importlib.util.find_spec("h5py") is None:
        raise DatasetError(f"{file} needs h5py: pip install -e '.[hdf5]'")
    import h5py

    def chosen(stream: BufferedReader) -> NDArray:
        with h5py.File(stream, "r") as tree:
            every: list[str] = []
            tree.visititems(lambda path, item: every.append(f"/{path}") if isinstance(item, h5py.Dataset) else None)
            images = [path for path in every if tree[path].ndim in (2, 3)]
            wanted = None if name is None else "/" + name.strip("/")
            return np.asarray(tree[_choose(file, wanted, every, images)][()])

    return _read(file, chosen)


def _choose(file: Path, name: str | None, every: list[str], images: list[str]) -> str:
    """The array that is asked for, of `every` one there is; the only one that can hold images if none is."""
    if name is not None and name in every:
        return name
    there = ", ".join(every) or "nothing"
    if name is not None:
        raise DatasetError(f"{file} has no array '{name}': it holds {there}")
    if len(images) != 1:
        raise DatasetError(f"{file} does not hold one array but {there}: write {file.name}:NAME")
    return images[0]


def _read(file: Path, decoded: Callable[[BufferedReader], Any]) -> NDArray:
    """What a decoder makes of a regular file. At a damaged one the decoders raise whatever they like."""
    try:
        with open_regular(file) as stream:
            return decoded(stream)
    except DatasetError:
        raise
    except UnidentifiedImageError as error:  # whose message names the stream
        raise DatasetError(f"{file} cannot be read: it is no picture, whatever its name ends in") from error
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        if "allow_pickle" in str(error):  # what NumPy advises then would run whatever the file says
            raise DatasetError(f"{file} cannot be read: it holds Python objects (pickle) instead of numbers") from error
        raise DatasetError(f"{file} cannot be read: {error or type(error).__name__}") from error


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
