"""What a solver is asked to do, and what comes of it: the words between an executor and the place of a solver."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import Any

from bench.errors import TRACEBACK, clean, one_line
from bench.executors.probes import PROBES, Bench, Tell
from bench.sweep.shard import Shard
from datasets import Measurement


class CallError(Exception):
    """The solver raised an error, took too long, or ended its process; the message is one line.

    Attributes:
        kind: the class of what was raised, by name; empty where nothing was.
        text: its message alone.
        trace: its traceback.
    """

    def __init__(self, message: str, kind: str = "", text: str = "", trace: str = "") -> None:
        super().__init__(message)
        self.kind, self.text, self.trace = kind, text, trace

    @classmethod
    def by(cls, failure: BaseException) -> CallError:
        trace = clean("".join(traceback.format_exception(failure)), TRACEBACK)
        return cls(one_line(failure), type(failure).__name__, one_line(str(failure)), trace)

    @classmethod
    def of(cls, message: dict[str, Any]) -> CallError:
        """From a message that holds no value."""
        said = [str(message.get(name, "")) for name in ("error", "kind", "text", "trace")]
        return cls(said[0] or "the worker sent no answer", *said[1:])

    def plain(self) -> dict[str, str]:
        """For a message."""
        return {"error": str(self), "kind": self.kind, "text": self.text, "trace": self.trace}


@dataclass(frozen=True)
class Task:
    """A probe (a name of `probes.PROBES`) of one solver with some measurements; `options` are plain data."""

    probe: str
    label: str
    measurements: tuple[Measurement, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """For a message."""
        return {**vars(self), "measurements": [vars(measurement) for measurement in self.measurements]}

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Task:
        """From a message."""
        measurements = [
            Measurement(**{**one, "object_shape": tuple(one["object_shape"])}) for one in fields["measurements"]
        ]
        return cls(fields["probe"], fields["label"], tuple(measurements), fields["options"])

    def perform(self, bench: Bench, tell: Tell) -> Any:
        """Do it here, and return what comes of it."""
        return PROBES[self.probe](bench, tell, self.label, *self.measurements, **self.options)


def told(shard: Shard) -> dict[str, Any]:
    """What a solver is told of a shard besides its measurement, as options of a task."""
    return {"problem": shard.problem.model_dump(mode="json"), "seed": shard.seed}


def answer(task: Task, bench: Bench, tell: Tell) -> dict[str, Any]:
    """What comes of a task in a worker, as a message: a solver may raise anything, and nothing else is at work here."""
    try:
        return {"value": task.perform(bench, tell)}
    except BaseException as failure:
        return CallError.by(failure).plain()
