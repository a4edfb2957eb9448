"""Photographs and a phase image that come within scikit-image's package, cut into square tiles.

Nothing is downloaded: only files of the installed package are read, without importing it, and their pixels are
checked against a SHA-256. Colours become grey by the luma of ITU-R BT.601. The tiles of an image begin in its upper
left corner and go along its rows; what is left at the right and lower edges is dropped, and so is a tile that is zero
everywhere. All tiles of an image are in one split.

Provenance and terms, as scikit-image states them for each image (skimage.data):

    camera, chelsea, coffee    CC0, by their photographers
    brick, grass, gravel       CC0, from CC0Textures and DeviantArt
    clock                      public domain, by its photographer
    astronaut                  NASA, no known restrictions, public domain
    coins                      Brooklyn Museum, no known copyright restrictions
    cell                       CC0; the quantitative phase of a cell, retrieved from a digital hologram

Images without stated terms (moon, page) are not used.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from datasets.errors import DatasetError
from datasets.files import open_regular
from datasets.image_set import ImageSet, ImageSource, digest_of
from datasets.streams import split_code


@dataclass(frozen=True)
class _Photograph:
    file: str
    pixels: str  # SHA-256 of the grey pixels in rows


_IMAGES: dict[tuple[str, str], tuple[_Photograph, ...]] = {
    ("photograph", "train"): (
        _Photograph("astronaut.png", "f98a00b3351f8ba2cf8abfdebcef54ee691a83bbab15093edbf3d87078126618"),
        _Photograph("brick.png", "664a145c5253f0d66db1a12776785f0ea35a44cc7447ffc933f6d6118dc58643"),
        _Photograph("chelsea.png", "cd822d0a5b86379f987b3120f75a6e7c7be64e292b25a23bd858af5c9db1fed6"),
        _Photograph("clock_motion.png", "ad313afa739ea86c00ce55d190f1fa284c1982e9bc70eb4c9b21ac29c5c7a85c"),
        _Photograph("grass.png", "b18dae4c68bf850a7a7b28a29d1846c76be890665117b57fd125fe29c4d4ede6"),
    ),
    ("photograph", "test"): (
        _Photograph("camera.png", "5cb24482a53416f99052258be2b1ee38cd31c559a70c8a8b321cba231b332e21"),
        _Photograph("coffee.png", "3e8857c7e771b09cbf5d2e6e60d921830a1b1f097fe066f05d238ba19f87bf61"),
        _Photograph("coins.png", "e080cc03805f1fa70516c3cb84883d4633bda2a1b51841da7c22f3d14c072451"),
        _Photograph("gravel.png", "3d51ad45f789cd8b98534b7af6bce774e499ead45421135afd757358c7230009"),
    ),
    ("phase", "train"): (),
    ("phase", "test"): (_Photograph("cell.png", "dc464a59c68346fbe7a36fb75421d02a5e29780874b92efd3c920a319bfcb3b0"),),
}


class Natural(ImageSource):
    """Tiles of the images above; the labels number the image that a tile comes from."""

    name: ClassVar[str] = "natural"
    summary: ClassVar[str] = "photographs, or the phase of a cell, in tiles (with scikit-image: phasebench[natural])"

    tile: int = Field(128, ge=16, le=256, description="rows and columns of a tile")
    kind: Literal["photograph", "phase"] = Field(
        "photograph", description="photograph, or phase: a cell in a hologram, for testing alone"
    )

    def read(self, split: str, folder: str | Path | None = None) -> ImageSet:
        self.refuse(folder)
        split_code(split)
        photographs = _IMAGES[self.kind, split]
        if not photographs:
            raise DatasetError(f"dataset '{self.label}' has no {split} images: its one image is for testing")
        data = _data_folder()
        cut = [_tiles(_pixels(data, photograph), self.tile) for photograph in photographs]
        images = np.concatenate(cut)
        return ImageSet(
            name=self.label,
            split=split,
            images=images,
            labels=np.repeat(np.arange(len(cut), dtype=np.uint8), [len(tiles) for tiles in cut]),
            source=f"scikit-image: {', '.join(Path(photograph.file).stem for photograph in photographs)}",
            digest=digest_of(images),
        )


def _data_folder() -> Path:
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise DatasetError("dataset 'natural' needs scikit-image: pip install -e '.[natural]'")
    return Path(found.origin).parent / "data"


def _pixels(data: Path, photograph: _Photograph) -> NDArray[np.uint8]:
    path = data / photograph.file
    try:
        with open_regular(path) as stream, Image.open(stream) as image:
            pixels = np.asarray(image.convert("L"))
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    found = hashlib.sha256(pixels.tobytes()).hexdigest()
    if found != photograph.pixels:
        raise DatasetError(
            f"{path} is not the image it should be: SHA-256 {found[:16]}…, expected {photograph.pixels[:16]}…"
        )
    return pixels


def _tiles(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(N, size, size) the whole tiles of an image (h, w) that are not zero everywhere."""
    rows, columns = (n // size for n in pixels.shape)
    whole = pixels[: rows * size, : columns * size].reshape(rows, size, columns, size)
    tiles = whole.swapaxes(1, 2).reshape(-1, size, size)
    return tiles[tiles.any(axis=(1, 2))]
