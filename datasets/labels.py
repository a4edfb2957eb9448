"""How a solver, or a set of images, is written in one line: its name, and in brackets its parameters.

    label  = name | name[parameter=value, …]
    name   = that of something registered | a location, as `datasets.located` reads it
    value  = text without spaces and without , = [ ] " | "any text, in which "" is one quotation mark"

A location is written as a value is: `mine.py:Mine`, or `"my folder/mine.py"[beta=0.5]`.

A label is canonical where it holds only the parameters that differ from their defaults, in the order in which its
class declares them, without spaces around them, and with every value as `spelled` writes it. What is equal has one
canonical label.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from pydantic import BaseModel

from datasets.located import located

NAME = re.compile(r"[A-Za-z_][\w.-]*")

_QUOTED = r'"(?:[^"]|"")*"'
_LABEL = re.compile(rf'\s*(?P<name>{_QUOTED}|[^\s,="\[\]]+)\s*(?:\[(?P<parameters>(?:"[^"]*"|[^"\[\]])*)\]\s*)?')
_PARAMETER = re.compile(rf'(?P<key>[^\s,="\[\]]+)\s*=\s*(?P<value>{_QUOTED}|[^\s,="\[\]]+)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LabelError(ValueError):
    """A label cannot be read; the message says in one line what to write instead."""


def split_labels(text: str, separator: str = ",") -> list[str]:
    """The parts of a list; a separator within brackets or quotation marks separates nothing."""
    parts, bracket, quoted = [""], False, False
    for character in text:
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "[]":
            bracket = character == "["
        if character == separator and not bracket and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in map(str.strip, parts) if part]


def read_label(label: str, noun: str) -> tuple[str, dict[str, str]]:
    """The name of a label, and its parameters as they are written there.

    Args:
        label: as above.
        noun: what it should name, for the message.

    Raises:
        LabelError: it is no label, or gives a parameter twice.
    """
    match = _LABEL.fullmatch(label)
    name = _unquoted(match["name"]) if match else ""
    if match is None or _CONTROL.search(label) or not (NAME.fullmatch(name) or located(name)):
        quoted = ", and quotation marks around a path with spaces or , = [ ]" if "/" in label or ".py" in label else ""
        raise LabelError(
            f"cannot read '{label}': write a {noun} as name or name[parameter=value,…], with file.py or "
            f"module:Class for the name of your own{quoted}{_nested(label)}{_twice(label)}"
        )
    values: dict[str, str] = {}
    for part in split_labels(match["parameters"] or ""):
        parameter = _PARAMETER.fullmatch(part)
        if parameter is None:
            raise LabelError(
                f"cannot read '{part}' in '{label}': write parameter=value, "
                f"and quotation marks around a value with spaces or , = [ ]{_twice(part)}"
            )
        key, value = parameter.groups()
        if key in values:
            raise LabelError(f"parameter '{key}' is given twice in '{label}'")
        values[key] = _unquoted(value)
    return name, values


def write_label(name: str, values: Mapping[str, object]) -> str:
    """The label with these parameters."""
    parameters = ",".join(f"{key}={_quoted(spelled(value))}" for key, value in values.items())
    return f"{_quoted(name)}[{parameters}]" if parameters else _quoted(name)


def label_of(name: str, model: BaseModel) -> str:
    """The canonical label of what has this name and the model's fields for parameters."""
    changed = {}
    for parameter, field in type(model).model_fields.items():
        value = getattr(model, parameter)
        if value != field.get_default(call_default_factory=True):
            changed[parameter] = value
    return write_label(name, changed)


def spelled(value: object) -> str:
    """A parameter's value as text: true or false, the shortest decimal number, a string as it is."""
    if isinstance(value, Enum):
        return spelled(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value + 0.0).removesuffix(".0")  # -0.0 is zero
    return "none" if value is None else str(value)


def _nested(label: str) -> str:
    """How a label within a label is written, for one that cannot be read because that was forgotten or lost."""
    bare = re.sub(_QUOTED, "", label)
    return '; a value with brackets goes in quotation marks, parameter="name[…]"' * (bare.count("[") > 1)


def _twice(text: str) -> str:
    """How a quotation mark is written where some are nested, for a text that cannot be read."""
    return '; within quotation marks write "" for one' * (text.count('"') > 2)


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _quoted(text: str) -> str:
    if text and not re.search(r'[\s,="\[\]]', text):
        return text
    return '"' + text.replace('"', '""') + '"'
