"""Schedules as practitioners write them: `3*(er:20+hio:180)+er:20`.

schedule = term + term + …
term     = stage | count * stage | count * ( schedule )
stage    = map : iterations            a map may have parameters: hio[beta=0.8]:180
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 10**6  # iterations
DEEPEST = 20  # brackets within brackets

_NUMBER = re.compile(r"\d{1,7}", re.ASCII)
_MAP = re.compile(r"[A-Za-z_]\w*(?:\[[^\[\]]*\])?", re.ASCII)


@dataclass(frozen=True)
class Stage:
    """So many iterations of a map, which is a label."""

    map: str
    iterations: int

    def stages(self) -> Iterator[Stage]:
        yield self

    @property
    def length(self) -> int:
        """Iterations in all."""
        return self.iterations

    def __str__(self) -> str:
        return f"{self.map}:{self.iterations}"


@dataclass(frozen=True)
class Repeat:
    """A schedule that is gone through so many times."""

    count: int
    terms: tuple[Stage | Repeat, ...]

    def stages(self) -> Iterator[Stage]:
        """All stages in the order in which they are done."""
        for _ in range(self.count):
            for term in self.terms:
                yield from term.stages()

    @property
    def length(self) -> int:
        """Iterations in all."""
        return self.count * sum(term.length for term in self.terms)

    def __str__(self) -> str:
        inside = "+".join(map(str, self.terms))
        if self.count == 1:
            return inside
        return (
            f"{self.count}*{inside}"
            if len(self.terms) == 1 and isinstance(self.terms[0], Stage)
            else (f"{self.count}*({inside})")
        )


def read_schedule(text: str) -> Repeat:
    """The schedule that a text stands for.

    Raises:
        ValueError: it is none, or longer than LONGEST; in one line, with the place.
    """
    reader = _Reader(text)
    terms = reader.sum(0)
    if not reader.done():
        raise reader.error("expected + or the end")
    found = Repeat(1, terms)
    if found.length > LONGEST:
        raise ValueError(f"a schedule of {found.length} iterations is too long: {LONGEST} at most")
    return found


class _Reader:
    """A text, and how far it was read."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def error(self, what: str) -> ValueError:
        rest = self.text[self.at :].strip()
        found = f"'{rest[:12]}{'…' * (len(rest) > 12)}'" if rest else "the end"
        return ValueError(f"{what} at character {self.at + 1}, found {found}: write it as 3*(er:20+hio:180)+er:20")

    def done(self) -> bool:
        self._skip()
        return self.at == len(self.text)

    def sum(self, depth: int) -> tuple[Stage | Repeat, ...]:
        terms = [self._term(depth)]
        while self._takes("+"):
            terms.append(self._term(depth))
        return tuple(terms)

    def _term(self, depth: int) -> Stage | Repeat:
        count = self._match(_NUMBER)
        if count is not None:
            if int(count) < 1:
                raise self.error("a count must be at least 1")
            if not self._takes("*"):
                raise self.error("expected * after a count")
        if not self._takes("("):
            stage = self._stage()
            return stage if count in (None, "1") else Repeat(int(count), (stage,))
        if depth == DEEPEST:
            raise self.error("too many brackets")
        terms = self.sum(depth + 1)
        if not self._takes(")"):
            raise self.error("expected + or )")
        return Repeat(int(count or 1), terms)

    def _stage(self) -> Stage:
        name = self._match(_MAP)
        if name is None:
            raise self.error("expected the name of a map")
        if not self._takes(":"):
            raise self.error(f"expected : and iterations after '{name}'")
        before = self.at
        iterations = self._match(_NUMBER)
        if iterations is None:
            raise self.error(f"expected how many iterations of '{name}'")
        if int(iterations) < 1:
            self.at = before
            raise self.error(f"'{name}' needs at least 1 iteration")
        return Stage(name, int(iterations))

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _takes(self, character: str) -> bool:
        self._skip()
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        self._skip()
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]
