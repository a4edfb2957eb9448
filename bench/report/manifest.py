"""What would be needed to repeat a run: versions, device, seeds, and hashes of data, measurements and weights."""

from __future__ import annotations

import hashlib
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from bench.request import Sweep
from datasets import ImageSet, PatternSet
from datasets.problem import COLUMNS, Problem
from solvers import Backend
from solvers.checkout import commit
from solvers.compiled import kernels

MANIFEST = "manifest.json"
PACKAGES = ("phasebench", "numpy", "scipy", "torch", "pandas", "pyarrow", "array-api-compat", "cupy-cuda13x")


def manifest(sweep: Sweep, images: ImageSet | PatternSet, backend: Backend, rows: pd.DataFrame) -> dict[str, Any]:
    """A JSON-ready description of a finished run."""
    return {
        "sweep": sweep.model_dump(mode="json"),
        "argv": arguments(),
        "commit": commit(),
        "python": platform.python_version(),
        "packages": versions(),
        "machine": machine(backend),
        "data": {"name": images.name, "split": images.split, "source": images.source, "sha256": images.digest},
        **hashes(rows),
    }


def arguments() -> list[str]:
    """What was said after `python -m bench`; nothing where a program of the user's called us."""
    called = Path(sys.argv[0])
    name = called.parent.name if called.stem == "__main__" else called.stem
    return sys.argv[1:] if name in ("bench", "phasebench") else []


def hashes(rows: pd.DataFrame) -> dict[str, dict[str, str]]:
    """SHA-256 of the measurements of each problem, and of the weights of each solver that has some."""
    return {
        "measurements": {
            str(Problem(**dict(zip(COLUMNS, setting, strict=True)))): hashlib.sha256(
                "".join(group.drop_duplicates(["seed", "image"])["measurement"]).encode()
            ).hexdigest()
            for setting, group in rows.groupby(list(COLUMNS), sort=False)
        },
        "weights": {
            f"{solver} on {variant}": digest
            for (solver, variant), digest in rows.groupby(["solver", "variant"], sort=False)["weights"].first().items()
            if digest
        },
    }


def machine(backend: Backend) -> dict[str, Any]:
    """The hardware that computed, as far as it says its name."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "device": _device_name(backend),
        "backend": backend.name,
        "precision": backend.precision,
        "threads": backend.threads,
        "kernels": "portable" if kernels() is None else "compiled",
    }


def versions() -> dict[str, str]:
    """The installed packages that can change a number."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _device_name(backend: Backend) -> str:
    if backend.device == "cpu":
        return "cpu"
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else backend.device
