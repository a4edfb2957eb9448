"""What networks learn from: patterns as a solver is given them, with noise that is keyed by the image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from networks import TinyA, few_images

from datasets.image_set import as_floats
from datasets.problem import Problem
from solvers.errors import ParameterError
from solvers.learned.base import seen
from solvers.learned.pairs import observe, shuffled
from solvers.learned.photons import PhotonRange
from solvers.training import training_pairs

GRID = (96, 96)
RANGE = PhotonRange.read("1e3:1e9")


@pytest.fixture(scope="module")
def objects():
    return torch.from_numpy(few_images(6).tiles())


def observed(objects, photons=RANGE, indices=range(6), seed=0, epoch=0):
    return observe(objects, GRID, photons, indices=np.array(indices), seed=seed, epoch=epoch)


# Photons


@pytest.mark.parametrize(
    ("text", "fewest", "most", "spelled"),
    [
        ("none", math.inf, math.inf, "none"),
        ("1000", 1e3, 1e3, "1e3"),
        ("1e3:1e9", 1e3, 1e9, "1e3:1e9"),
        (" 1500 : 2.5e7 ", 1.5e3, 2.5e7, "1.5e3:2.5e7"),
        (1e5, 1e5, 1e5, "1e5"),
    ],
)
def test_photons_are_none_or_a_number_or_a_range(text, fewest, most, spelled):
    found = PhotonRange.read(text)
    assert (found.fewest, found.most, str(found)) == (fewest, most, spelled)
    assert PhotonRange.read(str(found)) == found


@pytest.mark.parametrize(
    "text", ["", "many", "1e9:1e3", "1e3:1e3", "1e3:none", "none:1e3", "1:2:3", "0:1e3", "-1", True]
)
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match=r"photons: write none"):
        PhotonRange.read(text)


def test_the_photons_of_a_validation_go_in_equal_ratios():
    np.testing.assert_allclose(RANGE.spread(4), [1e3, 1e5, 1e7, 1e9])
    assert np.isinf(PhotonRange().spread(3)).all()


def test_photons_are_drawn_evenly_in_the_logarithm(objects):
    photons = np.concatenate([observed(objects, epoch=e).photons.numpy() for e in range(40)])
    level = (np.log10(photons) - 3) / 6
    assert 0 <= level.min() < 0.05
    assert 0.95 < level.max() <= 1
    assert abs(level.mean() - 0.5) < 0.1


# Patterns


def test_without_noise_the_pattern_is_what_a_solver_is_given(objects):
    from datasets import measure

    half, photons = seen(measure(objects.numpy()).intensities)
    mine = observed(objects, PhotonRange())
    torch.testing.assert_close(mine.half, half, atol=1e-6, rtol=1e-5)
    assert torch.isinf(mine.photons).all()
    assert (photons > 1e20).all()


def test_the_brightest_intensity_is_one_and_the_objects_are_in_its_unit(objects):
    clean = observed(objects, PhotonRange())
    torch.testing.assert_close(clean.half.amax(dim=(1, 2)), torch.ones(6))
    again = torch.fft.rfft2(clean.objects, s=GRID).abs() ** 2
    torch.testing.assert_close(again, clean.half, atol=1e-5, rtol=1e-4)
    noisy = observed(objects)
    torch.testing.assert_close(noisy.half.amax(dim=(1, 2)), torch.ones(6))


def test_the_noise_is_that_of_its_photons(objects):
    clean, noisy = observed(objects, PhotonRange()), observed(objects, PhotonRange.read("1e4"))
    assert noisy.photons.tolist() == [1e4] * 6
    energy = (clean.objects / noisy.objects).nan_to_num().amax(dim=(1, 2)) ** 2
    difference = noisy.half * energy[:, None, None] - clean.half
    photon = 1e4 / (2 * clean.half.sum(dim=(1, 2)) - clean.half[:, :, 0].sum(dim=1) - clean.half[:, :, -1].sum(dim=1))
    variance = (difference.square() * photon[:, None, None] * 2 / clean.half)[:, :, 1:-1][clean.half[:, :, 1:-1] > 1e-4]
    assert variance.mean() == pytest.approx(1, abs=0.1)


def test_the_noise_of_an_image_depends_on_seed_epoch_and_image_alone(objects):
    together = observed(objects)
    alone = observed(objects[[4, 1]], indices=[4, 1])
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one, other[[4, 1]])
    for changed in ({"seed": 1}, {"epoch": 1}, {"indices": range(10, 16)}):
        assert not torch.equal(observed(objects, **changed).half, together.half)


def test_a_pattern_without_a_single_photon_is_dark_and_not_infinite(objects):
    dark = observed(objects, PhotonRange.read("1e-9"))
    assert not dark.half.any()
    assert dark.objects.isfinite().all()


# A loop of one's own


def taken(**options):
    given = {"problem": Problem(), "images": few_images(20), "batch": 8, "epochs": 1}
    return list(training_pairs(**given | options))


def test_an_epoch_has_every_image_once_but_for_those_that_fill_no_batch():
    batches = taken(problem=Problem(variant="none"), images=few_images(20))
    assert [len(b.objects) for b in batches] == [8, 8]
    placed = np.pad(few_images(20).tiles(), ((0, 0), (7, 7), (7, 7)))
    chosen = shuffled(20, 0, 0)[:16]
    theirs = torch.from_numpy(placed[chosen])
    mine = torch.cat([b.objects for b in batches])
    scale = mine.amax(dim=(1, 2), keepdim=True) / theirs.amax(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(mine, theirs * scale)


def test_the_same_arguments_give_the_same_batches_and_epochs_differ():
    one, again, longer = taken(photons="1e3:1e9"), taken(photons="1e3:1e9"), taken(photons="1e3:1e9", epochs=2)
    for a, b, c in zip(one, again, longer[:2], strict=True):
        for x, y, z in zip(a, b, c, strict=True):
            assert torch.equal(x, y)
            assert torch.equal(x, z)
    assert len(longer) == 4
    assert not torch.equal(longer[0].half, longer[2].half)


def test_frame_and_grid_and_photons_are_those_of_the_problem():
    pair = taken(problem=Problem(frame=(40, 48), grid=(80, 100), photons=1e4))[0]
    assert pair.half.shape == (8, 80, 51)
    assert pair.objects.shape == (8, 40, 48)
    assert pair.photons.tolist() == [1e4] * 8
    whole = taken(problem=Problem(frame=(40, 48), grid=(80, 100), photons=1e4), whole=True)[0].half
    assert whole.shape == (8, 80, 100)
    torch.testing.assert_close(whole, whole.flip((1, 2)).roll((1, 1), (1, 2)))
    assert torch.equal(whole[:, :, :51], pair.half)


def test_a_solver_says_what_is_to_be_predicted():
    assert taken(solver=TinyA())[0].objects.shape == (8, 32, 32)


def test_without_a_number_of_epochs_pairs_never_end():
    pairs = training_pairs(Problem(), few_images(8), batch=8)
    assert len([next(pairs) for _ in range(5)]) == 5


def test_pixels_of_any_type_are_floats_for_a_network():
    assert as_floats(np.full((1, 2, 2), 65535, np.uint16)).tolist() == [[[1, 1], [1, 1]]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"problem": Problem(object="complex")}, "real objects and whole patterns, not of complex, no mask"),
        ({"problem": Problem(mask="beamstop[width=3]")}, r"not of real, beamstop\[width=3\]"),
        ({"batch": 21}, "a batch of 21 cannot be taken from 20 images"),
        ({"photons": "few"}, "'few' is no number of photons"),
        ({"problem": Problem(frame=20)}, "images of 28x28 do not fit into a frame of 20x20"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_at_once(options, message):
    with pytest.raises(ParameterError, match=message):
        taken(**options)


def test_networks_do_not_learn_from_test_images():
    from datasets import load_images

    with pytest.raises(ParameterError, match="split test"):
        training_pairs(Problem(), load_images("sample", "test"))
