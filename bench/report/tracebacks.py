"""Where a traceback ends: what its reader has to look at first."""

from __future__ import annotations

import re
from pathlib import PurePath

from bench.errors import PACKAGES

_INSTALLED = re.compile(r"[/\\](site-packages|dist-packages|lib[/\\]python3[^/\\]*)[/\\]")
_FRAME = re.compile(r'^[ |]*File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)


def place_of(error: str) -> str:
    """Where a traceback ends, " (file:line)": the innermost frame of somebody's own code, which is not installed.

    Where there is none, the innermost one outside of our packages, or the innermost one. Empty where there is no
    traceback, as after a timeout.
    """
    last = error.rpartition("Traceback (most recent call last):")[2]
    frames = [(PurePath(frame["file"]), frame["line"]) for frame in _FRAME.finditer(last)]
    if not frames:
        return ""
    outermost = frames[0][0]  # is ours, wherever it was raised: the packages of a cluster's machine lie elsewhere
    ours = [root / name for root in outermost.parents for name in PACKAGES if outermost.is_relative_to(root / "bench")]
    theirs = [frame for frame in frames if not any(frame[0].is_relative_to(package) for package in ours)]
    own = [frame for frame in theirs if not _INSTALLED.search(str(frame[0]))]
    file, line = (own or theirs or frames)[-1]
    return f" ({file}:{line})"
