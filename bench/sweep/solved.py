"""What a solver has made of a measurement, as plain data: checked before anything is computed from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import LINE, TRACEBACK, clean
from datasets import Measurement
from solvers import Reconstruction, Status

COUNTS = ("iterations", "starts", "transforms")

_PRECISIONS: dict[str, tuple[type, type]] = {"f": (np.float32, np.float64), "c": (np.complex64, np.complex128)}


class MalformedError(ValueError):
    """A solver has returned something else than the interface promises; the message says in one line what."""


@dataclass(frozen=True)
class Solved:
    """A solver's answer to one shard, and what it took.

    Attributes:
        found: the reconstruction; None where there is none.
        error: the traceback of the solver that failed; empty where it did not.
        reason: the same in one line.
        setup, solve: seconds on the wall clock, with the device synchronised.
        cpu: seconds of processor time of all threads, spent in solving.
        memory: largest resident size of the process so far, in bytes.
        information: what the solver says it used.
        weights: SHA-256 of its trained weights; empty for a method that has none.
        code: SHA-256 of the code that was at work.
    """

    found: Reconstruction | None
    error: str = ""
    reason: str = ""
    setup: float = 0.0
    solve: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    information: str = ""
    weights: str = ""
    code: str = ""

    def plain(self) -> dict[str, Any]:
        """For a message."""
        fields = vars(self).copy()
        if self.found is not None:
            fields["found"] = {**vars(self.found), "status": [str(status) for status in self.found.status]}
        return fields

    @classmethod
    def of(cls, fields: dict[str, Any], measurement: Measurement) -> Solved:
        """From a message about this measurement.

        Raises:
            MalformedError: it says something that `plain` never says.
        """
        try:
            found = fields.pop("found")
            solved = cls(found=None if found is None else checked(Reconstruction(**found), measurement), **fields)
        except (TypeError, KeyError, AttributeError) as error:
            raise MalformedError(f"a result with other fields: {error}") from error
        numbers = {"setup": float, "solve": float, "cpu": float, "memory": int}
        words: dict[str, Any] = {}
        for name, value in vars(solved).items():
            if name != "found" and not isinstance(value, numbers.get(name, str)):
                raise MalformedError(f"a result whose '{name}' is {type(value).__name__}")
            if isinstance(value, str):
                words[name] = clean(value, TRACEBACK if name == "error" else LINE)
        return replace(solved, **words)


def checked(found: Any, measurement: Measurement) -> Reconstruction:
    """A solver's reconstruction in plain arrays of the right shapes and types.

    An image that is not finite, or has no finite residual, has diverged, whatever its solver says of it.

    Raises:
        MalformedError: it is not what the interface promises.
    """
    if not isinstance(found, Reconstruction):
        raise MalformedError(f"solve() returned {_article(found)}, not a Reconstruction")
    n = len(measurement)
    images = _array(found.images, "images", (n, *measurement.grid), "fc", "real or complex floating-point numbers")
    single, double = _PRECISIONS[images.dtype.kind]
    images = images.astype(single if np.can_cast(images.dtype, single) else double, copy=False)
    residual = _array(found.residual, "residual", (n,), "f", "floating-point numbers").astype(np.float64)
    counts = {}
    for name in COUNTS:
        values = _array(getattr(found, name), name, (n,), "iu", "whole numbers")
        if values.size and not (int(values.min()) >= 0 and int(values.max()) < 2**63):
            raise MalformedError(f"the solver returned '{name}' that are negative or beyond 2^63")
        counts[name] = values.astype(np.int64)
    if (residual < 0).any():
        raise MalformedError("the solver returned a negative residual")
    finite = np.isfinite(images).all(axis=(1, 2))
    said = [_status(one) if ok else Status.DIVERGED for one, ok in zip(_list(found.status, n), finite, strict=True)]
    reached = (Status.SOLVED, Status.STOPPED)  # with a residual, which is a number
    status = [
        Status.DIVERGED if one in reached and not ok else one
        for one, ok in zip(said, np.isfinite(residual), strict=True)
    ]
    kernel = text(found.kernel, "'kernel' of the solver's result")
    return Reconstruction(images=images, residual=residual, status=status, kernel=kernel, **counts)


def text(value: Any, name: str) -> str:
    """What must be text, fit to be shown and stored.

    Raises:
        MalformedError: it is something else.
    """
    if not isinstance(value, str):
        raise MalformedError(f"{name} is {_article(value)}, not text")
    return clean(value, LINE)


def _array(values: Any, name: str, shape: tuple[int, ...], kinds: str, words: str) -> NDArray:
    try:
        array = np.asarray(values)
    except Exception as error:  # whatever the object does when it is asked for its values
        raise MalformedError(f"the solver returned '{name}' that cannot be read as an array: {error}") from error
    if array.shape != shape:
        raise MalformedError(f"the solver returned '{name}' of shape {array.shape} instead of {shape}")
    if array.dtype.kind not in kinds:
        raise MalformedError(f"the solver returned '{name}' of type {array.dtype}: {words} are expected")
    return np.array(array, order="C", copy=None, subok=False)


def _list(status: Any, n: int) -> list[Any]:
    if not isinstance(status, list | tuple) or len(status) != n:
        raise MalformedError(f"the solver returned {_article(status)} for a list of {n} values of 'status'")
    return list(status)


def _status(value: Any) -> Status:
    try:
        return Status(value)
    except ValueError:
        choices = ", ".join(Status)
        raise MalformedError(f"the solver returned the unknown status {value!r}: choose from {choices}") from None


def _article(value: Any) -> str:
    return f"a value of type {type(value).__name__}"
