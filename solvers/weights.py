"""Trained weights: a safetensors file in half precision, and beside it a JSON file that says where it comes from.

The two are written atomically and verified whenever they are read. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solvers.errors import UnavailableError
from solvers.files import read_regular, sha256, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = Path(__file__).parent / "weights"  # the weights that come with the package


class WeightsError(UnavailableError):
    """A weight file is here, but damaged, or it belongs to something else; the message names it in one line."""


@dataclass(frozen=True)
class Card:
    """Where weights come from and what they are for: the JSON file beside them.

    Attributes:
        solver, preset: what they were trained for.
        variants: the variants whose training data these were; the same for all of them.
        architecture: the shapes of the network, as `unet.Architecture` has them.
        sha256: of the safetensors file.
        commit: of the code that trained them; "unknown" outside a git checkout.
        dataset, split, data_sha256: the images they were trained on.
        images, validation_images: how many were trained on, and how many of the same split were held out.
        seed, epochs, batch, learning_rate: how they were trained.
        seconds: spent in training, all resumptions together.
        machine: processor or GPU, and threads or devices.
        precision: of the training arithmetic.
        validation_mse: mean adjusted relative error on the images held out, of these half-precision weights.
    """

    solver: str
    preset: str
    variants: tuple[str, ...]
    architecture: dict[str, Any]
    sha256: str
    commit: str
    dataset: str
    split: str
    data_sha256: str
    images: int
    validation_images: int
    seed: int
    epochs: int
    batch: int
    learning_rate: float
    seconds: float
    machine: str
    precision: str
    validation_mse: float


def card_path(path: Path) -> Path:
    return path.with_suffix(".json")


def save(path: Path, tensors: dict[str, Tensor], card: Card) -> Card:
    """Write weights in half precision with their card; the card's hash is filled in. Returns the card as written."""
    import torch
    from safetensors.torch import save as serialise

    content = serialise({name: t.detach().cpu().to(torch.float16).contiguous() for name, t in tensors.items()})
    card = Card(**{**asdict(card), "sha256": sha256(content)})
    write_atomically(path, content)
    write_atomically(card_path(path), (json.dumps(asdict(card), indent=2) + "\n").encode())
    return card


def read_card(path: Path) -> Card:
    """The card of a weight file.

    Raises:
        WeightsError: it is missing or not a card.
    """
    try:
        fields = json.loads(read_regular(card_path(path)))
        return Card(**{**fields, "variants": tuple(fields["variants"])})
    except FileNotFoundError as error:
        raise WeightsError(
            f"{card_path(path)} is missing: weights are only used with the card that was written with them"
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"{card_path(path)} is not a card of weights: {error}") from error


def load(
    path: Path, *, solver: str, preset: str, variant: str, architecture: dict[str, Any]
) -> tuple[dict[str, Tensor], Card]:
    """Weights in float32 and their card, after checking that they are whole and made for this use.

    Raises:
        WeightsError: damaged, or trained for another solver, preset or variant, or of another architecture.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as deserialise

    card = read_card(path)
    try:
        content = read_regular(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    found = sha256(content)
    if found != card.sha256:
        raise WeightsError(
            f"{path} is damaged or was replaced: SHA-256 {found[:16]}…, its card says {card.sha256[:16]}…"
        )
    if (card.solver, card.preset) != (solver, preset):
        raise WeightsError(
            f"{path} was trained for {card.solver}[preset={card.preset}], not for {solver}[preset={preset}]"
        )
    if variant not in card.variants:
        raise WeightsError(f"{path} was trained on variant {' and '.join(card.variants)}, not on '{variant}'")
    if card.architecture != json.loads(json.dumps(architecture)):
        theirs, ours = card.architecture, json.loads(json.dumps(architecture))
        differing = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
        says = ", ".join(f"{key} {theirs.get(key)} instead of {ours.get(key)}" for key in differing)
        raise WeightsError(f"{path} has another architecture: {says}")
    try:
        return {name: t.to(torch.float32) for name, t in deserialise(content).items()}, card
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file: {error}") from error
