"""What runs in a worker process. `bench.executors.worker_process` starts it, with a socket for standard input."""

from __future__ import annotations

import os
import pickle
import select
import signal
import threading
from dataclasses import replace
from multiprocessing.connection import Connection


def main() -> None:
    """Take the images and the backend, say that all is ready, then answer every shard and every call."""
    connection = Connection(os.dup(0))
    with open(os.devnull) as nothing:  # noqa: PTH123 - a solver that reads its standard input finds nothing
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with_owner, args=(connection.fileno(),), daemon=True).start()
    setup = connection.recv_bytes()  # before the imports, so that the owner does not wait for them
    from bench.executors.call import Call
    from bench.keys import code_of
    from bench.shard import Worker

    worker = Worker(*pickle.loads(setup))
    connection.send(None)
    while True:
        task = connection.recv()
        if isinstance(task, Call):
            connection.send(task.answer(worker.images, worker.backend))
        else:
            outcome = worker.run(task)
            connection.send(replace(outcome, code=code_of(task.solver)))


def _end_with_owner(descriptor: int) -> None:
    """Wait until the other end of the socket is closed: nobody wants the result any more."""
    poll = select.poll()
    poll.register(descriptor, 0)  # a hang-up is reported without being asked for
    poll.poll()
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
