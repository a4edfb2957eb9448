"""What of a solver decides its results, as a manifest has it: two runs of the same recipe can be taken together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.errors import RequestError


@dataclass(frozen=True)
class Recipe:
    """SHA-256 of a solver's code, and of the files that it reads, by problem."""

    code: str
    files: dict[str, list[str]]

    def agrees(self, other: Recipe) -> bool:
        """Whether both make the same of every problem that both name."""
        both = self.files.keys() & other.files.keys()
        return self.code == other.code and all(self.files[problem] == other.files[problem] for problem in both)


_RECIPES = TypeAdapter(dict[str, Recipe])


def read_recipes(manifest: dict[str, Any]) -> dict[str, Recipe]:
    """The recipes of a run's solvers, by label.

    Raises:
        RequestError: the manifest has none: it is of an older version, or damaged.
    """
    try:
        return _RECIPES.validate_python(manifest["solvers"])
    except (KeyError, ValidationError) as error:
        raise RequestError("the manifest is of an older version, or damaged") from error
