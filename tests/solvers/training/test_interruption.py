"""Signals that ask a process to stop."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from solvers.training.interruption import SIGNALS, Interruption, terminated_as_interrupted


@pytest.fixture(autouse=True)
def heard():
    """Handlers that only take note, whatever those of this process are."""
    numbers: list[int] = []
    before = {number: signal.signal(number, lambda n, frame: numbers.append(n)) for number in SIGNALS}
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_noted_and_the_second_finds_the_handler_of_before(heard, number):
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.asked
        assert not heard
        os.kill(os.getpid(), number)
        assert heard == [number]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_is_an_interruption(heard, number):
    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)
    assert heard == [number]


def test_what_nohup_has_set_to_be_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with terminated_as_interrupted(), Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not interruption.asked
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_in_another_thread_no_handler_is_set():
    def work():
        with terminated_as_interrupted(), Interruption() as interruption:
            results.append(interruption.asked)

    results: list[bool] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [False]
