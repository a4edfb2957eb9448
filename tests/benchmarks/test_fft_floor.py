"""What an iteration cannot go below: one rfft2 and one irfft2, by the FFT libraries at hand, on one thread."""

from __future__ import annotations

import pytest
from workloads import BATCHES, GRID, LIBRARIES, transform_pair

pytestmark = pytest.mark.benchmark(group="fft-floor")


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_pair_of_transforms(benchmark, library, batch):
    benchmark.extra_info["images"] = batch
    benchmark(transform_pair(library, GRID, batch))
