"""Where the arrays live. Solver code is written once, against the array API, and runs on any of these."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from solvers.errors import UnavailableError

Array = Any  # an array of whichever library is in use: the array API standard has no static type yet
BackendName = Literal["numpy", "torch", "cupy"]
DeviceName = Literal["cpu", "cuda"]
Precision = Literal["float32", "float64"]

BACKENDS: tuple[str, ...] = get_args(BackendName)
DEVICES: tuple[str, ...] = get_args(DeviceName)
PRECISIONS: tuple[str, ...] = get_args(Precision)


@dataclass(frozen=True)
class Backend:
    """An array library on a device, in a precision, with a number of threads."""

    name: BackendName = "torch"
    device: DeviceName = "cpu"
    precision: Precision = "float32"
    threads: int = 1

    @cached_property
    def xp(self) -> ModuleType:
        """The library's array API namespace."""
        return importlib.import_module(f"array_api_compat.{self.name}")

    def asarray(self, array: NDArray) -> Array:
        """A NumPy array on this device, floats and complex numbers in this precision."""
        array = np.asarray(array)
        if array.dtype.kind == "f":
            array = array.astype(self.precision, copy=False)
        elif array.dtype.kind == "c":
            array = array.astype(np.result_type(self.precision, np.complex64), copy=False)
        if self.name == "numpy":
            return array
        return self.xp.asarray(array, device=self.device) if self.name == "torch" else self.xp.asarray(array)

    def to_numpy(self, array: Array) -> NDArray:
        """The same values on the host; waits for the device."""
        if self.name == "torch":
            return array.detach().cpu().numpy()
        return array.get() if self.name == "cupy" else np.asarray(array)

    def synchronize(self) -> None:
        """Wait until the device has done all that was asked of it: call it before reading a clock."""
        if self.device == "cuda":
            if self.name == "torch":
                import torch

                torch.cuda.synchronize()
            else:
                import cupy

                cupy.cuda.get_current_stream().synchronize()

    def compute_alone(self) -> None:
        """One thread for the array operations of the calling thread: torch and MKL count for each thread apart."""
        if self.name == "torch":
            import torch

            torch.set_num_threads(1)

    @contextlib.contextmanager
    def single_threaded(self) -> Iterator[None]:
        """One thread for each array operation, for code that runs several blocks of images side by side."""
        with torch_threads(1) if self.name == "torch" else contextlib.nullcontext():
            yield


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads for each operation of torch that the calling thread asks for."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def bf16_is_fast(device: str) -> bool:
    """Whether a device has instructions for bf16: recent GPUs, and CPUs with AMX or AVX512-BF16, which take half as
    long as in float32. Where it has to be emulated, it takes 1.4 times as long (AVX-512), or 6 times (AVX2)."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    instructions = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # no public names for them yet
    return any(getattr(torch.cpu, name, bool)() for name in instructions)


def select_backend(
    name: str = "auto", device: str = "cpu", precision: str = "float32", threads: int | None = None
) -> Backend:
    """The backend a user asked for.

    `auto` is torch on a CPU (its FFT is the fastest of the three), and CuPy on a GPU; without CuPy it is torch there
    too, which runs portable code.

    Raises:
        UnavailableError: the name, device or precision is unknown, or this machine does not have it. There is no
            silent fallback from a GPU to a CPU.
    """
    _choose("backend", name, ("auto", *BACKENDS))
    _choose("device", device, DEVICES)
    _choose("precision", precision, PRECISIONS)
    if threads is not None and threads < 1:
        raise UnavailableError(f"threads must be at least 1, got {threads}")
    if name == "auto":
        name = "torch" if device == "cpu" or importlib.util.find_spec("cupy") is None else "cupy"
    if name == "numpy" and device == "cuda":
        raise UnavailableError("backend 'numpy' has no device 'cuda': choose torch or cupy")
    if name == "cupy":
        if device == "cpu":
            raise UnavailableError("backend 'cupy' has no device 'cpu': choose numpy or torch, or --device cuda")
        _require_cupy()
    if name == "torch" and device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise UnavailableError("device 'cuda' was asked for, but torch finds no GPU here: use --device cpu")
    return Backend(name, device, precision, threads or processors())  # type: ignore[arg-type]


def processors() -> int:
    """How many processors this process may use; where the system does not say, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choose(kind: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UnavailableError(f"unknown {kind} '{value}': choose from {', '.join(choices)}")


def _require_cupy() -> None:
    if importlib.util.find_spec("cupy") is None:
        raise UnavailableError("backend 'cupy' is not installed: pip install -e '.[gpu]'")
    import cupy

    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        found = 0
    if not found:
        raise UnavailableError("device 'cuda' was asked for, but CuPy finds no GPU here: use --device cpu")
