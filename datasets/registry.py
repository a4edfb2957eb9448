"""What is asked for by a label: the classes of this project, those of a file or a module, and those of distributions.

A plug-in is a subclass that is asked for by where it lies (`datasets.located`), or announced as an entry point under
its own `name`. Its code may do anything: whatever it raises, and whatever it lacks, becomes one line that says whose
fault it is.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType, NoneType
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticErrorMixin

from datasets import refusals
from datasets.labelled import Labelled
from datasets.labels import NAME, LabelError, read_label, spelled
from datasets.located import Location, LocationError, choose, classes, load, located, spelling

Model = TypeVar("Model", bound=Labelled)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a class, for people to read; its default as a label has it, None where there is none."""

    name: str
    default: str | None
    description: str


def parameters(kind: type[BaseModel]) -> list[Parameter]:
    """The parameters of a class with their defaults."""
    return [
        Parameter(
            name,
            None if field.is_required() else spelled(field.get_default(call_default_factory=True)),
            field.description or "",
        )
        for name, field in kind.model_fields.items()
    ]


@dataclass(frozen=True)
class Registry(Generic[Model]):
    """Classes of one kind, by name.

    Attributes:
        noun: what they are, for messages: "solver".
        written: how their base class is written in a plug-in: "solvers.Solver".
        base: that class. `origin` is where a subclass lies that is asked for by that, else it is empty.
        methods: what a plug-in's class may override, and must not replace by anything else.
        built_in: where the project's own are, name → "module:class", in the order in which they are listed.
        plugins: finds the entry points of every name.
        unknown: raised where there is no such class, or a plug-in is none.
        broken: raised where the code of a plug-in raises an error.
        refused: raised where a parameter is unknown or out of range.
        ours: errors that are one line already.
    """

    noun: str
    written: str
    base: type[Model]
    methods: tuple[str, ...]
    built_in: Mapping[str, str]
    plugins: Callable[[], dict[str, list[EntryPoint]]]
    unknown: type[ValueError]
    broken: type[ValueError]
    refused: type[ValueError]
    ours: type[ValueError]

    def names(self) -> list[str]:
        """Every one that there is: the built-in ones in their order, then plug-ins by name."""
        return [*self.built_in, *sorted(self.plugins().keys() - self.built_in.keys())]

    def load(self, name: str) -> type[Model]:
        """The class with this name.

        Raises:
            self.unknown: there is none, there are two, or the plug-in of this name is none of these.
        """
        location = located(name)
        if location is not None:
            return self._located(location)
        points = self.plugins().get(name, [])
        if name in self.built_in:
            if points:
                raise self.unknown(
                    f"{self.noun} '{name}' is built in, but {_origin(points[0])} has its name: uninstall it"
                )
            module, attribute = self.built_in[name].split(":")
            return getattr(import_module(module), attribute)
        if not points:
            raise self.unknown(f"unknown {self.noun} '{name}': choose from {', '.join(self.names())}")
        if len(points) > 1:
            every = " and ".join(map(_origin, points))
            raise self.unknown(f"there is more than one {self.noun} '{name}': {every}: uninstall all but one")
        with self.blaming(f"{_origin(points[0])} cannot be imported"):
            kind = points[0].load()
        fault = self._misnamed(kind, name) or self._fault(kind)
        if fault:
            raise self.unknown(f"{_origin(points[0])} {fault}")
        return kind

    def contents(self, location: Location) -> list[str]:
        """The locations of all that a file or a module defines.

        Raises:
            self.unknown, self.broken: as `load`.
        """
        module = self._module(location)
        return [spelling(location, kind) for kind in classes(module, self.base).values()]

    def _located(self, location: Location) -> type[Model]:
        """The class at a location, which knows its one spelling; or the registered one that this class is."""
        module = self._module(location)
        try:
            kind = choose(module, location, self.base, self.noun, self.written)
            origin = spelling(location, kind)
        except LocationError as error:
            raise self.unknown(str(error)) from error
        registered = self._registered(origin)
        if registered:
            return self.load(registered)
        if (kind, origin) not in _LOCATED:
            fault = self._fault(kind)
            if fault:
                raise self.unknown(f"{self.noun} '{location}' {fault}")
            with self.blaming(f"{self.noun} '{location}' cannot be used"):
                _LOCATED[kind, origin] = _with_origin(kind, origin)
        return _LOCATED[kind, origin]

    def _module(self, location: Location) -> ModuleType:
        with self.blaming(f"{self.noun} '{location}' cannot be imported"):
            try:
                return load(location)
            except LocationError as error:
                raise self.unknown(str(error)) from error

    def _registered(self, origin: str) -> str:
        """The name under which a class is registered, by its location; empty where it is not."""
        named = {value: name for name, value in self.built_in.items()}
        for name, points in self.plugins().items():
            named.setdefault(points[0].value.replace(" ", ""), name)
        return named.get(origin, "")

    def create(self, label: str) -> Model:
        """What a label asks for: `rrr`, `rrr[beta=0.5,nonneg=true]`.

        Raises:
            self.unknown, self.refused: in one line, with the offending value and the choices.
        """
        try:
            name, values = read_label(label, self.noun)
        except LabelError as error:
            raise self.refused(str(error)) from error
        kind = self.load(name)
        for key in values:
            if key not in kind.model_fields:
                choices = ", ".join(kind.model_fields) or "none"
                raise self.refused(f"{self.noun} '{name}' has no parameter '{key}': choose from {choices}")
        if name in self.built_in:
            return self._made(kind, name, values)
        with self.blaming(f"{self.noun} '{name}' cannot be made"):
            return self._made(kind, name, values)

    def canonical(self, label: str) -> str:
        """The one spelling of what a label asks for.

        Raises:
            self.unknown, self.refused: as `create`, or a plug-in changes the values that it is given.
        """
        found = self.create(label).label
        if self.create(found).label != found:
            raise self.refused(f"{self.noun} '{found}' becomes another one when its parameters are given to it again")
        return found

    @contextlib.contextmanager
    def blaming(self, what: str) -> Iterator[None]:
        """Make one line of whatever a plug-in's code raises, an attempt to end the program included.

        Raises:
            self.broken: `what`, and the reason.
        """
        try:
            yield
        except (self.ours, KeyboardInterrupt):
            raise
        except BaseException as error:
            fault = refusals.of_class(error) if isinstance(error, PydanticErrorMixin) else ""
            raise self.broken(f"{what}: {fault or f'{type(error).__name__}: {error}'}") from error

    def _made(self, kind: type[Model], name: str, values: Mapping[str, str]) -> Model:
        try:
            return kind(**{key: _read(text, kind, key) for key, text in values.items()})
        except ValidationError as error:
            raise self.refused(f"{self.noun} '{name}': {refusals.of_value(error, kind)}") from error

    def _misnamed(self, kind: Any, name: str) -> str:
        """What keeps an entry point from being the one of this name; empty if nothing does."""
        if not (isinstance(kind, type) and issubclass(kind, self.base)):
            return f"is not a subclass of {self.written}"
        called = getattr(kind, "name", None)
        if not isinstance(called, str):
            return f'has no name: write name = "{name}" in its class'
        if called != name:
            return f"has the name '{called}': its entry point must have the same"
        if not NAME.fullmatch(name) or located(name):
            return "cannot be asked for: a name has letters, digits, _ . - and begins with a letter"
        summary = getattr(kind, "summary", None)
        if not isinstance(summary, str) or not summary.strip():
            return 'has no summary: write summary = "…" in its class'
        return ""

    def _fault(self, kind: type[Model]) -> str:
        """What keeps a plug-in's class from being used; empty if nothing does."""
        if inspect.isabstract(kind):
            return f"does not implement {' and '.join(sorted(kind.__abstractmethods__))}"
        for method in self.methods:
            if not callable(getattr(kind, method)):
                return f"has something else than a method for its {method}()"
        for parameter, field in kind.model_fields.items():
            if not parameter.isidentifier() or field.validation_alias is not None:
                return f"has a parameter '{parameter}', which a label cannot write: use a Python name without an alias"
            if parameter in ("name", "summary", "origin") or _taken(kind, parameter):
                return f"has a parameter '{parameter}', which is the name of something else in a {self.noun}"
            if getattr(field, "default_factory_takes_validated_data", False):
                return f"has a parameter '{parameter}' whose default depends on the others"
        return ""


_LOCATED: dict[tuple[type, str], Any] = {}  # by class and location: what is made of the same class is equal


def _with_origin(kind: Any, origin: str) -> Any:
    """The class under its location, with what it does not say of itself: a name, and the first line of its docstring.

    A subclass: the class itself may be in use under another name.
    """
    words = (vars(kind).get("__doc__") or "").strip().splitlines()
    said: dict[str, object] = {"origin": origin, "__module__": kind.__module__, "__doc__": kind.__doc__}
    if not isinstance(getattr(kind, "name", None), str) or not NAME.fullmatch(kind.name):
        said["name"] = kind.__name__
    if not str(vars(kind).get("summary", "")).strip():
        said["summary"] = words[0] if words else getattr(kind, "summary", kind.__name__)
    return type(kind)(kind.__name__, (kind,), said)


def plugins(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of every name in a group."""
    return _plugins_on(group, tuple(sys.path))


@lru_cache(maxsize=2)
def _plugins_on(group: str, path: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    """They are looked up once for a path: a look at every installed distribution takes milliseconds."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, []).append(point)
    return found


def _taken(kind: type[BaseModel], parameter: str) -> bool:
    return any(parameter in vars(base) for base in kind.__mro__[1:] if issubclass(base, BaseModel))


def _origin(point: EntryPoint) -> str:
    of = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"plug-in '{point.name}' ({point.value}{of})"


def _read(text: str, kind: type[BaseModel], parameter: str) -> str | None:
    """The value of a parameter: None is written as `none` (`datasets.labels.spelled`)."""
    field = kind.model_fields.get(parameter)
    return None if text == "none" and field is not None and NoneType in get_args(field.annotation) else text
