"""Image sets, and sets of measured patterns, by label: the ones of this package, and plug-ins.

A plug-in is a subclass of `ImageSource` or `PatternSource` that is asked for by where it lies, or announced as an entry
point in the group `phasebench.datasets` under its own `name`; `datasets.registry` says what is asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np

from datasets import registry
from datasets.errors import DatasetError
from datasets.image_set import DTYPES, SPLITS, ImageSet
from datasets.labels import read_label
from datasets.pattern_set import PatternSet
from datasets.source import Source

GROUP = "phasebench.datasets"

BUILT_IN: Mapping[str, str] = {
    "fashion_mnist": "datasets.fashion_mnist:FashionMnist",
    "sample": "datasets.fashion_mnist:Sample",
    "images": "datasets.own_images:OwnImages",
    "natural": "datasets.natural:Natural",
    "atoms": "datasets.atoms:Atoms",
    "patterns": "datasets.patterns:Patterns",
}


def _plugins() -> dict[str, list[EntryPoint]]:
    return registry.plugins(GROUP)


_SOURCES: registry.Registry[Source] = registry.Registry(
    noun="dataset",
    written="datasets.ImageSource",
    base=Source,  # type: ignore[type-abstract]  # it is asked for subclasses, never made
    methods=("read",),
    built_in=BUILT_IN,
    plugins=lambda: _plugins(),
    unknown=DatasetError,
    broken=DatasetError,
    refused=DatasetError,
    ours=DatasetError,
)

names = _SOURCES.names
create = _SOURCES.create
canonical = _SOURCES.canonical
contents = _SOURCES.contents
source_class = _SOURCES.load
parameters = registry.parameters


def load_images(label: str = "fashion_mnist", split: str = "test", data_dir: str | Path | None = None) -> ImageSet:
    """One split of the images that a label asks for.

    Raises:
        DatasetError: as `load_data`, or these are measured patterns.
    """
    found = load_data(label, split, data_dir)
    if isinstance(found, PatternSet):
        raise DatasetError(f"dataset '{found.name}' has measured patterns, but images are needed")
    return found


def load_data(label: str, split: str = "test", data_dir: str | Path | None = None) -> ImageSet | PatternSet:
    """One split of the images, or of the measured patterns, that a label asks for.

    Raises:
        DatasetError: as `create` and the source's `read`.
    """
    source = create(label)
    if split not in SPLITS:
        raise DatasetError(f"unknown split '{split}': choose from {', '.join(SPLITS)}")
    if read_label(source.label, "dataset")[0] in BUILT_IN:
        return _checked(source.read(split, data_dir))
    with _SOURCES.blaming(f"dataset '{source.label}' cannot be read"):
        return _checked(source.read(split, data_dir))


def _checked(found: object) -> ImageSet | PatternSet:
    """What a source has read, of which everything else can be computed."""
    if isinstance(found, PatternSet):
        found.measurement(np.arange(len(found))[:1])
        return found
    if not isinstance(found, ImageSet):
        raise TypeError(f"read() returned {type(found).__name__}, not ImageSet")
    shape, dtype = found.images.shape, np.dtype(found.images.dtype)
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"images must be (N, h, w) with at least one image, got shape {shape}")
    if dtype not in DTYPES:
        raise ValueError(f"images of {dtype}: choose from {', '.join(map(str, DTYPES))}")
    return found
