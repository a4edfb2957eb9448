"""An untrained network is fitted to each image by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import prepared

from bench.score.metrics import adjusted_mse
from datasets import measure
from datasets.labels import write_label
from datasets.problem import Problem
from solvers import Backend, ParameterError, Status, Streams, create
from solvers.composed.stages import together
from solvers.prior.deep_image_prior import DeepImagePrior, _Decoder, _interpolation

QUICK = {"iterations": 12, "starts": 1, "width": 8}


def quick(**parameters):
    return prepared(write_label("deep_image_prior", {**QUICK, **parameters}), Backend("torch"))


@pytest.fixture(scope="module")
def measurement(objects):
    return measure(objects)


def test_it_lowers_the_residual_and_with_it_the_error(objects, measurement):
    few, many = (quick(iterations=count, width=16).solve(measurement, Streams()) for count in (2, 120))
    assert (many.residual < few.residual).all()
    assert many.residual.mean() < 0.6 * few.residual.mean()
    assert adjusted_mse(objects, many.images).mean() < 0.7 * adjusted_mse(objects, few.images).mean()


def test_its_images_keep_to_what_it_declares(measurement):
    found = quick().solve(measurement, Streams())
    assert found.images.min() >= 0
    assert not found.images[:, 42:].any()
    assert not found.images[:, :, 42:].any()
    assert str(create("deep_image_prior").information()) == "support: box, real, nonnegative, untrained network"


def test_a_given_support_takes_the_place_of_the_box(measurement):
    support = np.zeros((42, 42), dtype=bool)
    support[5:40, 3:41] = True
    found = quick().solve(replace(measurement, support=support), Streams())
    assert found.images[:, :42, :42][:, support].any()
    assert not found.images[:, :42, :42][:, ~support].any()


def test_the_same_seed_gives_the_same_image_in_any_company_and_another_seed_another(measurement):
    solver = quick()
    whole = solver.solve(measurement, Streams())
    np.testing.assert_array_equal(solver.solve(measurement, Streams()).images, whole.images)
    np.testing.assert_array_equal(solver.solve(measurement[2:], Streams()).images, whole.images[2:])
    for streams in (Streams(1), Streams(first=1)):
        other = solver.solve(measurement, streams)
        assert (np.abs(other.images - whole.images).max(axis=(1, 2)) > 0).all()


def test_images_that_are_not_fitted_together_are_fitted_as_well(measurement, monkeypatch):
    whole = quick().solve(measurement, Streams())
    monkeypatch.setattr("solvers.prior.deep_image_prior.TOGETHER", {"cpu": 3 * 8 * 42 * 42})
    apart = quick().solve(measurement, Streams())
    np.testing.assert_allclose(apart.images, whole.images, atol=1e-3 * whole.images.max())


def test_of_several_starts_the_smallest_residual_is_kept_and_all_are_paid(measurement):
    single = [quick().solve(measurement, Streams(first=start)) for start in range(3)]
    found = quick(starts=3).solve(measurement, Streams())
    np.testing.assert_array_equal(found.residual, np.min([one.residual for one in single], axis=0))
    np.testing.assert_array_equal(found.starts, 3)
    np.testing.assert_array_equal(found.iterations, 3 * 12)
    np.testing.assert_array_equal(found.transforms, 3 * (2 * 12 + 1))


def test_it_descends_the_published_loss(measurement):
    """Against autograd through the whole transform, for some steps of Adam."""
    part = measurement[:1]
    y = torch.from_numpy(part.intensities).float()
    stream = [Streams().generator(int(part.indices[0]))]
    decoder = _Decoder(stream, (42, 42), 8, 4, Backend("torch"))
    energy = y.sum() / (96 * 96)
    unit = (energy / 42**2).sqrt()
    adam = torch.optim.Adam(decoder.parameters, lr=0.03)
    for step in range(6):
        adam.param_groups[0]["lr"] = 0.03 * (1 + np.cos(np.pi * step / 6)) / 2
        misfit = torch.fft.fft2(decoder.images() * unit, s=(96, 96)).abs() - y.sqrt()
        adam.zero_grad()
        (misfit.square().sum() / (96 * 96) / energy).backward()
        adam.step()
    expected = (decoder.images() * unit).detach().numpy()
    found = quick(iterations=6, rate=0.03).solve(part, Streams()).images[:, :42, :42]
    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max())


def test_what_was_not_measured_is_not_looked_at(objects):
    mask = np.ones((96, 96), dtype=bool)
    mask[:2, :2] = mask[-1:, :2] = mask[:2, -1:] = mask[-1:, -1:] = False
    masked = measure(objects, mask=mask)
    few, many = (quick(iterations=count, width=16).solve(masked, Streams()) for count in (2, 100))
    assert np.isfinite(many.images).all()
    assert (many.residual < 0.8 * few.residual).all()


def test_layers_of_all_images_are_those_of_each(measurement):
    streams = [Streams().generator(i) for i in range(3)]
    decoder = _Decoder(streams, (10, 13), 5, 2, Backend("torch"))
    images = decoder.images().detach().numpy()
    assert images.shape == (3, 10, 13)
    for i in range(3):
        x = decoder._noise[i].reshape(5, 3, 4)
        for mix, shape in zip(decoder._mixing, [(5, 7), (10, 13)], strict=True):
            x = torch.nn.functional.interpolate(x[None], size=shape, mode="bilinear")[0]
            x = torch.relu(torch.einsum("ij,jhw->ihw", mix[i], x))
            x = torch.nn.functional.instance_norm(x[None])[0]
        x = torch.relu(torch.einsum("ij,jhw->ihw", decoder._last[i], x))[0]
        np.testing.assert_allclose(images[i], x.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(("coarse", "fine"), [(1, 2), (6, 11), (21, 42), (3, 3)])
def test_interpolation_is_linear_between_the_middles_of_pixels(coarse, fine):
    points = torch.from_numpy(np.random.default_rng(1).random((1, 1, coarse)))
    expected = torch.nn.functional.interpolate(points, size=fine, mode="linear")[0, 0]
    np.testing.assert_allclose(_interpolation(coarse, fine) @ points[0, 0].numpy(), expected, atol=1e-6)


@pytest.mark.slow
def test_a_bad_measurement_spoils_no_other(measurement):
    y = measurement.intensities.copy()
    y[1] = 0
    bad, good = (quick().solve(one, Streams()) for one in (replace(measurement, intensities=y), measurement))
    assert bad.status[1] == Status.INVALID
    np.testing.assert_array_equal(bad.images[[0, 2, 3]], good.images[[0, 2, 3]])
    signed = replace(measurement, nonnegative=np.array([True, False, True, True]))
    assert quick().solve(signed, Streams()).status[1] == Status.INVALID


def test_complex_objects_are_refused(objects):
    assert "complex" in create("deep_image_prior").refusal(Problem(object="complex"))
    assert not create("deep_image_prior").refusal(Problem(photons=1e5))
    with pytest.raises(ParameterError, match="was given complex objects"):
        quick().solve(measure(objects * np.exp(0.3j)), Streams())


@pytest.mark.parametrize(
    "parameter",
    ["iterations=0", "starts=0", "rate=0", "rate=2", "width=0", "levels=0", "levels=9", "tolerance=-1", "depth=3"],
)
def test_bad_parameters_are_refused(parameter):
    with pytest.raises(ParameterError, match=parameter.partition("=")[0]):
        create(f"deep_image_prior[{parameter}]")


def test_others_can_go_on_from_its_image_and_say_what_they_used(measurement):
    label = 'chain[stages="deep_image_prior[iterations=12,starts=1,width=8] + er[nonneg=true,iterations=20]"]'
    chain = prepared(label, Backend("torch"))
    assert (chain.solve(measurement, Streams()).residual < quick().solve(measurement, Streams()).residual).all()
    assert str(chain.information()) == "support: box, real, nonnegative, untrained network"
    assert together([DeepImagePrior().information(), create("er").information()]).untrained
    assert not together([create("er").information()]).untrained
