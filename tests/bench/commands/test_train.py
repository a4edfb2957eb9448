"""`bench train`: what it refuses, what it keeps, and what it says of a training that was stopped."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import get_type_hints

import pytest
from doubles import tree

from bench.cli import train as train_options
from bench.commands.train import Training, train_command
from bench.store.lock import Lock
from datasets.problem import Problem
from solvers import Backend, create
from solvers.learned.image_model import ImageModel
from solvers.learned.unet_b import UNetB
from solvers.learned.weights import FOLDER
from solvers.registry import GROUP
from solvers.training.interruption import SIGNALS

NAME = "unet_b-default-flip"
TINY = {
    "--solver": "unet_b",
    "--variant": "flip",
    "--dataset": "sample",
    "--images": 24,
    "--batch": 12,
    "--epochs": 1,
    "--threads": 1,
    "--accelerator": "cpu",
    "--precision": "32-true",
}


@pytest.fixture(autouse=True, scope="module")
def _tiny():
    """A network that learns within a test, and few images to measure it by."""
    small = {"widths": (8, 16), "mixers": 1, "heads": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UNetB, "model", lambda self, problem: ImageModel(**small))
        patch.setattr("solvers.training.config.HELD_OUT", 8)
        yield


@pytest.fixture
def train(bench, tmp_path):
    def call(*flags: str, **changes: object):
        options = TINY | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
        options = {"--output": tmp_path / "out"} | options
        return bench("train", *flags, *(part for option in options.items() for part in option))

    return call


@pytest.fixture
def no_work(monkeypatch):
    """Whatever is refused is refused before anything is computed."""

    def work(*arguments):
        raise AssertionError("a training has begun")

    monkeypatch.setattr("solvers.training.trainer._Training", work)


@pytest.fixture(scope="module")
def finished(_tiny, tmp_path_factory) -> Path:
    """The weights of a finished training, with all that lies beside them."""
    options = {name.removeprefix("--"): value for name, value in TINY.items()}
    return train_command(**options, output=tmp_path_factory.mktemp("finished")).parent


@pytest.fixture
def trained(finished, tmp_path) -> Path:
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "out")


def one_line(done) -> str:
    assert done.out == ""
    assert done.err.startswith("bench: ")
    assert done.err.count("\n") == 1, done.err
    return done.err


# ---- weights that lie there already


def test_weights_come_with_their_card_and_their_history_and_it_is_said_where(train, tmp_path):
    done = train()
    out = tmp_path / "out"
    assert done.status == 0
    assert done.out == f"{out / NAME}.safetensors\n"
    assert f"{out / NAME}.history.csv and {out / NAME}.history.png" in done.err
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {
        f"{NAME}.{suffix}" for suffix in ("safetensors", "json", "history.csv", "history.png")
    }
    assert (out / f"{NAME}.history.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_command_does_nothing_when_the_training_is_finished(train, trained, no_work):
    before = tree(trained)
    done = train()
    assert done.status == 0
    assert done.out == f"{trained / NAME}.safetensors\n"
    assert "finished already" in done.err
    assert tree(trained) == before


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"images": 36}, "images 24 instead of 36"),
        ({"epochs": 2}, "epochs 1 instead of 2"),
        ({"batch": 6}, "batch 12 instead of 6"),
        ({"seed": 1}, "seed 0 instead of 1"),
        ({"learning_rate": 0.01}, "learning_rate 0.001 instead of 0.01"),
    ],
)
def test_weights_of_another_training_are_kept(train, trained, no_work, changes, word):
    before = tree(trained)
    done = train(**changes)
    assert done.status == 2
    line = one_line(done)
    for expected in (f"{trained / NAME}.safetensors", word, "--overwrite", "--output"):
        assert expected in line
    assert tree(trained) == before


def test_weights_as_they_come_with_the_package_are_kept(train, no_work, tmp_path):
    (tmp_path / "out").mkdir()
    for path in FOLDER.glob(f"{NAME}.*"):
        shutil.copy(path, tmp_path / "out")
    before = tree(tmp_path)
    done = train()
    assert done.status == 2
    assert "images 58000 instead of 24" in one_line(done)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("damage", ["no card", "another card", "other weights"])
def test_weights_of_which_nothing_is_known_are_kept(train, trained, no_work, damage):
    card, weights = trained / f"{NAME}.json", trained / f"{NAME}.safetensors"
    if damage == "no card":
        card.unlink()
    elif damage == "another card":
        card.write_text("{}")
    else:
        weights.write_bytes(b"precious")
    before = tree(trained)
    done = train()
    assert done.status == 2
    assert "--overwrite" in one_line(done)
    assert tree(trained) == before


def test_weights_are_replaced_on_request(train, trained):
    assert train("--overwrite", epochs=2).status == 0
    assert json.loads((trained / f"{NAME}.json").read_text())["epochs"] == 2


# ---- options


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("solver", "er", ["'er'", "unet_b, unet_a, pnp"]),
        ("solver", "nobody", ["'nobody'", "unet_b, unet_a, chain, pnp"]),
        ("solver", "unet_b[preset=best]", ["preset", "best", "paper"]),
        ("solver", "unet_b[weights=mine.safetensors]", ["unet_b[weights=mine.safetensors]", "--start-from"]),
        ("start_from", "none.safetensors", ["none.safetensors is missing"]),
        ("photons", "1e9:1e3", ["--photons", "1e9:1e3", "1e3:1e9"]),
        ("photons", "many", ["--photons", "many"]),
        ("frame", "27", ["28x28", "27x27"]),
        ("grid", "9x", ["--grid", "9x", "96x128"]),
        ("variant", "mirror", ["--variant", "mirror", "shift_flip"]),
        ("images", -1, ["--images", "-1"]),
        ("images", 1993, ["--images 1993", "1992"]),
        ("images", 10**30, ["--images"]),
        ("epochs", 0, ["--epochs", "0"]),
        ("epochs", 10**9, ["--epochs", "100000"]),
        ("batch", 0, ["--batch", "0"]),
        ("batch", 25, ["--batch 25", "24"]),
        ("batch", 10**30, ["--batch"]),
        ("learning_rate", 0, ["--learning-rate", "0"]),
        ("learning_rate", -1, ["--learning-rate", "-1"]),
        ("learning_rate", "nan", ["--learning-rate", "nan"]),
        ("learning_rate", "inf", ["--learning-rate", "inf"]),
        ("learning_rate", "1e300", ["--learning-rate", "1e+300"]),
        ("seed", -1, ["--seed", "-1"]),
        ("seed", 2**64, ["--seed", str(2**64)]),
        ("threads", -1, ["--threads", "-1"]),
        ("threads", 100_000, ["--threads", "1024", "100000"]),
        ("devices", "x", ["--devices", "'x'", "auto"]),
        ("devices", "", ["--devices", "auto"]),
        ("devices", 0, ["--devices", "0"]),
        ("devices", "1.5", ["--devices", "1.5"]),
        ("devices", 2, ["--devices 2", "CPU"]),
        ("accelerator", "tpu", ["--accelerator", "tpu", "auto, cpu or cuda"]),
        ("precision", "fp8", ["--precision", "fp8", "auto, 32-true or bf16-mixed"]),
        ("dataset", "mnist", ["'mnist'", "fashion_mnist, sample"]),
    ],
)
def test_a_bad_option_is_refused_in_one_line(train, tmp_path, no_work, option, value, words):
    before = tree(tmp_path)
    done = train(**{option: value})
    assert done.status == 2
    line = one_line(done)
    for word in words:
        assert word in line
    assert tree(tmp_path) == before


def test_the_help_says_the_defaults_as_they_are():
    """They are those of `Training`; the command line has none of its own."""
    said = {}
    for name, hint in get_type_hints(train_options, include_extras=True).items():
        for option in getattr(hint, "__metadata__", ()):
            if found := re.search(r"([^ ]+) if absent", option.help):
                said[name] = found[1]
    assert said == {name: str(Training.model_fields[name].default) for name in said}
    assert {"output", "epochs", "batch", "learning_rate"} <= said.keys()


def test_a_gpu_that_is_not_there_is_refused(train, no_work, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    done = train(accelerator="cuda")
    assert done.status == 2
    assert "--accelerator cpu" in one_line(done)


@pytest.mark.parametrize("suffix", ["safetensors", "json", "checkpoint", "history.csv"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_in_the_way(train, tmp_path, no_work, make, suffix):
    (tmp_path / "out").mkdir()
    make(tmp_path / "out" / f"{NAME}.{suffix}")
    done = train()
    assert done.status == 2
    assert f"{NAME}.{suffix} is in the way" in one_line(done)


def test_a_folder_that_cannot_be_made_is_named(train, tmp_path, no_work):
    (tmp_path / "out").write_text("precious")
    done = train()
    assert done.status == 2
    assert f"output '{tmp_path / 'out'}' cannot be written" in one_line(done)


def test_a_training_that_diverges_has_failed_and_leaves_no_weights(train, tmp_path):
    done = train(learning_rate=1e6)
    assert done.status == 3
    assert "diverged" in done.err.splitlines()[-1]
    assert "--learning-rate" in done.err.splitlines()[-1]
    assert not (tmp_path / "out" / f"{NAME}.safetensors").exists()
    assert not (tmp_path / "out" / f"{NAME}.json").exists()


def test_a_score_is_shown_when_there_is_one(monkeypatch, capsys, tmp_path):
    from bench.commands.train import _Bar, request
    from solvers.training.trainer import Progress

    bar = _Bar(request("unet_b", variant="none", output=tmp_path))
    monkeypatch.setattr(bar, "draw", lambda: None)
    bar.report(Progress(1, 2, 0.5, 0.3, 100.0, math.nan))
    bar.report(Progress(2, 2, 1.0, 0.3, 100.0, 0.5))  # the last step, and what is kept of it
    bar.report(Progress(2, 2, 1.0, math.nan, math.nan, 0.25))
    assert capsys.readouterr().err.splitlines() == [
        "step 1/2  epoch 0.50  100 img/s  loss 0.3000",
        "step 2/2  epoch 1.00  100 img/s  loss 0.3000  validation mse 0.2500",
    ]


def test_a_training_that_was_stopped_after_its_last_step_has_only_its_score_to_show(capsys, tmp_path):
    from bench.commands.train import _Bar, request
    from solvers.training.trainer import Progress

    _Bar(request("unet_b", variant="none", output=tmp_path)).report(Progress(2, 2, 1.0, math.nan, math.nan, 0.25))
    assert capsys.readouterr().err == "step 2/2  epoch 1.00  validation mse 0.2500\n"


# ---- stopped


@pytest.fixture
def stop(monkeypatch):
    """Send this process a signal after a training's first step."""
    from bench.commands.train import _Bar

    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    report = _Bar.report

    def call(number):
        def stopping(bar, progress):
            report(bar, progress)
            if progress.step == 1:
                os.kill(os.getpid(), number)

        monkeypatch.setattr(_Bar, "report", stopping)

    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_training_that_was_stopped_goes_on_where_it_was(train, stop, tmp_path, number):
    stop(number)
    done = train(images=36)
    assert done.status == 130
    assert done.err.splitlines()[-1] == "bench: stopped; the same command goes on after step 1"
    again = train(images=36)
    assert again.status == 0
    steps = (tmp_path / "out" / f"{NAME}.history.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in steps] == ["1", "2", "3"]


def test_without_resume_it_is_said_how_a_stopped_training_goes_on(train, stop):
    stop(signal.SIGTERM)
    done = train("--no-resume", images=36)
    assert done.status == 130
    assert done.err.splitlines()[-1] == "bench: stopped; the same command without --no-resume goes on after step 1"


def test_a_training_that_was_stopped_before_its_first_checkpoint_promises_nothing(train, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("solvers.training.trainer._Training.run", interrupted)
    done = train()
    assert done.status == 130
    assert one_line(done) == "bench: stopped before the first checkpoint: the same command begins anew\n"
    monkeypatch.setattr("bench.commands.train.load_images", interrupted)
    done = train()
    assert done.status == 130
    assert one_line(done) == "bench: stopped before anything was computed\n"


# ---- several in one folder


def test_the_same_training_is_refused_while_it_is_at_work(train, tmp_path, no_work):
    (tmp_path / "out").mkdir()
    other = Lock(tmp_path / "out", f".{NAME}.lock")
    other.acquire()
    other.sign()
    for changes in ({}, {"epochs": 2}):
        done = train(**changes)
        assert done.status == 2
        assert f"is in use by process {os.getpid()}" in one_line(done)
    other.release()


@pytest.mark.slow
def test_other_trainings_go_on_side_by_side_in_one_folder(train, tmp_path):
    (tmp_path / "out").mkdir()
    other = Lock(tmp_path / "out", f".{NAME}.lock")
    other.acquire()
    assert train(variant="none").status == 0
    other.release()
    assert train().status == 0
    assert {path.name for path in (tmp_path / "out").glob("*.safetensors")} == {
        f"{NAME}.safetensors",
        "unet_b-default-none.safetensors",
    }


def test_what_killed_trainings_have_left_half_written_is_swept_up_and_nothing_else(train, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    suffixes = ("safetensors", "json", "checkpoint", "history.csv", "history.png")
    left = [out / f".{name}.{suffix}.abcd_123" for name in (NAME, "unet_a-paper-none") for suffix in suffixes]
    at_work = out / ".unet_b-default-none.checkpoint.abcd_123"
    kept = [out / ".sweep.json.abcd_123", out / ".notes", out / f"{NAME}.json.abcd_123", at_work]
    for path in left + kept:
        path.write_text("half")
    other = Lock(out, ".unet_b-default-none.lock")
    other.acquire()
    assert train().status == 0
    other.release()
    assert [path for path in left if path.exists()] == []
    assert all(path.exists() for path in kept)


# ---- solvers of others


@pytest.fixture
def theirs(monkeypatch):
    """A learned solver that comes with a plug-in."""
    point = EntryPoint("theirs", "networks:TheirSolver", GROUP)
    monkeypatch.setattr("solvers.registry._plugins", lambda: {"theirs": [point]})


def test_a_learned_solver_of_others_is_trained_by_its_label(theirs, train, tmp_path):
    done = train(solver="theirs[width=5]", frame=30, grid="60x64", photons="1e4:1e6")
    assert done.status == 0, done.err
    path = tmp_path / "out" / "theirs-default-flip.safetensors"
    assert done.out == f"{path}\n"
    card = json.loads(path.with_suffix(".json").read_text())
    assert (card["frame"], card["grid"], card["photons"]) == ("30x30", "60x64", "1e4:1e6")
    label = f"theirs[width=5,weights={tmp_path / 'out' / '{solver}-{preset}-{variant}.safetensors'}]"
    solver = create(label)
    solver.prepare(Backend(), Problem(variant="flip"))
    assert solver.weights_digest() == card["sha256"]
    assert "finished already" in train(solver="theirs[width=5]", frame=30, grid="60x64", photons="1e4:1e6").err


def test_what_the_code_of_others_raises_is_their_failure(theirs, train, monkeypatch):
    def broken(network, half, photons, objects):
        raise ZeroDivisionError("deep")

    monkeypatch.setattr("networks.Perceptron.loss", broken)
    done = train(solver="theirs")
    assert done.status == 3
    assert done.err.splitlines()[-1] == "bench: solver 'theirs' cannot be trained: ZeroDivisionError: deep"


def test_a_training_of_others_that_was_stopped_is_no_failure_of_theirs(theirs, train, stop):
    stop(signal.SIGTERM)
    done = train(solver="theirs", images=36)
    assert done.status == 130
    assert done.err.splitlines()[-1] == "bench: stopped; the same command goes on after step 1"
