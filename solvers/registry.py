"""Solvers by name: the ones of this package, and those that other distributions bring.

A plug-in is a `Solver` subclass announced as an entry point in the group `phasebench.solvers`, under its own `name`.
Its code may do anything: whatever it raises, and whatever it lacks, becomes one line that says whose fault it is.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from solvers.base import Information, Solver
from solvers.errors import ParameterError, SolverError, UnknownSolverError
from solvers.labels import NAME, read_label, spelled

GROUP = "phasebench.solvers"

BUILT_IN: Mapping[str, str] = {
    "alm": "solvers.alm:AugmentedLagrangian",
    "er": "solvers.er:ErrorReduction",
    "hio": "solvers.hio:HybridInputOutput",
    "raar": "solvers.raar:RelaxedAveragedAlternatingReflections",
    "difference_map": "solvers.difference_map:DifferenceMap",
    "rrr": "solvers.rrr:RelaxedReflectReflect",
    "unet_b": "solvers.unet_b:UNetB",
    "unet_a": "solvers.unet_a:UNetA",
}

_METHODS = ("information", "prepare", "solve", "files", "weights_digest")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a solver, for people to read; its default as a label has it, None where there is none."""

    name: str
    default: str | None
    description: str


def names() -> list[str]:
    """Every solver there is: the built-in ones in the order of the tables, then plug-ins by name."""
    return [*BUILT_IN, *sorted(_plugins().keys() - BUILT_IN.keys())]


def solver_class(name: str) -> type[Solver]:
    """The class of the solver with this name.

    Raises:
        UnknownSolverError: there is none, there are two, or the plug-in of this name is not a solver.
    """
    points = _plugins().get(name, [])
    if name in BUILT_IN:
        if points:
            raise UnknownSolverError(
                f"solver '{name}' is built in, but {_origin(points[0])} has its name: uninstall it"
            )
        module, attribute = BUILT_IN[name].split(":")
        return getattr(import_module(module), attribute)
    if not points:
        raise UnknownSolverError(f"unknown solver '{name}': choose from {', '.join(names())}")
    if len(points) > 1:
        every = " and ".join(map(_origin, points))
        raise UnknownSolverError(f"there is more than one solver '{name}': {every}: uninstall all but one")
    with blaming(f"{_origin(points[0])} cannot be imported"):
        kind = points[0].load()
    fault = _fault(kind, name)
    if fault:
        raise UnknownSolverError(f"{_origin(points[0])} {fault}")
    return kind


def create(label: str) -> Solver:
    """The solver that a label asks for: `rrr` or `rrr[beta=0.5,nonneg=true]`.

    Raises:
        UnknownSolverError, ParameterError: in one line, with the offending value and the choices.
    """
    name, values = read_label(label)
    kind = solver_class(name)
    for key in values:
        if key not in kind.model_fields:
            choices = ", ".join(kind.model_fields) or "none"
            raise ParameterError(f"solver '{name}' has no parameter '{key}': choose from {choices}")
    if name in BUILT_IN:
        return _made(kind, values)
    with blaming(f"solver '{name}' cannot be made"):
        solver = _made(kind, values)
    information(solver)
    return solver


def canonical(label: str) -> str:
    """The one spelling of the solver that a label asks for.

    Raises:
        UnknownSolverError, ParameterError: as `create`, or a plug-in changes the values that it is given.
    """
    found = create(label).label
    if create(found).label != found:
        raise ParameterError(f"solver '{found}' becomes another one when its parameters are given to it again")
    return found


def information(solver: Solver) -> Information:
    """What a solver says that it uses.

    Raises:
        SolverError: it raises an error instead, or says something else.
    """
    with blaming(f"solver '{solver.name}' cannot say what it uses"):
        found = solver.information()
        if not isinstance(found, Information):
            raise TypeError(f"information() returned {type(found).__name__}, not Information")
    return found


def parameters(kind: type[Solver]) -> list[Parameter]:
    """The parameters of a solver class with their defaults."""
    return [
        Parameter(
            name,
            None if field.is_required() else spelled(field.get_default(call_default_factory=True)),
            field.description or "",
        )
        for name, field in kind.model_fields.items()
    ]


@contextlib.contextmanager
def blaming(what: str) -> Iterator[None]:
    """Make one line of whatever a plug-in's code raises, an attempt to end the program included.

    Raises:
        SolverError: `what`, and the reason.
    """
    try:
        yield
    except (SolverError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise UnknownSolverError(f"{what}: {type(error).__name__}: {error}") from error


def _made(kind: type[Solver], values: dict[str, str]) -> Solver:
    try:
        return kind(**values)  # type: ignore[arg-type]  # pydantic parses the strings
    except ValidationError as error:
        raise ParameterError(f"solver '{kind.name}': {_reason(error)}") from error


def _reason(error: ValidationError) -> str:
    """The first thing that is wrong with parameters."""
    first = next(iter(error.errors()), None)
    if first is None:
        return "its parameters were refused, without a reason"
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"parameter '{where}' has no default: give it a value"
    reason = first["msg"].removeprefix("Value error, ")
    return f"{where} = {spelled(first['input'])}: {reason}" if where else reason


def _fault(kind: Any, name: str) -> str:
    """What keeps a plug-in's class from being the solver `name`; empty if nothing does."""
    if not (isinstance(kind, type) and issubclass(kind, Solver)):
        return "is not a subclass of solvers.Solver"
    if not isinstance(getattr(kind, "name", None), str):
        return f'has no name: write name = "{name}" in its class'
    if kind.name != name:
        return f"has the name '{kind.name}': its entry point must have the same"
    if not NAME.fullmatch(name):
        return "cannot be asked for: a name has letters, digits, _ . - and begins with a letter"
    if not isinstance(getattr(kind, "summary", None), str) or not kind.summary.strip():
        return 'has no summary: write summary = "…" in its class'
    if inspect.isabstract(kind):
        return f"does not implement {' and '.join(sorted(kind.__abstractmethods__))}"
    for method in _METHODS:
        if not callable(getattr(kind, method)):
            return f"has something else than a method for its {method}()"
    for parameter, field in kind.model_fields.items():
        if not parameter.isidentifier() or field.validation_alias is not None:
            return f"has a parameter '{parameter}', which a label cannot write: use a Python name without an alias"
        if parameter in ("name", "summary") or _taken(kind, parameter):
            return f"has a parameter '{parameter}', which is the name of something else in a solver"
        if getattr(field, "default_factory_takes_validated_data", False):
            return f"has a parameter '{parameter}' whose default depends on the others"
    return ""


def _taken(kind: type[Solver], parameter: str) -> bool:
    return any(parameter in vars(base) for base in kind.__mro__[1:] if issubclass(base, BaseModel))


def _origin(point: EntryPoint) -> str:
    of = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"plug-in '{point.name}' ({point.value}{of})"


def _plugins() -> dict[str, list[EntryPoint]]:
    """The entry points of every name."""
    return _plugins_on(tuple(sys.path))


@lru_cache(maxsize=1)
def _plugins_on(path: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    """They are looked up once for a path: a look at every installed distribution takes milliseconds."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    return found
