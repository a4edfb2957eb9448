"""Weights are read only when they are whole and made for the use at hand; every refusal is one line."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import save as serialise

from solvers.errors import UnavailableError
from solvers.files import write_atomically
from solvers.learned import weights

ARCHITECTURE = {"inputs": 3, "widths": (8, 16)}
CARD = weights.Card(
    solver="unet_a",
    preset="default",
    variants=("flip", "shift_flip"),
    architecture=ARCHITECTURE,
    sha256="",
    commit="unknown",
    dataset="sample",
    split="train",
    data_sha256="0",
    images=1,
    validation_images=1,
    seed=0,
    epochs=1,
    batch=1,
    learning_rate=1e-3,
    seconds=1.0,
    machine="none",
    precision="32-true",
    validation_mse=0.5,
)
USE = {"solver": "unet_a", "preset": "default", "variant": "shift_flip"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.save(path, {"kernel": torch.arange(6.0).reshape(2, 3) / 7}, CARD)
    return path


def test_weights_come_back_in_half_precision_with_their_card(path):
    card, tensors = weights.load(path, **USE)
    expected = (torch.arange(6.0).reshape(2, 3) / 7).half().float()
    assert torch.equal(tensors["kernel"], expected)
    assert replace(card, sha256="", architecture=ARCHITECTURE) == CARD


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ({"variant": "none"}, "was trained on variant flip and shift_flip, not on 'none'"),
        ({"solver": "unet_b"}, "was trained for unet_a.*not for unet_b"),
        ({"preset": "paper"}, r"not for unet_a\[preset=paper\]"),
    ],
)
def test_weights_made_for_something_else_are_refused(path, use, message):
    with pytest.raises(weights.WeightsError, match=message) as error:
        weights.load(path, **USE | use)
    assert "\n" not in str(error.value)


def test_weights_of_another_architecture_are_refused_with_the_difference(path):
    card = weights.read_card(path)
    weights.check_architecture(card, {"inputs": 3, "widths": [8, 16]}, path)
    with pytest.raises(weights.WeightsError, match=r"widths \[8, 16\] instead of \[8, 32\]"):
        weights.check_architecture(card, {"inputs": 3, "widths": [8, 32]}, path)


def test_one_changed_byte_is_noticed(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(weights.WeightsError, match="is damaged or was replaced"):
        weights.load(path, **USE)


def test_weights_without_a_card_are_refused(path):
    weights.card_path(path).unlink()
    with pytest.raises(weights.WeightsError, match="only used with the card"):
        weights.load(path, **USE)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({**asdict(CARD), "surplus": 1})])
def test_a_card_that_is_none_is_refused(path, text):
    weights.card_path(path).write_text(text)
    with pytest.raises(weights.WeightsError, match="is not a card of weights"):
        weights.load(path, **USE)


def test_a_pickle_is_never_read(path):
    torch.save({"kernel": torch.zeros(2)}, path)
    card = replace(weights.read_card(path), sha256=weights.sha256(path.read_bytes()))
    weights.card_path(path).write_text(json.dumps(asdict(card)))
    with pytest.raises(weights.WeightsError, match="is not a safetensors file"):
        weights.load(path, **USE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.tensor([1.0, float("nan")]), "'kernel' with values that are not finite"),
        (torch.tensor([1.0, float("inf")]), "'kernel' with values that are not finite"),
        (torch.arange(3), "'kernel' of int64, not of floats"),
        (torch.ones(2, dtype=torch.complex64), "'kernel' of complex64, not of floats"),
    ],
)
def test_what_no_network_can_use_is_refused(path, values, message):
    write_with_card(path, serialise({"kernel": values}))
    with pytest.raises(weights.WeightsError, match=message) as error:
        weights.load(path, **USE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("other", [{"kernel": torch.ones(3)}, {"core": torch.ones(2)}, {}])
def test_the_weights_of_another_network_are_refused(path, other):
    model = torch.nn.ParameterDict({"kernel": torch.nn.Parameter(torch.zeros(2))})
    weights.fill(model, {"kernel": torch.ones(2)}, path)
    assert model["kernel"].tolist() == [1, 1]
    with pytest.raises(weights.WeightsError, match=r"has other tensors than the network: .*kernel .* instead of \[2\]"):
        weights.fill(model, other, path)


def test_of_many_tensors_that_do_not_fit_the_first_is_named_and_the_others_are_counted(path):
    model = torch.nn.ParameterDict({name: torch.nn.Parameter(torch.zeros(2)) for name in "abcd"})
    with pytest.raises(weights.WeightsError, match=r"network: a \[3\] instead of \[2\], and 3 more$"):
        weights.start_from(model, weights_of(path, dict.fromkeys("abcd", torch.ones(3))))


def weights_of(path, tensors):
    weights.save(path, tensors, CARD)
    return path


def write_with_card(path, content):
    path.write_bytes(content)
    weights.card_path(path).write_text(json.dumps(asdict(replace(CARD, sha256=weights.sha256(content)))))


NO_FILES = {
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "huge": lambda path: make_sparse(path, 2**40),
}


def make_sparse(path, size):
    with path.open("wb") as stream:
        stream.truncate(size)


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("which", ["weights", "card"])
def test_what_is_no_file_of_a_sensible_size_is_refused(path, which, kind, monkeypatch):
    monkeypatch.setattr(weights, "LARGEST", 2**20)
    chosen = path if which == "weights" else weights.card_path(path)
    chosen.unlink()
    NO_FILES[kind](chosen)
    with pytest.raises(weights.WeightsError, match=f"{chosen.name} (is not a regular file|cannot be read: )"):
        weights.load(path, **USE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("images", [1]),
        ("images", "1"),
        ("commit", None),
        ("grid", "wide"),
        ("validation_mse", float("nan")),
        ("variants", "flip"),
        ("variants", [1]),
        ("architecture", 3),
        ("sha256", 3),
        ("solver", None),
    ],
)
def test_a_field_of_another_type_is_no_field_of_a_card(path, field, value):
    card = json.loads(weights.card_path(path).read_text())
    weights.card_path(path).write_text(json.dumps(card | {field: value}))
    with pytest.raises(weights.WeightsError, match=f"is not a card of weights: {field}"):
        weights.load(path, **USE)


def test_a_disk_that_is_full_leaves_the_weights_of_before_with_their_card(path, monkeypatch):
    before = path.read_bytes(), weights.card_path(path).read_bytes()
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        weights.save(path, {"kernel": torch.zeros(2)}, CARD)
    assert (path.read_bytes(), weights.card_path(path).read_bytes()) == before
    assert len(list(path.parent.iterdir())) == 2


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "state"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_every_weight_file_in_the_package_is_whole_and_small():
    files = sorted(weights.FOLDER.glob("*.safetensors"))
    for file in files:
        card = weights.read_card(file)
        assert weights.sha256(file.read_bytes()) == card.sha256
        assert (card.dataset, card.split) == ("fashion_mnist", "train")
    assert sum(f.stat().st_size for f in files) <= 27 * 2**20


def test_a_card_error_counts_as_something_unavailable():
    assert issubclass(weights.WeightsError, UnavailableError)
