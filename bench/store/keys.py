"""The name of a shard, which changes with what decides the shard's numbers.

That is the solver's canonical label, problem, seed and images; the data; array library, device and precision;
the code that computes, and the weights and other files that the solver names (`bench.executors.code`).
Threads, workers and executors are left out: they change no number, which the tests hold them to, but for plug-ins that
share their process with other solvers. The versions of Python
and of the machine's own libraries, and the processor, are left out although they can change the last digits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from bench.executors.code import reference_code
from bench.executors.plugins import Description, describe
from bench.store.recipe import Recipe
from bench.sweep.shard import Shard
from datasets.problem import Problem
from solvers import Backend
from solvers.files import sha256
from solvers.labels import read_label
from solvers.registry import BUILT_IN


class Keys:
    """Keys of the shards of one sweep. Code and weights are read once: a sweep does not change while it runs."""

    def __init__(
        self,
        backend: Backend,
        data_digest: str,
        solvers: Sequence[str],
        problems: Sequence[Problem],
        references: Sequence[str] = (),
        *,
        isolated: bool = True,
    ) -> None:
        """For shards of these solvers on these problems.

        Args:
            references: labels of what is computed beside the solvers, by code of our own.
            isolated: each solver has a process of its own. Where they share one, a plug-in can change what the others
                give, and is part of the key of theirs.

        Raises:
            SolverError, PluginError: a solver is not there, or its code does not answer.
        """
        self._common = [backend.name, backend.device, backend.precision, data_digest]
        self._solvers: dict[str, Description] = {label: describe(label, problems) for label in solvers}
        if references:
            code, no_files = reference_code(), {problem: list[str]() for problem in problems}
            self._solvers |= {label: Description(label, code, no_files) for label in references}
        self._plugins = [] if isolated else [label for label in solvers if read_label(label)[0] not in BUILT_IN]

    def key(self, shard: Shard) -> str:
        """32 hexadecimal digits."""
        solver = self._solvers[shard.solver]
        parts: list[Any] = [
            self._common,
            {**asdict(replace(shard, solver="", kept=())), "problem": shard.problem.model_dump(mode="json")},
            [solver.label, *solver.files[shard.problem]],
            solver.code,
        ]
        beside = [[label, self._solvers[label].code] for label in self._plugins if label != shard.solver]
        if beside:
            parts.append(beside)
        return sha256(json.dumps(parts, sort_keys=True).encode())[:32]

    def code(self, label: str) -> str:
        """SHA-256 of the code that makes a shard of this solver."""
        return self._solvers[label].code

    def recipes(self) -> dict[str, Recipe]:
        """By label, what of a solver decides its keys."""
        return {
            label: Recipe(known.code, {str(problem): digests for problem, digests in known.files.items() if digests})
            for label, known in self._solvers.items()
        }
