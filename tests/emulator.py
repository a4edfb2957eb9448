"""CUDA kernels compiled for the CPU, and a library with the face of CuPy that runs them on NumPy arrays."""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

from solvers import Backend

COMPILER = shutil.which("g++")
HEADER = Path(__file__).with_name("gpu.h")
LATE = ("MAP", "NONNEGATIVE", "MASKED", "SUPPORT")  # macros that need not be known when the kernels are compiled
ORDERS = (0, 1, 2)  # in which the threads of a block run between two barriers: forwards, backwards, from the middle


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="emulated-")


class Emulated:
    """The kernels of one source file.

    Macros whose value is None are chosen when a kernel runs: `choose(MAP=2)`.
    """

    def __init__(self, source: str, macros: dict[str, int | None]) -> None:
        assert COMPILER is not None
        late = [name for name, value in macros.items() if value is None]
        self.signatures = {
            name: [re.sub(r"\s*\w+$", "", argument.strip()) for argument in arguments.split(",")]
            for name, arguments in re.findall(r'extern "C" __global__ void[^{;]*?\b(\w+)\(([^()]*)\) {', source)
        }
        values = lambda kinds: ", ".join(f"*({kind} *)arguments[{i}]" for i, kind in enumerate(kinds))  # noqa: E731
        thunks = "".join(
            f'extern "C" void launch_{name}(void **a, int blocks, int threads, int order, size_t bytes) {{\n'
            f"    static void **arguments;\n    arguments = a;\n"
            f"    auto body = [] {{ {name}({values(kinds)}); }};\n"
            f"    gpu::launch(blocks, threads, order, body, shared_memory, bytes);\n}}\n"
            for name, kinds in self.signatures.items()
        )
        program = "\n".join(
            [
                f'#include "{HEADER}"',
                *(f'extern "C" int late_{name};\nint late_{name};\n#define {name} late_{name}' for name in late),
                *(f"#define {name} {int(value)}" for name, value in macros.items() if value is not None),
                source,
                "#define SHARED_BYTES (1 << 18)",
                "Complex memory[SHARED_BYTES / sizeof(Complex)];\nstatic void *shared_memory = memory;",
                thunks,
            ]
        )
        built = Path(_folder().name) / f"{hashlib.sha256(program.encode()).hexdigest()}.so"
        if not built.exists():
            text = built.with_suffix(".cpp")
            text.write_text(program, encoding="utf-8")
            flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-w"]
            subprocess.run([COMPILER, *flags, str(text), "-o", str(built)], check=True)
        self.program = ctypes.CDLL(str(built))

    def choose(self, **values: int) -> None:
        for name, value in values.items():
            ctypes.c_int.in_dll(self.program, f"late_{name}").value = int(value)

    def launch(self, name: str, blocks: int, threads: int, arguments, *, shared: int = 0, order: int = 0) -> None:
        """Run a kernel; arguments are NumPy arrays and scalars of the declared sizes."""
        assert len(arguments) == len(self.signatures[name])
        held = []
        for argument, kind in zip(arguments, self.signatures[name], strict=True):
            if isinstance(argument, np.ndarray):
                assert argument.flags.c_contiguous
                assert kind.endswith("*")
                held.append(np.array([argument.ctypes.data], np.uintp))
            else:
                sizes = {"float": 4, "int": 4, "double": 8, "size_t": 8}
                value = np.atleast_1d(argument)
                assert value.itemsize == (8 if kind.endswith("*") else sizes[kind]), (kind, value.dtype)
                held.append(value)
        table = (ctypes.c_void_p * len(held))(*(a.ctypes.data for a in held))
        run = getattr(self.program, f"launch_{name}")
        run.argtypes = [ctypes.c_void_p, *[ctypes.c_int] * 3, ctypes.c_size_t]
        run(table, blocks, threads, order, shared)


# ---- CuPy


class _Stream:
    """Work is done at once, except while a graph is recorded."""

    recording: list[Callable[[], None]] | None = None
    can_record = True

    def __init__(self, non_blocking: bool = False) -> None:
        pass

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def record(self) -> None:
        pass

    def wait_event(self, event: None) -> None:
        pass

    def begin_capture(self) -> None:
        _Stream.recording = []

    def end_capture(self) -> SimpleNamespace:
        work, _Stream.recording = _Stream.recording, None
        assert work is not None
        if not _Stream.can_record:
            raise RuntimeError("operation not permitted when stream is capturing")
        return SimpleNamespace(launch=lambda stream: [step() for step in work])


def _do(work: Callable[[], None]) -> None:
    if _Stream.recording is None:
        work()
    else:
        _Stream.recording.append(work)


class _RawModule:
    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        given = (option[2:].split("=") for option in options if option.startswith("-D"))
        macros = {name: int(value) for name, value in given}
        self.late = {name: macros[name] for name in LATE}
        self.kernels = Emulated(code, macros | dict.fromkeys(LATE))

    def get_function(self, name: str) -> Callable:
        def kernel(grid, block, arguments, shared_mem=0):
            assert shared_mem <= max(kernel.max_dynamic_shared_size_bytes, 48 << 10)
            arguments = [np.uintp(0) if a is None else a for a in arguments]

            def run() -> None:
                self.kernels.choose(**self.late)
                self.kernels.launch(name, grid[0], block[0], arguments, shared=shared_mem)

            _do(run)

        kernel.max_dynamic_shared_size_bytes = kernel.num_regs = kernel.local_size_bytes = 0
        return kernel


class _Plan:
    """As `get_fft_plan` makes it; a transform back has no factor, and one to real images leaves rubbish in what it is
    given."""

    def __init__(self, a, shape=None, axes=None, value_type="C2C") -> None:
        assert axes == (1, 2)
        self.given, self.shape, self.kind = a.shape, shape, value_type

    def fft(self, a, out, direction) -> None:
        assert a.shape == self.given
        assert direction in {"R2C": (-1,), "C2R": (1,), "C2C": (-1, 1)}[self.kind]
        assert a.dtype == (np.float32 if self.kind == "R2C" else np.complex64)
        assert out.dtype == (np.float32 if self.kind == "C2R" else np.complex64)
        _do(lambda: self.run(a, out, direction))

    def run(self, a, out, direction) -> None:
        if self.kind == "R2C":
            out[...] = np.fft.rfft2(a)
        elif self.kind == "C2C":
            out[...] = np.fft.fft2(a) if direction == -1 else np.fft.ifft2(a, norm="forward")
        else:
            out[...] = np.fft.irfft2(a, s=self.shape, norm="forward")
            a[...] = np.nan


def cupy_stand_in(shared_memory: int = 227 << 10, device: int = 0) -> dict[str, ModuleType]:
    """Modules for sys.modules, enough of CuPy for solvers.cuda."""
    cupy, fft = ModuleType("cupy"), ModuleType("cupyx.scipy.fft")
    for name in ("asarray", "ascontiguousarray", "empty", "empty_like", "full", "zeros", "zeros_like"):
        setattr(cupy, name, getattr(np, name))
    cupy.asnumpy, cupy.__version__ = np.asarray, "0"  # type: ignore[attr-defined]
    pool = SimpleNamespace(free_all_blocks=lambda: None, total_bytes=lambda: 0)
    cupy.get_default_memory_pool = lambda: pool  # type: ignore[attr-defined]
    cupy.RawModule = _RawModule  # type: ignore[attr-defined]
    cupy.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        Device=lambda: SimpleNamespace(id=device, attributes={"MaxSharedMemoryPerBlockOptin": shared_memory}),
        Stream=_Stream,
        get_current_stream=_Stream,
        cufft=SimpleNamespace(CUFFT_FORWARD=-1, CUFFT_INVERSE=1),
        runtime=SimpleNamespace(
            CUDARuntimeError=RuntimeError,
            getDeviceCount=lambda: 1,
            getDeviceProperties=lambda device: {"name": b"Stand-in 1"},
            runtimeGetVersion=lambda: 13000,
        ),
    )
    fft.get_fft_plan = _Plan  # type: ignore[attr-defined]
    return {"cupy": cupy, "cupyx": ModuleType("cupyx"), "cupyx.scipy": ModuleType("cupyx.scipy"), fft.__name__: fft}


class GpuBackend(Backend):
    """A backend that says it is CuPy on a GPU, and keeps NumPy arrays."""

    def __init__(self) -> None:
        super().__init__("cupy", "cuda", "float32", 1)

    @property
    def xp(self) -> ModuleType:  # type: ignore[override]
        import array_api_compat.numpy

        return array_api_compat.numpy

    def asarray(self, array):
        return Backend("numpy").asarray(array)

    def to_numpy(self, array):
        return np.asarray(array)

    def synchronize(self) -> None:
        pass
