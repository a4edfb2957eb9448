"""What learned solvers share: their weights, what they are trained on, and one pass through a network."""

from __future__ import annotations

import contextlib
import shlex
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, field_validator

from datasets import Measurement, Variant, place, placements
from datasets.forward import half_plane
from datasets.photons import estimate_photons
from datasets.problem import COLUMNS, Problem
from solvers.backend import Backend
from solvers.base import FilePath, Information, Reconstruction, Solver, Status, Streams
from solvers.errors import ParameterError, UnavailableError
from solvers.iterative.units import in_units, normalised
from solvers.labels import spelled
from solvers.learned import weights as weight_files

if TYPE_CHECKING:
    from torch import Tensor

    from solvers.learned.network import Network

EPOCHS_AT_MOST = 100_000  # keeps the placements of one seed's epochs apart from those of the next seed

# Images in one pass; the last chunk is filled up, so that no image's result depends on its neighbours. On a CPU 16 are
# fastest, whose activations stay in the cache, and an image by itself costs no more than these.
CHUNK = {"cpu": 16, "cuda": 256}

_BLANKS = ("solver", "preset", "variant")  # of a template for the names of weight files


class LearnedSolver(Solver):
    """A trained network, applied once. It runs in torch, on the device of the backend, whatever the array library.

    A learned solver is a file with one subclass: it sets `name` and `summary`, declares its parameters as fields, and
    implements `model`. `bench train` then trains it. What it is to predict can be changed by `objects`: without that,
    the images as they are placed. It reconstructs real objects from whole patterns.
    """

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

    transforms_per_image: ClassVar[int] = 0

    _model: Any = PrivateAttr(default=None)
    _card: weight_files.Card | None = PrivateAttr(default=None)

    @field_validator("weights")
    @classmethod
    def _with_known_blanks(cls, value: Path | None) -> Path | None:
        try:
            blanks = [field for _, field, _, _ in Formatter().parse(str(value or "")) if field is not None]
        except ValueError as error:
            raise ValueError(f"{error}: write {{{{ and }}}} for braces in the name of a file") from error
        for blank in blanks:
            if blank not in _BLANKS:
                raise ValueError(f"unknown {{{blank}}}: choose from {', '.join(f'{{{name}}}' for name in _BLANKS)}")
        return value

    @abstractmethod
    def model(self, problem: Problem) -> Network:
        """The untrained network for a problem, of whose frame and grid its shapes may depend.

        Raises:
            ParameterError: there is none for such a problem.
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

    def fresh_each_epoch(self, variant: Variant) -> bool:
        """`objects` differ from epoch to epoch."""
        return variant.flips or variant.shifts

    def photons(self) -> str:
        """Those that it is trained with unless something else is asked for: none, a number, or a range."""
        return "none"

    def file_name(self, variant: Variant) -> str:
        """What the weights for this variant are called."""
        return f"{self.name}-{self.preset}-{self.equivalent(variant)[0]}.safetensors"

    def own_parameters(self) -> dict[str, str]:
        """Those that a subclass has declared, where they are not their defaults, as a label has them."""
        own = {name: f for name, f in type(self).model_fields.items() if name not in LearnedSolver.model_fields}
        values = {name: getattr(self, name) for name in own}
        return {name: spelled(v) for name, v in values.items() if v != own[name].get_default(call_default_factory=True)}

    def information(self) -> Information:
        """What the card of its weights says. They differ from variant to variant in nothing of this."""
        card = self._card or self._any_card()
        if card is None:
            return Information(real=True, training_data="unknown data")
        noise = "" if card.photons == "none" else f" with {card.photons} photons"
        return Information(real=True, training_data=card.dataset + noise)

    def weights_digest(self) -> str:
        return self._card.sha256 if self._card else ""

    def files(self, problem: Problem | None = None) -> tuple[Path, ...]:
        """The weights for the variant of this problem."""
        if self.weights is None:
            return (weight_files.FOLDER / self.file_name(_variant(problem)),)
        filled = {"solver": self.name, "preset": self.preset, "variant": self.equivalent(_variant(problem))[0]}
        return (Path(str(self.weights).format(**filled)),)

    def refusal(self, problem: Problem) -> str:
        """It was trained on whole patterns of real objects, in a frame and on a grid that its card names."""
        trained = problem.model_copy(update={"object": "real", "mask": "none"})
        with contextlib.suppress(weight_files.WeightsError):
            known = weight_files.read_card(*self.files(problem)).problem()
            trained = trained.model_copy(update={"frame": known.frame, "grid": known.grid})
        other = tuple(name for name in COLUMNS if getattr(problem, name) != getattr(trained, name))
        return f"{self.name} was trained on {trained.words(other)}, not on {problem.words(other)}" if other else ""

    def prepare(self, backend: Backend, problem: Problem | None = None) -> None:
        """Load the weights for the variant of this problem.

        Raises:
            UnavailableError: there are none for this preset and variant; the message has the command that makes them.
            WeightsError: they are damaged, or made for something else.
        """
        super().prepare(backend, problem)
        variant = _variant(problem)
        (path,) = self.files(problem)
        if not path.exists():
            label = self.model_copy(update={"weights": None, "precision": "float32"}).label
            raise UnavailableError(
                f"{self.name} has no weights {path}: train them with "
                f"python -m bench train --solver {shlex.quote(label)} --variant {variant} --output {path.parent}"
            )
        card, tensors = weight_files.load(path, solver=self.name, preset=self.preset, variant=variant)
        model = self.model(card.problem())
        weight_files.check_architecture(card, model.shapes(), path)
        weight_files.fill(model, tensors, path)
        self._card = card
        self._model = model.eval().to(backend.device)

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        """One pass; nothing in it is random, so `rng` is not used.

        An image is zero where the measurement is invalid, and where the network's answer is not finite, or not in the
        range of float32 in the unit of the measurement.

        Raises:
            UnavailableError: the measurement is of a complex object, or on another grid than the network's.
        """
        import torch

        if self._model is None or self._card is None:
            raise RuntimeError(f"{self.name}.prepare() was not called before solve()")
        trained = self._card.problem()
        if measurement.grid != trained.grid:
            raise UnavailableError(f"{self.name} was trained on a grid of {trained.grid}, not {measurement.grid}")
        if not measurement.real:
            raise UnavailableError(f"{self.name} was trained on real objects: it cannot reconstruct complex ones")
        valid = measurement.valid() & measurement.whole()
        images = np.zeros((len(measurement), *measurement.grid), dtype=np.float32)
        residual = np.full(len(measurement), np.nan)
        status = [Status.STOPPED if ok else Status.INVALID for ok in valid]
        with torch.inference_mode(), _threads(self.backend.threads):
            size = CHUNK[self.backend.device]
            for chunk in np.split(np.flatnonzero(valid), range(size, int(valid.sum()), size)):
                unit, part = normalised(measurement[chunk])
                drawn = self._reconstruct(part.intensities)
                images[chunk], right = in_units(drawn, unit)
                residual[chunk[right]] = _residual(drawn[right], part.intensities[right])
                for lost in chunk[~right]:
                    status[lost] = Status.DIVERGED
        once = valid.astype(np.int64)
        return Reconstruction(
            images=images,
            residual=residual,
            iterations=once,
            starts=once,
            transforms=self.transforms_per_image * once,
            status=status,
        )

    def _reconstruct(self, intensities: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n, m1, m2) for up to a chunk of normalised measurements."""
        import torch

        scale = intensities.max(axis=(1, 2), keepdims=True)
        missing = CHUNK[self.backend.device] - len(intensities)
        half, photons = (
            torch.cat([t, t.new_ones(missing, *t.shape[1:])]).to(self.backend.device) for t in seen(intensities)
        )
        narrow = torch.autocast(self.backend.device, torch.bfloat16, enabled=self.precision == "bf16")
        with narrow:  # which leaves Fourier transforms and what the network answers in float32
            images = self._model.reconstruct(half, photons).float().cpu().numpy()
        if images.shape != (len(half), *intensities.shape[1:]):
            raise ParameterError(
                f"the network of {self.name} answers with images {images.shape}: they must have the shape of the grid, "
                f"{(len(half), *intensities.shape[1:])}"
            )
        return images[: len(intensities)] * np.sqrt(scale).astype(np.float32)

    def _any_card(self) -> weight_files.Card | None:
        """The card of its weights for the hardest of the variants that it has weights for."""
        for variant in reversed(Variant):
            with contextlib.suppress(weight_files.WeightsError):
                return weight_files.read_card(*self.files(Problem(variant=variant)))
        return None


def placed_anew(images: NDArray, indices: NDArray[np.int64], problem: Problem, *, seed: int, epoch: int) -> NDArray:
    """The images (N, h, w) with these numbers in their frames (N, n1, n2), elsewhere in every epoch."""
    drawn = placements(problem.variant, seed=EPOCHS_AT_MOST * seed + epoch, split=problem.split, indices=indices)
    return place(images, drawn, problem.frame)


def seen(intensities: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    """What a network sees of whole patterns (B, m1, m2): their half planes (B, m1, m2 // 2 + 1), in which the brightest
    intensity of the whole is 1, and the photons (B,) in each as its noise tells them, both in float32."""
    import torch

    half = half_plane(intensities) / intensities.max(axis=(1, 2), keepdims=True)
    return torch.from_numpy(half).float(), torch.from_numpy(estimate_photons(intensities)).float()


def _variant(problem: Problem | None) -> Variant:
    return Variant((problem or Problem()).variant)


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    """This many threads for each operation of the network."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _residual(images: NDArray[np.float32], intensities: NDArray[np.float64]) -> NDArray[np.float64]:
    """‖|FX| − √Y‖ / ‖√Y‖ (n,) by its definition, in float64 and over the whole plane."""
    magnitudes = np.sqrt(intensities)
    difference = np.abs(scipy.fft.fft2(images.astype(np.float64))) - magnitudes
    return np.linalg.norm(difference, axis=(1, 2)) / np.linalg.norm(magnitudes, axis=(1, 2))
