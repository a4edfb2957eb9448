"""A picture shows a reconstruction as the truth lies, to the digits of half precision, whatever its units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.sweep.pictures import packed, unpacked

FRAME = (3, 4)


def there_and_back(images):
    columns = packed(images)
    return np.stack(
        [unpacked(pixels, int(e), FRAME) for pixels, e in zip(columns["pixels"], columns["exponent"], strict=True)]
    )


@given(st.integers(0, 2**32 - 1), st.integers(-1000, 1000), st.booleans(), st.booleans())
def test_a_picture_has_the_digits_of_half_precision_in_any_units(seed, exponent, is_complex, single):
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((2, *FRAME)) + 1j * rng.standard_normal((2, *FRAME)) * is_complex
    images = (images if is_complex else images.real) * 2.0 ** (exponent // 10 if single else exponent)
    images = images.astype({(0, 0): "f8", (0, 1): "f4", (1, 0): "c16", (1, 1): "c8"}[is_complex, single])
    shown = there_and_back(images)
    assert shown.dtype.kind == images.dtype.kind
    largest = np.abs(images).max(axis=(1, 2), keepdims=True)
    assert (np.abs(shown - images) <= 2**-10 * largest).all()


def test_an_image_of_zeros_is_one_of_zeros():
    np.testing.assert_array_equal(there_and_back(np.zeros((1, *FRAME))), np.zeros((1, *FRAME)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float32, np.complex64])
def test_an_image_that_is_not_finite_has_no_number_at_all_and_leaves_the_others(value, kind):
    images = np.ones((2, *FRAME), kind)
    images[0, 1, 1] = value
    shown = there_and_back(images)
    assert np.isnan(shown[0]).all()
    np.testing.assert_array_equal(shown[1], images[1])


@pytest.mark.parametrize("count", [0, 11, 13, 25])
def test_bytes_of_another_size_are_no_picture(count):
    with pytest.raises(ValueError):  # noqa: PT011 - NumPy says it in its own words
        unpacked(b"\0" * 2 * count, 0, FRAME)
