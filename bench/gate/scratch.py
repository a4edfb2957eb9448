"""A temporary folder that does not outlive its process for long, however the process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "phasebench-"
MARK = ".phasebench-temporary"  # the file whose lock says that the folder's owner lives; nobody else has such a file
YOUNG = 60.0  # seconds: a folder may have its mark, and not yet the lock


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty temporary folder, removed at the end.

    A killed process removes nothing: what is left of those is swept up here first. Its lock ended with it.
    """
    _sweep_up()
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as name:
        descriptor = os.open(Path(name) / MARK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            folder = Path(name) / "run"
            folder.mkdir()
            yield folder
        finally:
            os.close(descriptor)


def _sweep_up() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another process sweeps as well
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid() and _is_abandoned(folder / MARK):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(mark: Path) -> bool:
    if mark.is_symlink() or not mark.is_file() or time.time() - mark.stat().st_mtime < YOUNG:
        return False
    descriptor = os.open(mark, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
