"""Where the shards of a sweep are solved: in this process, in worker processes, or on a cluster.

Every executor gives the same results; they differ in what can be ended, replaced and spread.
"""

from __future__ import annotations

from bench.executors.base import Executor
from bench.request import Sweep
from datasets import ImageSet, PatternSet
from solvers import Backend


def make_executor(sweep: Sweep, images: ImageSet | PatternSet, backend: Backend, *, at_once: bool = False) -> Executor:
    """The executor that a sweep asks for.

    Args:
        at_once: something is to be solved for sure; worker processes, which take seconds, begin to start.
    """
    if sweep.executor == "inline":
        from bench.executors.inline import Inline

        return Inline(images, backend)
    if sweep.executor == "dask":
        from bench.executors.cluster import Cluster

        return Cluster(_needed(sweep, images), backend, sweep.workers or 1, sweep.timeout, sweep.dask_scheduler)
    from bench.executors.processes import Processes

    return Processes(images, backend, sweep.workers or 1, sweep.timeout, at_once=at_once)


def _needed(sweep: Sweep, images: ImageSet | PatternSet) -> ImageSet | PatternSet:
    """Those that any shard of a sweep takes, whichever are missing: any image may be the phase of a complex object."""
    return images.head(sweep.images if sweep.objects == ("real",) or isinstance(images, PatternSet) else None)
