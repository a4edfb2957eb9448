"""What runs in a worker process. `bench.executors.worker_process` starts it, with a socket for standard input.

It is started as a file: its modules are found on the search path of its owner, which comes through the socket.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import signal
import sys
import threading
from dataclasses import replace
from multiprocessing.connection import Connection


def main() -> None:
    """Take the search path, the images and the backend, say that all is ready, then answer every shard and call."""
    connection = Connection(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3))  # 1 and 2 are those of streams, even if closed
    with open(os.devnull) as nothing:  # noqa: PTH123 - a solver that reads its standard input finds nothing
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with_owner, args=(connection.fileno(),), daemon=True).start()
    sys.path[:] = connection.recv()
    setup = connection.recv_bytes()  # before the imports, so that the owner does not wait for them
    from bench.startup import open_streams

    open_streams(reader_matters=False)
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
