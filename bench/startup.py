"""The door through which the command line and its workers come in: streams that can be written to, what is not written
there, and a place to work.

Nothing here imports more than the standard library, so that whatever is wrong with the rest is said in one line.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import sys
import warnings
from pathlib import Path

from bench.errors import PACKAGES, Exit, OutputClosed, RequestError, tell

MARK = "phasebench"  # in the first line of each: a foreign package may have been installed over it
# Bytes; below, the libraries end the process when they are imported, with statuses of their own.
LEAST_ADDRESSES = 2**30

TOO_SMALL = r"grid .* is below 2n - 1"

_REMEDY = "install phasebench in a virtual environment of its own, and leave other folders out of PYTHONPATH"


def main() -> None:
    """`python -m bench`, and the script `phasebench`."""
    start("bench.cli")


def start(command_line: str) -> None:
    """Run `main` of this module: whatever happens, the program ends with one of our own exit statuses."""
    try:
        open_streams()
        try:
            require_a_place_to_work()
            leave_doubts_to_commands()
            importlib.import_module(command_line).main()
        finally:
            sys.stdout.flush()
    except OutputClosed:
        sys.exit(Exit.OUTPUT_CLOSED)
    except SystemExit:
        raise
    except BaseException as error:  # also what the imports raise, where memory or a package is missing
        sys.exit(tell(error))


def open_streams(reader_matters: bool = True) -> None:
    """Make the standard streams ready for any text, whether or not they were open, and whoever stops reading them.

    Args:
        reader_matters: whether to end, with `OutputClosed`, where nobody reads standard output any more.
    """
    for descriptor in range(3):  # a file that is opened must not be given the number of a stream that was closed
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = _text(_Stream(1, reader_matters), sys.stdout, "replace")
    sys.stderr = _text(_Stream(2, False), sys.stderr, "backslashreplace")


def _text(raw: io.RawIOBase, before: object, errors: str) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=True)


class _Stream(io.FileIO):
    """A standard stream. After a first failure it leads nowhere, so that the process can end in peace."""

    def __init__(self, descriptor: int, matters: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._matters = matters

    def write(self, content) -> int | None:  # type: ignore[no-untyped-def, override]
        try:
            return super().write(content)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if not self._matters:
                return super().write(content)
            if isinstance(error, BrokenPipeError):
                raise OutputClosed from None
            raise RequestError(f"standard output cannot be written: {error.strerror}") from error


def leave_doubts_to_commands() -> None:
    """Keep to itself the warning of `datasets.forward` that a grid is too small for an object.

    Commands say that once, in words of their own; every process would say it again for every batch.
    """
    warnings.filterwarnings("ignore", TOO_SMALL, UserWarning)


def require_a_place_to_work() -> None:
    """Refuse a machine on which, or an environment in which, the rest cannot run.

    Raises:
        RequestError: in one line, with what to do about it.
    """
    if sys.platform == "win32":
        raise RequestError("phasebench runs on Linux and macOS: on Windows, use its Linux subsystem (WSL)")
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESSES:
        raise RequestError(
            f"the limit of {limit // 1024} kB on virtual memory is too low: set ulimit -v to {LEAST_ADDRESSES // 1024} "
            "or more, or to unlimited"
        )
    home = Path(__file__).resolve().parents[1]
    for name in PACKAGES:
        found = _found(name)
        if found != home / name:
            raise RequestError(
                f"the package '{name}' in '{found}' stands in the way of phasebench's own in '{home}': {_REMEDY}"
            )
        if not _marked(found):
            raise RequestError(f"another package '{name}' was installed over phasebench's own in '{found}': {_REMEDY}")


def _found(name: str) -> Path | None:
    """The folder of the package that `import name` gives, without importing it."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # something without a spec was imported under this name
        return None
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec else [None]
    return Path(places[0]).resolve() if places[0] else None


def _marked(folder: Path) -> bool:
    try:
        with (folder / "__init__.py").open(encoding="utf-8", errors="replace") as source:
            return MARK in source.readline()
    except OSError:
        return False
