"""What is no dask scheduler, or no longer one, is an error of one line, within the stated patience."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from distributed import LocalCluster
from distributed.comm import CommClosedError
from troubled import calls, install

from bench.commands.run import run_sweep
from bench.errors import RequestError
from bench.executors.cluster import Cluster, reach
from bench.request import request
from bench.sweep.shard import Shard
from datasets import load_images
from datasets.problem import Problem
from solvers import Backend

HTTP = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html></html>"


@contextlib.contextmanager
def server(greeting: bytes, stays: bool) -> Iterator[str]:
    """The address of something that accepts connections, sends this, and then stays or goes."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as visitors:

        def serve() -> None:
            with contextlib.suppress(OSError):  # the end of the test
                while True:
                    visitor = visitors.enter_context(listening.accept()[0])
                    visitor.sendall(greeting)
                    if not stays:
                        visitor.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("stays", [True, False], ids=["stays", "goes"])
@pytest.mark.parametrize(
    "greeting",
    [b"", HTTP, bytes(range(256)), bytes(64), (5).to_bytes(8, "little") + b"hello" * 20],
    ids=["silent", "http", "bytes", "zeros", "frames"],
)
def test_what_is_no_scheduler_is_told_in_one_line(greeting, stays, caplog):
    before = threading.active_count()
    with server(greeting, stays) as address, pytest.raises(RequestError, match="no dask scheduler answers") as told:
        reach(address, 0.3)
    assert "\n" not in str(told.value)
    assert address in str(told.value)
    assert caplog.text == ""
    assert threading.active_count() <= before


def test_where_nobody_listens_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.executors.cluster.PATIENCE", 0.1)
    sweep = request(solvers=("er",), images=2, dataset="sample", executor="dask", dask_scheduler="tcp://127.0.0.1:9")
    with pytest.raises(RequestError, match=r"no dask scheduler answers there within 0\.1 s"):
        run_sweep(sweep, tmp_path / "out", figures=False)


def test_tls_without_certificates_is_told_in_one_line():
    with pytest.raises(RequestError, match="tls needs certificates"):
        reach("tls://127.0.0.1:9", 0.1)


@pytest.fixture
def cluster():
    """A scheduler and a worker in this process, reached through a socket."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


def test_a_worker_is_not_taken_for_a_scheduler(cluster):
    with pytest.raises(RequestError, match="it is a Worker"):
        reach(cluster.workers[0].address, 5.0)


@pytest.mark.slow
def test_a_scheduler_that_is_lost_in_the_middle_is_told_in_one_line(cluster, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(install(tmp_path / "site")))
    label = f"troubled[trouble=hang,at=0,folder={tmp_path}]"
    images, backend = load_images("sample"), Backend()

    async def lose() -> None:
        for comm in list(cluster.scheduler.client_comms.values()):
            comm.abort()

    def lose_once_at_work() -> None:
        while not calls(tmp_path):
            time.sleep(0.02)
        cluster.sync(lose)

    with Cluster(images, backend, 1, 3.0, cluster.scheduler_address) as executor:
        loser = threading.Thread(target=lose_once_at_work, daemon=True)
        loser.start()
        with pytest.raises(RequestError, match="scheduler was lost: the same command goes on"):
            list(executor.run([Shard(Problem(dataset="sample", variant="none"), label, 0, 0, 1)]))
        loser.join()


@pytest.mark.parametrize(
    "error", [CommClosedError("in <TCP>: Stream is closed"), TimeoutError(), ConnectionResetError()]
)
def test_a_result_that_can_no_longer_be_fetched_means_that_the_scheduler_is_lost(monkeypatch, error):
    class Unreachable:
        status = "finished"

        def result(self):
            raise error

    executor = Cluster(load_images("sample"), Backend(), 1, None, "tcp://127.0.0.1:9")
    with pytest.raises(RequestError, match="scheduler was lost"):
        executor._outcome(Unreachable(), Shard(Problem(dataset="sample", variant="none"), "er", 0, 0, 1))
