"""Threads that share their work finish all of it, and end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from solvers.relief import Relief


def share(relief: Relief, work: list[int], done: list[int]) -> None:
    """Halve the work for whoever waits, do one piece of the rest, and so on."""
    with relief.at_work():
        mine: list[int] | None = work
        while mine is not None:
            while mine:
                if len(mine) > 1 and relief.wanted():
                    half = len(mine) // 2
                    relief.offer(mine[:half])
                    mine = mine[half:]
                done.append(mine.pop())
            mine = relief.wait()


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("pieces", [0, 1, 2, 400])
def test_all_work_is_done_once_however_it_is_shared(workers, pieces):
    relief: Relief[list[int]] = Relief()
    done: list[int] = []
    with ThreadPoolExecutor(workers) as pool:
        for worker in [
            pool.submit(share, relief, list(range(pieces)) if i == 0 else [], done)  # one thread has it all
            for i in range(workers)
        ]:
            worker.result(timeout=5)
    assert sorted(done) == list(range(pieces))


def test_work_reaches_a_thread_that_waits():
    relief: Relief[str] = Relief()

    def wait() -> str | None:
        with relief.at_work():
            return relief.wait()

    with relief.at_work(), ThreadPoolExecutor(1) as pool:
        found = pool.submit(wait)
        while not relief.wanted():
            pass
        relief.offer("half a block")
        assert not relief.wanted()
        assert found.result(timeout=5) == "half a block"


def test_nobody_waits_for_a_thread_that_has_failed():
    relief: Relief[str] = Relief()
    waiting = threading.Event()

    def fail() -> None:
        with relief.at_work():
            waiting.wait(5)
            raise ValueError

    def wait() -> str | None:
        with relief.at_work():
            waiting.set()
            return relief.wait()

    with ThreadPoolExecutor(2) as pool:
        failure, found = pool.submit(fail), pool.submit(wait)
        assert found.result(timeout=5) is None
        assert isinstance(failure.exception(timeout=5), ValueError)


def test_a_thread_that_is_alone_waits_for_nobody():
    relief: Relief[str] = Relief()
    with relief.at_work():
        assert relief.wait() is None
