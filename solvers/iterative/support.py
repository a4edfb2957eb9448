"""What an iterative solver takes for the support of the object, as it stands in the solver's label."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from datasets.labels import label_of, read_label, spelled
from datasets.refusals import of_value
from solvers.iterative.shrinkwrap import DECAY, SIGMA_FIRST, SIGMA_LAST, THRESHOLD


class Box(BaseModel):
    """The support of the measurement: its mask of the object, or else the box."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ClassVar[str] = "box"

    def __str__(self) -> str:
        return label_of(self.name, self)

    @property
    def uses(self) -> str:
        """What of an object is used, in the words of `Information`."""
        return self.name


class Shrinkwrap(Box):
    """The support estimated again and again from the reconstruction, within that of the measurement.

    The blur of the k-th update has σ = max(first · decayᵏ, last), k = 0, 1, … With `finish`, both σ and the threshold
    go on to lower values from 0.4 to 0.8 of a start, in which the dark pixels of the object are let in.

    Without noise the estimate with the smallest residual is the best one of a start. A noisy pattern is fitted best
    by an early estimate, whose support is still large: keep the last one there.
    """

    name: ClassVar[str] = "shrinkwrap"

    sigma: str = Field(f"{SIGMA_FIRST:g}:{SIGMA_LAST:g}", description="σ of the blur in pixels, from:to")
    decay: float = Field(DECAY, gt=0, le=1, description="factor on σ at each update")
    threshold: float = Field(THRESHOLD, gt=0, lt=1, description="part of the largest blurred value")
    every: int = Field(20, ge=1, le=10**6, description="iterations between two updates")
    start: int = Field(0, ge=0, le=10**6, description="iterations before the first update")
    keep: Literal["best", "last"] = Field("best", description="the estimate of a start: of smallest residual, or last")
    finish: str = Field(
        "none", description="σ:threshold to which both go on from 0.4 to 0.8 of a start; none: they stay"
    )

    @field_validator("sigma")
    @classmethod
    def _two_widths(cls, sigma: str) -> str:
        try:
            first, last = _pair(sigma)
        except ValueError:
            first = last = 0.0
        if not 0 < last <= first < 1e6:
            raise ValueError("write the first and the last σ in pixels, as 3:1")
        return f"{spelled(first)}:{spelled(last)}"

    @field_validator("finish")
    @classmethod
    def _below_the_others(cls, finish: str, info: ValidationInfo) -> str:
        if finish.strip() == "none" or not {"sigma", "threshold"} <= info.data.keys():  # what is missing was refused
            return "none"
        try:
            sigma, threshold = _pair(finish)
        except ValueError:
            sigma = threshold = 0.0
        _, last = _pair(info.data["sigma"])
        if not (0 < sigma <= last and 0 < threshold <= info.data["threshold"]):
            raise ValueError("write the σ and the threshold of the end, neither above the one before, as 0.4:0.03")
        return f"{spelled(sigma)}:{spelled(threshold)}"

    @property
    def end(self) -> tuple[float, float] | None:
        """σ and threshold at the end of a start, where they go on."""
        return None if self.finish == "none" else _pair(self.finish)

    @property
    def widths(self) -> tuple[float, float]:
        """σ at the first update, and the smallest that it becomes."""
        return _pair(self.sigma)

    @property
    def first(self) -> int:
        """Iterations before the first update: the first multiple of `every` that is not before `start`."""
        return self.every * max(1, -(-self.start // self.every))


class Largest(Box):
    """The pixels of the support of the measurement where the image is largest: so many of them at most.

    Source: the benchmark of Elser, Lan and Bendory, see `solvers.iterative.largest`.
    """

    name: ClassVar[str] = "largest"

    pixels: int = Field(ge=1, lt=2**31, description="pixels that differ from zero, at most")

    @property
    def uses(self) -> str:
        return str(self)


KINDS: dict[str, type[Box]] = {kind.name: kind for kind in (Box, Shrinkwrap, Largest)}


def read_support(value: object) -> object:
    """The support that a label asks for: `box`, `shrinkwrap[threshold=0.1]`, `largest[pixels=800]`.

    Raises:
        ValueError: in one line, with the offending value and the choices.
    """
    if not isinstance(value, str):
        return value
    name, values = read_label(value, "support")
    if name not in KINDS:
        raise ValueError(f"unknown support '{name}': choose from {', '.join(KINDS)}")
    kind = KINDS[name]
    for key in values:
        if key not in kind.model_fields:
            raise ValueError(f"'{name}' has no parameter '{key}': choose from {', '.join(kind.model_fields) or 'none'}")
    try:
        return kind(**values)
    except ValidationError as error:
        refused = of_value(error, kind)
        if refused.absent:
            raise ValueError(f"give '{name}' a number: {name}[{refused.field}=100]") from error
        raise ValueError(str(refused)) from error


Support = Annotated[Box, BeforeValidator(read_support)]


def _pair(text: str) -> tuple[float, float]:
    first, last = map(float, text.split(":"))
    return first, last
