"""Threads that share a queue do every task once, and end together."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from solvers.iterative.tasks import Tasks

WAIT = 5  # seconds that a test waits for threads that should end at once


def work(tasks: Tasks[int], most: int, done: list[int], taken: list[int] | None = None) -> None:
    """Do tasks until there are none; a number above zero is followed by the next smaller one."""
    while mine := tasks.take(most, patient=True):
        if taken is not None:
            taken.append(len(mine))
        for task in mine:
            done.append(task)
            tasks.done(1, [task - 1] if task else [])


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("most", [1, 16])
@pytest.mark.parametrize("first", [[], [0], [3], [7, 0, 2] * 30])
def test_every_task_and_what_follows_it_is_done_once(workers, most, first):
    tasks, done = Tasks(first, workers), []
    with ThreadPoolExecutor(workers) as pool:
        for worker in [pool.submit(work, tasks, most, done) for _ in range(workers)]:
            worker.result(timeout=WAIT)
    assert sorted(done) == sorted(step for task in first for step in range(task + 1))


def test_a_thread_alone_takes_as_many_as_it_can():
    taken: list[int] = []
    work(Tasks([0] * 40, 1), 16, [], taken)
    assert taken == [16, 16, 8]


def test_towards_the_end_threads_take_fewer():
    tasks = Tasks([0] * 100, 2)
    taken = [len(tasks.take(16, patient=False)) for _ in range(20)]
    assert taken[0] == 16
    assert taken == sorted(taken, reverse=True)
    assert 1 in taken
    assert sum(taken) == 100


def test_what_follows_is_done_next():
    tasks = Tasks([1, 2, 3], 1)
    tasks.take(1, patient=False)
    tasks.done(1, [9])
    assert tasks.take(16, patient=False) == [9, 2, 3]


def test_who_has_work_of_its_own_does_not_wait():
    tasks = Tasks([1], 1)
    assert tasks.take(1, patient=False) == [1]
    assert tasks.take(1, patient=False) == []


@pytest.mark.parametrize("ending", ["done", "followed", "cancelled"])
def test_who_has_none_waits_for_what_follows(ending):
    tasks, found = Tasks([1], 2), []
    tasks.take(1, patient=True)
    waiting = threading.Thread(target=lambda: found.append(tasks.take(1, patient=True)))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    if ending == "cancelled":
        tasks.cancel()
    else:
        tasks.done(1, [5] if ending == "followed" else [])
    waiting.join(WAIT)
    assert not waiting.is_alive()
    assert found == [[5] if ending == "followed" else []]


def test_after_a_cancellation_nothing_is_begun_and_nobody_waits():
    tasks = Tasks([1, 2], 2)
    tasks.take(1, patient=True)  # by a thread that will fail
    tasks.take(1, patient=True)
    tasks.cancel()
    tasks.done(1, [7])
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(tasks.take, 2, patient=True).result(timeout=WAIT) == []
