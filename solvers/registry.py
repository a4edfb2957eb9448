"""Solvers by name: the ones of this package, and those that other distributions bring.

A plug-in is a `Solver` subclass announced as an entry point in the group `phasebench.solvers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from solvers.base import Solver
from solvers.errors import ParameterError, UnknownSolverError

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

_LABEL = re.compile(r"\s*(?P<name>[A-Za-z_][\w.-]*)\s*(?:\[(?P<parameters>[^\[\]]*)\])?\s*")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a solver, for people to read."""

    name: str
    default: Any
    description: str


def names() -> list[str]:
    """Every solver there is: the built-in ones in the order of the tables, then plug-ins by name."""
    return [*BUILT_IN, *sorted(_plugins().keys() - BUILT_IN.keys())]


def solver_class(name: str) -> type[Solver]:
    """The class of the solver with this name.

    Raises:
        UnknownSolverError: there is none, or a plug-in of this name cannot be imported.
    """
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name].split(":")
        return getattr(import_module(module), attribute)
    plugin = _plugins().get(name)
    if plugin is None:
        raise UnknownSolverError(f"unknown solver '{name}': choose from {', '.join(names())}")
    try:
        loaded = plugin.load()
    except (Exception, SystemExit) as error:  # whatever a third party's module does when it is imported
        raise UnknownSolverError(f"solver '{name}' ({plugin.value}) cannot be imported: {error!r}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Solver)):
        raise UnknownSolverError(f"solver '{name}' ({plugin.value}) is not a subclass of solvers.Solver")
    return loaded


def create(label: str) -> Solver:
    """The solver that a label asks for: `rrr` or `rrr[beta=0.5,nonneg=true]`.

    Raises:
        UnknownSolverError, ParameterError: in one line, with the offending value and the choices.
    """
    match = _LABEL.fullmatch(label)
    if match is None:
        raise ParameterError(f"cannot read '{label}': write a solver as name or name[parameter=value,…]")
    kind = solver_class(match["name"])
    values: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in (match["parameters"] or "").split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not value:
            raise ParameterError(f"cannot read '{item}' in '{label}': write parameter=value")
        if key not in kind.model_fields:
            choices = ", ".join(kind.model_fields) or "none"
            raise ParameterError(f"solver '{kind.name}' has no parameter '{key}': choose from {choices}")
        if key in values:
            raise ParameterError(f"parameter '{key}' stands twice in '{label}'")
        values[key] = value
    try:
        return kind(**values)  # type: ignore[arg-type]  # pydantic parses the strings
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        given = f" = {first['input']}" if where else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise ParameterError(f"solver '{kind.name}': {where + given + ': ' if where else ''}{reason}") from error
    except (Exception, SystemExit) as error:  # whatever a third party's class does when it is used
        if match["name"] in BUILT_IN:
            raise
        raise UnknownSolverError(f"solver '{match['name']}' cannot be used: {error!r}") from error


def split_labels(text: str) -> list[str]:
    """The labels of a comma-separated list; commas within brackets belong to a label."""
    labels = [label.strip() for label in re.split(r",(?![^\[]*\])", text)]
    return [label for label in labels if label]


def parameters(kind: type[Solver]) -> list[Parameter]:
    """The parameters of a solver class with their defaults."""
    return [
        Parameter(name, None if field.default is PydanticUndefined else field.default, field.description or "")
        for name, field in kind.model_fields.items()
    ]


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
