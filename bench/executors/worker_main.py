"""What runs in a worker process: the tasks of one solver, one after the other."""

from __future__ import annotations

import contextlib
import os
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from bench.executors.channel import Channel
from bench.executors.probes import Bench
from bench.executors.task import Task, answer
from solvers import Backend


def work(connection: Connection, outgoing: int, incoming: int, backend: Backend) -> None:
    """Say that all is ready, then answer every task, until nobody listens any more."""
    channel, bench = Channel(connection, outgoing, incoming), Bench(backend)

    def tell(seen: dict[str, Any]) -> None:
        channel.send({"seen": seen})
        channel.receive()  # the owner is done with the arrays, whose memory the next message uses again

    _warm_up(backend)
    with contextlib.suppress(EOFError, OSError):
        channel.send({"ready": os.getpid()})
        while True:
            task = Task.of(channel.receive())
            _send(channel, answer(task, bench, tell))


def _send(channel: Channel, message: dict[str, Any]) -> None:
    try:
        channel.send(message)
    except (TypeError, ValueError, RecursionError) as error:  # a plug-in's value that is no plain data
        channel.send({"error": f"no answer could be sent: {error}"})


def _warm_up(backend: Backend) -> None:
    """Start the threads and load the libraries whose first use takes a while: no solver is to be charged for them."""
    fft, images = backend.xp.fft, backend.asarray(np.ones((64, 64, 64), np.float32))
    images = fft.irfftn(fft.rfftn(images, axes=(1, 2)), s=(64, 64), axes=(1, 2)) + images
    backend.to_numpy(images)
