"""What pydantic refuses, of a value or of a class, in the words of whoever wrote a label, an option or a file."""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticErrorMixin

from datasets.labels import spelled

_SAID_WHOLE = ("value_error", "assertion_error")  # by a validator of ours, or of a plug-in
_LIMITS = {"ge": "of at least", "gt": "above", "le": "at most", "lt": "below"}


class Refused(NamedTuple):
    """What is wrong with the values of a model.

    Attributes:
        field: whose value it is; empty where values do not go together.
        value: as it was given.
        reason: what is wrong with it, or what is taken instead.
        absent: it is a field without a default, and no value was given.
    """

    field: str
    value: Any
    reason: str
    absent: bool = False

    def __str__(self) -> str:
        if self.absent:
            return f"parameter '{self.field}' {self.reason}"
        return f"{self.field} = {spelled(self.value)}: {self.reason}" if self.field else self.reason


def of_value(error: ValidationError, kind: type[BaseModel]) -> Refused:
    """The first thing that this model refuses."""
    first = next(iter(error.errors()), None)
    if first is None:
        return Refused("", None, "its parameters were refused, without a reason")
    field, value = ".".join(map(str, first["loc"])), first["input"]
    if first["type"] == "missing":
        return Refused(field, None, "has no default: give it a value", absent=True)
    if first["type"] in _SAID_WHOLE:
        return Refused(field, value, first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, "))
    choices = _choices(kind, first["loc"], finite=first["type"] == "finite_number")
    return Refused(field, value, f"takes {choices}" if choices else first["msg"])


def of_class(error: PydanticErrorMixin) -> str:
    """What is wrong with how a class declares its parameters; empty where pydantic's own words have to do."""
    text = " ".join(error.message.split())
    if error.code == "model-field-missing-annotation":
        written = re.search(r"detected: `(?P<name>\w+) = (?P<value>.*)`\. All model fields", text)
        kind = _kind(written["value"]) if written else ""
        if written and kind:
            name, value = written["name"], written["value"]
            return (
                f"'{name}' has no type: write {name}: {kind} = {value} for a parameter, or "
                f"{name}: ClassVar = {value} for what is none"
            )
        named = written or re.search(r"Field '(?P<name>\w+)'", text)
        if named:
            return f"'{named['name']}' has no type: write {named['name']}: ClassVar = … for what is no parameter"
    if error.code == "model-field-overridden" and (named := re.search(r"Field '(?P<name>\w+)'", text)):
        return (
            f"'{named['name']}', a parameter of its base class, has no type: write it here as well, as in "
            "beta: float = 0.9"
        )
    if error.code == "schema-for-unknown-type" and (named := re.search(r"schema for (?P<type>.+?)\. Set", text)):
        return (
            f"a parameter is declared as {named['type']}, which no label can write: declare bool, int, float, str or "
            "Literal, and write ClassVar for what is no parameter"
        )
    if error.code == "class-not-fully-defined" and (named := re.search(r"define `(?P<type>.+?)`", text)):
        return f"a parameter is declared as {named['type']}, which is not defined"
    return ""


def _choices(kind: type[BaseModel], place: Sequence[str | int], finite: bool) -> str:
    """What is taken at a place in a model; empty where its type does not say."""
    field = kind.model_fields.get(str(place[0])) if place else None
    if field is None:
        return ""
    annotation, limits = _one_of(field.annotation), field.metadata
    if get_origin(annotation) in (tuple, list):
        if len(place) == 1:
            return "a list"
        annotation, limits = get_args(annotation)[0], []
    elif len(place) > 1:
        return ""
    if annotation is bool:
        return "true or false"
    if get_origin(annotation) is Literal:
        return _or([spelled(value) for value in get_args(annotation)])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _or([spelled(value) for value in annotation])
    if annotation in (str, Path):
        return "text"
    words = {int: "a whole number", float: "a finite number" if finite else "a number"}.get(annotation, "")
    return f"{words}{_range(limits)}" if words else ""


def _one_of(annotation: Any) -> Any:
    """The type of a value that may be absent."""
    if get_origin(annotation) in (Union, types.UnionType):
        there = [one for one in get_args(annotation) if one is not type(None)]
        return there[0] if len(there) == 1 else annotation
    return annotation


def _range(limits: Sequence[Any]) -> str:
    """The limits of a number in words."""
    found = {name: _number(getattr(one, name)) for name in _LIMITS for one in limits if hasattr(one, name)}
    if found.keys() == {"ge", "le"}:
        return f" from {found['ge']} to {found['le']}"
    words = " and ".join(f"{_LIMITS[name]} {value}" for name, value in found.items())
    return f" {words}" if words else ""


def _number(limit: Any) -> str:
    """A limit, as 2^63 where it is one of a computer's numbers."""
    if isinstance(limit, int) and limit >= 2**31 and limit & (limit - 1) == 0:
        return f"2^{limit.bit_length() - 1}"
    return spelled(limit)


def _or(choices: Sequence[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


def _kind(value: str) -> str:
    """The type of a value as it stands in code, if a label can write it."""
    try:
        kind = type(ast.literal_eval(value)).__name__
    except (ValueError, SyntaxError):
        return ""
    return kind if kind in ("bool", "int", "float", "str") else ""
