"""What all tests share: a hypothesis profile, one thread, small objects, and the command line in this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import settings
from numpy.typing import NDArray

from datasets import Measurement, load_images, measure, place, placements
from solvers import Backend, Solver, create

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

settings.register_profile("local", deadline=None, max_examples=40)
settings.register_profile("ci", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _in_this_process():
    """Sweeps run inline unless a test asks for something else: stand-ins are known to this process alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.request.DEFAULT_EXECUTOR", "inline")
        yield


@pytest.fixture(autouse=True)
def _no_outside_world(monkeypatch, tmp_path_factory):
    """No test reads the user's settings or reaches the network."""
    monkeypatch.delenv("PHASEBENCH_DATA", raising=False)
    monkeypatch.setenv("PHASEBENCH_OFFLINE", "1")


@pytest.fixture(scope="module")
def browser():
    """A chromium that is there; a test that needs it is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser is tested")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("no chromium in $CHROMIUM or on the path: nothing is tested in a browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


def prepared(label: str, backend: Backend) -> Solver:
    """The solver that a label asks for, ready to solve."""
    solver = create(label)
    solver.prepare(backend)
    return solver


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240607)


@pytest.fixture(scope="session")
def tiles() -> NDArray[np.float32]:
    """The first 32 test images, (32, 28, 28)."""
    return load_images("sample").tiles(slice(32))


@pytest.fixture(scope="session")
def objects(tiles) -> NDArray[np.float32]:
    """Four of them where the variant shift_flip puts them in the published frame, (4, 42, 42)."""
    return place(tiles[:4], placements("shift_flip", seed=0, split="test", indices=np.arange(4)))


@pytest.fixture(scope="session")
def noisy(objects) -> Measurement:
    """Their measurement with 1e5 photons."""
    return measure(objects, photons=1e5)


@pytest.fixture(scope="session")
def small_objects() -> NDArray[np.float64]:
    """Twenty-four nonnegative objects (24, 6, 7), some of whose pixels are zero."""
    rng = np.random.default_rng(7)
    return rng.random((24, 6, 7)) * (rng.random((24, 6, 7)) < 0.7)


@pytest.fixture(scope="session")
def small(small_objects) -> Measurement:
    """Their measurement on an oversampled grid of even and odd length."""
    return measure(small_objects, grid=(14, 15))


@pytest.fixture(scope="session")
def numpy64() -> Backend:
    return Backend("numpy", precision="float64")


@pytest.fixture(scope="session")
def torch64() -> Backend:
    return Backend("torch", precision="float64")


@pytest.fixture(scope="session")
def torch32() -> Backend:
    return Backend("torch", precision="float32")


@pytest.fixture(autouse=True)
def no_single_images(monkeypatch):
    """They cost seconds, and would be counted among the calls of a solver; test_timing.py has them by themselves."""
    monkeypatch.setattr("bench.commands.run.single_images", lambda *sweep: None)


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def bench(monkeypatch, capsys) -> Callable[..., Finished]:
    """`python -m bench …` in this process."""
    from bench.cli import main

    def call(*arguments: object) -> Finished:
        monkeypatch.setattr("sys.argv", ["bench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Finished(int(end.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def run(bench, tmp_path):
    """`bench run` into a folder; options as keywords."""

    def call(folder: str = "out", **options: object):
        defaults = {"dataset": "sample", "images": 3, "variants": "shift_flip,none", "threads": 1, "shard": 2}
        given = {**defaults, **options}
        figures = "--figures" if given.pop("figures", False) else "--no-figures"
        arguments = [part for key, value in given.items() for part in (f"--{key}", value)]
        return bench("run", figures, *arguments, "--output", tmp_path / folder)

    return call


@pytest.fixture
def rows(tmp_path):
    return lambda folder="out": pd.read_parquet(tmp_path / folder / "per_image.parquet")
