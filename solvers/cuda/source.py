"""The kernels' source text and the options it is compiled with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

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


def options(macros: Mapping[str, int]) -> tuple[str, ...]:
    """NVRTC's options for a compilation with these definitions."""
    return (*OPTIONS, *(f"-D{name}={value}" for name, value in macros.items()))
