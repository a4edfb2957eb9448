"""The request: which solvers on which data. Validated as a whole before anything is computed or written."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from bench.errors import RequestError
from bench.executors.address import check_address
from bench.executors.plugins import PluginError, canonical
from bench.given import read_config, split_words, told, whole_number
from bench.options import AXES, OPTIONS, flag
from bench.score.references import REFERENCES
from datasets import SPLITS, VARIANTS, DatasetError, ImageSet, PatternSet, PatternSource
from datasets import images as image_sets
from datasets.forward import determined
from datasets.problem import Problem, Size, mask_label, object_label, read_photons, read_size, show_size
from datasets.refusals import of_value
from solvers import Backend, IterativeSolver, SolverError, create, select_backend
from solvers.compiled import kernels
from solvers.iterative.support import Largest
from solvers.labels import read_label, split_labels
from solvers.registry import BUILT_IN

EXECUTORS = {
    "inline": "one shard after the other in this process",
    "processes": "in processes of its own, which can be ended and replaced",
    "dask": "as tasks of dask.distributed",
}
DEFAULT_EXECUTOR = OPTIONS["executor"].default
LONGEST_TIMEOUT = 2_000_000  # seconds; the system waits for 2^31 milliseconds at most

LISTS = ("solvers", "seeds", *AXES, "references")


def _option(name: str, **limits: Any) -> Any:
    """The field of an option."""
    return Field(OPTIONS[name].default, description=OPTIONS[name].about, **limits)


class Sweep(BaseModel):
    """Solvers × problems × seeds on the first images of a split; the problems are the product of what is listed.

    Labels become canonical. The frame and the grid are those of the image set where none is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    solvers: tuple[str, ...] = _option("solvers")
    variants: tuple[str, ...] = _option("variants")
    images: int = _option("images", ge=1, lt=2**63)
    seeds: tuple[int, ...] = _option("seeds")
    dataset: str = _option("dataset")
    split: str = _option("split")
    data_dir: str | None = _option("data_dir")
    objects: tuple[str, ...] = _option("objects")
    frame: tuple[Annotated[Size, BeforeValidator(read_size)], ...] | None = _option("frame")
    grid: tuple[Annotated[Size, BeforeValidator(read_size)], ...] | None = _option("grid")
    photons: tuple[Annotated[float, BeforeValidator(read_photons)], ...] = _option("photons")
    beamstop: tuple[int, ...] = _option("beamstop")
    references: tuple[str, ...] | None = _option("references")
    backend: str = _option("backend")
    device: str = _option("device")
    precision: str = _option("precision")
    threads: int | None = _option("threads", ge=1, le=1024)
    shard: int = _option("shard", ge=1, lt=2**63)
    keep: int | tuple[int, ...] = _option("keep")
    executor: str = Field(default_factory=lambda: DEFAULT_EXECUTOR, description=OPTIONS["executor"].about)
    workers: int | None = _option("workers", ge=1, le=1024)
    timeout: float | None = _option("timeout", gt=0, le=LONGEST_TIMEOUT, allow_inf_nan=False)
    dask_scheduler: str | None = _option("dask_scheduler")

    @model_validator(mode="before")
    @classmethod
    def _as_measured(cls, values: Any) -> Any:
        """Of measured patterns, no axis is asked for but what they are."""
        if not isinstance(values, dict) or not isinstance(values.get("dataset"), str):
            return values
        try:
            source = image_sets.create(values["dataset"])
        except DatasetError:  # of which the field's own validator says more
            return values
        if not isinstance(source, PatternSource):
            return values
        return {"variants": ("none",), "objects": ("real" if source.real else "complex",), **values}

    @field_validator(*LISTS, mode="before")
    @classmethod
    def _listed(cls, value: Any, info: ValidationInfo) -> Any:
        """A comma-separated text, and a single value, are lists as well."""
        if isinstance(value, str):
            return split_labels(value) if info.field_name in ("solvers", "objects") else split_words(value)
        if value is None and info.field_name == "photons":  # as older baselines say that there is no noise
            return ["none"]
        return [value] if isinstance(value, int | float) else value

    @field_validator("objects")
    @classmethod
    def _objects(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(object_label, value))

    @field_serializer("frame", "grid")
    def _sizes_as_text(self, value: tuple[Size, ...] | None) -> list[str] | None:
        return value if value is None else [show_size(one) for one in value]

    @field_serializer("photons")
    def _photons_as_numbers(self, value: tuple[float, ...]) -> list[float | str]:
        return ["none" if math.isinf(one) else one for one in value]

    @field_validator("images", "seeds", "photons", "beamstop", "threads", "shard", "workers", "timeout", mode="before")
    @classmethod
    def _numeric(cls, value: Any, info: ValidationInfo) -> Any:
        """Python takes true for 1, and 1e400 for infinity; a user who writes it does not."""
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(one, bool) for one in values):
            raise ValueError("takes a number, not true or false")
        if info.field_name == "photons" and math.inf in values:
            raise ValueError("inf is no number of photons: write none where there is no noise")
        return value

    @field_validator("beamstop")
    @classmethod
    def _widths(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        for width in value:
            if width < 0:
                raise ValueError(f"{width} is no width: write how many pixels are missing, 0 for none")
        return value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _in_the_home(cls, value: Any) -> Any:
        if value == "":
            raise ValueError("names no folder")
        return os.path.expanduser(value) if isinstance(value, str | os.PathLike) else value  # noqa: PTH111

    @field_validator("solvers")
    @classmethod
    def _canonical(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        found = [canonical(label) for label in labels]
        for label, one in zip(labels, found, strict=True):
            first = labels[found.index(one)]
            if first != label:
                raise ValueError(f"'{first}' and '{label}' are the same solver: it is given twice")
        return tuple(found)

    @field_validator(*LISTS)
    @classmethod
    def _distinct(cls, values: tuple | None) -> tuple | None:
        if values is None:
            return None
        if not values:
            raise ValueError("name at least one")
        repeated = next((value for value in values if values.count(value) > 1), None)
        if repeated is not None:
            raise ValueError(f"'{repeated}' is given twice")
        return values

    @field_validator("dataset")
    @classmethod
    def _a_dataset(cls, label: str) -> str:
        return image_sets.canonical(label)

    @field_validator("variants", "split", "executor", "references")
    @classmethod
    def _known(cls, value: Any, info: Any) -> Any:
        known = {"variants": VARIANTS, "split": SPLITS, "executor": EXECUTORS, "references": REFERENCES}
        choices = known[info.field_name]
        for one in [value] if isinstance(value, str) else value or ():
            if one not in choices:
                raise ValueError(
                    f"unknown {info.field_name.removesuffix('s')} '{one}': choose from {', '.join(choices)}"
                )
        return value

    @field_validator("references")
    @classmethod
    def _has_noise_for_it(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if value and isinstance(image_sets.create(info.data.get("dataset", "fashion_mnist")), PatternSource):
            raise ValueError("nobody knows the truth behind measured patterns: leave out this option")
        if value and all(map(math.isinf, info.data.get("photons", ()))):
            raise ValueError("without noise the truth is what fits: name numbers of photons")
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

    @field_validator("dask_scheduler")
    @classmethod
    def _an_address(cls, address: str | None) -> str | None:
        return address if address is None else check_address(address)

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

    @field_validator("keep", mode="before")
    @classmethod
    def _count_or_list(cls, value: Any) -> int | tuple[int, ...]:
        """A comma makes a list of the image numbers, also of a single one."""
        found = split_words(value) if isinstance(value, str) and "," in value else value
        listed = isinstance(found, list | tuple)
        try:
            numbers = tuple(whole_number(one) for one in (found if listed else [found]))
        except ValueError as error:
            raise ValueError(f"{error}: write 12 for the first twelve images, 3,17 for two, and 17, for one") from error
        if not listed:
            return numbers[0]
        if not numbers:
            raise ValueError("names no image: write 0 for none")
        return tuple(sorted(set(numbers)))

    @field_validator("keep")
    @classmethod
    def _among_the_images(cls, value: int | tuple[int, ...], info: ValidationInfo) -> int | tuple[int, ...]:
        images = info.data.get("images")
        if isinstance(value, tuple) and images is not None and value[-1] >= images:
            raise ValueError(_no_image(value[-1], images))
        return value

    @property
    def kept(self) -> tuple[int, ...]:
        """The numbers of the images whose reconstructions are stored as pictures."""
        return self.keep if isinstance(self.keep, tuple) else tuple(range(min(self.keep, self.images)))

    def on(self, images: ImageSet | PatternSet) -> Sweep:
        """This sweep of these images: where there are fewer than the default asks for, it is of all of them.

        Raises:
            RequestError: there are fewer than the user asked for, or not one whose picture is to be kept.
        """
        if self.images <= len(images):
            return self
        if "images" in self.model_fields_set:
            raise RequestError(
                f"{flag('images')} {self.images}: there are {len(images)} ({images.source}); without it all are used"
            )
        if isinstance(self.keep, tuple) and self.keep[-1] >= len(images):
            raise RequestError(f"{flag('keep')}: {_no_image(self.keep[-1], len(images))}")
        return self.model_copy(update={"images": len(images)})

    def problems(self, images: ImageSet | PatternSet) -> tuple[Problem, ...]:
        """The problems of this sweep on these images; from one to the next, the variant changes first.

        Raises:
            RequestError: a setting does not go with another one, or with the images.
        """
        if isinstance(images, PatternSet):
            return (self._as_they_are(images),)
        found = {"frame": (images.frame,), "grid": (images.grid,)}
        listed = {name: getattr(self, name) or found[name] for name in AXES}
        order = sorted(AXES, key="variants".__eq__)  # the tables are read by variants
        settings = product(*(listed[name] for name in order))
        return tuple(self._problem(images, dict(zip(order, setting, strict=True))) for setting in settings)

    def _as_they_are(self, patterns: PatternSet) -> Problem:
        """The one problem of measured patterns, in which nothing can be chosen.

        Raises:
            RequestError: something was.
        """
        try:
            problem = patterns.problem
        except ValidationError as error:
            raise RequestError(of_value(error, Problem).reason) from error
        there = {**dict(problem), "mask": 0}
        for name, column in AXES.items():
            hint = ": real=true in the label says that objects are real" * (name == "objects")
            if getattr(self, name) not in (None, (there[column],)):
                raise RequestError(f"{flag(name)}: the patterns of {patterns.name} are as they were measured{hint}")
        return problem

    def _problem(self, images: ImageSet, setting: dict[str, Any]) -> Problem:
        values = {AXES[name]: value for name, value in setting.items()}
        values["mask"] = mask_label(values["mask"])
        try:
            problem = Problem(dataset=images.name, split=self.split, **values)
            problem.check(images)
        except ValidationError as error:
            raise RequestError(of_value(error, Problem).reason) from error
        except ValueError as error:
            raise RequestError(str(error)) from error
        return problem

    def doubts(self, problems: Sequence[Problem]) -> list[str]:
        """A sentence for each size of objects that the intensities on their grid do not determine.

        Without any where all solvers know the number of pixels of an object, which may then lie anywhere on the grid.
        """
        if all(map(_counts_pixels, self.solvers)):
            return []
        found = [
            f"an object of {show_size(problem.frame)} is larger than half of the grid of {show_size(problem.grid)}: "
            "the intensities do not determine it"
            for problem in problems
            if not determined(problem.frame, problem.grid)
        ]
        return list(dict.fromkeys(found))

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
    values = read_config(config) if config is not None else {}
    values |= {key: value for key, value in given.items() if value is not None}
    try:
        sweep = Sweep(**values)
        sweep.select_backend()
        kernels()
    except ValidationError as error:
        reason = error.errors()[0].get("ctx", {}).get("error")
        raise (reason if isinstance(reason, PluginError) else RequestError(told(error, Sweep))) from error
    except SolverError as error:
        raise RequestError(str(error)) from error
    return sweep


def _no_image(number: int, images: int) -> str:
    return f"there is no image {number} in this sweep: choose from 0 to {images - 1}"


def _counts_pixels(label: str) -> bool:
    """Whether a built-in solver, or one that it is made of, is told how many pixels of the object are not zero."""
    if read_label(label)[0] not in BUILT_IN:
        return False
    solver = create(label)
    return any(
        isinstance(one, IterativeSolver) and isinstance(one.support, Largest) for one in (solver, *solver.parts())
    )
