"""The folder of a reconstruction: starts as they are finished, so that a stopped command goes on; then the results."""

from __future__ import annotations

import contextlib
import io
import json
import platform
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from bench.errors import RequestError
from bench.reconstruction.job import Job
from bench.reconstruction.result import Reconstructed
from bench.reconstruction.starts import Start
from bench.report.manifest import MANIFEST, arguments, machine, versions
from bench.store.lock import NAME as LOCK_NAME
from bench.store.lock import Lock
from bench.store.tables import write_csv
from solvers.checkout import commit
from solvers.files import read_regular, sha256, write_atomically, write_text, written_for

CLAIM = "reconstruction.json"
STARTS = "starts"
LARGEST_START = 2**32  # bytes

_WRITTEN = (".npz", ".json", ".csv", ".png", ".tif")


class Folder:
    """The output folder of one job, which it has for itself while it is entered."""

    def __init__(self, path: Path, job: Job) -> None:
        self.path, self.job = path, job
        self._lock = Lock(path)

    def __enter__(self) -> Folder:
        """Make it ready, or refuse it before anything in it is touched.

        Raises:
            RequestError: it cannot be written, is in use, or holds something else.
        """
        try:
            self._check()
            (self.path / STARTS).mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            try:
                self._check()
                self._lock.sign()
                for folder in (self.path, self.path / STARTS):
                    for left in folder.iterdir():
                        if written_for(left.name).endswith(_WRITTEN):
                            left.unlink(missing_ok=True)
                write_text(self.path / CLAIM, json.dumps(self.job.identity, indent=2) + "\n")
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise RequestError(f"output '{self.path}' cannot be written: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave a folder that another job may have, where this one has failed without a single start."""
        starts = self.path / STARTS
        with contextlib.suppress(OSError):
            if error is not None and not any(starts.iterdir()):
                (self.path / CLAIM).unlink(missing_ok=True)
                starts.rmdir()
        self._lock.release()

    def done(self) -> dict[int, Start]:
        """The starts of this job that are there; a damaged one is left out, and made again."""
        found = {}
        for number in range(self.job.starts):
            start = self._load(number)
            if start is not None:
                found[number] = start
        return found

    def save(self, number: int, start: Start) -> None:
        """Keep a start that is finished.

        Raises:
            RequestError: the folder cannot be written any more.
        """
        stream = io.BytesIO()
        np.savez(
            stream,
            image=start.image,
            residual=start.residual,
            iterations=start.iterations,
            status=np.frombuffer(start.status.encode(), dtype=np.uint8),
        )
        try:
            write_atomically(self._file(number), stream.getvalue())
        except OSError as error:
            raise RequestError(f"output '{self.path}' cannot be written: {error.strerror}") from error

    def write(self, found: Reconstructed, source: str, options: dict[str, Any]) -> None:
        """Everything but the pictures, and a manifest of it."""
        stream = io.BytesIO()
        np.savez_compressed(
            stream,
            object=found.object,
            spread=found.spread,
            best=found.best,
            support=found.support,
            agrees=found.agrees,
            residual=found.residual,
            error=found.error,
        )
        write_atomically(self.path / "object.npz", stream.getvalue())
        _write_tiff(self.path / "object.tif", found)
        frequency, prtf = found.prtf
        table = pd.DataFrame({"frequency": frequency, "prtf": prtf, "residual": found.residual_by_ring()})
        write_csv(self.path / "prtf.csv", table)
        write_csv(self.path / "starts.csv", found.starts())
        files = ["object.npz", "object.tif", "prtf.csv", "starts.csv"]
        half_period = found.half_period
        described = {
            "pattern": source,
            "options": options,
            "argv": arguments(),
            **self.job.identity,
            "starts": self.job.starts,
            "object_shape": list(self.job.known.object_shape),
            "real": self.job.known.real,
            "nonnegative": self.job.known.nonnegative,
            "residual": float(np.nanmin(found.residual)),
            "agreeing": int(found.agrees.sum()),
            "half_period_pixels": half_period if np.isfinite(half_period) else None,
            "notes": list(found.notes),
            "warnings": list(found.warnings),
            "summary": found.summary(),
            "commit": commit(),
            "python": platform.python_version(),
            "packages": versions(),
            "machine": machine(self.job.backend),
            "files": {name: sha256((self.path / name).read_bytes()) for name in files},
        }
        write_text(self.path / MANIFEST, json.dumps(described, indent=2) + "\n")

    def _file(self, number: int) -> Path:
        return self.path / STARTS / f"{self.job.key}-{number:04d}.npz"

    def _load(self, number: int) -> Start | None:
        try:
            content = read_regular(self._file(number), LARGEST_START)
            with np.load(io.BytesIO(content), allow_pickle=False) as kept:
                start = Start(
                    kept["image"], float(kept["residual"]), int(kept["iterations"]), kept["status"].tobytes().decode()
                )
        except Exception:  # whatever a damaged file makes NumPy raise
            return None
        return start if start.image.shape == self.job.known.intensities.shape else None

    def _check(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise RequestError(f"output '{self.path}' is not a folder")
        if not self.path.is_dir():
            return
        claim = self.path / CLAIM
        if not claim.is_file():
            ours = (LOCK_NAME, STARTS)
            others = [entry.name for entry in self.path.iterdir() if entry.name not in ours]
            if any(not written_for(name).endswith(_WRITTEN) for name in others):
                raise RequestError(f"output '{self.path}' is not empty and holds no reconstruction: choose another one")
            return
        try:
            found = json.loads(read_regular(claim, 2**20))
        except (OSError, ValueError) as error:
            raise RequestError(f"'{claim}' is damaged: {error}") from error
        if found != self.job.identity:
            raise RequestError(
                f"output '{self.path}' holds a reconstruction of another pattern, or by other means: choose another one"
            )


def _write_tiff(path: Path, found: Reconstructed) -> None:
    """Two pages of float32: magnitude and phase; of real objects one page, the object itself."""
    x = found.object
    pages = [np.abs(x), np.angle(x)] if np.iscomplexobj(x) else [x]
    first, *others = (Image.fromarray(page.astype(np.float32), mode="F") for page in pages)
    stream = io.BytesIO()
    first.save(stream, format="TIFF", save_all=True, append_images=others)
    write_atomically(path, stream.getvalue())
