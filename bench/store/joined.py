"""Several finished runs as one: their shards side by side, as if a single sweep had made them.

Shards keep their names, which are the keys that they had. A run into the joined folder therefore takes them for its
own, as far as its code is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from bench.errors import RequestError
from bench.options import AXES
from bench.store.folder import DATA, LARGEST_SHARD, SUFFIX
from bench.store.recipe import Recipe, read_recipes
from bench.store.shard_file import DamagedError, decode
from bench.sweep.rows import IMAGE, UNSOLVED
from bench.sweep.shard import Outcome, Shard
from datasets.problem import COLUMNS, Problem
from solvers.files import read_regular

PLAN = "shards"  # in the claim of a joined run: what it consists of, which need not be a product of lists
SAME = {  # what all runs of a folder have in common: in the claim, and in words
    "dataset": "data set",
    "split": "split",
    DATA: "data",
    "array_library": "array library",
    "device": "device",
    "precision": "precision",
}

_SHOWN = 40  # characters of a value in a message


_KEYS = TypeAdapter(list[str])
_SHARD = TypeAdapter(Shard)


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        claim: its `sweep.json`.
        solvers: recipes by label.
        outcomes: its shards by key.
    """

    folder: Path
    claim: dict[str, Any]
    solvers: dict[str, Recipe]
    outcomes: dict[str, Outcome]


@dataclass(frozen=True)
class Joined:
    """What several runs are together: a claim, the shards with the run that each is from, and their rows."""

    claim: dict[str, Any]
    solvers: dict[str, Recipe]
    outcomes: dict[str, Outcome]
    origins: dict[str, Path]
    rows: pd.DataFrame


def read_finished(folder: Path, claim: dict[str, Any], manifest: dict[str, Any]) -> Finished:
    """The run in a folder, with all its shards.

    Raises:
        RequestError: its manifest is of an older version, or a shard is gone or damaged.
    """
    again = "the same run into the same folder makes it again"
    try:
        keys, solvers = _KEYS.validate_python(manifest["shards"]), read_recipes(manifest)
    except (KeyError, ValidationError, RequestError) as error:
        raise RequestError(f"the manifest of '{folder}' is of an older version, or damaged: {again}") from error
    outcomes = {}
    for key in keys:
        path = folder / "shards" / f"{key}{SUFFIX}"
        try:
            outcomes[key] = decode(read_regular(path, LARGEST_SHARD))
        except FileNotFoundError as error:
            raise RequestError(f"'{path}' is gone: {again}") from error
        except (DamagedError, OSError) as error:
            raise RequestError(f"'{path}' is damaged ({error}): {again}") from error
    return Finished(folder, claim, solvers, outcomes)


def join(runs: Sequence[Finished]) -> Joined:
    """These runs as one. Where two have the same rows, those of the first are taken, and a success before a failure.

    Raises:
        RequestError: they contradict each other, or are of different code or data; one line that says in what.
    """
    for one, other in combinations(runs, 2):
        _refuse_other_data(one, other)
        _refuse_other_code(one, other)
    outcomes, origins = _chosen(runs)
    problems = _union(_problems(run.claim) for run in runs)
    solvers = _union(run.claim["solvers"] for run in runs)
    seeds = _union(run.claim["seeds"] for run in runs)

    def place(key: str) -> tuple[int, int, int, int]:
        shard = outcomes[key].shard
        return problems.index(shard.problem), solvers.index(shard.solver), seeds.index(shard.seed), shard.first

    keys = sorted(outcomes, key=place)
    outcomes = {key: outcomes[key] for key in keys}
    libraries = _union([run.claim["backend"]] for run in runs)
    claim = {
        **runs[0].claim,
        "backend": libraries[0] if len(libraries) == 1 else runs[0].claim["array_library"],
        "solvers": solvers,
        "seeds": seeds,
        **{name: _listed(name, runs, problems) for name in AXES},
        "references": _union(run.claim["references"] or () for run in runs) or None,
        "keep": _kept([run.claim for run in runs]),
        "images": max(run.claim["images"] for run in runs),
        "shard": max(run.claim["shard"] for run in runs),
        "problems": [problem.model_dump(mode="json") for problem in problems],
        PLAN: [_planned(outcome.shard, problems) for outcome in outcomes.values()],
    }
    rows = pd.concat([outcome.rows for outcome in outcomes.values()], ignore_index=True)
    solved_first = rows["status"].isin(UNSOLVED).sort_values(kind="stable").index
    rows = rows.loc[solved_first].drop_duplicates(IMAGE).sort_index(ignore_index=True)
    return Joined(claim, _solvers(runs), outcomes, origins, rows)


def _solvers(runs: Sequence[Finished]) -> dict[str, Recipe]:
    """What decides the keys of each solver, on the problems of all runs."""
    found: dict[str, Recipe] = {}
    for run in runs:
        for label, known in run.solvers.items():
            found[label] = Recipe(known.code, found.get(label, known).files | known.files)
    return found


def read_plan(listed: list[dict[str, Any]], problems: Sequence[Problem]) -> list[Shard]:
    """The shards of a joined run, as its claim lists them.

    Raises:
        LookupError, TypeError, ValueError: it lists something else.
    """
    return [_SHARD.validate_python({**one, "problem": problems[one["problem"]]}) for one in listed]


def _planned(shard: Shard, problems: list[Problem]) -> dict[str, Any]:
    """A shard in JSON, with the number of its problem."""
    return {**_SHARD.dump_python(shard, mode="json"), "problem": problems.index(shard.problem)}


def _refuse_other_data(one: Finished, other: Finished) -> None:
    for name, words in SAME.items():
        if one.claim[name] != other.claim[name]:
            raise _differ(one, other, _common(one, other), words, one.claim[name], other.claim[name])


def _refuse_other_code(one: Finished, other: Finished) -> None:
    for label in _common(one, other):
        first, second = one.solvers[label], other.solvers[label]
        if first.code != second.code:
            raise _differ(one, other, [label], "code", first.code, second.code)
        for problem, digests in first.files.items():
            theirs = second.files.get(problem, digests)
            if digests != theirs:
                different = next(pair for pair in zip_longest(digests, theirs, fillvalue="none") if len(set(pair)) > 1)
                raise _differ(one, other, [label], f"a file that is read on {problem}", *different)


def _common(one: Finished, other: Finished) -> list[str]:
    return [label for label in one.solvers if label in other.solvers]


def _differ(one: Finished, other: Finished, labels: list[str], what: str, first: str, second: str) -> RequestError:
    who = f"'{labels[0]}'" if labels else "the runs"
    return RequestError(
        f"{who} in '{one.folder}' and in '{other.folder}' cannot be merged: they differ in {what} "
        f"({_short(first)} and {_short(second)})"
    )


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text[:_SHOWN]


def _chosen(runs: Sequence[Finished]) -> tuple[dict[str, Outcome], dict[str, Path]]:
    """The shards without those that others make superfluous, and the folder that each is from.

    Raises:
        RequestError: two rows of the same image contradict each other.
    """
    every = [(key, outcome, run.folder) for run in runs for key, outcome in run.outcomes.items()]
    every.sort(key=lambda entry: (bool(entry[1].error), -entry[1].shard.count))
    outcomes: dict[str, Outcome] = {}
    origins: dict[str, Path] = {}
    covered: dict[tuple[Problem, str, int], set[int]] = {}
    for key, outcome, folder in every:
        shard = outcome.shard
        images, have = set(shard.indices.tolist()), covered.setdefault((shard.problem, shard.solver, shard.seed), set())
        if not images <= have:
            outcomes[key], origins[key] = outcome, folder
            have |= images
    _refuse_contradictions([(outcome, folder) for _, outcome, folder in every if not outcome.error])
    return outcomes, origins


def _refuse_contradictions(shards: list[tuple[Outcome, Path]]) -> None:
    if not shards:
        return
    rows = pd.concat([outcome.rows for outcome, _ in shards], keys=range(len(shards)))
    distinct = rows.drop_duplicates()
    twice = distinct[distinct.duplicated(IMAGE, keep=False)]
    if twice.empty:
        return
    first = twice.iloc[0]
    same = (twice[IMAGE] == first[IMAGE]).all(axis=1)
    (a, one), (b, other) = list(twice[same].iterrows())[:2]
    column = next(name for name in twice.columns if not (one[[name]].equals(other[[name]])))
    folders = [shards[number][1] for number, _ in (a, b)]
    problem = Problem(**{name: one[name] for name in COLUMNS})
    raise RequestError(
        f"'{one['solver']}' on {problem.briefly()}, image {one['image']}, seed {one['seed']}, has the {column} "
        f"{_short(one[column])} in '{folders[0]}' and {_short(other[column])} in '{folders[1]}': they cannot be merged"
    )


def _problems(claim: dict[str, Any]) -> list[Problem]:
    return [Problem(**problem) for problem in claim["problems"]]


def _listed(name: str, runs: Sequence[Finished], problems: list[Problem]) -> list[Any] | None:
    """All values of an axis; None where every run left it to the image set."""
    given = [run.claim[name] for run in runs]
    if None not in given:
        return _union(given)
    known = [problem.model_dump(mode="json")[AXES[name]] for problem in problems]
    return None if given.count(None) == len(given) else _union([[value] for value in known])


def _kept(claims: Sequence[dict[str, Any]]) -> int | list[int]:
    """The images whose pictures any run has: as a count where all have said the same."""
    given = [claim["keep"] for claim in claims]
    if all(one == given[0] for one in given):
        return given[0]
    listed = (
        one["keep"] if isinstance(one["keep"], list) else range(min(one["keep"], one["images"])) for one in claims
    )
    return sorted(_union(listed)) or 0


def _union(lists: Iterable[Sequence[Any]]) -> list[Any]:
    """Everything in these lists once, in the order in which it comes."""
    return list(dict.fromkeys(chain.from_iterable(lists)))
