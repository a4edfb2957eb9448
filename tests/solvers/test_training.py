"""Training can be killed at any moment, and what it learns does not depend on that."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
import torch
from networks import TinyA, TinyB, few_images

from bench.metrics import adjusted_mse
from datasets import Variant
from solvers import Backend, checkpoint, weights
from solvers.interruption import Interruption
from solvers.training import TrainingConfig, TrainingInterrupted, train


def config(folder, **changes):
    tiny = TrainingConfig(
        solver=TinyB,
        variant=Variant.SHIFT_FLIP,
        epochs=2,
        batch=12,
        output=folder,
        accelerator="cpu",
        data=few_images(),
    )
    return replace(tiny, **changes)


def stop_at(step):
    """A report that sends the process a SIGTERM, once."""

    def report(progress):
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return report


@pytest.mark.parametrize("solver", [TinyA, TinyB])
def test_a_training_that_was_killed_and_resumed_ends_with_the_same_bits(tmp_path, solver):
    whole = train(config(tmp_path / "whole", solver=solver), adjusted_mse)
    interrupted = config(tmp_path / "interrupted", solver=solver)
    for step in (2, 7):  # in the first and in the second epoch
        with pytest.raises(TrainingInterrupted, match=f"step {step} of 12"):
            train(interrupted, adjusted_mse, stop_at(step))
    assert train(interrupted, adjusted_mse).read_bytes() == whole.read_bytes()
    assert [p.suffix for p in sorted((tmp_path / "interrupted").iterdir())] == [".json", ".safetensors"]


def test_another_training_cannot_be_resumed_by_mistake(tmp_path):
    with pytest.raises(TrainingInterrupted):
        train(config(tmp_path), adjusted_mse, stop_at(1))
    with pytest.raises(checkpoint.CheckpointError, match=r"learning_rate 0\.001 instead of 0\.1"):
        train(config(tmp_path, learning_rate=0.1), adjusted_mse)


def test_without_resume_a_training_begins_anew(tmp_path):
    with pytest.raises(TrainingInterrupted):
        train(config(tmp_path), adjusted_mse, stop_at(3))
    steps = []
    train(config(tmp_path, resume=False), adjusted_mse, lambda progress: steps.append(progress.step))
    assert steps[0] == 1


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = config(tmp_path).file.with_suffix(".checkpoint")
    path.write_bytes(b"nonsense")
    with pytest.raises(checkpoint.CheckpointError, match="is not a checkpoint of a training"):
        train(config(tmp_path), adjusted_mse)


def test_training_reduces_the_loss(tmp_path):
    losses = []
    long = config(tmp_path, solver=TinyA, epochs=12, learning_rate=1e-2)
    train(long, adjusted_mse, lambda progress: losses.append(progress.loss))
    assert sum(losses[-7:-1]) < 0.7 * sum(losses[:6])


def test_the_images_held_out_are_never_trained_on(tmp_path):
    """Other images at the end of the training set change the score, and not one bit of the weights."""
    data = few_images()
    images = data.images.copy()
    images[-8:] = images[-8:, ::-1]
    one = train(config(tmp_path / "one", data=data), adjusted_mse)
    other = train(config(tmp_path / "other", data=replace(data, images=images)), adjusted_mse)
    assert one.read_bytes() == other.read_bytes()
    assert weights.read_card(one).validation_mse != weights.read_card(other).validation_mse


def test_the_card_says_where_the_weights_come_from(tmp_path):
    card = weights.read_card(train(config(tmp_path, solver=TinyA), adjusted_mse))
    assert card.variants == ("flip", "shift_flip")
    assert (card.dataset, card.split, card.images, card.validation_images) == ("sample", "train", 72, 8)
    assert (card.data_sha256, card.epochs, card.seed) == (few_images().digest, 2, 0)
    assert 0 < card.validation_mse <= 1
    assert card.seconds > 0


def test_the_score_of_the_card_is_that_of_the_solver_that_reads_the_file(tmp_path):
    """The network in training and the solver in the benchmark are one and the same."""
    from datasets import measure, place, placements
    from solvers.base import Streams

    data = few_images()
    path = train(config(tmp_path, solver=TinyA, data=data), adjusted_mse)
    solver = TinyA(weights=str(path))
    solver.prepare(Backend(), "shift_flip")
    held_out = range(72, 80)
    truth = place(data.tiles(held_out), placements("shift_flip", seed=0, split="train", indices=held_out))
    found = solver.solve(measure(truth), Streams())
    assert adjusted_mse(truth, found.images).mean() == pytest.approx(weights.read_card(path).validation_mse, abs=2e-4)


def test_two_signals_end_a_process_that_does_not_listen():
    """The first is noted; the second finds the handlers that were there before."""
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGTERM)
            assert interruption.asked
            assert not heard
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_bf16_trains_too(tmp_path):
    path = train(config(tmp_path, solver=TinyA, precision="bf16-mixed", epochs=1), adjusted_mse)
    assert weights.read_card(path).precision == "bf16-mixed"
    assert all(t.isfinite().all() for t in weights.load(path, **_use(path))[0].values())


def _use(path):
    card = weights.read_card(path)
    return {
        "solver": card.solver,
        "preset": card.preset,
        "variant": card.variants[0],
        "architecture": card.architecture,
    }


def test_torch_is_left_with_the_threads_it_had(tmp_path):
    before = torch.get_num_threads()
    train(config(tmp_path, epochs=1), adjusted_mse)
    assert torch.get_num_threads() == before
