"""The compiled kernels; everything else about the package is in pyproject.toml."""

import platform
from copy import copy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

COMPILED = Path("solvers", "compiled")
# Single-precision numbers in a register, and what tells the compiler that there are such registers.
WIDTHS = {4: []}
if platform.machine() in ("x86_64", "AMD64"):
    WIDTHS |= {8: ["-march=x86-64-v3"], 16: ["-march=x86-64-v4"]}  # AVX2, AVX-512


class BuildApart(build_ext):
    """All libraries at a time, each with object files of its own: they are made of the same sources."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or True

    def build_extension(self, ext):
        apart = copy(self)
        apart.build_temp = str(Path(self.build_temp, ext.name))
        super(BuildApart, apart).build_extension(ext)


# One library for each width; `solvers.compiled` loads the widest that the processor can run. They are loaded by ctypes:
# no Python headers are needed to build them. Without a compiler the portable code runs instead.
setup(
    cmdclass={"build_ext": BuildApart},
    ext_modules=[
        Extension(
            f"solvers.compiled._lanes{lanes}",
            sources=sorted(map(str, COMPILED.glob("*.cpp"))),
            depends=["setup.py", *sorted(map(str, COMPILED.glob("*.h")))],
            extra_compile_args=[
                "-std=c++17",
                "-O3",
                "-ffast-math",
                "-Wno-psabi",
                f"-DPHASEBENCH_LANES={lanes}",
                *flags,
            ],
            optional=True,
        )
        for lanes, flags in WIDTHS.items()
    ],
)
