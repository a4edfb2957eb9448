"""Plug-and-play goes below the limit of the likelihood, and is nothing but its start and the annealing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import prepared

from bench.score.metrics import adjusted_mse
from datasets import measure, place, placements
from datasets.labels import write_label
from datasets.problem import Problem
from solvers import Backend, ParameterError, Status, Streams, UnavailableError, create
from solvers.learned import weights as weight_files
from solvers.learned.photons import PhotonRange
from solvers.prior import pnp as pnp_module
from solvers.prior.denoiser import NORM, SIGMAS, noise_level
from solvers.prior.pnp import TRIED, PlugAndPlay, schedule
from solvers.training.config import TrainingConfig

BEGIN = "rrr[nonneg=true,iterations=200] + er[nonneg=true,iterations=60]"


def pnp(**parameters):
    return write_label("pnp", {"begin": BEGIN, "tries": 1, "steps": 5, **parameters})


def ready(label, backend=Backend("torch")):  # noqa: B008
    return prepared(label, backend)


@pytest.fixture(scope="module")
def found(noisy):
    return ready(pnp()).solve(noisy, Streams())


def test_the_denoiser_takes_away_error_that_the_measurement_alone_leaves(objects, noisy):
    """From the best that the measurement alone can give: the end of error reduction that starts from the truth. A fine
    texture, as the last of these images has, is taken for noise."""
    truth = np.pad(objects, [(0, 0), (0, 54), (0, 54)])
    limit = ready("er[nonneg=true,iterations=300]").refine(truth, noisy, Streams())
    found = ready(pnp(steps=12)).refine(limit.images, noisy, Streams())
    remaining = adjusted_mse(objects, found.images) / adjusted_mse(objects, limit.images)
    assert (remaining < 1.2).all()
    assert np.exp(np.log(remaining).mean()) < 0.7
    assert (found.images >= 0).all()


def test_it_is_the_last_stage_of_a_chain_as_well(noisy, found):
    steps = "pnp[steps=5]"
    chained = ready(write_label("chain", {"stages": f"{BEGIN} + {steps}"})).solve(noisy, Streams())
    np.testing.assert_array_equal(chained.images, found.images)
    np.testing.assert_array_equal(chained.transforms, found.transforms)
    assert chained.kernel == found.kernel
    assert found.kernel.endswith("portable")  # after that of its start


def test_among_several_starts_the_residual_of_the_denoised_image_decides(noisy, found):
    one = ready(pnp()).solve(noisy, Streams(first=1))
    both = ready(pnp(starts=2)).solve(noisy, Streams())
    better = np.where((one.residual < found.residual)[:, None, None], one.images, found.images)
    np.testing.assert_array_equal(both.images, better)
    np.testing.assert_array_equal(both.iterations, one.iterations + found.iterations)


def test_there_are_no_more_starts_of_an_image_once_two_agree(noisy, found, monkeypatch):
    monkeypatch.setattr(pnp_module, "agree", lambda one, other, part, **_: part.indices % 2 == 0)
    three = ready(pnp(starts=3, agree=True)).solve(noisy, Streams())
    second, third = (ready(pnp()).solve(noisy, Streams(first=number)) for number in (1, 2))
    more = np.where(noisy.indices % 2 == 0, 0, third.iterations)
    np.testing.assert_array_equal(three.iterations, found.iterations + second.iterations + more)
    every = ready(pnp(starts=3)).solve(noisy, Streams())
    np.testing.assert_array_equal(every.iterations, found.iterations + second.iterations + third.iterations)


def test_one_start_has_nothing_to_agree_with():
    with pytest.raises(ParameterError, match="agree=true needs several starts"):
        create("pnp[agree=true]")


def test_of_several_tries_the_best_is_annealed(noisy):
    tries = ready(pnp(tries=2)).solve(noisy, Streams())
    begun = ready(write_label("chain", {"stages": BEGIN, "starts": 2})).solve(noisy, Streams())
    annealed = ready(pnp()).refine(begun.images, noisy, Streams())
    np.testing.assert_array_equal(tries.images, annealed.images)


@pytest.mark.slow
def test_starts_of_a_chain_share_none_of_its_random_starts(noisy):
    """Otherwise the best of the first start would be among those of the second, and be found again."""
    steps = create(pnp(tries=3, starts=2))
    assert steps.streams_used == 6
    both = ready(write_label("chain", {"stages": pnp(tries=3), "starts": 2})).solve(noisy, Streams())
    each = [ready(pnp(tries=3)).solve(noisy, Streams(first=first)) for first in (0, 3)]
    np.testing.assert_array_equal(both.residual, np.minimum(each[0].residual, each[1].residual))
    assert create(write_label("chain", {"stages": pnp(tries=3), "starts": 4})).streams_used == 12


def test_what_its_start_has_solved_is_left_as_it_is(objects):
    exact = measure(objects)
    begun = ready("rrr[nonneg=true]").solve(exact, Streams())
    solved = np.array([status == Status.SOLVED for status in begun.status])
    assert solved.any()
    images = ready(pnp(begin="rrr[nonneg=true]")).solve(exact, Streams()).images
    np.testing.assert_array_equal(images[solved], begun.images[solved])


def test_numpy_gives_what_torch_gives(noisy):
    start = np.zeros((4, 96, 96), dtype=np.float32)
    start[:, 7:35, 7:35] = np.random.default_rng(0).random((4, 28, 28))
    one, other = (ready(pnp(), Backend(name)).refine(start, noisy, Streams()) for name in ("torch", "numpy"))
    np.testing.assert_allclose(one.images, other.images, atol=1e-4)


def test_a_bad_measurement_or_an_empty_image_spoils_no_other(noisy, objects):
    y = noisy.intensities.copy()
    y[1] = 0
    bad = replace(noisy, intensities=y, nonnegative=np.array([True, True, False, True]))
    images = np.zeros((4, 96, 96), dtype=np.float32)
    images[:3, :42, :42] = objects[:3]
    result = ready(pnp()).refine(images, bad, Streams())
    assert result.status == [Status.STOPPED, Status.INVALID, Status.INVALID, Status.DIVERGED]
    assert not result.images[1:].any()
    images[3, :42, :42] = objects[3]
    np.testing.assert_array_equal(result.images[0], ready(pnp()).refine(images, noisy, Streams()).images[0])


def test_where_the_middle_was_not_measured_the_image_is_free_there(objects):
    mask = np.ones((96, 96), dtype=bool)
    mask[:1, :1] = False
    seen = measure(objects, photons=1e6, mask=mask)
    images = np.zeros((4, 96, 96), dtype=np.float32)
    images[:, :42, :42] = objects
    refined = ready(pnp()).refine(images, seen, Streams())
    assert (adjusted_mse(objects, refined.images) < 0.02).all()


# ---- the schedule


def test_no_step_leaves_a_support_that_is_given(objects, noisy, monkeypatch):
    """Otherwise what has grown outside is cut off at the end, from an image that was made with it."""
    inside = objects > 0
    seen, spilt = replace(noisy, support=inside), []
    solver = ready(pnp())
    of_block = pnp_module.box_block

    class Watched:
        def __init__(self, block):
            self.block = block

        def project_magnitude(self, z):
            spilt.append(float((z * ~self.block.support).abs().max()))
            return self.block.project_magnitude(z)

        def __getattr__(self, name):
            return getattr(self.block, name)

    monkeypatch.setattr(pnp_module, "box_block", lambda *given, **options: Watched(of_block(*given, **options)))
    found = solver.refine(np.pad(objects, [(0, 0), (0, 54), (0, 54)]), seen, Streams())
    assert spilt == [0.0] * 5
    assert not found.images[:, :42, :42][~inside].any()


def test_noise_levels_fall_to_that_of_the_measurement_and_less_noise_means_more_weight():
    variance = np.array([0.0, 1e-6, 1e-3, 1e-2])
    levels, weights = schedule(variance, 20)
    assert levels.shape == weights.shape == (20, 4)
    assert (np.diff(levels, axis=0) < 0).all()
    assert (SIGMAS[0] <= levels * (1 + 1e-6)).all()
    assert (levels <= SIGMAS[1]).all()
    assert (np.diff(weights, axis=0)[:, 1:] < 0).all()
    assert ((weights > 0) & (weights <= 1)).all()
    np.testing.assert_array_equal(weights[:, 0], 1)


def test_levels_that_are_given_take_the_place_of_those_of_the_noise():
    variance = np.array([0.0, 1e-3])
    told, _ = schedule(variance, 7)
    levels, weights = schedule(variance, 7, 0.6, 0.02)
    np.testing.assert_allclose(levels[[0, -1]], [[0.6, 0.6], [0.02, 0.02]], rtol=1e-6)
    np.testing.assert_array_equal(weights[:, 0], 1)
    only_first, _ = schedule(variance, 7, 0.6)
    np.testing.assert_array_equal(only_first[-1], told[-1])
    with pytest.raises(ParameterError, match=r"last=0.5 is above first=0.1"):
        create("pnp[first=0.1,last=0.5]")


@pytest.mark.slow
def test_what_a_wide_beamstop_hides_is_found_from_a_higher_level(objects):
    mask = np.ones((96, 96), dtype=bool)
    mask[np.ix_([-2, -1, 0, 1, 2], [-2, -1, 0, 1, 2])] = False
    seen = measure(objects, mask=mask)
    begun = ready("rrr[nonneg=true,iterations=200]").solve(seen, Streams())
    low, high = (
        adjusted_mse(objects, ready(pnp(steps=20, **levels)).refine(begun.images, seen, Streams()).images).mean()
        for levels in ({}, {"first": 0.6, "last": 0.02})
    )
    assert high < 0.9 * low


# ---- what it is asked for, and with what


def test_complex_objects_are_refused_in_one_line(noisy):
    assert create("pnp").refusal(Problem(object="complex")) == "pnp was trained on real objects, not on complex ones"
    assert create("pnp").refusal(Problem(frame=(60, 50), grid=(128, 128), photons=1e5)) == ""
    with pytest.raises(ParameterError, match="complex objects"):
        ready(pnp()).solve(replace(noisy, real=False, nonnegative=False), Streams())


def test_it_says_what_it_and_its_start_use():
    used = "support: box, real, nonnegative, trained on fashion_mnist"
    assert str(create("pnp").information()) == used
    assert str(create(pnp(begin="unet_a")).information()) == used


def test_its_weights_and_those_of_its_start_are_named(tmp_path):
    mine = tmp_path / "mine.safetensors"
    assert create("pnp").files(Problem(variant="shift")) == (PlugAndPlay.folder / "pnp-default-none.safetensors",)
    begin = write_label("unet_a", {"weights": mine})
    assert create(write_label("pnp", {"begin": begin, "weights": mine})).named_files() == (mine, mine)
    written = "pnp-default-none.safetensors"
    with pytest.raises(UnavailableError, match=f"bench train --solver pnp .*, which writes {written}$"):
        ready(write_label("pnp", {"weights": mine}))
    with pytest.raises(UnavailableError, match=r"bench train --solver pnp --variant shift_flip --output '.*a b'$"):
        ready(write_label("pnp", {"weights": tmp_path / "a b" / written}))


def test_the_shipped_weights_are_small_and_were_not_trained_on_test_images():
    path = create("pnp").weight_file(None)
    card = weight_files.read_card(path)
    assert (card.dataset, card.split) == ("fashion_mnist", "train")
    assert path.stat().st_size < 3e6


def test_the_shipped_card_says_how_well_its_weights_denoise(tiles):
    """Of other images than those of the card, which were held out of the training, so that it is nearly this."""
    solver = ready("pnp")
    problem = Problem(variant="shift_flip")
    objects = place(tiles, placements("shift_flip", seed=0, split="test", indices=np.arange(len(tiles))))
    none = np.full(len(tiles), np.inf)
    with torch.inference_mode():
        found = solver._model.reconstruct(*solver.trial(objects, problem, none, indices=np.arange(len(tiles)), seed=0))
    said = weight_files.read_card(solver.weight_file(None)).validation_mse
    assert adjusted_mse(objects, found.numpy()).mean() == pytest.approx(said, rel=0.5)


def test_one_training_serves_all_variants_and_any_use(tmp_path):
    names = {TrainingConfig(solver=create("pnp"), variant=v, output=tmp_path).name for v in ("none", "shift_flip")}
    assert names == {"pnp-default-none"}
    assert create("pnp[steps=7,tries=2]").own_parameters() == {}


def test_photons_of_its_training_are_refused():
    with pytest.raises(ValueError, match="pnp learns from no patterns"):
        TrainingConfig(solver=create("pnp"), photons="1e5")


@pytest.mark.parametrize(("frame", "field"), [((42, 42), (48, 48)), ((43, 30), (56, 40))])
def test_what_it_is_trained_on_lies_anywhere_and_differs_from_epoch_to_epoch(tiles, frame, field):
    images, problem = (255 * tiles[:6]).astype(np.uint8), Problem(split="train", frame=frame)
    one, other = (create("pnp").objects(images, np.arange(6), problem, seed=0, epoch=epoch) for epoch in (0, 1))
    assert one.shape == (6, *field)
    np.testing.assert_array_equal(one.sum(axis=(1, 2)), images.sum(axis=(1, 2)))
    assert not np.array_equal(one, other)


def lesson(objects, indices, epoch=0):
    given = torch.from_numpy(objects)
    return create("pnp").lesson(given, Problem(), PhotonRange(), indices=indices, seed=0, epoch=epoch)


def test_the_noise_of_a_lesson_has_its_level_and_belongs_to_the_image(objects):
    noisy, sigma, clean = lesson(objects, np.arange(4))
    torch.testing.assert_close(clean.norm(dim=(1, 2)), torch.full((4,), NORM))
    torch.testing.assert_close((noisy - clean).std(dim=(1, 2)), sigma, rtol=0.1, atol=0)
    alone, again = lesson(objects[2:3], np.array([2])), lesson(objects, np.arange(4), epoch=1)
    for one, other in zip(alone, (noisy, sigma, clean), strict=True):
        torch.testing.assert_close(one[0], other[2])
    assert not torch.equal(again[1], sigma)


def test_levels_go_from_the_lowest_to_the_highest_in_equal_ratios():
    assert [noise_level(share) for share in (0, 0.5, 1)] == pytest.approx(
        [SIGMAS[0], (SIGMAS[0] * SIGMAS[1]) ** 0.5, SIGMAS[1]]
    )


def test_a_trial_has_the_same_noise_of_one_level_in_whatever_company(objects):
    none = np.full(4, np.inf)
    noisy, sigma = create("pnp").trial(objects, Problem(), none, indices=np.arange(4), seed=0)
    alone, _ = create("pnp").trial(objects[3:], Problem(), none[3:], indices=np.array([3]), seed=0)
    assert noisy.shape == (4, 48, 48)
    torch.testing.assert_close(sigma, torch.full((4,), TRIED))
    torch.testing.assert_close(alone[0], noisy[3])


def test_a_black_image_spoils_no_training():
    assert all(t.isfinite().all() for t in lesson(np.zeros((1, 48, 48), dtype=np.float32), np.arange(1)))
