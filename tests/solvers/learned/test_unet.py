"""The learned solvers: what the network sees, what its answer means, and what a solver promises."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from networks import TINY, TinyA, TinyB, few_images
from oracles import conjugate_flip

from bench.score.metrics import adjusted_mse
from datasets import VARIANTS, Measurement, Variant, measure, place, placements
from datasets.problem import Problem
from solvers import Backend, Streams, create
from solvers.base import Status
from solvers.errors import ParameterError, UnavailableError
from solvers.learned import encoding, weights
from solvers.learned.image_model import ImageModel
from solvers.learned.model import intensities, photon_level
from solvers.learned.phase_model import PhaseModel, PlanePhaseModel, invert, phase_error
from solvers.learned.unet_a import UNetA
from solvers.learned.unet_b import UNetB
from solvers.residual import magnitude_residual
from solvers.training.config import TrainingConfig
from solvers.training.trainer import train

GRID = (96, 96)
MODELS = {
    "phases from images": lambda: PhaseModel(**TINY),
    "phases from the plane": lambda: PlanePhaseModel(**TINY),
    "image from images": lambda: ImageModel(**TINY),
    "image from the plane": lambda: ImageModel(plane=True, **TINY),
    "phases from images and counts": lambda: PhaseModel(counts=True, **TINY),
    "image from images and counts": lambda: ImageModel(counts=True, **TINY),
}


@pytest.fixture(params=MODELS, scope="module")
def model(request):
    torch.manual_seed(0)
    return MODELS[request.param]().eval()


@pytest.fixture(scope="module")
def frames():
    data = few_images(6)
    return place(data.tiles(), placements("shift_flip", seed=0, split="train", indices=np.arange(6)))


@pytest.fixture(scope="module")
def half(frames):
    return torch.from_numpy(np.abs(np.fft.rfft2(frames, s=GRID)) ** 2).float()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Both learned solvers, prepared with weights that saw a few images."""
    folder = tmp_path_factory.mktemp("weights")
    solvers = {}
    for kind in (TinyA, TinyB):
        plan = TrainingConfig(solver=kind(), epochs=1, batch=12, output=folder, accelerator="cpu", threads=1)
        solvers[kind.name] = kind(weights=str(train(plan, few_images(), adjusted_mse)))
        solvers[kind.name].prepare(Backend(), Problem(variant="shift_flip"))
    return solvers


def solve(solver, measurement):
    return solver.solve(measurement, Streams())


# What the network sees


def test_the_encoding_shows_the_autocorrelation(half, frames):
    seen = encoding.image_space(half, 96)[0, 0].numpy()
    x = frames[0].astype(float)
    for row, column in ((0, 0), (3, -2), (-7, 5)):
        shifted = np.zeros_like(x)
        shifted[max(row, 0) : 42 + min(row, 0), max(column, 0) : 42 + min(column, 0)] = x[
            max(-row, 0) : 42 + min(-row, 0), max(-column, 0) : 42 + min(-column, 0)
        ]
        ratio = seen[32 + row, 32 + column] / seen[32, 32]
        assert ratio == pytest.approx((x * shifted).sum() / (x * x).sum(), abs=1e-5)


@pytest.mark.parametrize("encode", [encoding.image_space, encoding.log_plane])
def test_the_encoding_is_free_of_scale(encode, half):
    torch.testing.assert_close(encode(half * 1e4, 96), encode(half, 96), atol=5e-3, rtol=0)


def test_the_encoding_of_a_real_image_is_the_same_upside_down(half):
    """Y[-k] = Y[k]: the network cannot see which way up the object is, and a rule must say what to answer."""
    seen = encoding.image_space(half, 96)[..., 1:, 1:]
    torch.testing.assert_close(seen, seen.flip((-2, -1)), atol=5e-3, rtol=0)


@pytest.mark.parametrize("m2", [6, 7])
def test_the_half_plane_stands_for_the_whole(m2):
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    half, whole = torch.fft.rfft2(x, s=(8, m2)), torch.fft.fft2(x, s=(8, m2))
    torch.testing.assert_close(encoding.expand(half, m2), whole)


# What its answer means


def test_a_reconstruction_scales_with_the_magnitudes(model, half):
    with torch.inference_mode():
        one, two = model.reconstruct(half), model.reconstruct(4 * half)
    torch.testing.assert_close(two, 2 * one, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("name", ["phases from images", "phases from the plane"])
def test_unet_a_changes_phases_only(name, half):
    torch.manual_seed(1)
    with torch.inference_mode():
        image = MODELS[name]().eval().reconstruct(half)
    torch.testing.assert_close(torch.fft.rfft2(image).abs(), half.sqrt(), atol=0.02 * half.sqrt().max(), rtol=0)


@pytest.mark.parametrize("name", ["phases from images", "phases from the plane", "image from images"])
def test_a_projection_leaves_what_can_be_an_object_and_never_leads_away_from_one(name):
    rng = torch.Generator().manual_seed(2)
    model, images = MODELS[name](), torch.randn(5, *GRID, generator=rng)
    side = model.architecture.size if name == "phases from images" else 42
    objects = torch.zeros(5, *GRID)
    objects[:, :side, :side] = torch.rand(5, side, side, generator=rng)
    projected = model.project(images)
    torch.testing.assert_close(model.project(objects), objects, rtol=0, atol=0)
    torch.testing.assert_close(model.project(projected), projected, rtol=0, atol=0)
    assert (projected >= 0).all()
    assert ((projected - objects).square().sum(dim=(1, 2)) < (images - objects).square().sum(dim=(1, 2))).all()


def test_the_projection_of_unet_a_knows_where_it_draws():
    projected = MODELS["phases from images"]().project(torch.ones(1, *GRID))
    assert projected.sum() == projected[:, :32, :32].sum() == 32 * 32


def test_the_phase_loss_is_the_relative_error_of_the_reconstruction(half, frames):
    """Parseval, with phases that have nothing to do with the object."""
    truth = torch.fft.rfft2(torch.from_numpy(frames), s=GRID)
    noise = torch.fft.rfft2(torch.rand(6, 96, 96, generator=torch.Generator().manual_seed(0)))
    phases = noise / noise.abs()
    image = invert(phases, intensities(truth), GRID)
    difference = image.clone()
    difference[:, :42, :42] -= torch.from_numpy(frames)
    relative = difference.square().sum(dim=(1, 2)) / torch.from_numpy(frames).square().sum(dim=(1, 2))
    torch.testing.assert_close(phase_error(phases, truth, 96), relative, atol=1e-4, rtol=1e-4)


def test_true_phases_have_no_loss(frames):
    truth = torch.fft.rfft2(torch.from_numpy(frames), s=GRID)
    torch.testing.assert_close(
        phase_error(truth / truth.abs().clamp(min=1e-6), truth, 96), torch.zeros(6), atol=1e-5, rtol=0
    )


def test_every_model_learns_from_its_loss(model, frames):
    """A loss that some weight cannot influence would train nothing there."""
    objects = torch.from_numpy(frames[:, :32, :32] if isinstance(model, PhaseModel) else frames) + 1e-3
    half = intensities(model.spectrum(objects))
    model.loss(half, torch.full((6,), 1e5), objects).backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    model.zero_grad()
    assert not missing


# What it is trained on


@pytest.mark.parametrize(("one", "other"), [("none", "shift"), ("flip", "shift_flip")])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_after_centring_shifts_make_no_difference_to_unet_a(one, other, preset):
    data, solver = few_images(60), UNetA(preset=preset)
    mine, theirs = (
        solver.objects(data.images, np.arange(60), Problem(variant=v), seed=0, epoch=0) for v in (one, other)
    )
    np.testing.assert_array_equal(mine, theirs)
    assert solver.file_name(Variant(one)) == solver.file_name(Variant(other))


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_unet_a_learns_one_orientation_of_each_object(preset):
    """Which images the variant happened to turn leaves no trace in the training data of U-Net-A."""
    data = few_images(60)
    turned = data.images[:, ::-1, ::-1]
    mine, theirs = (
        UNetA(preset=preset).objects(tiles, np.arange(60), Problem(variant="flip"), seed=0, epoch=0)
        for tiles in (data.images, turned)
    )
    np.testing.assert_array_equal(mine, theirs)


def test_canonical_training_data_have_the_intensities_of_the_images():
    data = few_images(20)
    canonical = UNetA().objects(data.images, np.arange(20), Problem(), seed=0, epoch=0)
    placed = UNetB().objects(data.images, np.arange(20), Problem(), seed=0, epoch=0)
    mine, theirs = (measure(x.astype(float)).intensities for x in (canonical, placed))
    np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6 * theirs.max())


@pytest.mark.parametrize("variant", VARIANTS)
def test_unet_b_sees_fresh_flips_and_shifts_each_epoch(variant):
    data = few_images(30)
    first, again, second = (
        UNetB().objects(data.images, np.arange(30), Problem(variant=variant), seed=0, epoch=e) for e in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, second) == (variant == "none")


# What a solver promises


@pytest.mark.parametrize("name", ["unet_a", "unet_b"])
def test_an_image_does_not_depend_on_its_neighbours(name, trained, frames):
    measurement = measure(frames)
    together = solve(trained[name], measurement).images
    for i in (0, 5):
        np.testing.assert_array_equal(solve(trained[name], measurement[i : i + 1]).images[0], together[i])


@pytest.mark.parametrize("name", ["unet_a", "unet_b"])
def test_the_residual_is_that_of_the_image_returned(name, trained, frames):
    measurement = measure(frames)
    found = solve(trained[name], measurement)
    for image, intensity, residual in zip(found.images, measurement.intensities, found.residual, strict=True):
        literal = np.linalg.norm(np.abs(np.fft.fft2(image)) - np.sqrt(intensity)) / np.linalg.norm(np.sqrt(intensity))
        assert residual == pytest.approx(literal, rel=1e-4, abs=1e-6)


def test_unet_a_fits_the_measurement_and_unet_b_does_not_have_to(trained, frames):
    a, b = (solve(trained[name], measure(frames)).residual for name in ("unet_a", "unet_b"))
    assert a.max() < 0.01
    assert b.min() > 0.05


@pytest.mark.parametrize("kind", [TinyA, TinyB])
def test_with_nonneg_the_image_is_the_projection_of_what_it_is_without(kind, trained, frames):
    plain, measurement = trained[kind.name], measure(frames)
    solver = kind(weights=plain.weights, nonneg=True)
    solver.prepare(Backend(), Problem(variant="shift_flip"))
    before, found = solve(plain, measurement), solve(solver, measurement)
    projected = solver._model.project(torch.from_numpy(before.images)).numpy()
    np.testing.assert_array_equal(found.images, projected)
    np.testing.assert_array_equal(found.residual, magnitude_residual(projected, measurement.intensities, real=True))
    assert (before.images < 0).any()
    assert solver.information().nonnegative
    assert not plain.information().nonnegative


def test_a_pass_costs_the_transforms_of_its_encoding_and_of_the_inversion():
    """Encoding, the drawn image, the inversion; the networks of the paper see the Fourier plane as it is."""
    for label, count in {"unet_a": 4, "unet_b": 2, "unet_a[preset=paper]": 1, "unet_b[preset=paper]": 0}.items():
        assert create(label).transforms_per_image == count


def test_with_nonneg_an_object_that_may_be_negative_is_left_out(trained, frames):
    solver = TinyA(weights=trained["unet_a"].weights, nonneg=True)
    solver.prepare(Backend(), Problem(variant="shift_flip"))
    frames = frames.copy()
    frames[2, 20, 20] = -0.5
    found = solve(solver, measure(frames))
    assert [status is Status.INVALID for status in found.status] == [False, False, True, False, False, False]
    assert not found.images[2].any()


@pytest.mark.parametrize("kind", [UNetA, UNetB])
def test_nonneg_is_no_part_of_a_training(kind):
    assert kind(nonneg=True).own_parameters() == {}
    assert kind(nonneg=True).files(Problem()) == kind().files(Problem())


@pytest.mark.parametrize("name", ["unet_a", "unet_b"])
def test_at_every_scale_an_image_is_the_twin_of_that_at_unit_scale_or_has_diverged(name, trained, frames):
    measurement = measure(frames[:2])
    one = solve(trained[name], measurement)
    limits = np.finfo(np.float32)
    for decimal in (-300, -100, -90, -76, -60, -1, 60, 76, 90, 300):  # of the intensities
        power = round(decimal * np.log2(10) / 2)
        found = solve(trained[name], dataclasses.replace(measurement, intensities=measurement.intensities * 4.0**power))
        twins = np.ldexp(one.images.astype(np.float64), power)
        largest = abs(twins).max(axis=(1, 2))
        held = (largest >= limits.tiny) & (largest <= limits.max)
        assert [status is Status.STOPPED for status in found.status] == held.tolist()
        assert [status is Status.DIVERGED for status in found.status] == (~held).tolist()
        assert not found.images[~held].any()
        assert np.isnan(found.residual[~held]).all()
        np.testing.assert_array_equal(found.residual[held], one.residual[held])
        for i in np.flatnonzero(held):
            np.testing.assert_allclose(found.images[i], twins[i], rtol=0, atol=limits.eps * largest[i])


@pytest.mark.parametrize("name", ["unet_a", "unet_b"])
def test_an_answer_that_is_not_finite_has_diverged(name, trained, frames, monkeypatch):
    model = trained[name]._model
    answer = model.reconstruct

    def troubled(half, photons):
        images = answer(half, photons)
        images[1, 3, 4], images[2] = torch.nan, torch.inf
        return images

    measurement = measure(frames)
    clean = solve(trained[name], measurement)
    monkeypatch.setattr(model, "reconstruct", troubled)
    found = solve(trained[name], measurement)
    assert [status is Status.DIVERGED for status in found.status] == [False, True, True, False, False, False]
    assert not found.images[1:3].any()
    assert np.isnan(found.residual[1:3]).all()
    np.testing.assert_array_equal(found.images[[0, 3, 4, 5]], clean.images[[0, 3, 4, 5]])
    np.testing.assert_array_equal(found.residual[[0, 3, 4, 5]], clean.residual[[0, 3, 4, 5]])


def test_a_network_whose_weights_are_not_finite_solves_nothing(trained, frames, monkeypatch):
    weight = trained["unet_b"]._model.unet.head.weight
    monkeypatch.setattr(weight, "data", weight.data * torch.nan)
    found = solve(trained["unet_b"], measure(frames[:2]))
    assert found.status == [Status.DIVERGED] * 2
    assert not found.images.any()


@pytest.mark.parametrize("name", ["unet_a", "unet_b"])
def test_counts_of_a_detector_are_a_measurement(name, trained, frames):
    counts = np.rint(measure(frames[:2]).intensities / 4).astype(np.uint16)
    found = solve(trained[name], Measurement(counts, (42, 42), [0, 1]))
    known = solve(trained[name], Measurement(counts.astype(float), (42, 42), [0, 1]))
    np.testing.assert_array_equal(found.images, known.images)


@pytest.mark.parametrize("name", ["unet_a", "unet_b"])
def test_an_invalid_measurement_gives_an_empty_image_and_harms_no_other(name, trained, frames):
    good = measure(frames)
    broken = good.intensities.copy()
    broken[1, 3, 3], broken[2], broken[4, 0, 0] = np.nan, 0, -1
    found = solve(trained[name], Measurement(broken, good.object_shape, good.indices))
    assert [s is Status.INVALID for s in found.status] == [False, True, True, False, True, False]
    assert not found.images[[1, 2, 4]].any()
    assert np.isnan(found.residual[[1, 2, 4]]).all()
    np.testing.assert_array_equal(found.images[[0, 3, 5]], solve(trained[name], good).images[[0, 3, 5]])


@pytest.mark.parametrize("name", ["unet_a", "unet_b"])
def test_shift_and_flip_do_not_change_what_is_found(name, trained, frames):
    """The measurement is the same, so the answer is: this is why the training data must choose one."""
    one, other = (solve(trained[name], measure(x)).images for x in (frames, conjugate_flip(frames)))
    np.testing.assert_allclose(one, other, atol=2e-3 * np.abs(one).max())


@pytest.mark.parametrize("photons", [1e3, 1e6])
def test_noisy_measurements_are_solved_too(photons, trained, frames):
    found = solve(trained["unet_a"], measure(frames, photons=photons))
    assert np.isfinite(found.images).all()
    assert set(found.status) == {Status.STOPPED}


def test_a_network_has_no_iterations_that_a_kernel_could_do(trained, frames):
    assert solve(trained["unet_a"], measure(frames[:1])).kernel == ""


def test_no_measurement_at_all_is_no_error(trained, frames):
    assert solve(trained["unet_a"], measure(frames)[:0]).images.shape == (0, 96, 96)


def test_the_numpy_backend_gives_the_same_answer(trained, frames):
    other = TinyA(weights=trained["unet_a"].weights)
    other.prepare(Backend("numpy", precision="float64"), Problem(variant="shift_flip"))
    np.testing.assert_array_equal(
        solve(other, measure(frames)).images, solve(trained["unet_a"], measure(frames)).images
    )


@pytest.mark.parametrize(("fast", "label"), [(True, "unet_a[precision=bf16]"), (False, "unet_a")])
def test_bf16_goes_without_a_remark_where_it_is_fast_or_not_asked_for(monkeypatch, fast, label):
    monkeypatch.setattr("solvers.learned.trainable.bf16_is_fast", lambda device: fast)
    assert create(label).remarks(Backend()) == []


def test_bf16_that_is_emulated_is_told_before_it_runs(monkeypatch):
    monkeypatch.setattr("solvers.learned.trainable.bf16_is_fast", lambda device: False)
    told = ["pnp[precision=bf16] takes up to 6 times as long here as without it: bf16 is emulated"]
    for label in ("pnp[precision=bf16]", 'chain[stages="rrr + pnp[precision=bf16]"]'):
        assert create(label).remarks(Backend()) == told


def test_bf16_is_another_precision_and_nearly_the_same_answer(trained, frames):
    narrow = TinyA(weights=trained["unet_a"].weights, precision="bf16")
    narrow.prepare(Backend(), Problem(variant="shift_flip"))
    one, other = solve(trained["unet_a"], measure(frames)).images, solve(narrow, measure(frames)).images
    assert other.dtype == np.float32
    assert 0 < np.linalg.norm(one - other) / np.linalg.norm(one) < 0.1


def test_missing_weights_come_with_the_command_that_makes_them(tmp_path):
    command = r"python -m bench train --solver 'unet_b\[preset=paper\]' --variant none"
    with pytest.raises(UnavailableError, match=command):
        TinyB(preset="paper", weights=str(tmp_path / "none.safetensors")).prepare(Backend(), Problem(variant="none"))


def test_the_name_of_weights_may_have_blanks():
    solver = UNetA(preset="noise", weights="runs/{solver}/{preset}-{variant}.safetensors")
    assert solver.label == "unet_a[preset=noise,weights=runs/{solver}/{preset}-{variant}.safetensors]"
    assert [str(path) for path in solver.files(Problem(variant="shift_flip"))] == ["runs/unet_a/noise-flip.safetensors"]
    assert [str(path) for path in solver.files(Problem(variant="none"))] == ["runs/unet_a/noise-none.safetensors"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{size}.safetensors", r"unknown {size}: choose from {solver}, {preset}, {variant}"),
        ("{solver:d}.safetensors", r"unknown {solver:d}: choose from {solver}"),
        ("{variant!r:>9}.safetensors", r"unknown {variant!r:>9}: choose from {solver}"),
        ("{}.safetensors", r"unknown {}: choose from"),
        ("{variant.safetensors", r"write {{ and }} for braces"),
    ],
)
def test_a_blank_that_nothing_fills_is_refused(name, message):
    with pytest.raises(ParameterError, match=message):
        create(f"unet_a[weights={name}]")


def test_the_shipped_weights_are_for_the_problems_of_the_paper_alone():
    assert UNetA().refusal(Problem(variant="flip", photons=1e5)) == ""
    assert UNetA().refusal(Problem(frame=(40, 42))) == "unet_a was trained on frame 42x42, not on frame 40x42"
    assert UNetB().refusal(Problem(object="complex")) == "unet_b was trained on real, not on complex"


@pytest.mark.parametrize("path", sorted(weights.FOLDER.glob("*-default-*.safetensors")), ids=lambda path: path.stem)
def test_the_noiseless_weights_of_the_package_know_nothing_of_photons(path, half):
    card, tensors = weights.read(path)
    assert (card.frame, card.grid, card.photons, card.started_from, card.parameters) == (
        "42x42",
        "96x96",
        "none",
        "",
        {},
    )
    model = create(card.solver).model(card.problem()).eval()
    assert model.shapes() == card.architecture
    weights.fill(model, tensors, path)
    with torch.inference_mode():
        few, none = (model.reconstruct(half[:1], photons) for photons in (torch.tensor([1e3]), None))
    assert torch.equal(few, none)


def test_a_network_that_is_told_the_photons_answers_differently_for_different_ones(half):
    torch.manual_seed(0)
    model = PhaseModel(counts=True, **TINY).eval()
    level = photon_level(torch.tensor([1e3, 1e6, 1e9, torch.inf, 0]))
    torch.testing.assert_close(level, torch.tensor([-1.0, 0, 1, 1, -2]))
    with torch.inference_mode():
        few, many, most, none = (model.output(half, p and torch.full((6,), p)) for p in (1e4, 1e8, 1e12, None))
    assert not torch.equal(few, many)
    assert torch.equal(most, none)


def test_the_photons_that_a_network_is_told_are_those_of_the_noise(frames, monkeypatch, tmp_path):
    plan = TrainingConfig(solver=TinyA(preset="noise"), epochs=1, batch=12, output=tmp_path, threads=1)
    solver = TinyA(preset="noise", weights=train(plan, few_images(), adjusted_mse))
    solver.prepare(Backend(), Problem(variant="shift_flip"))
    answer, told = solver._model.reconstruct, []
    monkeypatch.setattr(solver._model, "reconstruct", lambda half, p: told.append(p[:6]) or answer(half, p))
    for photons in (1e4, 1e7, None):
        solve(solver, measure(3 * frames, photons=photons))
    torch.testing.assert_close(told[0].log10(), torch.full((6,), 4.0), atol=0.1, rtol=0)
    torch.testing.assert_close(told[1].log10(), torch.full((6,), 7.0), atol=0.1, rtol=0)
    assert (told[2] > 1e20).all()


def test_an_answer_of_another_shape_is_refused(trained, frames, monkeypatch):
    model = trained["unet_a"]._model
    answer = model.reconstruct
    monkeypatch.setattr(model, "reconstruct", lambda half, photons: answer(half, photons)[:, :42])
    with pytest.raises(ParameterError, match=r"images \(8, 42, 96\): they must have the shape of the grid"):
        solve(trained["unet_a"], measure(frames))


def test_weights_of_another_variant_are_refused(trained):
    with pytest.raises(UnavailableError, match="was trained on variant flip and shift_flip, not on 'none'"):
        TinyA(weights=trained["unet_a"].weights).prepare(Backend(), Problem(variant="none"))


def test_weights_of_another_architecture_are_refused(trained):
    with pytest.raises(UnavailableError, match=r"has another architecture: .*widths"):
        UNetA(weights=trained["unet_a"].weights).prepare(Backend(), Problem(variant="flip"))


def test_the_digest_of_the_weights_is_that_of_the_file(trained):
    import hashlib
    from pathlib import Path

    content = Path(trained["unet_a"].weights).read_bytes()
    assert trained["unet_a"].weights_digest() == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", ["unet_a", "unet_b"])
def test_measurements_that_the_network_was_not_made_for_are_refused(name, trained, frames):
    with pytest.raises(UnavailableError, match=r"grid of \(96, 96\), not \(90, 96\)"):
        solve(trained[name], measure(frames, grid=(90, 96)))
    with pytest.raises(UnavailableError, match="complex"):
        solve(trained[name], measure(frames * 1j))


@pytest.mark.parametrize(
    ("solver", "frame", "grid", "message"),
    [
        (UNetA(), 20, 50, "no grid of 50x50: both sides must be at least 64"),
        (UNetB(), 80, 160, "no frame of 80x80: at most 64 pixels a side"),
        (UNetB(preset="paper"), 42, (96, 100), "no grid of 96x100: both sides must be the same multiple of 8"),
    ],
)
def test_a_problem_that_a_network_cannot_have_is_refused(solver, frame, grid, message):
    with pytest.raises(ParameterError, match=message):
        solver.model(Problem(frame=frame, grid=grid))


def test_a_solver_that_was_not_prepared_says_so(frames):
    with pytest.raises(RuntimeError, match="prepare"):
        solve(TinyA(), measure(frames))


def test_both_solvers_have_networks_of_one_size():
    """The comparison of the paper is one of training data, not of networks: under 2.2 million weights each."""
    sizes = [sum(p.numel() for p in kind().model(Problem()).unet.parameters()) for kind in (UNetA, UNetB)]
    assert abs(sizes[0] - sizes[1]) < 2_000
    assert max(sizes) < 2_200_000
