"""A batch in chunks is what each image is by itself."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from datasets import measure, place, placements
from datasets.problem import Problem
from solvers import Backend, Status, Streams, create
from solvers.chunks import in_chunks

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


def solve(method, batch, there, *, threads=1, tolerance=0.1, fill=True):
    return in_chunks(
        method,
        batch,
        Backend("torch", threads=threads),
        valid=batch.valid(),
        there=there,
        size=SIZE,
        tolerance=tolerance,
        iterations=20,
        transforms=41,
        kernel="portable",
        fill=fill,
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


def test_a_method_can_fill_its_chunks_itself(batch):
    asked = []

    def call(rows, part, unit):
        asked.append(rows.tolist())
        return np.ones((len(rows), *part.grid), dtype=np.float32), np.full(len(rows), 0.5)

    assert solve(call, batch, batch.valid(), fill=False).images[batch.valid()].all()
    assert asked == [[0, 1, 3], [4, 5, 6]]


def test_a_method_that_does_not_ask_solves_nothing(batch, method):
    assert Status.SOLVED not in solve(method, batch, batch.valid(), tolerance=None).status


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_chunk_has_one_thread_and_threads_change_no_image(batch, method, threads):
    """There are two chunks, which meet at a barrier if they can."""
    barrier, before, seen = threading.Barrier(min(threads, 2), timeout=60), torch.get_num_threads(), []

    def call(rows, part, unit):
        barrier.wait()
        seen.append(torch.get_num_threads())
        return method(rows, part, unit)

    found, alone = solve(call, batch, batch.valid(), threads=threads), solve(method, batch, batch.valid())
    assert seen == [1, 1]
    assert torch.get_num_threads() == before
    np.testing.assert_array_equal(found.images, alone.images)
    np.testing.assert_array_equal(found.residual, alone.residual)
    assert found.status == alone.status


LABELS = ["unet_a", "unet_b[precision=bf16]", "pnp[precision=bf16,steps=4]", "daps[steps=3]"]
BEGUN = [label for label in LABELS if not label.startswith("unet")]


@pytest.mark.parametrize("label", [*LABELS, "deep_image_prior[starts=1,iterations=4]"])
def test_in_several_threads_every_method_finds_what_it_finds_in_one(tiles, label):
    """Two chunks and a part of one, from images that are not random, for those that begin anywhere."""
    objects = place(tiles[:20], placements("shift_flip", seed=0, split="test", indices=np.arange(20)))
    measurement = measure(objects, photons=1e5)
    found = []
    for threads in (1, 3):
        solver = create(label)
        solver.prepare(Backend("torch", threads=threads), Problem(variant="shift_flip"))
        if label in BEGUN:
            blurred = np.pad(np.sqrt(objects), [(0, 0), (0, 54), (0, 54)])
            found.append(solver.refine(blurred, measurement, Streams()))
        else:
            found.append(solver.solve(measurement, Streams()))
    np.testing.assert_array_equal(found[0].images, found[1].images)
    np.testing.assert_array_equal(found[0].residual, found[1].residual)
    assert found[0].images.any(axis=(1, 2)).all()
