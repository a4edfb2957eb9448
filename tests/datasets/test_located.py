"""Classes that are asked for by where they lie: every way to say it, and one spelling."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import DatasetError, ImageSource, images
from datasets.labels import LabelError, read_label, split_labels, write_label
from datasets.located import Location, located

SET = "from datasets import ImageSource\n\n\nclass {name}(ImageSource):\n    '''{about}'''\n    {field}\n"
READ = "    def read(self, split, folder=None):\n        raise NotImplementedError\n"


def source(name: str = "Mine", about: str = "Some images.", field: str = "size: int = 8") -> str:
    return SET.format(name=name, about=about, field=field) + READ


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to be in. What is loaded from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if "@" in name]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mine.py", Location("mine.py", "")),
        ("./mine.py:Mine", Location("./mine.py", "Mine")),
        ("~/a:b/mine.py:Mine", Location("~/a:b/mine.py", "Mine")),
        ("a.py/b.py", Location("a.py/b.py", "")),
        ("some/folder", Location("some/folder", "")),
        ("package.module:Mine", Location("package.module", "Mine")),
        ("rrr", None),
        ("plug-in.of-mine", None),
        ("module:", None),
        (":Mine", None),
    ],
)
def test_a_location_is_told_from_a_name(text, found):
    assert located(text) == found


@given(
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1),
    st.dictionaries(st.just("key"), st.text('ab:,[]=" ', min_size=1)),
)
def test_any_path_and_any_value_can_be_written_in_a_label(path, values):
    place = f"{path}/mine.py"
    label = write_label(place, values)
    assert read_label(label, "solver") == (place, values)
    assert split_labels(f"er,{label},{label}") == ["er", label, label]


@pytest.mark.parametrize("label", ["mine:", ":Mine", "mine.py:", "a b.py", "mine.py[", "mine?"])
def test_what_is_neither_a_name_nor_a_location_cannot_be_read(label):
    with pytest.raises(LabelError, match="cannot read"):
        read_label(label, "solver")


def test_a_file_has_one_spelling_however_it_is_called(here, monkeypatch):
    (here / "sub").mkdir()
    (here / "sub" / "mine.py").write_text(source())
    (here / "link.py").symlink_to("sub/mine.py")
    monkeypatch.setenv("HOME", str(here))
    ways = ["sub/mine.py", "./sub/../sub/mine.py:Mine", f"{here}/sub/mine.py", "~/sub/mine.py", "link.py:Mine"]
    assert {images.canonical(f"{way}[size=9]") for way in ways} == {"sub/mine.py:Mine[size=9]"}
    assert len({images.source_class(way) for way in ways if "link" not in way}) == 1
    monkeypatch.chdir(here / "sub")
    assert images.canonical(f"{here}/sub/mine.py") == "mine.py:Mine"


def test_files_of_one_name_are_two_and_each_imports_what_lies_beside_it(here):
    for folder in ("one", "two"):
        (here / folder).mkdir()
        (here / folder / "mine.py").write_text(f"import of_{folder}\n" + source(field=f"size: int = of_{folder}.SIZE"))
        (here / folder / f"of_{folder}.py").write_text(f"SIZE = {len(folder)}{folder.index('o')}\n")
    assert (images.create("one/mine.py").size, images.create("two/mine.py").size) == (30, 32)
    assert images.canonical("one/mine.py") != images.canonical("two/mine.py")


def test_a_file_with_a_space_in_its_path_is_written_in_quotation_marks(here):
    (here / "my images.py").write_text(source())
    assert images.canonical('"my images.py"') == '"my images.py:Mine"'
    assert images.canonical('"my images.py:Mine"[size=2]') == '"my images.py:Mine"[size=2]'
    with pytest.raises(ValueError, match="and quotation marks around a path with spaces"):
        images.canonical("my images.py")


def test_a_class_needs_no_name_and_no_summary(here):
    (here / "mine.py").write_text(source(about="Some images.\n\n    Of mine."))
    kind = images.source_class("mine.py")
    assert (kind.name, kind.summary, kind.origin) == ("Mine", "Some images.", "mine.py:Mine")


def test_a_class_of_a_module_is_asked_for_by_its_module_or_by_its_registered_name(here, monkeypatch):
    (here / "a_module_of_images.py").write_text(source())
    monkeypatch.syspath_prepend(str(here))
    assert images.canonical("a_module_of_images:Mine") == "a_module_of_images:Mine"
    assert images.canonical("datasets.atoms:Atoms[count=7]") == "atoms[count=7]"
    assert ImageSource.origin == ""


def test_abstract_private_and_imported_classes_are_not_what_a_file_defines(here):
    base = source("Base").removesuffix(READ)
    only = source("Only").replace("(ImageSource)", "(Base)")
    (here / "mine.py").write_text(f"from datasets.atoms import Atoms\n{base}\n{source('_Hidden')}\n{only}")
    assert images.canonical("mine.py") == "mine.py:Only"


@pytest.mark.parametrize(
    ("label", "content", "words"),
    [
        ("nothing.py", "", "there is no file 'nothing.py'"),
        ("folder/", "", "'folder/' is a folder"),
        ("folder/text", "", "'folder/text' is no file of Python code"),
        ("mine.py", "", "'mine.py' defines no dataset: write a subclass of datasets.ImageSource"),
        ("mine.py", source("A") + source("B"), "defines more than one dataset: write mine.py:A or mine.py:B"),
        ("mine.py:C", source("A") + source("B"), "'mine.py' has no class 'C': choose from A, B"),
        ("mine.py:path", "from os import path", "'mine.py:path' is not a subclass of datasets.ImageSource"),
        ("mine.py:Atoms", "from datasets.atoms import Atoms", "'mine.py:Atoms' is defined in 'datasets.atoms'"),
        ("mine.py", "def (", "dataset 'mine.py' cannot be imported: SyntaxError"),
        ("mine.py", "raise SystemExit(0)", "dataset 'mine.py' cannot be imported: SystemExit: 0"),
        ("mine.py", "import not_there_at_all", "No module named 'not_there_at_all'"),
        ("mine.py", source(field="label: str = ''"), "dataset 'mine.py' has a parameter 'label'"),
        ("mine.py:A", source("A").removesuffix(READ), "dataset 'mine.py:A' does not implement read"),
        ("mine.py[colour=red]", source(), "dataset 'mine.py' has no parameter 'colour': choose from size"),
        ("not_there.at_all:Mine", "", "there is no module 'not_there'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(here, label, content, words):
    (here / "folder").mkdir()
    (here / "folder" / "text").write_text("no code")
    (here / "mine.py").write_text(content)
    with pytest.raises(DatasetError) as error:
        images.create(label)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
