"""Every solver against every other one, image by image, on the measurements that both have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from bench.report.page import words
from bench.report.page.content import Content
from bench.score.by_image import image_means
from bench.score.statistics import holm, percentile_interval, resampled_means, signed_rank
from bench.sweep.rows import score_of, scored

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Pair:
    """How a differs from b: mean of a − b with its bootstrap interval, p of the signed-rank test before correction,
    and on how many images a has the lower error, both have the same, or b has the lower one."""

    images: int
    difference: float
    low: float
    high: float
    p: float
    wins: int
    ties: int
    losses: int


def pairs(parts: Sequence[pd.DataFrame]) -> dict[tuple[int, int], Pair]:
    """All pairs (a, b), a < b, of these rows of one problem that have measurements in common.

    Where nobody knows the objects, residuals take the place of errors.

    The seeds of an image are averaged first. What the same images have in common is resampled together.
    """
    score = score_of(next(filter(len, parts), parts[0]))  # one without rows does not tell
    means = [
        image_means(scored(rows), [score], ["image", "measurement"])[score].rename(i) for i, rows in enumerate(parts)
    ]
    table = pd.concat(means, axis=1)
    there = table.notna().to_numpy()
    alike: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for a, b in combinations(range(len(parts)), 2):
        alike[(there[:, a] & there[:, b]).tobytes()].append((a, b))
    found: dict[tuple[int, int], Pair] = {}
    for common, members in alike.items():
        chosen = np.frombuffer(common, dtype=bool)
        if chosen.any():
            columns = sorted({i for pair in members for i in pair})
            found |= _on_the_same_images(image_means(table.loc[chosen, columns].reset_index(), columns), members)  # type: ignore[arg-type]
    return {pair: found[pair] for pair in sorted(found)}


def _on_the_same_images(errors: pd.DataFrame, members: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Pair]:
    resampled = dict(zip(errors.columns, resampled_means(errors.to_numpy()).T, strict=True))
    several = len(errors) > 1
    found = {}
    for a, b in members:
        difference = (errors[a] - errors[b]).to_numpy()
        low, high = percentile_interval(resampled[a] - resampled[b]) if several else (np.nan, np.nan)
        found[a, b] = Pair(
            images=len(difference),
            difference=float(difference.mean()),
            low=low,
            high=high,
            p=signed_rank(difference),
            wins=int((difference < 0).sum()),
            ties=int((difference == 0).sum()),
            losses=int((difference > 0).sum()),
        )
    return found


def matrices(content: Content) -> dict[str, Any] | None:
    """A matrix for each problem; None where nothing can be compared."""
    found = {problem: pairs([content.rows(line) for line in content.of(problem)]) for problem in content.problems}
    count = sum(map(len, found.values()))
    if not count:
        return None
    corrected = iter(holm([pair.p for of in found.values() for pair in of.values()]))
    tables = []
    for problem, of in found.items():
        cells = {}
        for (a, b), pair in of.items():
            p = float(next(corrected))
            cells[a, b] = _cell(pair, p, 1)
            cells[b, a] = _cell(pair, p, -1)
        labels = [content.called(line) for line in content.of(problem)]
        lines = [[cells.get((a, b)) for b in range(len(labels))] for a in range(len(labels))]
        if of:
            tables.append(
                {"problem": content.problems[problem], "labels": labels, "lines": lines, "images": _images(of)}
            )
    return {
        "heading": "Pairwise comparisons",
        "tables": tables,
        "count": count,
        "level": SIGNIFICANT,
        "unknown": bool(content.unknown),
    }


def _images(of: dict[tuple[int, int], Pair]) -> str:
    counts = sorted({pair.images for pair in of.values()})
    if len(counts) == 1:
        return words.counted(counts[0], "image")
    return f"{words.grouped(counts[0])} to {words.counted(counts[-1], 'image')}"


def _cell(pair: Pair, p: float, sign: int) -> dict[str, Any]:
    low, high = sorted((sign * pair.low, sign * pair.high))
    difference = sign * pair.difference
    wins, losses = (pair.wins, pair.losses)[::sign]
    decided = "same" if p >= SIGNIFICANT or difference == 0 else "better" if difference < 0 else "worse"
    return {
        "decided": decided,
        "difference": words.signed(difference),
        "interval": f"{words.signed(low)} to {words.signed(high)}" if pair.images > 1 else "",
        "wins": f"{wins}/{pair.ties}/{losses}",
        "p": words.p_value(p),
    }
