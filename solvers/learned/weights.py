"""Trained weights: a safetensors file in half precision, and beside it a JSON file that says where it comes from.

The two are written atomically and verified whenever they are read. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from datasets.files import read_regular
from datasets.problem import Problem, show_size
from datasets.variants import FRAME, GRID
from solvers.errors import UnavailableError
from solvers.files import replace_atomically, sha256, write_atomically

if TYPE_CHECKING:
    from torch import Tensor, nn

FOLDER = Path(__file__).parent / "weights"  # the weights that come with the package
LARGEST = 2**30  # bytes: half a billion weights
LARGEST_CARD = 2**20


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
        commit: of the code that trained them, with "-dirty" after it if that was changed since; "unknown" outside a git
            checkout.
        dataset, split, data_sha256: the images they were trained on.
        images, validation_images: how many were trained on, and how many of the same split were held out.
        seed, epochs, batch, learning_rate: how they were trained.
        seconds: spent in training, all resumptions together.
        machine: processor or GPU, and threads or devices.
        precision: of the training arithmetic.
        validation_mse: mean adjusted relative error on the images held out, of these half-precision weights.
        frame, grid: of the problem that they are for.
        photons: of the patterns they were trained on, `none` where these had no noise; the validation goes in equal
            ratios from the fewest to the most.
        deformed: whether `bench train` has deformed the images, anew in every epoch.
        started_from: SHA-256 of the weights that the training began with, empty where these were random.
        parameters: of the solver, where they are not its defaults, as a label has them.

    Of a training that was not `bench train`'s, what is not known is null, or empty.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    solver: str
    preset: str
    variants: tuple[str, ...]
    architecture: dict[str, Any]
    sha256: str
    commit: str
    dataset: str
    split: str
    data_sha256: str
    images: int | None = None
    validation_images: int | None = None
    seed: int | None = None
    epochs: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    seconds: float | None = None
    machine: str = ""
    precision: str = ""
    validation_mse: float | None = None
    frame: str = show_size(FRAME)
    grid: str = show_size(GRID)
    photons: str = "none"
    deformed: bool = False
    started_from: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)

    def problem(self) -> Problem:
        """The one that these weights are for.

        Raises:
            ValueError: the card names none.
        """
        variant = self.variants[0] if self.variants else ""
        named = {name: getattr(self, name) for name in ("dataset", "split", "frame", "grid")}
        return Problem.model_validate(named | {"variant": variant})


def card_path(path: Path) -> Path:
    return path.with_suffix(".json")


def save(path: Path, tensors: dict[str, Tensor], card: Card) -> Card:
    """Write weights in half precision with their card; the card's hash is filled in. Returns the card as written.

    Raises:
        WeightsError: the weights are not finite in half precision.
    """
    import torch
    from safetensors.torch import save as serialise

    narrow = {name: t.detach().cpu().to(torch.float16).contiguous() for name, t in tensors.items()}
    for name, t in narrow.items():
        if not t.isfinite().all():
            raise WeightsError(f"the weights '{name}' are not finite in half precision: {path} is not written")
    content = serialise(narrow)
    card = Card(**{**asdict(card), "sha256": sha256(content)})

    def write(stream: BinaryIO) -> None:
        """The card follows when there was room for the weights, and is there before they are."""
        stream.write(content)
        stream.flush()
        write_atomically(card_path(path), (json.dumps(asdict(card), indent=2) + "\n").encode())

    replace_atomically(path, write)
    return card


def read_card(path: Path) -> Card:
    """The card of a weight file.

    Raises:
        WeightsError: it is missing or not a card.
    """
    try:
        card = TypeAdapter(Card).validate_json(read_regular(card_path(path), LARGEST_CARD))
        card.problem()
        return card
    except FileNotFoundError as error:
        if not path.exists():
            raise WeightsError(f"{path} is missing") from error
        raise WeightsError(
            f"{card_path(path)} is missing: weights are only used with the card that was written with them"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise WeightsError(
            f"{card_path(path)} is not a card of weights: {where + ': ' if where else ''}{first['msg']}"
        ) from error
    except OSError as error:
        raise WeightsError(f"{card_path(path)} cannot be read: {error.strerror}") from error


def read_whole(path: Path, card: Card) -> bytes:
    """The content of a weight file, which must be that of its card.

    Raises:
        WeightsError: it cannot be read, is damaged, or was replaced.
    """
    try:
        content = read_regular(path, LARGEST)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    found = sha256(content)
    if found != card.sha256:
        raise WeightsError(
            f"{path} is damaged or was replaced: SHA-256 {found[:16]}…, its card says {card.sha256[:16]}…"
        )
    return content


def load(path: Path, *, solver: str, preset: str, variant: str) -> tuple[Card, dict[str, Tensor]]:
    """The card of weights and the weights in float32, after checking that they are whole and made for this use.

    Raises:
        WeightsError: damaged, or trained for another solver, preset or variant; or they are no finite floating-point
            numbers.
    """
    card, tensors = read(path)
    if (card.solver, card.preset) != (solver, preset):
        raise WeightsError(
            f"{path} was trained for {card.solver}[preset={card.preset}], not for {solver}[preset={preset}]"
        )
    if variant not in card.variants:
        raise WeightsError(f"{path} was trained on variant {' and '.join(card.variants)}, not on '{variant}'")
    return card, tensors


def check_architecture(card: Card, architecture: dict[str, Any], path: Path) -> None:
    """Refuse weights of this card for a network of another architecture.

    Raises:
        WeightsError: they differ; the message says how.
    """
    differing = differences(card.architecture, architecture)
    if differing:
        raise WeightsError(f"{path} has another architecture: {differing}")


def read(path: Path) -> tuple[Card, dict[str, Tensor]]:
    """The card of a weight file, and its weights in float32.

    Raises:
        WeightsError: it is damaged, or has something else than finite floating-point numbers.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as deserialise

    if not path.is_file():
        raise WeightsError(f"{path} is not a regular file")
    card = read_card(path)
    try:
        tensors = deserialise(read_whole(path, card))
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file: {error}") from error
    for name, t in tensors.items():
        if not t.is_floating_point():
            raise WeightsError(f"{path} has a tensor '{name}' of {str(t.dtype).removeprefix('torch.')}, not of floats")
        if not t.isfinite().all():
            raise WeightsError(f"{path} has a tensor '{name}' with values that are not finite")
    return card, {name: t.to(torch.float32) for name, t in tensors.items()}


def fill(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Give a network the weights of this file.

    Raises:
        WeightsError: they are those of another network.
    """
    theirs, ours = ({name: list(t.shape) for name, t in ts.items()} for ts in (tensors, model.state_dict()))
    if theirs != ours:
        first, *others = _differences(theirs, ours)
        more = f", and {len(others)} more" if others else ""
        raise WeightsError(f"{path} has other tensors than the network: {first}{more}")
    model.load_state_dict(tensors)


def start_from(model: nn.Module, path: Path) -> None:
    """Give a network the weights of this file to begin with.

    They may be of a network with fewer inputs: those that come after its last have no effect yet.

    Raises:
        WeightsError: they cannot be read, or are those of another network.
    """
    _, tensors = read(path)
    ours = model.state_dict()
    for name in tensors.keys() & ours.keys():
        known, whole = tensors[name], ours[name].new_zeros(ours[name].shape)
        if known.ndim == whole.ndim > 1 and known.shape[1] < whole.shape[1]:
            fitting = whole[:, : known.shape[1]]
            if fitting.shape == known.shape:
                fitting.copy_(known)
                tensors[name] = whole
    fill(model, tensors, path)


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """In what two descriptions (of JSON's types) differ: "epochs 3 instead of 1, …"; empty where they do not."""
    return ", ".join(_differences(theirs, ours))


def _differences(theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[str]:
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        one, other = theirs.get(key), ours.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differences(one, other)
        elif one != other:
            yield f"{key} {_short(one)} instead of {_short(other)}"


def _short(value: Any) -> str:
    text = " and ".join(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else str(value)
    return text if len(text) <= 40 else text[:16] + "…"
