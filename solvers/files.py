"""Files that are written whole or not at all: each is either the old one or the new one, never half of one."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from datasets.files import read_regular as read_regular  # where a file is read that may be anything

_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}", re.DOTALL)


def replace_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` with a temporary file beside `path`, flush it to the disk, and rename it to `path`.

    A failure leaves what was there before and no temporary file.
    """
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as stream:  # not tempfile's: others may read as much as the umask allows
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def temporary_beside(path: Path) -> Path:
    """A name that is free, for what is going to be renamed to `path`."""
    return path.parent / f".{path.name}.{secrets.token_hex(4)}"


def written_for(name: str) -> str:
    """What a temporary file of this name would have been renamed to; empty where it is none."""
    found = _TEMPORARY.fullmatch(name)
    return found[1] if found else ""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by these bytes. Its folder must be there: to make it again would hide that it was deleted."""
    replace_atomically(path, lambda stream: stream.write(content))


def write_text(path: Path, text: str) -> None:
    """Replace a text file, in UTF-8."""
    write_atomically(path, text.encode("utf-8"))


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
