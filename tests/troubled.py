"""A plug-in that gets into trouble on one image, for the tests of what ends, dies or hangs in another process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Literal

import numpy as np
from doubles import announce

from datasets import Measurement
from solvers import Information, Reconstruction, Solver, Status, Streams


class Troubled(Solver):
    """Returns what the measurement alone gives, F⁻¹√Y, unless it is asked for the image `at`.

    In `folder` it keeps a file "log" with a line for each call: its process and the first image.
    """

    name = "troubled"
    summary = "gets into trouble on purpose"

    trouble: Literal["none", "hang", "die", "die_once", "die_alone"] = "none"
    at: int = 0
    folder: str = ""

    def information(self) -> Information:
        return Information()

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        self._note(f"{os.getpid()} {measurement.indices[0]}")
        if self.at in measurement.indices:
            self._get_into_trouble(len(measurement))
        n = len(measurement)
        ones = np.ones(n, dtype=np.int64)
        images = np.fft.ifft2(np.sqrt(measurement.intensities)).real
        return Reconstruction(images, np.ones(n), ones, ones, ones, [Status.STOPPED] * n)

    def _get_into_trouble(self, images: int) -> None:
        if self.trouble == "hang":
            child = subprocess.Popen(["sleep", "1000"])
            self._note(f"{child.pid} sleeps")
            time.sleep(1000)
        elif (
            self.trouble == "die"
            or (self.trouble == "die_once" and len(self._log()) == 1)
            or (self.trouble == "die_alone" and images == 1)
        ):
            os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, line: str) -> None:
        if self.folder:
            with (Path(self.folder) / "log").open("a") as stream:
                stream.write(line + "\n")

    def _log(self) -> list[str]:
        return (Path(self.folder) / "log").read_text().splitlines()


def install(site: Path) -> Path:
    """Announce the plug-in of this file to every process that has the folder on its path."""
    return announce(site, "troubled", "troubled:Troubled")


def calls(folder: Path) -> list[tuple[int, str]]:
    """The lines of the log: a process, and the first image of the call."""
    log = folder / "log"
    lines = log.read_text().splitlines() if log.is_file() else []
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


def alive(pid: int) -> bool:
    """Whether a process is there, and not only waiting to be collected."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
