"""A plug-in that does harm on purpose: to the process that it runs in, to other solvers, and to the comparison."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from datasets import Measurement
from solvers import Information, Reconstruction, Solver, Status, Streams

ODD = "\ud800\x1b[31m"  # no file takes the first character, and a terminal obeys the second


class Text:
    """Something that is no number, and not even text."""

    def __array__(self, *arguments: object, **options: object) -> None:
        raise RuntimeError("not an array")


class Hostile(Solver):
    """Returns empty images, after it has done what `act` says."""

    name = "hostile"
    summary = "does harm on purpose"

    act: str = "nothing"
    folder: str = ""

    results: ClassVar[dict[str, dict[str, Any]]] = {
        "text_residual": {"residual": np.array(["low", "lower"])},
        "complex_residual": {"residual": np.array([1j, 2j])},
        "huge_count": {"transforms": np.array([2**70, 1], dtype=object)},
        "unsigned_count": {"transforms": np.array([2**63, 1], dtype=np.uint64)},
        "negative_count": {"iterations": np.array([-1, 1])},
        "list_of_objects": {"starts": [Text(), Text()]},
        "text_images": {"images": np.full((2, 96, 96), "x")},
        "integer_images": {"images": np.ones((2, 96, 96), dtype=int)},
        "no_array": {"images": Text()},
        "short_status": {"status": [Status.SOLVED]},
        "unknown_status": {"status": ["solved", "brilliant"]},
        "number_as_status": {"status": [1, 2]},
        "nan_images": {"images": np.full((2, 96, 96), np.nan), "status": [Status.SOLVED] * 2},
        "negative_residual": {"residual": np.array([-3.0, 0.5])},
        "no_residual": {"residual": np.array([np.nan, np.inf])},
        "half_images": {"images": np.ones((2, 96, 96), dtype=np.float16)},
        "long_images": {"images": np.ones((2, 96, 96), dtype=np.longdouble)},
        "list_of_counts": {"iterations": [1, 2]},
    }

    def information(self) -> Information:
        if self.act == "information":
            raise RuntimeError("no comment")
        if self.act == "quit_instead_of_information":
            sys.exit(0)
        if self.act == "no_information":
            return None  # type: ignore[return-value]  # that is the harm
        return Information(support=ODD) if self.act == "odd_text" else Information()

    def weights_digest(self) -> Any:
        return {"digest": 12, "odd_text": ODD}.get(self.act, "")

    def solve(self, measurement: Measurement, rng: Streams) -> Any:
        n = len(measurement)
        ones = np.ones(n, dtype=np.int64)
        fields = {
            "images": np.zeros((n, *measurement.grid)),
            "residual": np.ones(n),
            "iterations": ones,
            "starts": ones,
            "transforms": ones,
            "status": [Status.STOPPED] * n,
        }
        if self.act == "dictionary":
            return fields
        if self.act in self.results:
            return Reconstruction(**fields | self.results[self.act])
        getattr(self, f"_{self.act}", lambda: None)()
        return Reconstruction(**fields)

    def _note(self, text: object) -> None:
        with (Path(self.folder) / "log").open("a") as stream:
            stream.write(f"{text}\n")

    def _look_for_the_truth(self) -> None:
        """Note the shape of every array in this process that is large enough to hold images, and of every frame's."""
        frame, found = sys._getframe(), []
        while frame is not None:
            found += [value for value in frame.f_locals.values() if isinstance(value, np.ndarray)]
            frame = frame.f_back
        found += [thing for thing in gc.get_objects() if isinstance(thing, np.ndarray)]
        found += [value for thing in gc.get_objects() if isinstance(thing, dict) for value in list(thing.values())]
        for array in found:
            if isinstance(array, np.ndarray) and array.ndim == 3:
                self._note(array.shape)

    def _patch_the_score(self) -> None:
        import bench.score.metrics
        import bench.sweep.shard

        perfect = lambda truth, *_, **__: 1 / 0  # noqa: E731
        bench.score.metrics.register = bench.sweep.shard.register = perfect

    def _patch_random_numbers(self) -> None:
        np.random.default_rng = lambda *_: np.random.Generator(np.random.PCG64(1))

    def _change_torch(self) -> None:
        import torch

        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(1)

    def _exit(self) -> None:
        os._exit(0)

    def _quit(self) -> None:
        sys.exit(0)

    def _interrupt(self) -> None:
        raise KeyboardInterrupt

    def _real_time_signal(self) -> None:
        os.kill(os.getpid(), 40)

    def _leave_a_child_and_die(self) -> None:
        """The child keeps whatever this process has open."""
        child = os.fork()
        if child == 0:
            time.sleep(1000)
            os._exit(0)
        self._note(child)
        os.kill(os.getpid(), signal.SIGKILL)

    def _kill_the_warden(self) -> None:
        """It is the parent of this process."""
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(1000)

    def _leave_a_daemon(self) -> None:
        """A child of its own session, which outlives its parent."""
        child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self._note(child.pid)

    def _leave_a_daemon_and_die(self) -> None:
        self._leave_a_daemon()
        os.kill(os.getpid(), signal.SIGKILL)

    def _hold_the_interpreter(self) -> None:
        """No other thread of this process runs any more."""
        self._note(os.getpid())
        ctypes.PyDLL(None).sleep(1000)

    def _talk_out_of_turn(self) -> None:
        """Write into everything that is open."""
        for descriptor in range(3, 256):
            with contextlib.suppress(OSError):
                os.write(descriptor, b"\0\0\0\4nope")

    def _close_everything(self) -> None:
        os.closerange(3, 256)
