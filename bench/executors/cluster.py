"""Shards as tasks of dask.distributed: on a cluster that is there, or on one that is started here.

A dask worker measures and scores its shard, and hands the intensities to a process beside it, so that a time limit and
a death cost there what they cost here. Results come back to this process, which alone writes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import dask
from distributed import CancelledError, Client, Future, LocalCluster, Security, as_completed, rpc
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker
from distributed.utils import import_term

from bench.errors import RequestError, one_line
from bench.executors.processes import Processes
from bench.executors.task import CallError
from bench.sweep.rows import FAILED
from bench.sweep.shard import Observation, Outcome, Shard
from datasets import ImageSet, PatternSet
from solvers import Backend

PATIENCE = 30.0  # seconds to reach a scheduler; its workers may take as long to come as their queue wants


@dataclass(frozen=True)
class Setup:
    """What all tasks of one sweep need."""

    token: str
    images: ImageSet | PatternSet
    backend: Backend
    timeout: float | None
    beside: int
    folder: str  # from which paths in labels are seen


class Cluster:
    """As `Executor`.

    Args:
        images: all that are sent.
        workers: how many are started here, each with one shard at a time.
        timeout: seconds for one shard; None for as long as it takes.
        address: of the scheduler of a cluster that is there; None to start one.
    """

    def __init__(
        self, images: ImageSet | PatternSet, backend: Backend, workers: int, timeout: float | None, address: str | None
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
        client = self._connected()
        with _scheduler_needed():
            for shard in shards:
                self._futures[client.submit(_solve, self._shared(), shard, pure=False)] = shard
        for future in as_completed(list(self._futures), loop=client.loop):
            shard = self._futures.pop(future)
            yield self._outcome(future, shard)
            future.release()

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """As `Executor.call`.

        Raises:
            RequestError: there is no scheduler at the address, or it is lost.
        """
        client = self._connected()
        try:
            with _scheduler_needed():
                return client.submit(_call, self._shared(), function, arguments, pure=False).result()
        except KilledWorker as error:
            raise CallError(one_line(error)) from error

    def _connected(self) -> Client:
        """The client of the scheduler, which is reached, or started, the first time."""
        if self._client is None:
            self._stack.enter_context(_silent())
            if self.address is None:
                cluster = self._stack.enter_context(
                    LocalCluster(n_workers=self.workers, threads_per_worker=1, dashboard_address=None)
                )
                client = Client(cluster, timeout=PATIENCE, set_as_default=False)
            else:
                client = reach(self.address, PATIENCE)
            self._client = self._stack.enter_context(client)
            self._stack.callback(self._leave, client)
        return self._client

    def _shared(self) -> Future:
        """The setup, on the cluster: a task, unlike scattered data, is made again when its worker is lost."""
        if self._setup is None:
            client = self._connected()
            beside = max(1, sum(client.nthreads().values()))
            setup = Setup(uuid.uuid4().hex, self.images, replace(self.backend), self.timeout, beside, str(Path.cwd()))
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
                self._setup = client.submit(_same, setup, key=f"setup-{setup.token}")
        return self._setup

    def _outcome(self, future: Future, shard: Shard) -> Outcome:
        with _scheduler_needed():
            if future.status in ("finished", "cancelled"):
                return future.result()
            error = future.exception()
        if isinstance(error, KilledWorker):
            return Observation.of(self.images, shard).unsolved(FAILED, "its dask worker died again and again", 0.0)
        assert error is not None
        raise error

    def _leave(self, client: Client) -> None:
        """End what is still at work for this sweep. A cluster that is about to be closed may fail to answer."""
        if client.status != "running":
            return
        with contextlib.suppress(Exception):
            client.cancel(list(self._futures), force=True)
            client.run(_end_crews, on_error="ignore")


def reach(address: str, patience: float) -> Client:
    """A client of the scheduler at this address, within so many seconds.

    Raises:
        RequestError: there is none, or something else answers.
    """
    deadline = time.monotonic() + patience
    nobody = f"--dask-scheduler '{address}': no dask scheduler answers there"
    try:
        security = _security(address)
        with ThreadPoolExecutor(1) as thread:  # a thread: this one may have an event loop at work
            thread.submit(asyncio.run, _greet(address, security, patience)).result()
            left = max(1.0, deadline - time.monotonic())
            return Client(address, timeout=left, security=security, set_as_default=False)
    except TimeoutError as error:
        raise RequestError(f"{nobody} within {patience:g} s") from error
    except MemoryError as error:  # dask takes the first bytes of anything for a length
        raise RequestError(f"{nobody}, but something else") from error
    except Exception as error:  # whatever else may come of such bytes
        raise RequestError(f"{nobody} ({one_line(error)})") from error


async def _greet(address: str, security: Security, patience: float) -> None:
    """Ask who is there. A `Client` would wait without end for one that says nothing, and leave threads behind."""
    connection = security.get_connection_args("client")
    async with asyncio.timeout(patience), rpc(address, timeout=patience, connection_args=connection) as there:
        kind = (await there.identity())["type"]
    if kind != "Scheduler":
        raise ValueError(f"it is a {kind}")


def _security(address: str) -> Security:
    """As `Client` chooses it: from dask's configuration."""
    loader = dask.config.get("distributed.client.security-loader")
    security = (import_term(loader)({"address": address}) if loader else None) or Security()
    if address.startswith(("tls://", "wss://")) and security.get_connection_args("client")["ssl_context"] is None:
        raise ValueError("tls needs certificates: set distributed.comm.tls in dask's configuration")
    return security


@contextlib.contextmanager
def _scheduler_needed() -> Iterator[None]:
    """An error that says so where the scheduler is gone, in whichever way that shows."""
    try:
        yield
    except (OSError, CancelledError, ClosedClientError) as error:
        raise RequestError("the dask scheduler was lost: the same command goes on where it was") from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without what dask's client logs about a connection that fails: the error says it."""
    logger = logging.getLogger("distributed.client")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


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
        crew = Processes(setup.images, setup.backend, 1, setup.timeout, setup.beside, setup.folder)
        _crews[thread] = setup.token, crew
    return crew


def _end_crews() -> None:
    while _crews:
        _crews.popitem()[1][1].end()
