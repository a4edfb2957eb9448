"""The options of a sweep: what each is called, what it says of itself, and what it is if absent.

The command line, the help, TOML files and the model that checks them (`bench.request.Sweep`) are made of this table. It
is apart from the model because it imports nothing: a help text does not wait for the libraries that check a value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_SOLVERS = ("alm", "hio[nonneg=true]", "raar[nonneg=true]", "rrr[nonneg=true]")


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        kind: of its value on the command line; a list is a text with commas.
        about: the line of help, without what holds if the option is absent.
        default: the field of `Sweep` where it is absent; None where the sweep finds out by itself.
        axis: the field of `Problem` of which it lists values.
        recorded: a baseline has it. Where the data lie, and how many processes there are, belongs to a machine.
        flag: its name on the command line, where that is not the name of the field.
    """

    kind: type
    about: str
    default: Any = None
    axis: str = ""
    recorded: bool = True
    flag: str = ""

    @property
    def help(self) -> str:
        """The whole line of help."""
        if self.default is None:
            return f"{self.about}."
        values = self.default if isinstance(self.default, tuple) else (self.default,)
        return f"{self.about}; {', '.join('none' if value == math.inf else str(value) for value in values)} if absent."


OPTIONS: dict[str, Option] = {
    "solvers": Option(
        str, "Labels, comma-separated: name or file.py, with [parameter=value,…] or without", DEFAULT_SOLVERS
    ),
    "variants": Option(
        str,
        "Symmetries of the data, comma-separated",
        ("none", "flip", "shift", "shift_flip"),
        axis="variant",
    ),
    "images": Option(int, "How many images of the split, from the first on", 256),
    "seeds": Option(str, "Seed or seeds, comma-separated", (0,), flag="seed"),
    "dataset": Option(str, "Label of an image set, or a file.py; see: bench list datasets", "fashion_mnist"),
    "split": Option(str, "train or test", "test"),
    "data_dir": Option(Path, "Folder with the four Fashion-MNIST files", recorded=False),
    "objects": Option(
        str,
        "Kinds of object, comma-separated: real, complex, complex[phase=1.5], whose phase is a second image",
        ("real",),
        axis="object",
    ),
    "frame": Option(str, "Sizes, comma-separated: 42, 40x48; of the image set if absent", axis="frame"),
    "grid": Option(str, "Sizes of the pattern, comma-separated: 96, 128x128; of the image set if absent", axis="grid"),
    "photons": Option(
        str, "Poisson noise: photons in a pattern, comma-separated, or none", (math.inf,), axis="photons"
    ),
    "beamstop": Option(str, "Widths of the square around the zero frequency that is not measured", (0,), axis="mask"),
    "references": Option(
        str,
        "Estimates that use the truth, to compare with where there is noise: oracle, likelihood_limit",
        recorded=False,
    ),
    "backend": Option(str, "Array library: auto, numpy, torch or cupy", "auto"),
    "device": Option(str, "cpu or cuda", "cpu"),
    "precision": Option(str, "float32 or float64", "float32"),
    "threads": Option(
        int, "Blocks of images that a worker solves side by side; if absent, workers share the processors"
    ),
    "shard": Option(int, "Images per shard: bounds the memory", 256),
    "keep": Option(
        str,
        "Pictures to store: how many from the first image on, or image numbers with a comma (3,17 or 17,)",
        6,
        recorded=False,
    ),
    "executor": Option(str, "Where shards are solved: inline, processes or dask", "processes", recorded=False),
    "workers": Option(
        int, "Shards solved side by side; they share the processors, and slow each other down", recorded=False
    ),
    "timeout": Option(float, "Time limit of a shard in seconds, after which its process is ended", recorded=False),
    "dask_scheduler": Option(
        str, "Address of a running dask scheduler; without it, one is started here", recorded=False
    ),
}

RECORDED = {name for name, option in OPTIONS.items() if option.recorded}
AXES = {name: option.axis for name, option in OPTIONS.items() if option.axis}


def flag(name: str) -> str:
    """An option as it is given on the command line: --data-dir."""
    called = OPTIONS[name].flag if name in OPTIONS else ""
    return f"--{(called or name).replace('_', '-')}"


def field(spelling: str) -> str:
    """The field that a spelling in a file means: `data-dir`, `data_dir`, `seed` and `seeds`."""
    name = spelling.replace("-", "_")
    return next((known for known, option in OPTIONS.items() if option.flag == name), name)
