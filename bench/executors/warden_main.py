"""The warden of the workers: the one process that starts them, sees them end, and ends them.

It runs no solver itself. It has imported what all workers need and forks them, so that each solver gets a fresh process
for a hundredth of a second; torch has no threads yet that would not survive that. Because it is its own process, a
worker's end is noticed though a child of the worker keeps the socket open, and workers end with their owner though
they hold the interpreter's lock. What a dead worker has left behind is ended before its death is told.

It is started as a file: its modules are found on the search path of its owner, which comes through the socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import sys
import time
import warnings
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solvers import Backend

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux: who loses its parent becomes a child of this process
_PATIENCE = 5.0  # seconds for a killed process to be gone


def main() -> None:
    """Serve the owner, whose socket is the standard input, until it is closed or this process is terminated."""
    control = Connection(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3))  # 1 and 2 are those of streams, even if closed
    with open(os.devnull) as nothing:  # noqa: PTH123 - a solver that reads its standard input finds nothing
        os.dup2(nothing.fileno(), 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    adopt_orphans()
    workers: set[int] = set()
    try:
        with contextlib.suppress(EOFError, OSError, RuntimeError):  # the owner is gone
            _serve(control, workers)
    finally:
        for pid in workers:
            _kill(pid)
        _end_children(set())


def _serve(control: Connection, workers: set[int]) -> None:
    settings = json.loads(control.recv_bytes())
    sys.path[:] = settings["path"]
    from bench.startup import leave_doubts_to_commands, open_streams
    from solvers import Backend

    open_streams(reader_matters=False)
    leave_doubts_to_commands()
    backend = Backend(**settings["backend"])
    _prepare(backend)
    alarm = _alarm()
    control.send_bytes(b"{}")
    while True:
        heard = wait([control, alarm[0]])
        if alarm[0] in heard:
            os.read(alarm[0], 4096)
            _bury(workers, control)
        if control in heard:
            order = json.loads(control.recv_bytes())
            if "end" not in order:
                workers.add(_start(control, alarm, backend, order["folder"]))
            elif order["end"] in workers:  # else its death was told already
                _kill(order["end"])


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _prepare(backend: Backend) -> None:
    """Import what every worker needs, and read the code that all of them have to name."""
    from bench.executors import worker_main  # noqa: F401
    from bench.executors.code import code_of

    code_of("er")
    _ = backend.xp  # which imports the library, but touches no GPU yet: its state would not survive a fork


def _start(control: Connection, alarm: tuple[int, int], backend: Backend, folder: str) -> int:
    """Fork a worker in a folder, with a socket and two pieces of memory from the owner, who is told its number."""
    socket, incoming, outgoing = (recv_handle(control) for _ in range(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: only OpenBLAS has some, and ends them first
        pid = os.fork()
    if pid:
        for descriptor in (socket, incoming, outgoing):
            os.close(descriptor)
        control.send_bytes(json.dumps({"started": pid}).encode())
        return pid
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        control.close()
        for descriptor in alarm:
            os.close(descriptor)
        adopt_orphans()
        with contextlib.suppress(OSError):  # another machine may not have it
            os.chdir(folder)
        from bench.executors.worker_main import work

        work(Connection(socket), outgoing, incoming, backend)
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def _alarm() -> tuple[int, int]:
    """The two ends of a pipe that can be read once a child has ended."""
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader, writer


def _bury(workers: set[int], control: Connection) -> None:
    """Collect the dead, end what the workers among them have left, and then tell the owner."""
    dead = {}
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            dead[found[0]] = os.waitstatus_to_exitcode(found[1])
    dead = {pid: status for pid, status in dead.items() if pid in workers}
    workers -= dead.keys()
    for pid in dead:
        _kill(pid)  # the rest of its process group
    if dead:
        _end_children(workers)
    for pid, status in dead.items():
        with contextlib.suppress(OSError):  # the owner is gone, which the main loop will find
            control.send_bytes(json.dumps({"died": pid, "status": status}).encode())


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _end_children(workers: set[int]) -> None:
    """End every child but the workers: orphans of dead workers, and what these leave in turn."""
    give_up = time.monotonic() + _PATIENCE
    while (strays := _children() - workers) and time.monotonic() < give_up:
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    time.sleep(0.001)


def _children() -> set[int]:
    """The processes whose parent this one is, the dead that were not collected among them; none where /proc is not."""
    me, found = str(os.getpid()), set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if entry.read_text(errors="replace").rpartition(")")[2].split()[1] == me:
                found.add(int(entry.parent.name))
    return found


if __name__ == "__main__":
    main()
