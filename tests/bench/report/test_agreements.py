"""The seeds of a sweep over measured patterns tell how far they agree, and up to which frequency."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows
from numpy.typing import NDArray

from bench.report.agreements import resolutions
from bench.report.tables import summarise
from bench.score.transfer import FEWEST
from bench.sweep.pictures import unregistered
from datasets import PatternSet
from datasets.problem import Problem

GRID = (20, 24)
PROBLEM = Problem(
    dataset="patterns[path=scan.npy,object=20x24]", object="complex", variant="none", frame=GRID, grid=GRID
)
SETTING = tuple(PROBLEM.columns().values())


def ring_of(i: int, j: int) -> int:
    """The ring of a frequency, as wide as the coarser step of the grid."""
    k = [(i if i <= GRID[0] // 2 else i - GRID[0]) / GRID[0], (j if j <= GRID[1] // 2 else j - GRID[1]) / GRID[1]]
    return round(math.hypot(*k) * min(GRID))


def seeds_of(number: int, count: int, first: int) -> tuple[NDArray, NDArray]:
    """An object's pattern (m1, m2), and reconstructions of it (count, m1, m2) whose phases differ from a ring on."""
    rng = np.random.default_rng(number)
    x = np.zeros(GRID, complex)
    soft = np.outer(np.hanning(10)[1:-1], np.hanning(11)[1:-1])  # little of its energy is at high frequencies
    x[6:14, 7:16] = soft * (1 + 0.1 * rng.standard_normal((8, 9))) * np.exp(0.1j * rng.standard_normal((8, 9)))
    z = np.fft.fft2(x)
    found = np.stack([z] * count)
    for i in range(GRID[0]):
        for j in range(GRID[1]):
            if ring_of(i, j) >= first:
                found[1:, i, j] *= np.exp(2j * np.pi * rng.random(count - 1))
    return np.abs(z) ** 2, np.fft.ifft2(found)


def moved(images: NDArray, rng: np.random.Generator) -> NDArray:
    """Each but the first one shifted, turned or not, and with another phase."""
    out = [images[0]]
    for image in images[1:]:
        turned = np.conj(image[::-1, ::-1]) if rng.random() < 0.5 else image
        out.append(np.roll(turned, rng.integers(0, 20, 2), (0, 1)) * np.exp(1j * rng.random()))
    return np.stack(out)


def literal_half_period(images: NDArray, pattern: NDArray) -> float:
    """Half a period of the frequency at which |mean F x| / √Y, weighted by Y over each ring, falls below 1/e."""
    together, light = [0.0] * 11, [0.0] * 11
    for i in range(GRID[0]):
        for j in range(GRID[1]):
            if (ring := ring_of(i, j)) <= 10 and not math.isnan(pattern[i, j]):
                terms = [
                    image[a, b] * np.exp(-2j * np.pi * (a * i / GRID[0] + b * j / GRID[1]))
                    for image in (images.mean(axis=0),)
                    for a in range(GRID[0])
                    for b in range(GRID[1])
                ]
                together[ring] += abs(sum(terms)) * math.sqrt(pattern[i, j])
                light[ring] += pattern[i, j]
    prtf = [a / b for a, b in zip(together, light, strict=True)]
    below = next(k for k in range(1, 11) if prtf[k] < 1 / math.e)
    share = (prtf[below - 1] - 1 / math.e) / (prtf[below - 1] - prtf[below])
    return 1 / (2 * (below - 1 + share) / min(GRID))


def sweep_of(*found: NDArray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and pictures of these reconstructions (seeds, m1, m2), one of each image; the first seed fits best."""
    rows, pictures = [], []
    for seed in range(len(found[0])):
        images = np.stack([one[seed] for one in found])
        part = result_rows("er", np.full(len(found), np.nan), seed=seed).assign(
            **PROBLEM.columns(), residual=0.1 + 0.01 * seed, pixel_mse=np.nan, iterations=5, starts=1
        )
        rows.append(part)
        pictures.append(unregistered(part, images, GRID, range(len(found))))
    return pd.concat(rows, ignore_index=True), pd.concat(pictures, ignore_index=True)


def pattern_set(*patterns: NDArray) -> PatternSet:
    return PatternSet(PROBLEM.dataset, "test", np.stack(patterns), GRID, False, "memory", "0" * 64)


def test_the_resolution_is_that_of_the_literal_transfer_function_in_the_mean_over_images(rng):
    patterns, found = zip(*(seeds_of(number, 12, first) for number, first in ((1, 5), (2, 7))), strict=True)
    patterns[0][4:7, :3] = np.nan  # not measured
    expected = [literal_half_period(images, pattern) for images, pattern in zip(found, patterns, strict=True)]
    rows, pictures = sweep_of(*(moved(images, rng) for images in found))
    got = resolutions(rows, pictures, pattern_set(*patterns))
    assert got == {(*SETTING, "er"): pytest.approx(np.mean(expected), rel=0.02)}
    assert abs(expected[0] - expected[1]) > 0.1 * expected[1]
    (line,) = summarise(rows, None, pictures, pattern_set(*patterns)).to_dict("records")
    assert line["half_period_pixels"] == got[*SETTING, "er"]
    assert line["agreement"] == 1


def test_images_of_which_too_few_seeds_agree_have_no_resolution(rng):
    pattern, found = seeds_of(1, FEWEST, 6)
    others = rng.standard_normal((FEWEST, *GRID)) + 0j
    mixed = np.concatenate([found[: FEWEST - 1], others[:1]])
    rows, pictures = sweep_of(found, mixed, others)
    patterns = pattern_set(pattern, pattern, pattern)
    alone = sweep_of(found)
    assert resolutions(rows, pictures, patterns) == resolutions(*alone, patterns)
    assert resolutions(*sweep_of(mixed), patterns) == {}
    assert "half_period_pixels" not in summarise(*sweep_of(mixed)[:1], None, sweep_of(mixed)[1], patterns)
    assert resolutions(*sweep_of(found[:-1]), patterns) == {}


def test_where_the_truth_is_known_nothing_is_told():
    pattern, found = seeds_of(1, FEWEST, 6)
    rows, pictures = sweep_of(found)
    assert resolutions(rows.assign(mse=0.1), pictures, pattern_set(pattern)) == {}
