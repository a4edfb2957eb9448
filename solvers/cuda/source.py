"""The kernels' source text and the options it is compiled with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from solvers.compiled import MAPS

OPTIONS = (
    "--std=c++17",
    "--ftz=true",  # rsqrtf is one instruction then
    "--device-as-default-execution-space",  # of lambdas, which say nothing of it
    "--diag-suppress=177",  # functions of maps.cuh that a file does not use
)


@cache
def source(name: str) -> str:
    """One compilation: what all kernels share, then `projection` or `elementwise`."""
    folder = Path(__file__).parent
    return "\n".join((folder / file).read_text(encoding="utf-8") for file in ("maps.cuh", f"{name}.cu"))


def map_macros(name: str, nonnegative: bool) -> dict[str, int]:
    """The definitions that choose a map."""
    return {"MAP": MAPS.index(name), "NONNEGATIVE": int(nonnegative)}


def size_macros(grid: tuple[int, int], box: tuple[int, int]) -> dict[str, int]:
    """The definitions that maps.cuh asks for."""
    return {"M1": grid[0], "M2": grid[1], "N1": box[0], "N2": box[1]}


def options(macros: dict[str, int]) -> tuple[str, ...]:
    """NVRTC's options for a compilation with these definitions."""
    return (*OPTIONS, *(f"-D{name}={value}" for name, value in macros.items()))
