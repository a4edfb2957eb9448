"""Shards as tasks of dask.distributed: on a cluster that is there, or on one that is started here.

A dask worker measures and scores its shard, and hands the intensities to a process beside it, so that a time limit and
a death cost there what they cost here. Results come back to this process, which alone writes them.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import dask
from distributed import CancelledError, Client, Future, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from bench.errors import RequestError, one_line
from bench.executors.processes import Processes
from bench.executors.task import CallError
from bench.shard import FAILED, Observation, Outcome, Shard
from datasets import ImageSet
from solvers import Backend

PATIENCE = "30s"  # to reach a scheduler; its workers may take as long to come as their queue wants


@dataclass(frozen=True)
class Setup:
    """What all tasks of one sweep need."""

    token: str
    images: ImageSet
    backend: Backend
    timeout: float | None
    beside: int


class Cluster:
    """As `Executor`.

    Args:
        workers: how many are started here, each with one shard at a time.
        timeout: seconds for one shard; None for as long as it takes.
        address: of the scheduler of a cluster that is there; None to start one.
    """

    def __init__(
        self, images: ImageSet, backend: Backend, workers: int, timeout: float | None, address: str | None
    ) -> None:
        self.images, self.backend, self.timeout = images, backend, timeout
        self.workers, self.address = workers, address
        self._stack = contextlib.ExitStack()
        self._client: Client | None = None  # until there is something to do
        self._futures: dict[Future, Shard] = {}
        self._setup: Future | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(self, shards: Sequence[Shard]) -> Iterator[Outcome]:
        """As `Executor.run`.

        Raises:
            RequestError: there is no scheduler at the address, or it is lost.
        """
        if not shards:
            return
        client, shared = self._connected(), self._shared(max(shard.first + shard.count for shard in shards))
        for shard in shards:
            self._futures[client.submit(_solve, shared, shard, pure=False)] = shard
        for future in as_completed(list(self._futures), loop=client.loop):
            shard = self._futures.pop(future)
            yield self._outcome(future, shard)
            future.release()

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """As `Executor.call`.

        Raises:
            RequestError: there is no scheduler at the address.
        """
        future = self._connected().submit(_call, self._shared(), function, arguments, pure=False)
        try:
            return future.result()
        except (KilledWorker, CancelledError) as error:
            raise CallError(one_line(error)) from error

    def _connected(self) -> Client:
        """The client of the scheduler, which is reached, or started, the first time."""
        if self._client is None:
            place: str | LocalCluster | None = self.address
            if place is None:
                place = self._stack.enter_context(
                    LocalCluster(n_workers=self.workers, threads_per_worker=1, dashboard_address=None)
                )
            try:
                client = Client(place, timeout=PATIENCE, set_as_default=False)
            except (OSError, ValueError) as error:
                raise RequestError(
                    f"--dask-scheduler '{self.address}': no scheduler answers there ({error})"
                ) from error
            self._client = self._stack.enter_context(client)
            self._stack.callback(self._leave, client)
        return self._client

    def _shared(self, count: int | None = None) -> Future:
        """The setup, on the cluster, with so many images: a task, unlike scattered data, is made again when its worker
        is lost."""
        if self._setup is None:
            images = self.images.head(count)
            client = self._connected()
            beside = max(1, sum(client.nthreads().values()))
            setup = Setup(uuid.uuid4().hex, images, replace(self.backend), self.timeout, beside)
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
                self._setup = client.submit(_same, setup, key=f"setup-{setup.token}")
        return self._setup

    def _outcome(self, future: Future, shard: Shard) -> Outcome:
        if future.status == "finished":
            return future.result()
        if future.status == "cancelled":
            raise RequestError("the dask scheduler was lost: the same command goes on where it was")
        error = future.exception()
        if isinstance(error, KilledWorker):
            return Observation.of(self.images, shard).unsolved(FAILED, "its dask worker died again and again", 0.0)
        assert error is not None
        raise error

    def _leave(self, client: Client) -> None:
        """End what is still at work for this sweep. A cluster that is about to be closed may fail to answer."""
        with contextlib.suppress(Exception):
            client.cancel(list(self._futures), force=True)
            client.run(_end_crews, on_error="ignore")


# ---- what runs in the dask workers

_crews: dict[int, tuple[str, Processes]] = {}  # for each thread the token of a sweep and a crew of one


def _same(setup: Setup) -> Setup:
    return setup


def _solve(setup: Setup, shard: Shard) -> Outcome:
    (outcome,) = _crew(setup).run([shard])
    return outcome


def _call(setup: Setup, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return _crew(setup).call(function, *arguments)


def _crew(setup: Setup) -> Processes:
    """The worker process of this thread, which stays for the whole of a sweep."""
    thread = threading.get_ident()
    token, crew = _crews.get(thread, ("", None))
    if crew is None or token != setup.token:
        if crew is not None:
            crew.end()
        crew = Processes(setup.images, setup.backend, timeout=setup.timeout, beside=setup.beside)
        _crews[thread] = setup.token, crew
    return crew


def _end_crews() -> None:
    while _crews:
        _crews.popitem()[1][1].end()
