"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017) from wherever this machine has it, verified before it is used.

The places are tried in this order, and the one that was used is said:

1. the folder the user names (`--data-dir` or $PHASEBENCH_DATA), where a missing file is an error;
2. the Debian package dataset-fashion-mnist;
3. the user's cache;
4. a download into that cache (unless $PHASEBENCH_OFFLINE is set);
5. the sample in this package: the first 1 000 test and 2 000 training images.

Every file's decompressed content is checked against its SHA-256, so a truncated, damaged or swapped file is
named and refused whatever its source. No more of a file is read than it should hold.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from datasets.errors import DatasetError
from datasets.files import read_regular
from datasets.image_set import ImageSet, ImageSource
from datasets.streams import split_code
from datasets.variants import FRAME, GRID

DATA_VARIABLE = "PHASEBENCH_DATA"
OFFLINE_VARIABLE = "PHASEBENCH_OFFLINE"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SAMPLE_FOLDER = Path(__file__).parent / "sample"
HOSTS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)

_IMAGE_MAGIC, _LABEL_MAGIC = 2051, 2049  # unsigned bytes in three and in one dimensions


@dataclass(frozen=True)
class _File:
    name: str
    size: int  # bytes of the decompressed file
    content: str  # SHA-256 of the decompressed file
    archive: str | None = None  # SHA-256 of the official .gz

    @property
    def gz(self) -> str:
        return f"{self.name}.gz"


_FULL = {
    "train": (
        _File(
            "train-images-idx3-ubyte",
            16 + 60_000 * 784,
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        _File(
            "train-labels-idx1-ubyte",
            8 + 60_000,
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
    ),
    "test": (
        _File(
            "t10k-images-idx3-ubyte",
            16 + 10_000 * 784,
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        _File(
            "t10k-labels-idx1-ubyte",
            8 + 10_000,
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
}
_SAMPLE = {
    "train": (
        _File(
            "train-images-idx3-ubyte",
            16 + 2_000 * 784,
            "71a9f8cec24060d6752b3e4940ce6d6fd729334afa47b735dd553481aa83b53e",
        ),
        _File("train-labels-idx1-ubyte", 8 + 2_000, "8983259dfbc9f185f92698916f7daf361704b43ba7d19568cc7bcdeefdc1bece"),
    ),
    "test": (
        _File(
            "t10k-images-idx3-ubyte",
            16 + 1_000 * 784,
            "7a6d8e07ea021ec5bc73135ebd0a5770799557ec6f8242d8749c4f32a3cf4643",
        ),
        _File("t10k-labels-idx1-ubyte", 8 + 1_000, "b40abac7ec8228f434940f579deb7cf7b6e3103b5274cb91d1545771f5ef1c8b"),
    ),
}


class FashionMnist(ImageSource):
    """Fashion-MNIST, from the first of the places above that has it."""

    name: ClassVar[str] = "fashion_mnist"
    summary: ClassVar[str] = "60 000 training and 10 000 test images of 28×28 (where it cannot be had: the sample)"

    def read(self, split: str, folder: str | Path | None = None) -> ImageSet:
        split_code(split)
        named = folder if folder is not None else os.environ.get(DATA_VARIABLE) or None
        if named is not None:
            path = Path(os.path.expanduser(named))  # noqa: PTH111 - a user that there is not is left as it is
            if not path.is_dir():
                raise DatasetError(f"data folder '{path}' does not exist")
            return _read(path, _FULL[split], self.name, split, str(path))
        for path, source in _folders(_FULL[split]):
            if all(_find(path, file) for file in _FULL[split]):
                return _read(path, _FULL[split], self.name, split, source)
        sample = Sample().read(split)
        return replace(
            sample, source=f"{sample.source}: Fashion-MNIST itself was not found and could not be downloaded"
        )


class Sample(ImageSource):
    """The part of Fashion-MNIST that comes with this package."""

    name: ClassVar[str] = "sample"
    summary: ClassVar[str] = "the first 2 000 training and 1 000 test images of Fashion-MNIST, part of this package"

    def read(self, split: str, folder: str | Path | None = None) -> ImageSet:
        self.refuse(folder, "is part of this package")
        split_code(split)
        return _read(SAMPLE_FOLDER, _SAMPLE[split], self.name, split, "the embedded sample")


def cache_folder() -> Path:
    """The user's cache of downloaded files."""
    import pooch

    return Path(pooch.os_cache("phasebench"))


def _folders(files: tuple[_File, ...]) -> Iterator[tuple[Path, str]]:
    yield DEBIAN_FOLDER, "the Debian package dataset-fashion-mnist"
    cache = cache_folder()
    yield cache, f"the cache {cache}"
    if not _offline() and _download(cache, files):
        yield cache, f"downloaded to {cache}"


def _offline() -> bool:
    given = os.environ.get(OFFLINE_VARIABLE, "")
    if given not in ("", "0", "1"):
        raise DatasetError(f"{OFFLINE_VARIABLE}='{given}': choose 1 to forbid downloads, 0 to allow them")
    return given == "1"


def _download(cache: Path, files: tuple[_File, ...]) -> bool:
    """Fetch the files into the cache from the first host that has them; False where none can be reached."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    fetch = pooch.HTTPDownloader(timeout=10)
    for host in HOSTS:
        try:
            for file in files:
                pooch.retrieve(
                    host + file.gz, known_hash=f"sha256:{file.archive}", fname=file.gz, path=cache, downloader=fetch
                )
            return True
        except (requests.RequestException, OSError, ValueError):
            continue  # unreachable, or not the file it should be: pooch has kept nothing of it
    return False


def _find(folder: Path, file: _File) -> Path | None:
    """What has the name of a file, be it a file or not."""
    return next((path for path in (folder / file.gz, folder / file.name) if path.exists()), None)


def _read(folder: Path, files: tuple[_File, ...], name: str, split: str, source: str) -> ImageSet:
    images, labels = (_content(folder, file) for file in files)
    return ImageSet(
        name=name,
        split=split,
        images=_parse(images, _IMAGE_MAGIC),
        labels=_parse(labels, _LABEL_MAGIC),
        source=source,
        digest=files[0].content,
        published_frame=FRAME,
        published_grid=GRID,
    )


def _content(folder: Path, file: _File) -> bytes:
    path = _find(folder, file)
    if path is None:
        raise DatasetError(f"{folder / file.gz} is missing")
    try:
        if path.suffix == ".gz":
            packed = io.BytesIO(read_regular(path, file.size + file.size // 8 + 2**16))  # a .gz may pack nothing at all
            with gzip.open(packed) as stream:
                content = stream.read(file.size + 1)
        else:
            content = read_regular(path, file.size)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > file.size:
        raise DatasetError(f"{path} is not the file it should be: it unpacks to more than {file.size} bytes")
    found = hashlib.sha256(content).hexdigest()
    if found != file.content:
        raise DatasetError(f"{path} is not the file it should be: SHA-256 {found[:16]}…, expected {file.content[:16]}…")
    return content


def _parse(content: bytes, magic: int) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes: magic number, one big-endian size for each dimension, then the values."""
    dimensions = magic & 0xFF
    found, *shape = struct.unpack_from(f">{1 + dimensions}I", content)
    assert found == magic, "the content matched its hash"
    return np.frombuffer(content, dtype=np.uint8, offset=4 * (1 + dimensions)).reshape(shape)
