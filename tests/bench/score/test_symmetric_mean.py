"""What a network without symmetry breaking can learn from L2: the mean over all copies of an image with the same Y.

docs/paper.md quotes these errors, of the first 1 000 test images, beside those of U-Net-B.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bench.score.metrics import adjusted_mse
from datasets import Variant, load_images, place, placements
from datasets.variants import GRID

TABLE = Path(__file__).parents[3] / "results" / "table1.csv"


def mean_over_copies(images: NDArray[np.float32], variant: Variant) -> NDArray[np.float32]:
    """Of centred tiles (N, 42, 42): over 15 × 15 positions, over both orientations, or both."""
    if variant.shifts:
        for axis in (1, 2):
            images = np.mean([np.roll(images, by, axis) for by in range(-7, 8)], axis=0)
    return (images + images[:, ::-1, ::-1]) / 2 if variant.flips else images


@pytest.mark.parametrize(
    ("variant", "error", "excess"), [("flip", 0.163, 0.03), ("shift", 0.344, 0.01), ("shift_flip", 0.360, 0.01)]
)
def test_u_net_b_learns_the_mean_over_the_symmetric_copies(variant, error, excess):
    indices = np.arange(1000)
    truth = place(
        load_images("sample").tiles(indices), placements("none", seed=0, split="test", indices=indices)
    ).astype(np.float32)
    mean = np.zeros((len(truth), *GRID), dtype=np.float32)
    mean[:, :42, :42] = mean_over_copies(truth, Variant(variant))
    found = adjusted_mse(truth, mean).mean()
    assert found == pytest.approx(error, abs=5e-4)
    assert pd.read_csv(TABLE).set_index("variant")["unet_b"][variant] == pytest.approx(found, abs=excess)
