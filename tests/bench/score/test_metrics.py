"""The score against the literal scan of appendix A.2, and everything it must not notice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import best_fit_error, conjugate_flip, embed, literal_scan

from bench.score.metrics import adjusted_mse, cut, register, registered

N, M = (4, 5), (9, 11)
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(["real", "complex"])
noises = st.just(0.0) | st.floats(1e-6, 3)  # beside the truth


def random_images(rng, batch, shape, kind):
    x = rng.standard_normal((batch, *shape))
    return x + 1j * rng.standard_normal(x.shape) if kind == "complex" else x


def pair(seed, kind, *, noise=0.5, batch=3, n=N, m=M):
    """Truths, and noisy copies of them somewhere on the periodic grid, some turned."""
    rng = np.random.default_rng(seed)
    truth = random_images(rng, batch, n, kind)
    seen = np.where(rng.random((batch, 1, 1)) < 0.5, truth, conjugate_flip(truth))
    corner = (int(rng.integers(m[0])), int(rng.integers(m[1])))
    return truth, embed(seen, m, corner) + noise * random_images(rng, batch, m, kind), rng


# ---- the oracle


@given(seeds, kinds, kinds, st.booleans(), noises)
def test_the_score_is_that_of_the_literal_scan(seed, kind, other, circular, noise):
    truth, _, rng = pair(seed, kind)
    reconstruction = embed(truth, M, (7, 8)) + noise * random_images(rng, 3, M, other)
    expected = [literal_scan(a, b, circular=circular) for a, b in zip(truth, reconstruction, strict=True)]
    np.testing.assert_allclose(adjusted_mse(truth, reconstruction, circular=circular), expected, atol=1e-10)


@pytest.mark.parametrize(("n", "m"), [((1, 1), (3, 4)), ((3, 2), (3, 2)), ((2, 5), (2, 9)), ((6, 3), (7, 8))])
def test_it_is_for_frames_of_any_shape(n, m):
    truth, reconstruction, _ = pair(1, "complex", n=n, m=m)
    for circular in (True, False):
        expected = [literal_scan(a, b, circular=circular) for a, b in zip(truth, reconstruction, strict=True)]
        np.testing.assert_allclose(adjusted_mse(truth, reconstruction, circular=circular), expected, atol=1e-10)


@given(seeds, kinds, noises)
def test_single_precision_costs_five_digits_at_most(seed, kind, noise):
    truth, reconstruction, _ = pair(seed, kind, noise=noise)
    expected = [literal_scan(a, b) for a, b in zip(truth, reconstruction, strict=True)]
    single = np.complex64 if kind == "complex" else np.float32
    found = adjusted_mse(truth.astype(single), reconstruction.astype(single))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_single_precision_at_the_papers_size(tiles):
    rng = np.random.default_rng(0)
    truth = np.pad(tiles[:8], ((0, 0), (7, 7), (7, 7)))
    reconstruction = embed(truth, (96, 96), (70, 20)) + 0.3 * rng.random((8, 96, 96)).astype(np.float32)
    double = adjusted_mse(truth.astype(np.float64), reconstruction.astype(np.float64))
    np.testing.assert_allclose(adjusted_mse(truth, reconstruction), double, atol=1e-6)
    match = register(truth.astype(np.float64), reconstruction.astype(np.float64))
    for i in range(8):  # the score is attained at the window it names
        window = cut(reconstruction[i : i + 1], match.row[i : i + 1], match.column[i : i + 1], (42, 42))[0]
        a = conjugate_flip(truth[i]) if match.flipped[i] else truth[i]
        np.testing.assert_allclose(
            best_fit_error(a, window) / np.sum(truth[i].astype(float) ** 2), double[i], rtol=1e-5
        )


# ---- what it must not notice


@given(seeds, kinds, st.integers(-20, 20), st.integers(-20, 20))
def test_the_score_does_not_change_when_the_reconstruction_is_shifted(seed, kind, down, right):
    truth, reconstruction, _ = pair(seed, kind)
    shifted = np.roll(reconstruction, (down, right), (1, 2))
    np.testing.assert_allclose(adjusted_mse(truth, shifted), adjusted_mse(truth, reconstruction), atol=1e-12)


@given(seeds, kinds)
def test_the_score_does_not_change_when_either_is_turned_and_conjugated(seed, kind):
    truth, reconstruction, _ = pair(seed, kind)
    score = adjusted_mse(truth, reconstruction)
    np.testing.assert_allclose(adjusted_mse(truth, conjugate_flip(reconstruction)), score, atol=1e-12)
    np.testing.assert_allclose(adjusted_mse(conjugate_flip(truth), reconstruction), score, atol=1e-12)


@given(seeds, kinds, st.floats(-np.pi, np.pi))
def test_the_score_does_not_change_with_a_global_phase(seed, kind, theta):
    truth, reconstruction, _ = pair(seed, kind)
    score = adjusted_mse(truth, reconstruction)
    np.testing.assert_allclose(adjusted_mse(truth, reconstruction * np.exp(1j * theta)), score, atol=1e-12)
    np.testing.assert_allclose(adjusted_mse(truth * np.exp(1j * theta), reconstruction), score, atol=1e-12)
    np.testing.assert_allclose(adjusted_mse(truth, -reconstruction), score, atol=1e-12)


@given(seeds, kinds, st.floats(1e-9, 1e9))
def test_the_score_does_not_change_with_a_positive_scale(seed, kind, scale):
    truth, reconstruction, _ = pair(seed, kind)
    score = adjusted_mse(truth, reconstruction)
    np.testing.assert_allclose(adjusted_mse(truth, scale * reconstruction), score, atol=1e-10)
    np.testing.assert_allclose(adjusted_mse(scale * truth, reconstruction), score, atol=1e-10)


@given(seeds, kinds)
def test_an_image_is_scored_by_itself(seed, kind):
    truth, reconstruction, _ = pair(seed, kind)
    alone = [adjusted_mse(truth[i : i + 1], reconstruction[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(adjusted_mse(truth, reconstruction), alone, atol=1e-13)


def test_the_score_does_change_when_a_complex_image_is_turned_without_conjugation():
    truth, reconstruction, _ = pair(0, "complex", noise=0)
    assert adjusted_mse(truth, reconstruction[:, ::-1, ::-1]).min() > 0.1


def test_only_the_circular_scan_finds_an_object_across_the_border():
    truth, _, _ = pair(0, "real")
    wrapped = embed(truth, M, (7, 9))
    np.testing.assert_allclose(adjusted_mse(truth, wrapped), 0, atol=1e-25)
    assert adjusted_mse(truth, wrapped, circular=False).min() > 0.1


# ---- its range


@given(seeds, kinds, st.floats(0, 100))
def test_the_score_lies_between_zero_and_one(seed, kind, noise):
    truth, reconstruction, _ = pair(seed, kind, noise=noise)
    score = adjusted_mse(truth, reconstruction)
    assert ((score >= 0) & (score <= 1)).all()


@given(seeds, kinds, st.integers(0, 8), st.integers(0, 10), st.booleans(), st.floats(1e-3, 1e3), st.floats(0, 6))
def test_the_truth_scores_nothing_and_its_place_is_found(seed, kind, row, column, flipped, eta, theta):
    rng = np.random.default_rng(seed)
    truth = random_images(rng, 2, N, kind)
    factor = eta * np.exp(1j * theta) if kind == "complex" else eta
    seen = (conjugate_flip(truth) if flipped else truth) / factor
    match = register(truth, embed(seen, M, (row, column)))
    np.testing.assert_allclose(match.mse, 0, atol=1e-28)
    assert match.row.tolist() == [row] * 2
    assert match.column.tolist() == [column] * 2
    assert match.flipped.tolist() == [flipped] * 2
    np.testing.assert_allclose(match.factor, factor, rtol=1e-12)


@given(seeds, kinds, noises)
def test_a_registered_window_differs_from_the_truth_by_the_score(seed, kind, noise):
    truth, reconstruction, _ = pair(seed, kind, noise=noise)
    match = register(truth, reconstruction)
    window = cut(reconstruction, match.row, match.column, N) * match.factor[:, None, None]
    back = np.where(match.flipped[:, None, None], conjugate_flip(window), window)
    error = np.sum(abs(truth - back) ** 2, (1, 2)) / np.sum(abs(truth) ** 2, (1, 2))
    np.testing.assert_allclose(error, match.mse, atol=1e-12)


def test_real_images_are_brought_back_by_a_real_factor():
    truth, reconstruction, _ = pair(3, "real")
    assert register(truth, reconstruction).factor.dtype.kind == "f"


def test_an_orthogonal_reconstruction_scores_one():
    truth = np.zeros((1, 2, 2))
    truth[0] = [[1, 1], [1, 1]]
    reconstruction = np.zeros((1, 6, 6))
    reconstruction[0, ::2] = 1
    reconstruction[0, 1::2] = -1
    np.testing.assert_allclose(adjusted_mse(truth, reconstruction), 1)


KINDS = [np.float32, np.float64, np.complex64, np.complex128]


@pytest.mark.parametrize("m", [(9, 11), (96, 96)], ids=["portable", "compiled"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_scale_that_the_precision_holds_changes_the_score(kind, m):
    truth, reconstruction, _ = pair(3, "complex" if np.issubdtype(kind, np.complexfloating) else "real", m=m)
    truth, reconstruction = truth.astype(kind), reconstruction.astype(kind)
    expected = register(truth, reconstruction)
    limits = np.finfo(kind)
    for exponent in np.linspace(limits.minexp + 40, limits.maxexp - 8, 9).astype(int):
        power = np.ldexp(limits.dtype.type(1), exponent)
        for a, b, factor in ((power * truth, reconstruction, 2.0**exponent), (truth, power * reconstruction, 0.0)):
            found = register(a, b)
            np.testing.assert_allclose(found.mse, expected.mse, rtol=1e-5)
            np.testing.assert_array_equal(found.row, expected.row)
            np.testing.assert_array_equal(found.column, expected.column)
            np.testing.assert_array_equal(found.flipped, expected.flipped)
            if factor:
                np.testing.assert_allclose(found.factor, expected.factor * factor, rtol=1e-5)


@pytest.mark.parametrize("m", [(97, 97), (96, 96)], ids=["portable", "compiled"])
@pytest.mark.parametrize("decimal", [-44, -38, -28, -18, 0, 18, 28, 36])
def test_the_truth_scores_nothing_at_any_scale_of_single_precision(tiles, m, decimal):
    truth = np.pad(tiles[:3], ((0, 0), (7, 7), (7, 7)))
    seen = embed(truth, m, (60, 70)) * np.float32(2.0 ** round(decimal * np.log2(10)))
    lost = 1e-2 if decimal < -40 else 1e-3 if decimal < -37 else 1e-12  # digits of numbers below the normal ones
    assert adjusted_mse(truth, seen).max() < lost


@pytest.mark.parametrize("decimal", [-300, -170, 170, 300])
def test_nor_at_any_scale_of_double_precision(decimal):
    truth, _, _ = pair(1, "complex")
    scale = 2.0 ** round(decimal * np.log2(10))
    np.testing.assert_allclose(adjusted_mse(truth, embed(truth, M, (7, 9)) * scale), 0, atol=1e-25)
    np.testing.assert_allclose(adjusted_mse(scale * truth, embed(truth, M, (7, 9))), 0, atol=1e-25)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float16, np.longdouble, list])
def test_images_of_any_kind_of_numbers_are_scored_alike(kind):
    rng = np.random.default_rng(0)
    truth, reconstruction = rng.integers(0, 9, (2, 3, 4)), rng.integers(0, 9, (2, 8, 9))
    given_so = [a.tolist() if kind is list else a.astype(kind) for a in (truth, reconstruction)]
    expected = adjusted_mse(truth.astype(float), reconstruction.astype(float))
    np.testing.assert_array_equal(adjusted_mse(*given_so), expected)


# ---- where there is little or nothing


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dust", [0, 1e-30, 1e-12, 1e-6, 1e-3])
def test_a_nearly_empty_reconstruction_does_not_blow_up(tiles, dtype, dust):
    rng = np.random.default_rng(0)
    truth = np.pad(tiles[:4], ((0, 0), (7, 7), (7, 7))).astype(dtype)
    reconstruction = (dust * rng.standard_normal((4, 96, 96))).astype(dtype)
    reconstruction[:, 40, 50] = 1e3  # one bright pixel, the rest next to nothing
    found = register(truth, reconstruction)
    assert ((found.mse >= 0) & (found.mse <= 1)).all()
    # The bright pixel alone explains the brightest pixel of the truth.
    most = np.max(truth.astype(float) ** 2, axis=(1, 2)) / np.sum(truth.astype(float) ** 2, axis=(1, 2))
    assert (found.mse <= 1 - most + 1e-5).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_truth_among_empty_windows_is_found_exactly(tiles, dtype):
    truth = np.pad(tiles[:4], ((0, 0), (7, 7), (7, 7))).astype(dtype)
    match = register(truth, embed(truth, (96, 96), (50, 3)))
    np.testing.assert_allclose(match.mse, 0, atol=1e-14)
    assert match.row.tolist() == [50] * 4
    assert match.column.tolist() == [3] * 4


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float64])
def test_an_empty_reconstruction_scores_one_and_an_empty_truth_asks_for_emptiness(dtype):
    truth, reconstruction, _ = pair(0, "real", batch=4)
    truth[2:] = 0
    reconstruction[[0, 2]] = 0
    found = register(truth.astype(dtype), reconstruction.astype(dtype))
    assert found.mse[0] == 1
    assert found.mse[1] < 1
    assert found.mse[2:].tolist() == [0, 1]
    assert found.factor[0] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_reconstruction_that_is_not_finite_scores_one_and_harms_no_other(value):
    truth, reconstruction, _ = pair(0, "real")
    clean = adjusted_mse(truth, reconstruction)
    reconstruction[1, 3, 3] = value
    found = adjusted_mse(truth, reconstruction)
    assert found[1] == 1
    np.testing.assert_array_equal(found[[0, 2]], clean[[0, 2]])
    truth[1] = 0
    assert adjusted_mse(truth, reconstruction)[1] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_truth_that_is_not_finite_is_not_recovered_by_an_empty_image(value):
    truth, reconstruction, _ = pair(0, "real")
    clean = adjusted_mse(truth, reconstruction)
    truth[1, 2, 2] = value
    for seen in (reconstruction, np.where(np.arange(3)[:, None, None] == 1, 0, reconstruction)):
        found = adjusted_mse(truth, seen)
        assert found[1] == 1
        np.testing.assert_array_equal(found[[0, 2]], clean[[0, 2]])


@pytest.mark.parametrize("shape", [(2, 9, 11), (3, 3, 11), (3, 9, 4)])
def test_a_reconstruction_that_cannot_hold_the_truth_is_refused(shape):
    with pytest.raises(ValueError, match="cannot hold a truth"):
        adjusted_mse(np.ones((3, *N)), np.ones(shape))


@pytest.mark.parametrize("images", [np.ones((9, 11)), np.full((3, 9, 11), "a"), np.full((3, 9, 11), None)])
def test_what_is_no_batch_of_images_is_refused(images):
    with pytest.raises(ValueError, match="reconstruction must be"):
        adjusted_mse(np.ones((3, *N)), images)
    with pytest.raises(ValueError, match="truth must be"):
        adjusted_mse(images, np.ones((3, 9, 11)))


def test_a_truth_without_pixels_is_refused():
    with pytest.raises(ValueError, match="cannot hold"):
        adjusted_mse(np.empty((1, 0, 2), np.float32), np.empty((1, 8, 6), np.float32))


# ---- what is shown


@given(seeds, kinds, noises)
def test_what_is_shown_differs_from_the_truth_by_the_score(seed, kind, noise):
    truth, seen, _ = pair(seed, kind, noise=noise)
    match = register(truth, seen)
    left = np.linalg.norm(registered(truth, seen, match) - truth, axis=(1, 2)) / np.linalg.norm(truth, axis=(1, 2))
    np.testing.assert_allclose(left**2, match.mse, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("flipped", [True, False])
def test_a_reconstruction_is_shown_where_and_as_the_truth_is(rng, flipped):
    truth = rng.random((2, 5, 4))
    seen = embed(-3 * (conjugate_flip(truth) if flipped else truth), (9, 11), (7, 8))
    np.testing.assert_allclose(registered(truth, seen, register(truth, seen)), truth, atol=1e-12)


def test_a_complex_reconstruction_of_a_real_image_is_shown_without_its_phase(rng):
    truth = rng.random((2, 5, 4))
    seen = embed(truth * 1j, (9, 11), (1, 2))
    np.testing.assert_allclose(registered(truth, seen, register(truth, seen)), truth, atol=1e-12)
