"""One process at a time in an output folder. The lock is the kernel's: it ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from bench.errors import RequestError

NAME = ".phasebench.lock"

_PATIENCE = 0.3  # seconds; `bench status` holds the lock for an instant when it looks who has it


class Lock:
    """The lock of a folder, which must exist. Its file names the process that holds it, and is never removed.

    Another `name` is another lock: of one thing among several in the folder.
    """

    def __init__(self, folder: Path, name: str = NAME) -> None:
        self.folder, self.name = folder, name
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            RequestError: another process has it; the message names that process and its host.
        """
        descriptor = os.open(self.folder / self.name, os.O_RDWR | os.O_CREAT, 0o644)
        give_up = time.monotonic() + _PATIENCE
        while not _try(descriptor):
            if time.monotonic() > give_up:
                holder = _read(descriptor)
                os.close(descriptor)
                raise RequestError(
                    f"output '{self.folder}' is in use by {holder}: wait for it to end, or choose another folder"
                )
            time.sleep(0.05)
        self._descriptor = descriptor

    def sign(self) -> None:
        """Write down who holds it."""
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def holds(self) -> bool:
        """Whether what is locked is still the folder that has this path: it may have been deleted, or replaced."""
        assert self._descriptor is not None
        try:
            return os.path.samestat(os.fstat(self._descriptor), (self.folder / self.name).stat())
        except OSError:
            return False

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(folder: Path) -> str | None:
    """The process that works in a folder, in words; None where there is none."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _try(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 300, 0).decode(errors="replace").strip() or "another process"
