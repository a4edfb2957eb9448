"""The whole state of a training in one safetensors file: written at once, read without running anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from solvers.errors import SolverError
from solvers.files import write_atomically


class CheckpointError(SolverError):
    """A checkpoint is damaged or belongs to another training; the message names it in one line."""


def save(
    path: Path,
    model: nn.Module,
    average: dict[str, Tensor],
    optimizers: Sequence[torch.optim.Optimizer],
    identity: dict[str, Any],
    progress: dict[str, Any],
) -> None:
    """Write weights, their average and the optimizers' moments; what the training is and where it stands go in the
    file's header, as JSON."""
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    tensors |= {f"average.{name}": t for name, t in average.items()}
    for which, optimizer in enumerate(optimizers):
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{which}.{number}.{name}": torch.as_tensor(t) for name, t in state.items()}
    header = {"identity": json.dumps(identity), "progress": json.dumps(progress)}
    content = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, serialise(content, metadata=header))


def read_header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The identity and the progress of a checkpoint.

    Raises:
        CheckpointError: it is not a checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
        return json.loads(header["identity"]), json.loads(header["progress"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of a training: {error}") from error


def require_same(path: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Refuse to resume another training than the one that was left.

    Raises:
        CheckpointError: they differ; the message says in what.
    """
    differing = [f"{key} {theirs.get(key)} instead of {ours[key]}" for key in ours if theirs.get(key) != ours[key]]
    if differing:
        raise CheckpointError(f"{path} is of another training: {', '.join(differing)}")


def restore(
    path: Path, model: nn.Module, average: dict[str, Tensor], optimizers: Sequence[torch.optim.Optimizer]
) -> None:
    """Put the tensors of a checkpoint back where they came from.

    Moments get the memory layout of their weights: a fused optimizer walks through both as they lie in memory.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    model.load_state_dict(_under("model.", tensors))
    for name, t in _under("average.", tensors).items():
        average[name].copy_(t)
    for which, optimizer in enumerate(optimizers):
        _restore_moments(optimizer, _under(f"optimizer.{which}.", tensors))


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
