"""A shard of a reference: measured and scored as that of a solver, but computed by the owner, who has the truth."""

from __future__ import annotations

import time

from bench.score.references import USES, reconstruct
from bench.sweep.shard import Observation, Outcome, Shard
from bench.sweep.solved import Solved
from datasets import ImageSet, PatternSet
from solvers import Backend


def reference_outcome(name: str, images: ImageSet | PatternSet, shard: Shard, backend: Backend) -> Outcome:
    """Its rows, with the time that it took as that of a solver."""
    observation = Observation.of(images, shard, backend.threads)
    assert observation.truth is not None  # it is images that were measured
    began = time.perf_counter()
    found = reconstruct(name, observation.truth, observation.measurement, backend)
    return observation.outcome(Solved(found, solve=time.perf_counter() - began, information=USES), backend.threads)
