"""Runs whose tables are given, to be drawn, and what lies where in a figure of them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from doubles import result_rows
from matplotlib.figure import Figure

from bench.report.figures.source import Source
from bench.report.pictures import Picture
from bench.report.tables import summarise
from datasets.problem import COLUMNS, Problem

LONG = "rrr[nonneg=true,iterations=1000,starts=5,beta=0.{}]"

PATH = "unet_a[weights=" + "/a/long/way/to/some/weights" * 8 + ".safetensors]"


class Known(Source):
    """A run whose tables are given instead of read."""

    def __init__(self, **tables: Any) -> None:
        self.folder, self._solvers, self._where = Path("run"), [], {}
        vars(self).update({"references": tables.get("summary", pd.DataFrame()).iloc[:0]} | tables)


def made(labels, *, problems=(), images=8, seeds=1, seed=0) -> Known:
    """A run of these solvers, with errors and costs drawn at random."""
    rng = np.random.default_rng(seed)
    problems = problems or (Problem(dataset="sample", variant="shift_flip"),)
    parts = [
        result_rows(label, rng.random(images), seed=one).assign(
            **problem.columns(),
            transforms=rng.integers(1, 1000, images),
            **dict.fromkeys(["pixel_mse", "residual", "iterations", "starts"], 0.5),
        )
        for problem in problems
        for label in labels
        for one in range(seeds)
    ]
    rows = pd.concat(parts, ignore_index=True)
    summary = summarise(rows)
    timing = summary[[*COLUMNS, "solver"]].assign(threads=2, workers=1)
    middle = rng.random(len(timing)) * 100 + 1
    for name, factor in (("median", 1.0), ("low", 0.5), ("high", 2.0)):
        timing[f"solve_ms_per_image_{name}"] = factor * middle
    return Known(rows=rows, summary=summary, timing=timing)


def curves(labels, points=5, seconds=None, problems=(), seeds=(0,), images=16) -> Known:
    age = np.arange(1, points + 1)
    parts = [
        pd.DataFrame(
            {
                **problem.columns(),
                "solver": label,
                "seed": seed,
                "images": images,
                "iterations": 20 * age,
                "seconds": 0.01 * age if seconds is None else seconds,
                "mse": 0.5**age,
                "residual": 0.4**age,
            }
        )
        for problem in problems or (Problem(dataset="sample"),)
        for label in labels
        for seed in seeds
    ]
    return Known(curves=pd.concat(parts, ignore_index=True))


def pictured(labels, *, variants=("shift_flip",), images=3, kind=np.float32, shape=(6, 5), seed=1) -> Known:
    """A run with pictures of random objects, of which every solver gets a part right."""
    rng = np.random.default_rng(seed)
    found = []
    for variant in variants:
        truths = rng.random((images, *shape)) * (np.exp(1j) if np.issubdtype(kind, np.complexfloating) else 1)
        for label in labels:
            for image, truth in enumerate(truths.astype(kind)):
                shown = truth * rng.random()
                error = float(np.linalg.norm(shown - truth) ** 2 / np.linalg.norm(truth) ** 2)
                problem = Problem(dataset="sample", variant=variant)
                found.append(Picture(problem, label, 0, 10 + image, truth, shown, error))
    return Known(pictures=found)


LABELS = {
    "one": ["er"],
    "four": [LONG.format(i) for i in range(4)],
    "eighteen": [LONG.format(i) for i in range(18)],
    "long": ["er", PATH],
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts if text.get_text()]


def within(figure: Figure, boxes: list) -> None:
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    for box in boxes:
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


def apart(boxes: list) -> None:
    for one, other in combinations(boxes, 2):
        assert not (
            min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
        )


def legend(figure: Figure) -> list[str]:
    return [text.get_text().replace("\n", "") for text in figure.legends[0].get_texts()]
