"""Training can be killed at any moment, and what it learns does not depend on that."""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import replace

import pytest
import torch
from networks import TINY, TheirSolver, TinyA, TinyB, TinyPrior, few_images

from bench.score.metrics import adjusted_mse
from datasets.problem import Problem
from solvers import Backend
from solvers.errors import ParameterError, UnavailableError
from solvers.learned import weights
from solvers.learned.image_model import ImageModel
from solvers.learned.phase_model import PhaseModel
from solvers.training import checkpoint, history, save_weights, training_pairs
from solvers.training.config import TrainingConfig
from solvers.training.trainer import DivergedError, TrainingInterrupted, WeightsInTheWayError, device
from solvers.training.trainer import train as train_on


def config(folder, **changes):
    tiny = {"solver": TinyB(), "epochs": 2, "batch": 12, "output": folder, "accelerator": "cpu", "threads": 1}
    return TrainingConfig(**tiny | changes)


def train(plan, report=lambda progress: None, data=None):
    return train_on(plan, data or few_images(), adjusted_mse, report)


def stop_at(step):
    """A report that sends the process a SIGTERM, once."""

    def report(progress):
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return report


@pytest.mark.slow
@pytest.mark.parametrize(
    "solver", [TinyA(), TinyB(), TinyA(preset="noise"), TheirSolver(), TinyPrior()], ids=lambda s: s.label
)
def test_a_training_that_was_killed_and_resumed_ends_with_the_same_bits(tmp_path, solver):
    whole = train(config(tmp_path / "whole", solver=solver))
    interrupted = config(tmp_path / "interrupted", solver=solver)
    for step in (2, 7):  # in the first and in the second epoch
        with pytest.raises(TrainingInterrupted, match=f"step {step} of 12"):
            train(interrupted, stop_at(step))
    assert train(interrupted).read_bytes() == whole.read_bytes()
    assert [p.suffix for p in sorted((tmp_path / "interrupted").iterdir())] == [".csv", ".json", ".safetensors"]


@pytest.fixture
def heard():
    """SIGHUP as a terminal's program finds it: under nohup, all tests would ignore it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heard")
def test_a_training_whose_terminal_goes_is_kept_though_nothing_can_be_reported(tmp_path):
    def hang_up(progress):
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGHUP)
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        train(config(tmp_path), hang_up)
    reports = []
    train(config(tmp_path), reports.append)
    assert reports[0].step == 3


def test_a_training_that_is_stopped_while_its_weights_are_validated_has_no_step_to_do_again(tmp_path, monkeypatch):
    whole = train(config(tmp_path / "whole", epochs=1))
    stopped = config(tmp_path / "stopped", epochs=1)

    def interrupted(training, state):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("solvers.training.trainer._Training._validate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(stopped)
    reports = []
    assert train(stopped, reports.append).read_bytes() == whole.read_bytes()
    assert len(reports) == 1
    assert [row.step for row in history.read(stopped.history)] == list(range(1, 7))


def test_of_few_images_the_last_one_measures_progress(tmp_path):
    card = weights.read_card(train(config(tmp_path, batch=2, epochs=1), data=few_images(3)))
    assert (card.images, card.validation_images) == (2, 1)
    assert card.validation_mse > 0


def test_a_single_image_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="one image is trained on and another one held out: there is 1"):
        train(config(tmp_path, batch=1), data=few_images(1))
    assert not list(tmp_path.iterdir())


def test_another_training_cannot_be_resumed_by_mistake(tmp_path):
    with pytest.raises(TrainingInterrupted):
        train(config(tmp_path), stop_at(1))
    with pytest.raises(checkpoint.CheckpointError, match=r"learning_rate 0\.001 instead of 0\.1"):
        train(config(tmp_path, learning_rate=0.1))


def test_without_resume_a_training_begins_anew(tmp_path):
    with pytest.raises(TrainingInterrupted):
        train(config(tmp_path), stop_at(3))
    steps = []
    train(config(tmp_path, resume=False), lambda progress: steps.append(progress.step))
    assert steps[0] == 1


@pytest.fixture
def stopped(tmp_path):
    """A training that was stopped after three of its twelve steps."""
    with pytest.raises(TrainingInterrupted):
        train(config(tmp_path), stop_at(3))
    return config(tmp_path)


def turn_a_bit(content, where):
    return content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]


DAMAGES = {
    "replaced": lambda good: b"nonsense",
    "empty": lambda good: b"",
    "cut": lambda good: good[: len(good) // 2],
    "one bit": lambda good: turn_a_bit(good, len(good) - 10),
    "another step": lambda good: good.replace(b'\\"step\\": 3', b'\\"step\\": 4'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_kept(stopped, damage):
    good = stopped.checkpoint.read_bytes()
    bad = DAMAGES[damage](good)
    assert bad != good
    stopped.checkpoint.write_bytes(bad)
    with pytest.raises(checkpoint.CheckpointError, match=r"\.checkpoint is .*--no-resume"):
        train(stopped)
    assert stopped.checkpoint.read_bytes() == bad


def test_a_checkpoint_of_another_version_is_refused(stopped, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", "another")
    with pytest.raises(checkpoint.CheckpointError, match="another version of phasebench: begin anew with --no-resume"):
        train(stopped)


def test_a_checkpoint_of_other_images_is_refused(stopped):
    with pytest.raises(checkpoint.CheckpointError, match=r"is of another training .*data_sha256"):
        train(stopped, data=replace(few_images(), digest="another"))


def test_a_checkpoint_of_another_network_is_refused(stopped, monkeypatch):
    monkeypatch.setattr(TinyB, "model", lambda self, problem: ImageModel(**TINY | {"widths": (8, 24)}))
    with pytest.raises(checkpoint.CheckpointError, match=r"widths \[8, 16\] instead of \[8, 24\]"):
        train(stopped)


def test_when_the_disk_is_full_the_checkpoint_of_before_survives(stopped, monkeypatch):
    before = stopped.checkpoint.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill_the_disk(progress):
        if progress.step == 5:
            monkeypatch.setattr("solvers.files.os.fsync", full)
            stop_at(5)(progress)

    with pytest.raises((checkpoint.CheckpointError, OSError), match="No space left on device"):
        train(stopped, fill_the_disk)
    monkeypatch.undo()
    assert stopped.checkpoint.read_bytes() == before
    assert train(stopped).is_file()


def test_training_reduces_the_loss(tmp_path):
    losses = []
    long = config(tmp_path, solver=TinyA(), epochs=12, learning_rate=1e-2)
    train(long, lambda progress: losses.append(progress.loss))
    assert sum(losses[-7:-1]) < 0.7 * sum(losses[:6])


@pytest.mark.slow
def test_the_images_held_out_are_never_trained_on(tmp_path):
    """Other images at the end of the training set change the score, and not one bit of the weights."""
    data = few_images()
    images = data.images.copy()
    images[-8:] = images[-8:, ::-1]
    one = train(config(tmp_path / "one"), data=data)
    other = train(config(tmp_path / "other"), data=replace(data, images=images))
    assert one.read_bytes() == other.read_bytes()
    assert weights.read_card(one).validation_mse != weights.read_card(other).validation_mse


def test_the_card_says_where_the_weights_come_from(tmp_path):
    card = weights.read_card(train(config(tmp_path, solver=TinyA())))
    assert card.variants == ("flip", "shift_flip")
    assert (card.dataset, card.split, card.images, card.validation_images) == ("sample", "train", 72, 8)
    assert (card.data_sha256, card.epochs, card.seed) == (few_images().digest, 2, 0)
    assert 0 < card.validation_mse <= 1
    assert card.seconds > 0


def test_the_score_of_the_card_is_that_of_the_solver_that_reads_the_file(tmp_path):
    """The network in training and the solver in the benchmark are one and the same."""
    from datasets import measure, place, placements
    from datasets.problem import Problem
    from solvers.base import Streams

    data = few_images()
    path = train(config(tmp_path, solver=TinyA()), data=data)
    solver = TinyA(weights=str(path))
    solver.prepare(Backend(), Problem(variant="shift_flip"))
    held_out = range(72, 80)
    truth = place(data.tiles(held_out), placements("shift_flip", seed=0, split="train", indices=held_out))
    found = solver.solve(measure(truth), Streams())
    assert adjusted_mse(truth, found.images).mean() == pytest.approx(weights.read_card(path).validation_mse, abs=2e-4)


def test_bf16_trains_too_and_is_another_arithmetic(tmp_path):
    losses = {"bf16-mixed": [], "32-true": []}
    for precision, found in losses.items():
        plan = config(tmp_path / precision, solver=TinyA(), precision=precision, epochs=1)
        train(plan, lambda progress, found=found: found.append(progress.loss))
    assert losses["bf16-mixed"][0] != losses["32-true"][0]
    assert losses["bf16-mixed"][0] == pytest.approx(losses["32-true"][0], rel=0.02)
    path = config(tmp_path / "bf16-mixed", solver=TinyA()).file
    assert weights.read_card(path).precision == "bf16-mixed"
    assert all(t.isfinite().all() for t in weights.read(path)[1].values())


def test_torch_is_left_with_the_threads_it_had(tmp_path):
    before = torch.get_num_threads()
    train(config(tmp_path, epochs=1))
    assert torch.get_num_threads() == before


# What lies there already


def test_a_finished_training_is_not_done_again(tmp_path):
    path = train(config(tmp_path))
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.iterdir()}
    steps = []
    assert train(config(tmp_path), steps.append) == path
    assert not steps
    assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.iterdir()} == before


@pytest.mark.slow
def test_weights_of_another_training_are_never_replaced_unless_that_is_asked_for(tmp_path):
    path = train(config(tmp_path))
    before = path.read_bytes(), weights.card_path(path).read_bytes()
    with pytest.raises(WeightsInTheWayError, match=r"epochs 2 instead of 1.*--overwrite.*--output"):
        train(config(tmp_path, epochs=1))
    assert (path.read_bytes(), weights.card_path(path).read_bytes()) == before
    assert train(config(tmp_path, epochs=1, overwrite=True)) == path
    assert weights.read_card(path).epochs == 1


@pytest.mark.slow
def test_a_card_whose_weights_were_never_written_is_in_nobodys_way(tmp_path):
    """A process that is killed while it writes the two leaves the card without the weights, not the reverse."""
    path = train(config(tmp_path))
    path.unlink()
    assert train(config(tmp_path)).is_file()


# Divergence


@pytest.mark.parametrize("rate", [1e3, 1e6])
def test_a_training_that_diverges_says_so_and_writes_no_weights(tmp_path, rate):
    with pytest.raises(DivergedError, match=r"diverged at step \d+ of 6.*--learning-rate"):
        train(config(tmp_path, epochs=1, learning_rate=rate))
    assert not config(tmp_path).file.exists()
    assert not weights.card_path(config(tmp_path).file).exists()


def test_weights_that_half_precision_does_not_hold_are_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("solvers.training.trainer._Training._validate", lambda self, state: 0.5)
    monkeypatch.setattr(
        "solvers.training.trainer._Training._optimise", lambda self, lesson, rate: _overflow(self.average)
    )
    with pytest.raises(DivergedError, match="not finite in half precision"):
        train(config(tmp_path, epochs=1))
    assert not config(tmp_path).file.exists()


def _overflow(average):
    next(iter(average.values())).fill_(1e6)
    return 1.0


# History


@pytest.mark.slow
def test_the_history_has_every_step_once_though_the_training_was_stopped(tmp_path):
    whole, stopped = config(tmp_path / "whole"), config(tmp_path / "stopped")
    train(whole)
    for step in (2, 7):
        with pytest.raises(TrainingInterrupted):
            train(stopped, stop_at(step))
    train(stopped)
    one, other = ([row._replace(seconds=0, validation=0) for row in history.read(c.history)] for c in (whole, stopped))
    assert one == other
    assert [row.step for row in one] == list(range(1, 13))
    assert [row.images for row in one] == list(range(12, 145, 12))
    assert [row.step for row in history.read(stopped.history) if row.validation > 0] == [6, 12]


def test_steps_that_are_done_again_after_a_kill_stand_in_the_history_once(stopped):
    def die(progress):
        if progress.step == 5:
            raise MemoryError  # as sudden as a kill: no checkpoint is written

    with pytest.raises(MemoryError):
        train(stopped, die)
    assert len(history.read(stopped.history)) == 5
    train(stopped)
    assert [row.step for row in history.read(stopped.history)] == list(range(1, 13))


def test_the_last_validation_of_the_history_is_that_of_the_card(tmp_path):
    path = train(config(tmp_path, epochs=1))
    last = history.read(config(tmp_path).history)[-1]
    assert last.validation == pytest.approx(weights.read_card(path).validation_mse, abs=1e-5)


# Noise


def test_a_training_with_noise_says_so_and_another_range_is_another_training(tmp_path):
    noisy = config(tmp_path, solver=TinyA(preset="noise"), epochs=1)
    path = train(noisy)
    assert path.name == "unet_a-noise-flip.safetensors"
    assert weights.read_card(path).photons == "1e3:1e9"
    with pytest.raises(WeightsInTheWayError, match="photons 1e3:1e9 instead of 1e5"):
        train(config(tmp_path, solver=TinyA(preset="noise"), epochs=1, photons="1e5"))
    trained = TinyA(preset="noise", weights=path)
    assert trained.information().training_data == "sample with 1e3:1e9 photons"
    trained.prepare(Backend(), Problem(variant="flip"))
    assert trained.information().training_data == "sample with 1e3:1e9 photons"


def test_any_network_can_be_trained_with_noise_which_changes_its_weights(tmp_path):
    clean, noisy = (train(config(tmp_path / p, epochs=1, photons=p)) for p in ("none", "1e4"))
    assert [weights.read_card(path).photons for path in (clean, noisy)] == ["none", "1e4"]
    assert clean.read_bytes() != noisy.read_bytes()


def test_the_images_held_out_have_photons_from_the_fewest_to_the_most(tmp_path, monkeypatch):
    from datasets import measure

    asked = []

    def watched(objects, **options):
        asked.append(options["photons"])
        return measure(objects, **options)

    monkeypatch.setattr("solvers.learned.base.measure", watched)
    train(config(tmp_path, solver=TinyA(preset="noise"), epochs=1, photons="1e3:1e10"))
    torch.testing.assert_close(torch.from_numpy(asked[0]).log10(), torch.arange(3, 11).double())


def test_a_network_that_is_told_the_photons_begins_as_the_one_that_it_starts_from(tmp_path):
    begun = train(config(tmp_path, solver=TinyA(), epochs=1))
    _, tensors = weights.read(begun)
    plain, told = PhaseModel(**TINY), PhaseModel(counts=True, **TINY)
    weights.fill(plain, tensors, begun)
    weights.start_from(told, begun)
    half = torch.rand(2, 96, 49)
    with torch.inference_mode():
        for photons in (None, torch.tensor([1e3, 1e8])):
            torch.testing.assert_close(told.reconstruct(half, photons), plain.reconstruct(half))


def test_a_training_that_started_from_weights_says_from_which(tmp_path):
    begun = train(config(tmp_path, solver=TinyA(), epochs=1))
    path = train(config(tmp_path, solver=TinyA(preset="noise"), epochs=1, start_from=begun))
    assert weights.read_card(path).started_from == weights.read_card(begun).sha256
    with pytest.raises(WeightsInTheWayError, match="started_from"):
        train(config(tmp_path, solver=TinyA(preset="noise"), epochs=1))


def test_weights_of_another_network_are_nothing_to_start_from(tmp_path):
    begun = train(config(tmp_path, solver=TinyB(), epochs=1))
    with pytest.raises(weights.WeightsError, match="has other tensors than the network"):
        train(config(tmp_path, solver=TinyA(), epochs=1, start_from=begun))


# Solvers of others


def test_frame_and_grid_of_a_training_are_those_that_the_weights_are_for(tmp_path):
    from datasets import measure, place, placements
    from solvers.base import Status, Streams

    path = train(config(tmp_path, solver=TheirSolver(), frame="32x40", grid="64x80", variant="none"))
    assert path.name == "theirs-default-none.safetensors"
    solver = TheirSolver(weights=path)
    solver.prepare(Backend(), Problem(variant="none"))
    tiles, indices = few_images().tiles([0, 1]), [0, 1]
    objects = place(tiles, placements("none", seed=0, split="train", indices=indices), (32, 40))
    found = solver.solve(measure(objects, grid=(64, 80)), Streams())
    assert found.images.shape == (2, 64, 80)
    assert found.status == [Status.STOPPED] * 2
    assert solver.refusal(Problem(dataset="sample", variant="none", frame=(32, 40), grid=(64, 80))) == ""
    asked = Problem(dataset="sample", variant="none", frame=(32, 40), grid=(64, 96))
    assert solver.refusal(asked) == "theirs was trained on grid 64x80, not on grid 64x96"


def test_parameters_of_a_solver_belong_to_its_training(tmp_path):
    path = train(config(tmp_path, solver=TheirSolver(width=5), epochs=1))
    assert weights.read_card(path).parameters == {"width": "5"}
    with pytest.raises(WeightsInTheWayError, match="width 5 instead of None"):
        train(config(tmp_path, solver=TheirSolver(), epochs=1))
    with pytest.raises(weights.WeightsError, match=r"layers.0.weight \[5, 4704\] instead of \[4, 4704\]"):
        TheirSolver(weights=path).prepare(Backend(), Problem(variant="shift_flip"))


def test_a_training_loop_of_ones_own_ends_in_weights_that_the_solver_reads(tmp_path):
    problem, images = Problem(variant="flip", frame=(30, 30), grid=(60, 60)), few_images()
    solver = TheirSolver()
    model = solver.model(problem)
    optimizer = torch.optim.Adam(model.parameters())
    for half, photons, objects in training_pairs(problem, images, photons="1e4", batch=20, epochs=1):
        optimizer.zero_grad()
        model.loss(half, photons, objects).backward()
        optimizer.step()
    path = tmp_path / "mine" / "flip.safetensors"
    card = save_weights(path, model, solver=solver, problem=problem, images=images, photons="1e4")
    assert card == weights.read_card(path)
    assert (card.variants, card.frame, card.grid, card.images) == (("flip",), "30x30", "60x60", 80)
    assert (card.data_sha256, card.photons, card.epochs) == (images.digest, "1e4", None)
    reader = TheirSolver(weights=tmp_path / "mine" / "{variant}.safetensors")
    reader.prepare(Backend(), Problem(variant="flip"))
    assert reader.weights_digest() == card.sha256
    with pytest.raises(UnavailableError, match=r"theirs has no weights .*/mine/shift.safetensors: train them with"):
        reader.prepare(Backend(), Problem(variant="shift"))


def test_weights_that_no_solver_could_read_are_not_saved(tmp_path):
    problem, path = Problem(), tmp_path / "w.safetensors"
    model = TheirSolver().model(problem)
    with pytest.raises(ParameterError, match=r"'theirs\[width=5\]' has another network for this problem"):
        save_weights(path, model, solver=TheirSolver(width=5), problem=problem)
    with pytest.raises(ParameterError, match=r"not to '.*w\.json'"):
        save_weights(path.with_suffix(".json"), model, solver=TheirSolver(), problem=problem)
    torch.nn.init.constant_(model.layers[0].weight, 1e6)
    with pytest.raises(weights.WeightsError, match=r"'layers\.0\.weight' are not finite in half precision"):
        save_weights(path, model, solver=TheirSolver(), problem=problem)
    assert not list(tmp_path.iterdir())


def test_devices_share_every_batch_evenly(monkeypatch):
    """Their gradients count alike in the mean."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    config = TrainingConfig(solver=TinyB(), batch=32, accelerator="cuda")
    assert device(config) == ("cuda", 2)
    assert device(config.model_copy(update={"batch": 33})) == ("cuda", 3)
    with pytest.raises(UnavailableError, match="--devices 3: they cannot share a batch of 32 evenly"):
        device(config.model_copy(update={"devices": 3}))
