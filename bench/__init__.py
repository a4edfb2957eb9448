"""What phasebench runs, times, scores, compares and reports."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`from bench import reconstruct` loads what it needs only then: `--help` has to answer at once."""
    if name == "reconstruct":
        from bench.reconstruction.call import reconstruct

        return reconstruct
    raise AttributeError(f"module 'bench' has no attribute '{name}'")
