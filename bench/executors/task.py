"""What a solver is asked to do, and what comes of it: the words between an executor and the place of a solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.errors import one_line
from bench.executors.probes import PROBES, Bench
from datasets import Measurement

Tell = Callable[[dict[str, Any]], None]


class CallError(Exception):
    """The solver raised an error, took too long, or ended its process; the message is one line."""


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


def answer(task: Task, bench: Bench, tell: Tell) -> dict[str, Any]:
    """What comes of a task in a worker, as a message: a solver may raise anything, and nothing else is at work here."""
    try:
        return {"value": task.perform(bench, tell)}
    except BaseException as failure:
        return {"error": one_line(failure)}
