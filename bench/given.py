"""What was given, on the command line or in a file: its words, its numbers, and what is said of what is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.errors import RequestError
from bench.options import OPTIONS, field, flag
from datasets.refusals import of_value
from solvers.files import read_regular

LARGEST_CONFIG = 2**20  # bytes


def split_words(text: str) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def whole_number(value: Any) -> int:
    """A number of images, or of one of them.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"'{value}' is no number of an image")
    return value


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """The numbers of a comma-separated list, which an option takes.

    Raises:
        RequestError: one of them is none.
    """
    try:
        return tuple(dict.fromkeys(whole_number(word) for word in split_words(text)))
    except ValueError as error:
        raise RequestError(f"{option} '{text}': {error}: write 3,17") from error


def refuse_twice(folders: Sequence[Path]) -> None:
    """Refuse a run that is named twice, however it is spelled.

    Raises:
        RequestError: one is.
    """
    places = [folder.resolve() for folder in folders]
    repeated = next((folder for folder, of in zip(folders, places, strict=True) if places.count(of) > 1), None)
    if repeated is not None:
        raise RequestError(f"'{repeated}' is given twice")


def told(error: ValidationError, kind: type[BaseModel]) -> str:
    """What is wrong with an option of this model, in its spelling on the command line."""
    option, refused = flag(str(error.errors()[0]["loc"][0])), of_value(error, kind)
    if error.errors()[0]["type"] == "value_error":
        return f"{option}: {refused.reason}"
    try:
        shown = repr(refused.value)
    except ValueError:  # Python writes no number of more than 4300 digits
        shown = "a number of thousands of digits"
    return f"{option}: {refused.reason} (got {shown if len(shown) <= 200 else shown[:200] + '…'})"


def read_config(path: Path) -> dict[str, Any]:
    """The options of a TOML file, spelled there as on the command line: by the names of their fields.

    Raises:
        RequestError: it cannot be read, is not TOML, or has an option that there is not.
    """
    try:
        text = read_regular(path, LARGEST_CONFIG).decode("utf-8-sig")
    except OSError as error:
        raise RequestError(f"config '{path}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"config '{path}' is not a text in UTF-8: {error}") from error
    try:
        options = tomllib.loads(text)
    except RecursionError as error:
        raise RequestError(f"config '{path}' is nested too deeply") from error
    except ValueError as error:  # no TOML, or a number with more digits than Python reads
        raise RequestError(f"config '{path}' is not TOML: {error}") from error
    values: dict[str, Any] = {}
    for option, value in options.items():
        name = field(option)
        if name not in OPTIONS:
            raise RequestError(f"config '{path}' has an unknown option '{option}': choose from {', '.join(OPTIONS)}")
        if name in values:
            raise RequestError(f"config '{path}' gives '{name}' twice, under two spellings: leave one of them out")
        values[name] = value
    return values
