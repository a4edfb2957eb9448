"""Image sets by label: what is common to all of them."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from datasets import DatasetError, ImageSet, ImageSource, images, load_images
from datasets.image_set import DTYPES, digest_of, fast_even
from datasets.source import Source


def image_set(pixels: np.ndarray, **given: object) -> ImageSet:
    return ImageSet("some", "test", pixels, None, "memory", digest_of(pixels), **given)  # type: ignore[arg-type]


@st.composite
def pixels(draw: st.DrawFn) -> np.ndarray:
    """A few small images of any type, with whole values."""
    shape = draw(st.tuples(*[st.integers(1, 4)] * 3))
    return draw(arrays.arrays(np.uint8, shape)).astype(draw(st.sampled_from(DTYPES)))


@given(pixels(), st.data())
def test_an_image_has_the_same_values_in_whatever_choice_it_is(pixels, data):
    some = image_set(pixels)
    chosen = np.array(data.draw(st.lists(st.integers(0, len(some) - 1), max_size=6)), dtype=np.int64)
    np.testing.assert_array_equal(some.tiles(chosen), some.tiles()[chosen])
    np.testing.assert_array_equal(some.tiles(slice(1, None)), some.tiles()[1:])


def test_white_is_one_and_floats_are_as_they_are():
    assert image_set(np.full((1, 1, 1), 255, np.uint8)).tiles().item() == 1
    assert image_set(np.full((1, 1, 1), 65535, np.uint16)).tiles().item() == 1
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        tiles = image_set(np.full((1, 1, 1), -7.5, dtype)).tiles()
        assert (tiles.dtype, tiles.item()) == (dtype, -7.5)


@given(pixels(), st.data())
def test_every_pixel_counts_in_the_digest(pixels, data):
    where = tuple(data.draw(st.integers(0, n - 1)) for n in pixels.shape)
    other = pixels.copy()
    other[where] = 1 if pixels[where] != 1 else 2
    assert digest_of(other) != digest_of(pixels) == digest_of(pixels.copy())


def test_the_type_and_the_shape_count_in_the_digest_and_the_order_of_bytes_does_not():
    pixels = np.zeros((2, 3, 4), np.float32)
    assert digest_of(pixels) != digest_of(pixels.reshape(2, 4, 3))
    assert digest_of(pixels) != digest_of(pixels.view(np.uint16))
    assert digest_of(pixels + 1) == digest_of((pixels + 1).astype(">f4"))


@given(st.integers(1, 3000))
def test_a_grid_is_the_smallest_even_one_that_is_fast(least):
    def good(m: int) -> bool:
        for prime in (2, 3, 5):
            while m % prime == 0:
                m //= prime
        return m == 1

    assert fast_even(least) == next(m for m in range(least, 2 * least + 2) if m % 2 == 0 and good(m))


def test_an_image_fills_its_frame_unless_results_were_published_in_another():
    some = image_set(np.ones((1, 101, 64), np.uint8))
    assert (some.tile, some.frame, some.grid) == ((101, 64), (101, 64), (216, 128))
    paper = load_images("sample")
    assert (paper.tile, paper.frame, paper.grid) == ((28, 28), (42, 42), (96, 96))


def test_the_head_of_a_set_has_its_labels():
    head = load_images("sample").head(3)
    np.testing.assert_array_equal(head.labels, load_images("sample").labels[:3])
    assert len(replace(head, labels=None).head(None)) == 3


# ---- labels


def test_the_head_of_a_set_that_makes_its_images_makes_none():
    atoms = images.create("atoms[images=1000000]").read("test")
    assert atoms.head(None) is atoms.head(1000000) is atoms
    assert atoms.head(2).images.shape == (2, 128, 128)


@pytest.mark.parametrize("name", ["fashion_mnist", "sample", "natural", "atoms"])
def test_a_split_that_there_is_not_is_told(name):
    with pytest.raises(ValueError, match="unknown split 'val': choose from train, test"):
        images.create(name).read("val")


def test_every_set_is_named_as_it_is_called_and_describes_itself():
    for name in images.names():
        kind = images.source_class(name)
        assert issubclass(kind, Source)
        assert kind.name == name
        assert kind.summary
        assert all(parameter.description for parameter in images.parameters(kind))


@pytest.mark.parametrize(
    ("label", "canonical"),
    [
        ("sample", "sample"),
        (" atoms[ count = 100 ] ", "atoms"),
        ("atoms[seed=3,count=0140]", "atoms[count=140,seed=3]"),
        ('images[path="my folder/[1]"]', 'images[path="my folder/[1]"]'),
        ('images[train=0.50,path="~/x"]', "images[path=~/x,train=0.5]"),
        ("natural[tile=128,kind=photograph]", "natural"),
    ],
)
def test_a_set_has_one_label(label, canonical):
    assert images.canonical(label) == canonical
    assert images.create(canonical) == images.create(label)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("atom", ["unknown dataset 'atom'", "fashion_mnist, sample, images, natural, atoms, patterns"]),
        ("atoms[count", ["cannot read 'atoms[count'", "write a dataset as name"]),
        ("sample[count=1]", ["'sample' has no parameter 'count'", "none"]),
        ("atoms[difficulty=E]", ["'atoms' has no parameter 'difficulty'", "count, contrast, images, seed"]),
        ("atoms[contrast=E]", ["contrast = E"]),
        ("atoms[count=0]", ["count = 0"]),
        ("atoms[count=401]", ["count = 401", "400"]),
        ("atoms[images=0]", ["images = 0"]),
        ("images", ["'images'", "'path' has no default"]),
        ('images[path=""]', ["path", "name a folder or a file"]),
        ("images[path=x,train=1.5]", ["train = 1.5"]),
        ("images[path=x,size=0]", ["size = 0"]),
        ("natural[kind=music]", ["kind = music", "photograph", "phase"]),
        ("natural[tile=8]", ["tile = 8"]),
    ],
)
def test_a_label_that_asks_for_nonsense_is_refused_in_one_line_with_the_value(label, words):
    with pytest.raises(DatasetError) as error:
        images.create(label)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_only_published_sets_are_read_from_a_folder(tmp_path):
    with pytest.raises(DatasetError, match="is of no use: the dataset 'atoms' reads nothing there"):
        load_images("atoms", "test", tmp_path)


# ---- plug-ins


class Ramp(ImageSource):
    """A set of another distribution."""

    name = "ramp"
    summary = "one image of a ramp"
    fault: str = ""

    def read(self, split, folder=None):
        if self.fault == "raises":
            raise SystemExit(3)
        if self.fault == "list":
            return [1, 2]
        pixels = np.arange(12, dtype=np.int64 if self.fault == "dtype" else np.float32).reshape(1, 3, 4)
        return image_set(pixels if self.fault != "shape" else pixels[0])


@pytest.fixture
def ramp(monkeypatch):
    """It is installed."""
    point = EntryPoint("ramp", f"{__name__}:Ramp", images.GROUP)
    monkeypatch.setattr(type(point), "load", lambda self: Ramp)
    monkeypatch.setattr(images, "_plugins", lambda: {"ramp": [point]})


@pytest.mark.usefixtures("ramp")
def test_a_plug_in_is_listed_and_read():
    assert images.names()[-1] == "ramp"
    assert load_images("ramp").grid == (6, 8)


@pytest.mark.usefixtures("ramp")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raises", "SystemExit: 3"),
        ("list", r"read\(\) returned list"),
        ("dtype", "images of int64"),
        ("shape", r"got shape \(3, 4\)"),
    ],
)
def test_what_is_wrong_with_a_plug_in_is_said_with_its_name(fault, reason):
    with pytest.raises(DatasetError, match=rf"dataset 'ramp\[fault={fault}\]' cannot be read: .*{reason}"):
        load_images(f"ramp[fault={fault}]")


def test_what_is_wrong_in_a_subclass_of_a_built_in_source_is_said_with_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read = "    def read(self, split, folder=None):\n        return 1 / 0\n"
    (tmp_path / "mine.py").write_text(f"from datasets.own_images import OwnImages\n\nclass Mine(OwnImages):\n{read}")
    with pytest.raises(DatasetError, match=r"dataset 'mine.py:Mine\[path=a\]' cannot be read: ZeroDivisionError"):
        load_images("mine.py[path=a]")
