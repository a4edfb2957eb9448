"""The solvers that smooth, gps and graar, keep what belongs to an image with it, and take what others take."""

from __future__ import annotations

import numpy as np
import pytest

from datasets import measure
from solvers import Backend, Status, Streams, create

LABELS = ["gps", "graar"]


def solved(label, measurement, backend):
    solver = create(label)
    solver.prepare(backend)
    return solver.solve(measurement, Streams())


@pytest.mark.parametrize("name", LABELS)
def test_an_image_gives_the_same_beside_others_that_come_and_go(small, numpy64, name):
    """More images than a block holds, of which some are solved early, each as if it were alone."""
    label = f"{name}[nonneg=true,iterations=60,tolerance=0.05,starts=2]"
    whole = solved(label, small, numpy64)
    assert {Status.SOLVED} <= set(whole.status)
    for row in (0, 20):
        alone = solved(label, small[row : row + 1], numpy64)
        np.testing.assert_allclose(alone.images[0], whole.images[row], atol=1e-8)


@pytest.mark.parametrize("name", LABELS)
def test_masked_and_complex_measurements_are_solved_too(small_objects, name):
    mask = np.ones((14, 15), dtype=bool)
    mask[0, 0] = False
    seen = measure(small_objects[:3] * np.exp(1j * small_objects[3:6]), grid=(14, 15), mask=mask, photons=1e5)
    found = solved(f"{name}[iterations=40]", seen, Backend("torch"))
    assert np.isfinite(found.images).all()
    assert found.kernel == "portable"
    if name == "gps":
        np.testing.assert_array_equal(found.transforms, 4 * 40 + 2 * 2)
