"""NVRTC, CUDA's run-time compiler, without a GPU: from its PyPI wheel, by ctypes."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Compiled:
    """What the compiler says of a program with one or more kernels: sums for spills, the largest of registers."""

    cubin: bytes
    log: str

    @property
    def registers(self) -> int:
        return max(int(n) for n in re.findall(r"Used (\d+) registers", self.log))

    @property
    def spilled(self) -> int:
        return sum(int(n) for n in re.findall(r"(\d+) bytes spill stores", self.log))

    @property
    def stack(self) -> int:
        return sum(int(n) for n in re.findall(r"(\d+) bytes stack frame", self.log))


@cache
def compiler() -> ctypes.CDLL | None:
    """The compiler; None where the wheel nvidia-cuda-nvrtc is not installed."""
    package = importlib.util.find_spec("nvidia")
    for folder in package.submodule_search_locations or () if package else ():
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.[0-9]*")):
            for part in path.parent.glob("libnvrtc-builtins.so.*"):
                ctypes.CDLL(str(part))  # it looks for this one by name, which is then already there
            return ctypes.CDLL(str(path))
    return None


def build(source: str, options: tuple[str, ...], architecture: str) -> Compiled:
    """Compile to machine code of an architecture as sm_90.

    Raises:
        ValueError: the program has errors or warnings, which are the message.
    """
    nvrtc = compiler()
    assert nvrtc is not None
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    flags = [f"--gpu-architecture={architecture}", "--ptxas-options=-v", *options]
    status = nvrtc.nvrtcCompileProgram(program, len(flags), (ctypes.c_char_p * len(flags))(*map(str.encode, flags)))
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, text)
    log = text.value.decode()
    if status or "warning" in log:
        raise ValueError(log)
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    cubin = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, cubin)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return Compiled(cubin.raw, log)
