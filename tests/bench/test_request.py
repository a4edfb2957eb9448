"""A request reads the same in a file as on the command line."""

from __future__ import annotations

import json

import pytest

from bench.request import Sweep, request
from datasets import VARIANTS
from datasets.problem import Problem


@pytest.fixture
def config(tmp_path):
    """The request of a file with this content."""

    def call(text: str, encoding: str = "utf-8", **given: object) -> Sweep:
        path = tmp_path / "sweep.toml"
        path.write_text(text, encoding=encoding)
        return request(path, **given)

    return call


LABELS = ("er", "rrr[nonneg=true,beta=0.5]")


@pytest.mark.parametrize("labels", [json.dumps(LABELS), json.dumps(", ".join(LABELS))], ids=["list", "text"])
def test_a_list_may_be_written_as_a_text_with_commas(config, labels):
    assert config(f"solvers = {labels}").solvers == LABELS
    assert request(solvers=",".join(LABELS)).solvers == LABELS
    assert config('variants = "flip, none"').variants == ("flip", "none")


@pytest.mark.parametrize("seeds", ["seed = [1, 2]", 'seed = "1,2"', "seeds = [1, 2]"])
def test_seeds_have_two_names(config, seeds):
    assert config(seeds).seeds == (1, 2)
    assert config("seed = 3").seeds == (3,)
    assert config(seeds, seeds="5").seeds == (5,)


def test_a_byte_order_mark_is_no_part_of_the_text(config):
    assert config("images = 7", encoding="utf-8-sig").images == 7


def test_the_home_of_the_user_may_be_written_as_a_tilde(config, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config('data-dir = "~/fashion"').data_dir == str(tmp_path / "fashion")
    assert request(data_dir="~/fashion").data_dir == str(tmp_path / "fashion")


def test_paths_on_the_command_line_may_begin_with_a_tilde(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sweep.toml").write_text('solvers = "er[iterations=1]"\nvariants = "none"\nimages = 1\nthreads = 1\n')
    done = bench("run", "--dataset=sample", "--no-figures", "--config", "~/sweep.toml", "--output=~/out")
    assert done.status == 0, done.err
    assert (tmp_path / "out" / "summary.csv").is_file()
    assert f"'{tmp_path / 'nothing'}'" in bench("compare", "~/nothing").err
    assert "'~nobody-of-this-name/x'" in bench("compare", "~nobody-of-this-name/x").err


def test_objects_that_their_grid_does_not_determine_are_said_unless_their_pixels_are_counted():
    problems = [
        Problem(frame=(9, 8), grid=grid, variant=variant) for grid in ((17, 15), (16, 15)) for variant in VARIANTS
    ]
    (said,) = request(solvers="er").doubts(problems)
    assert said == "an object of 9x8 is larger than half of the grid of 16x15: the intensities do not determine it"
    assert request(solvers="er").doubts(problems[: len(VARIANTS)]) == []
    counted = 'rrr[support="largest[pixels=30]"]'
    assert request(solvers=counted).doubts(problems) == []
    assert request(solvers=f"{counted},er").doubts(problems) == [said]
