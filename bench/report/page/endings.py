"""How images ended, and where solvers failed: with the reason, and the traceback that the shard has kept."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.errors import visible
from bench.report.finished import known_label
from bench.report.page import words
from bench.report.page.content import Content
from bench.report.page.runs import Run
from bench.report.settings import problem_of
from bench.report.tracebacks import place_of
from bench.store.folder import LARGEST_SHARD, SUFFIX
from bench.store.shard_file import DamagedError, Header, read_header
from bench.sweep.rows import GROUP, STATUSES, failed
from datasets.problem import Problem
from solvers.files import read_regular

ABOUT = {
    "solved": "the magnitude residual reached the tolerance",
    "stopped": "the budget was used up, or the method has a single pass",
    "diverged": "the image was not finite, and counts as an empty one",
    "invalid": "the measurement could not be used",
    "failed": "the solver raised an error, or its process died: error 1",
    "timeout": "the solver took too long: error 1",
}
SHOWN = 8  # numbers of images that are written out


def endings(content: Content) -> dict[str, Any]:
    """A line for each solver with what became of its images, and every failure."""
    counts = pd.concat(
        [
            pd.crosstab([run.rows["solver"].map(lambda _, name=run.name: name), run.rows["solver"]], run.rows["status"])
            for run in content.runs
        ]
    ).fillna(0)
    statuses = [status for status in STATUSES if status in counts and counts[status].any()]
    labels = dict.fromkeys((line["run"], line["solver"]) for line in content.lines)
    return {
        "heading": "How the images ended",
        "statuses": [(status, ABOUT[status]) for status in statuses],
        "lines": [
            {
                "label": content.called({"run": run, "solver": solver}),
                "counts": [words.grouped(int(counts.loc[(run, solver), status])) for status in statuses],
            }
            for run, solver in labels
        ],
        "failures": [failure for run in content.runs for failure in _failures(content, run)],
    }


def _failures(content: Content, run: Run) -> list[dict[str, Any]]:
    lost = failed(run.rows)
    headers = _broken_shards(run) if len(lost) else []
    found = []
    for (*_, solver, status, reason), rows in lost.groupby([*GROUP, "status", "reason"], sort=False):
        problem = problem_of(rows.iloc[0])
        trace = _traceback(headers, problem, str(solver), rows, str(reason))
        images = [str(image) for image in rows["image"].unique()]
        found.append(
            {
                "label": content.called({"run": run.name, "solver": solver}),
                "problem": content.problems[problem],
                "status": status,
                "reason": visible(str(reason)) + visible(place_of(trace)),
                "images": words.counted(len(images), "image"),
                "which": ", ".join(images[:SHOWN]) + " …" * (len(images) > SHOWN),
                "traceback": visible(trace) if "Traceback" in trace else "",
            }
        )
    return found


def _broken_shards(run: Run) -> list[Header]:
    """What the shards say of themselves that failed; the latest last. One that is damaged says nothing."""
    found = []
    for path in sorted((run.folder / "shards").glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime):
        try:
            header = read_header(read_regular(path, LARGEST_SHARD))
        except (DamagedError, OSError):
            continue
        if header.error:
            found.append(header)
    return found


def _traceback(headers: list[Header], problem: Problem, solver: str, rows: pd.DataFrame, reason: str) -> str:
    """The traceback of a shard that has one of these rows; empty where the shards are gone."""
    of = set(zip(rows["seed"], rows["image"], strict=True))
    for header in reversed(headers):
        shard = header.shard
        same = shard.problem == problem and known_label(shard.solver) == solver and header.reason == reason
        if same and any((shard.seed, image) in of for image in shard.indices):
            return header.error
    return ""
