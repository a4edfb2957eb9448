"""The whole state of a training in one safetensors file: written at once, read without running anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from solvers.errors import SolverError
from solvers.files import write_atomically
from solvers.learned.weights import differences

FORMAT = "4"  # of what is written here; a training does not go on from another one
ANEW = "begin anew with --no-resume, or choose another --output"


class CheckpointError(SolverError):
    """A checkpoint is damaged, belongs to another training or cannot be written; one line that names it."""


def save(
    path: Path,
    model: nn.Module,
    average: dict[str, Tensor],
    optimizers: Sequence[torch.optim.Optimizer],
    identity: dict[str, Any],
    progress: dict[str, Any],
) -> None:
    """Write weights, their average and the optimizers' moments; what the training is and where it stands go in the
    file's header, as JSON.

    Raises:
        CheckpointError: it cannot be written; the one before is still there.
    """
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    tensors |= {f"average.{name}": t for name, t in average.items()}
    for which, optimizer in enumerate(optimizers):
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{which}.{number}.{name}": torch.as_tensor(t) for name, t in state.items()}
    content = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    header = {"format": FORMAT, "identity": json.dumps(identity), "progress": json.dumps(progress)}
    header["sha256"] = _digest(header, content)
    try:
        write_atomically(path, serialise(content, metadata=header))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror or error}") from error


def read_progress(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """How far the training with this identity had come.

    Raises:
        CheckpointError: it is not a checkpoint, or one of another training or another version of this package.
    """
    header = _read_header(path)
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{path} was written by another version of phasebench: {ANEW}")
    try:
        theirs, progress = json.loads(header["identity"]), json.loads(header["progress"])
        differing = differences(theirs, identity)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: {ANEW}") from error
    if differing:
        raise CheckpointError(f"{path} is of another training ({differing}): {ANEW}")
    return progress


def restore(
    path: Path, model: nn.Module, average: dict[str, Tensor], optimizers: Sequence[torch.optim.Optimizer]
) -> None:
    """Put the tensors of a checkpoint back where they came from.

    Moments get the memory layout of their weights: a fused optimizer walks through both as they lie in memory.

    Raises:
        CheckpointError: they are not as they were written.
    """
    header = _read_header(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    if header.pop("sha256", "") != _digest(header, tensors):
        raise CheckpointError(f"{path} is damaged: {ANEW}")
    model.load_state_dict(_under("model.", tensors))
    for name, t in _under("average.", tensors).items():
        average[name].copy_(t)
    for which, optimizer in enumerate(optimizers):
        _restore_moments(optimizer, _under(f"optimizer.{which}.", tensors))


def _read_header(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of a training ({error}): {ANEW}") from error


def _digest(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that a checkpoint says: safetensors itself notices no changed byte in a tensor."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, t in tensors.items():
        number, _, quantity = name.partition(".")
        p = parameters[int(number)]
        state.setdefault(int(number), {})[quantity] = (
            torch.empty_like(p, requires_grad=False).copy_(t) if t.shape == p.shape else t
        )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
