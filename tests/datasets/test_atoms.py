"""Crystals of atoms: what their parameters mean."""

from __future__ import annotations

import numpy as np
import pytest

from datasets import load_images


@pytest.mark.parametrize("contrast", [1, 2, 3.5])
def test_the_contrast_is_the_weight_of_the_heavy_atoms_over_that_of_the_light_ones(contrast):
    """F(0) is the sum of all weights."""
    (image,) = load_images(f"atoms[count=4,contrast={contrast}]").tiles(slice(1))
    assert image.sum() == pytest.approx(2 * 1 + 2 * contrast, rel=1e-5)


def test_only_weights_depend_on_the_contrast():
    one, two, three = (load_images(f"atoms[count=6,contrast={c}]").tiles(slice(2)) for c in (1, 2, 3))
    np.testing.assert_allclose(three - two, two - one, atol=1e-6)


def test_other_contrasts_are_other_images_and_the_usual_one_needs_no_word():
    digests = {load_images(f"atoms[count=2,contrast={c}]").digest for c in (1, 2, 3)}
    assert len(digests) == 3
    assert load_images("atoms[count=2]").digest in digests
