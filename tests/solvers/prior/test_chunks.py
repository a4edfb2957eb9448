"""A batch in chunks is what each image is by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datasets import measure
from solvers import Status
from solvers.prior.chunks import in_chunks

SIZE = 3


@pytest.fixture(scope="module")
def batch():
    """Seven patterns of very different units, the third of which is dark."""
    rng = np.random.default_rng(3)
    found = measure(rng.random((7, 4, 5)), grid=(8, 10))
    units = 10.0 ** np.arange(-12, 9, 3)
    units[2] = 0
    return replace(found, intensities=found.intensities * units[:, None, None])


@pytest.fixture
def method():
    """Something that depends on the pattern alone, and is not a number for the one of image 5."""

    def call(rows, part, unit):
        call.rows.append(rows)
        assert len(rows) == len(part) == len(unit) == SIZE
        images = np.fft.ifft2(np.sqrt(part.intensities)).real.astype(np.float32)
        images[part.indices == 5] = np.nan
        return images, np.where(part.indices == 4, 0.5, 0.01)

    call.rows = []
    return call


def solve(method, batch, there):
    return in_chunks(
        method, batch, valid=batch.valid(), there=there, size=SIZE, tolerance=0.1, iterations=20, transforms=41
    )


def test_rows_keep_their_places_and_each_says_how_it_ended(batch, method):
    there = batch.valid()
    there[6] = False
    found = solve(method, batch, there)
    assert [list(rows) for rows in method.rows] == [[0, 1, 3], [4, 5, 4]]  # filled up with images of its own
    ends = {0: "solved", 1: "solved", 2: "invalid", 3: "solved", 4: "stopped", 5: "diverged", 6: "diverged"}
    assert dict(enumerate(found.status)) == {i: Status(end) for i, end in ends.items()}
    for i in (0, 1, 3, 4):
        expected = np.fft.ifft2(np.sqrt(batch.intensities[i])).real
        np.testing.assert_allclose(found.images[i], expected, rtol=1e-4, atol=1e-6 * expected.max())
    assert not found.images[[2, 5, 6]].any()
    np.testing.assert_array_equal(found.residual, [0.01, 0.01, np.nan, 0.01, 0.5, np.nan, np.nan])
    for values, cost in ((found.iterations, 20), (found.starts, 1), (found.transforms, 41)):
        np.testing.assert_array_equal(values, cost * there)


def test_no_image_depends_on_how_many_there_are_beside_it(batch, method):
    together = solve(method, batch, batch.valid())
    for i in np.flatnonzero(batch.valid()):
        alone = solve(method, batch[i : i + 1], np.array([True]))
        np.testing.assert_array_equal(alone.images[0], together.images[i])


def test_where_there_is_nothing_to_do_nothing_is_done(batch, method):
    found = solve(method, batch, np.zeros(7, dtype=bool))
    assert method.rows == []
    assert set(found.status) == {Status.INVALID, Status.DIVERGED}
