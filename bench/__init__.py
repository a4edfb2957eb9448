"""What phasebench runs, times, scores, compares and reports."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`from bench import reconstruct` loads what it needs only then: `--help` has to answer at once.

    The version stands in pyproject.toml alone. Here it would be code that every result depends on, and a new version
    would make all shards anew.
    """
    if name == "reconstruct":
        from bench.reconstruction.call import reconstruct

        return reconstruct
    if name == "__version__":
        from importlib.metadata import version

        return version("phasebench")
    raise AttributeError(f"module 'bench' has no attribute '{name}'")
