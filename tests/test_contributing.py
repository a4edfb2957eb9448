"""What CONTRIBUTING.md prints fits the code, and its table of rooms is that of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import ROOT
from test_imports import ROOMS

from datasets import images

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def hunks() -> Iterator[tuple[str, str, str]]:
    """(file, what is there, what it becomes) of every change in a diff of the text."""
    for block in re.findall(r"```diff\n(.*?)```", TEXT, re.DOTALL):
        for part in re.split(r"^--- ", block, flags=re.MULTILINE)[1:]:
            path, *changes = re.split(r"\n@@\n", part)
            for change in changes:
                lines = change.splitlines()
                before, after = ("\n".join(line[1:] for line in lines if line[:1] != sign) for sign in "+-")
                yield path, before, after


def changed(path: str) -> str:
    """A file with the changes of the text."""
    source = (ROOT / path).read_text(encoding="utf-8")
    for of, before, after in hunks():
        if of == path:
            assert source.count(before) == 1, f"{path} has no single place\n{before}"
            source = source.replace(before, after)
    return source


@pytest.mark.parametrize("path", sorted({path for path, _, _ in hunks()}))
def test_a_printed_change_fits_the_file_that_it_is_for(path):
    compile(changed(path), path, "exec")


def test_the_example_of_an_image_set_is_read(tmp_path, monkeypatch):
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "ramps.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    train, test = (images.load_images(f"{tmp_path}/ramps.py[size=6]", split) for split in ("train", "test"))
    assert (len(train), train.tile, train.digest != test.digest) == (100, (6, 6), True)


@pytest.mark.parametrize("storey", ROOMS)
def test_every_room_is_described_in_the_order_of_imports(storey):
    table = TEXT.partition(f"| `{storey}/` |")[2].partition("\n\n")[0]
    cells = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|"))
    shown = [name.removesuffix("/").removesuffix(".py") for name in re.findall(r"`([a-z_]+(?:/|\.py))`", cells)]
    assert shown == [room for room in ROOMS[storey] if room != "__main__"]
