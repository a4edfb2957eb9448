"""What a network without symmetry breaking can learn from L2: the mean over all copies of an image with the same Y.

The README quotes these errors beside those of U-Net-B.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.metrics import adjusted_mse
from datasets import Placement, Variant, load_images, place
from datasets.variants import GRID

TILES = load_images("sample").tiles(np.arange(1000)).astype(float)
TABLE = pd.read_csv(Path(__file__).parents[2] / "results" / "table1.csv").set_index("variant")["unet_b"]


def placed(row: int, column: int, flipped: bool):
    each = np.ones(len(TILES), dtype=np.int64)
    return place(TILES, Placement(row * each, column * each, flipped * each == 1))


@pytest.mark.parametrize(("variant", "error"), [("flip", 0.163), ("shift", 0.344), ("shift_flip", 0.360)])
def test_u_net_b_learns_the_mean_over_the_symmetric_copies(variant, error):
    rows = range(15) if Variant(variant).shifts else [7]
    copies = list(product(rows, rows, [False, True] if Variant(variant).flips else [False]))
    mean = np.zeros((len(TILES), *GRID))
    for where in copies:
        mean[:, :42, :42] += placed(*where) / len(copies)
    found = adjusted_mse(placed(7, 7, False), mean).mean()
    assert found == pytest.approx(error, abs=5e-4)
    assert TABLE[variant] == pytest.approx(found, abs=0.04)
