"""What `bench train` asks of a solver: its network, what that learns from, and how its progress is measured."""

from __future__ import annotations

import contextlib
import shlex
from abc import abstractmethod
from collections.abc import Container
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, field_validator

from datasets import Variant, place, placements
from datasets.problem import Problem
from solvers.backend import Backend, bf16_is_fast
from solvers.base import FilePath, Solver
from solvers.errors import UnavailableError
from solvers.labels import spelled, write_label
from solvers.learned import weights as weight_files

if TYPE_CHECKING:
    from torch import Tensor

    from solvers.learned.network import Learner
    from solvers.learned.photons import PhotonRange

EPOCHS_AT_MOST = 100_000  # keeps the placements of one seed's epochs apart from those of the next seed

_BLANKS = ("solver", "preset", "variant")  # of a template for the names of weight files


class Trainable(Solver):
    """A solver with a network that `bench train` trains."""

    preset: str = Field(
        "default", pattern=r"^[\w-]+$", description="which of several networks or trainings; weights are named by it"
    )
    weights: FilePath | None = Field(
        None,
        description="weight file (.safetensors) to use instead of the one in this package; "
        "{solver}, {preset} and {variant} in it stand for what they are when the solver runs",
    )
    precision: Literal["float32", "bf16"] = Field(
        "float32", description="of the network's layers; bf16 is faster where the processor has instructions for it"
    )

    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    folder: ClassVar[Path] = weight_files.FOLDER  # of the weights that come with the package
    network_of: ClassVar[str] = ""  # the solver whose network it uses and which is trained; itself if empty

    _model: Any = PrivateAttr(default=None)
    _card: weight_files.Card | None = PrivateAttr(default=None)

    @field_validator("weights")
    @classmethod
    def _with_known_blanks(cls, value: Path | None) -> Path | None:
        try:
            blanks = [blank for _, *blank in Formatter().parse(str(value or "")) if blank[0] is not None]
        except ValueError as error:
            raise ValueError(f"{error}: write {{{{ and }}}} for braces in the name of a file") from error
        for name, form, conversion in blanks:
            if name not in _BLANKS or form or conversion:
                asked = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}"
                raise ValueError(f"unknown {asked}: choose from {', '.join(f'{{{name}}}' for name in _BLANKS)}")
        return value

    @abstractmethod
    def model(self, problem: Problem) -> Learner:
        """The untrained network for a problem, of whose frame and grid its shapes may depend.

        Raises:
            ParameterError: there is none for such a problem.
        """

    @abstractmethod
    def lesson(
        self,
        objects: Tensor,
        problem: Problem,
        photons: PhotonRange,
        *,
        indices: NDArray[np.int64],
        seed: int,
        epoch: int,
    ) -> tuple[Tensor, ...]:
        """What the loss of the network takes in a step that learns from these objects (batch, h, w), where they are.

        What is drawn at random for an image depends on (seed, epoch, index) alone.
        """

    @abstractmethod
    def trial(
        self,
        objects: NDArray,
        problem: Problem,
        photons: NDArray[np.float64],
        *,
        indices: NDArray[np.int64],
        seed: int,
    ) -> tuple[Tensor, ...]:
        """What the network is to reconstruct these objects (batch, n1, n2) from, by which its progress is measured.

        Args:
            photons: (batch,) of the patterns, infinite where they have no noise.
        """

    def equivalent(self, variant: Variant) -> tuple[Variant, ...]:
        """The variants that give this solver the same training data as this one, in the paper's order."""
        return (variant,)

    def objects(
        self, images: NDArray, indices: NDArray[np.int64], problem: Problem, *, seed: int, epoch: int
    ) -> NDArray:
        """What is to be predicted (N, h, w) for these training images (N, height, width), in their own type.

        Here, the images as the variant places them, flipped and shifted anew in every epoch.
        """
        return placed_anew(images, indices, problem, seed=seed, epoch=epoch)

    def photons(self) -> str | None:
        """Those that it is trained with unless something else is asked for: `none`, a number, or a range.

        None where it learns from no patterns at all.
        """
        return "none"

    def file_name(self, variant: Variant) -> str:
        """What the weights for this variant are called."""
        return f"{self.network_of or self.name}-{self.preset}-{self.equivalent(variant)[0]}.safetensors"

    def own_parameters(self) -> dict[str, str]:
        """Those that decide the training, where they are not their defaults, as a label has them.

        Here, all that a subclass has declared.
        """
        return self._declared_beyond(Trainable.model_fields)

    def training_data(self) -> str:
        """What the card of its weights says. They differ from variant to variant in nothing of this."""
        card = self._card or self._any_card()
        if card is None:
            return "unknown data"
        return card.dataset + ("" if card.photons == "none" else f" with {card.photons} photons")

    def weights_digest(self) -> str:
        return self._card.sha256 if self._card else ""

    def remark(self, backend: Backend) -> str:
        """That bf16 is emulated."""
        if self.precision == "float32" or bf16_is_fast(backend.device):
            return ""
        return f"{self.name}[precision=bf16] takes up to 6 times as long here as without it: bf16 is emulated"

    def weight_file(self, problem: Problem | None) -> Path:
        """The weights for the variant of this problem."""
        variant = _variant(problem)
        if self.weights is None:
            return self.folder / self.file_name(variant)
        filled = {"solver": self.network_of or self.name, "preset": self.preset, "variant": self.equivalent(variant)[0]}
        return Path(str(self.weights).format(**filled))

    def refusal_of_weights(self, problem: Problem) -> str:
        """What is wrong with weights that a label names; those of the package are said to be missing when it runs."""
        if self.weights is None:
            return ""
        path = self.weight_file(problem)
        if not path.is_file():
            return f"{self.name} has no weights {path}: there is no such file"
        try:
            weight_files.read_card(path)
        except weight_files.WeightsError as error:
            return str(error)
        return ""

    def _load(self, problem: Problem | None) -> None:
        """Take the network with the weights for the variant of this problem, to the device of the backend.

        Raises:
            UnavailableError: there are none for this preset and variant; the message has the command that makes them.
            WeightsError: they are damaged, or made for something else.
        """
        variant, path = _variant(problem), self.weight_file(problem)
        if not path.exists():
            made = self.file_name(variant)
            raise UnavailableError(
                f"{self.name} has no weights {path}: train them with "
                f"python -m bench train --solver {shlex.quote(self._training_label())} --variant {variant} "
                f"--output {shlex.quote(str(path.parent))}{f', which writes {made}' * (path.name != made)}"
            )
        card, tensors = weight_files.load(
            path, solver=self.network_of or self.name, preset=self.preset, variant=variant
        )
        model = self.model(card.problem())
        weight_files.check_architecture(card, model.shapes(), path)
        weight_files.fill(model, tensors, path)
        self._card, self._model = card, model.eval().to(self.backend.device)

    def _training_label(self) -> str:
        """This solver with what decides its training, and nothing else."""
        preset = {} if self.preset == type(self).model_fields["preset"].default else {"preset": self.preset}
        return write_label(self.network_of or self.origin or self.name, preset | self.own_parameters())

    def _declared_beyond(self, known: Container[str]) -> dict[str, str]:
        own = {name: f for name, f in type(self).model_fields.items() if name not in known}
        values = {name: getattr(self, name) for name in own}
        return {name: spelled(v) for name, v in values.items() if v != own[name].get_default(call_default_factory=True)}

    def _any_card(self) -> weight_files.Card | None:
        """The card of its weights for the hardest of the variants that it has weights for."""
        for variant in reversed(Variant):
            with contextlib.suppress(weight_files.WeightsError):
                return weight_files.read_card(self.weight_file(Problem(variant=variant)))
        return None


def placed_anew(images: NDArray, indices: NDArray[np.int64], problem: Problem, *, seed: int, epoch: int) -> NDArray:
    """The images (N, h, w) with these numbers in their frames (N, n1, n2), elsewhere in every epoch."""
    drawn = placements(problem.variant, seed=EPOCHS_AT_MOST * seed + epoch, split=problem.split, indices=indices)
    return place(images, drawn, problem.frame)


def _variant(problem: Problem | None) -> Variant:
    return Variant((problem or Problem()).variant)
