"""The request: which solvers on which data. Validated as a whole before anything is computed or written."""

from __future__ import annotations

import importlib.util
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from bench.errors import RequestError
from datasets import DATASETS, SPLITS, VARIANTS
from solvers import Backend, SolverError, select_backend
from solvers.registry import canonical

EXECUTORS = {
    "inline": "one shard after the other in this process",
    "processes": "in processes of its own, which can be ended and replaced",
    "dask": "as tasks of dask.distributed",
}
DEFAULT_EXECUTOR = "processes"
DEFAULT_SOLVERS = ("alm", "hio[nonneg=true]", "raar[nonneg=true]", "rrr[nonneg=true]")


class Sweep(BaseModel):
    """Solvers × variants × seeds on the first images of a split. Labels of solvers become canonical."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    solvers: tuple[str, ...] = DEFAULT_SOLVERS
    variants: tuple[str, ...] = tuple(VARIANTS)
    images: int = Field(256, ge=1)
    seeds: tuple[int, ...] = (0,)
    dataset: str = "fashion_mnist"
    split: str = "test"
    data_dir: str | None = None
    photons: float | None = Field(None, gt=0, le=1e18, allow_inf_nan=False)  # NumPy counts to 9e18
    backend: str = "auto"
    device: str = "cpu"
    precision: str = "float32"
    threads: int | None = Field(None, ge=1, le=1024)
    shard: int = Field(256, ge=1)
    executor: str = Field(default_factory=lambda: DEFAULT_EXECUTOR)
    workers: int | None = Field(None, ge=1, le=1024)
    timeout: float | None = Field(None, gt=0, allow_inf_nan=False)
    dask_scheduler: str | None = None

    @field_validator("solvers")
    @classmethod
    def _canonical(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        found = [canonical(label) for label in labels]
        for label, one in zip(labels, found, strict=True):
            first = labels[found.index(one)]
            if first != label:
                raise ValueError(f"'{first}' and '{label}' are the same solver: it is given twice")
        return tuple(found)

    @field_validator("solvers", "variants", "seeds")
    @classmethod
    def _distinct(cls, values: tuple) -> tuple:
        if not values:
            raise ValueError("name at least one")
        repeated = next((value for value in values if values.count(value) > 1), None)
        if repeated is not None:
            raise ValueError(f"'{repeated}' is given twice")
        return values

    @field_validator("variants", "dataset", "split", "executor")
    @classmethod
    def _known(cls, value: Any, info: Any) -> Any:
        choices = {"variants": VARIANTS, "dataset": DATASETS, "split": SPLITS, "executor": EXECUTORS}[info.field_name]
        for one in [value] if isinstance(value, str) else value:
            if one not in choices:
                raise ValueError(
                    f"unknown {info.field_name.removesuffix('s')} '{one}': choose from {', '.join(choices)}"
                )
        return value

    @field_validator("seeds")
    @classmethod
    def _storable(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if min(seeds) < 0:
            raise ValueError(f"a seed must not be negative, got {min(seeds)}")
        if max(seeds) >= 2**63:
            raise ValueError(f"a seed must be below 2^63, got {max(seeds)}")
        return seeds

    @field_validator("executor")
    @classmethod
    def _installed(cls, executor: str) -> str:
        if executor == "dask" and importlib.util.find_spec("distributed") is None:
            raise ValueError("dask is not installed: pip install -e '.[dask]'")
        return executor

    @field_validator("workers", "timeout", "dask_scheduler")
    @classmethod
    def _has_an_executor_for_it(cls, value: Any, info: ValidationInfo) -> Any:
        executor = info.data.get("executor")
        fitting = {
            "workers": ("processes", "dask"),
            "timeout": ("processes", "dask"),
            "dask_scheduler": ("dask",),
        }[info.field_name or ""]
        if value is not None and executor is not None and executor not in fitting:
            raise ValueError(f"is not possible with --executor {executor}: choose {' or '.join(fitting)}")
        if info.field_name == "dask_scheduler" and value is not None and info.data.get("workers") is not None:
            raise ValueError("a cluster has its own workers: leave out --workers")
        return value

    def select_backend(self) -> Backend:
        """Where a shard is computed. Without `threads`, the shards that are solved side by side share the processors.

        A cluster's machines are not known here: a shard there is solved on one thread unless more are asked for.
        """
        threads = self.threads or (1 if self.dask_scheduler else None)
        backend = select_backend(self.backend, self.device, self.precision, threads)
        if threads is None and self.workers:
            return replace(backend, threads=max(1, backend.threads // self.workers))
        return backend


def request(config: Path | None = None, **given: Any) -> Sweep:
    """The sweep of a TOML file, with everything that is `given` and not None in its place.

    Raises:
        RequestError: in one line; the device and the backend are checked as well.
    """
    values = _read(config) if config is not None else {}
    values |= {key: value for key, value in given.items() if value is not None}
    try:
        sweep = Sweep(**values)
        sweep.select_backend()
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-").replace("seeds", "seed")
        message = first["msg"].removeprefix("Value error, ")
        shown = "" if first["type"] == "value_error" else f" (got {first['input']!r})"
        raise RequestError(f"{option}: {message}{shown}") from error
    except SolverError as error:
        raise RequestError(str(error)) from error
    return sweep


def _read(path: Path) -> dict[str, Any]:
    """The options of a file, spelled as on the command line."""
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"config '{path}' cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"config '{path}' is not TOML: {error}") from error
    values = {option.replace("-", "_"): value for option, value in options.items()}
    if "seed" in values:
        seeds = values.pop("seed")
        values["seeds"] = seeds if isinstance(seeds, list) else [seeds]
    for name in values.keys() - Sweep.model_fields.keys():
        raise RequestError(
            f"config '{path}' has an unknown option '{name}': choose from {', '.join(Sweep.model_fields)}"
        )
    return values
