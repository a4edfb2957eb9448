"""For a training loop of one's own: what a network learns from, and weights that a learned solver reads.

PyTorch is imported when one of these is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from datasets import ImageSet, Variant
from datasets.image_set import as_floats
from datasets.problem import Problem, show_size
from solvers.checkout import commit
from solvers.errors import ParameterError
from solvers.learned.base import LearnedSolver
from solvers.learned.photons import PhotonRange
from solvers.learned.trainable import placed_anew
from solvers.learned.weights import Card

if TYPE_CHECKING:
    from solvers.learned.network import Network
    from solvers.learned.pairs import Pairs


def training_pairs(
    problem: Problem,
    images: ImageSet,
    *,
    solver: LearnedSolver | None = None,
    photons: str | None = None,
    whole: bool = False,
    batch: int = 32,
    epochs: int | None = None,
    seed: int = 0,
) -> Iterator[Pairs]:
    """Batches of (intensities, photons, objects) on the CPU, as `solvers.learned.pairs.Pairs` has them.

    Each epoch takes all images in another order, but for the last few that fill no batch. A batch depends on the
    arguments and on its number alone.

    Args:
        problem: where the images are placed, and how they are measured.
        images: the training images. Keep some from it, such as the last, to measure progress by: `images.head(58_000)`.
        solver: what it says is to be predicted; without it, the images as they are placed.
        photons: a number or a range, such as 1e3:1e9, instead of those of the problem.
        whole: intensities (batch, m1, m2) of the whole plane instead of the half (batch, m1, m2 // 2 + 1).
        epochs: passes over the images; None goes on for ever.

    Raises:
        ParameterError: the objects are complex, a part of the pattern is not measured, there are fewer images than a
            batch has; or `photons` is no range.
    """
    if images.split != "train":
        raise ParameterError(f"these are images of the split {images.split}: networks learn from training images")
    problem = problem.model_copy(update={"split": images.split})
    if problem.phase is not None or problem.beamstop:
        asked = problem.words(("object", "mask"))
        raise ParameterError(f"training pairs are of real objects and whole patterns, not of {asked}")
    if not 1 <= batch <= len(images):
        raise ParameterError(f"a batch of {batch} cannot be taken from {len(images)} images")
    try:
        problem.check(images)
        noise = PhotonRange.read(problem.photons if photons is None else photons)
    except ValueError as error:
        raise ParameterError(str(error)) from error
    return _pairs(problem, images, solver, noise, whole, batch, epochs, seed)


def _pairs(
    problem: Problem,
    images: ImageSet,
    solver: LearnedSolver | None,
    noise: PhotonRange,
    whole: bool,
    batch: int,
    epochs: int | None,
    seed: int,
) -> Iterator[Pairs]:
    import torch

    from solvers.learned.encoding import expand
    from solvers.learned.pairs import observe, shuffled

    objects_of = placed_anew if solver is None else solver.objects
    for epoch in count() if epochs is None else range(epochs):
        order = shuffled(len(images), seed, epoch)
        for first in range(0, len(images) - batch + 1, batch):
            chosen = order[first : first + batch]
            placed = objects_of(images.images[chosen], chosen, problem, seed=seed, epoch=epoch)
            objects = torch.from_numpy(as_floats(placed)).float()
            pairs = observe(objects, problem.grid, noise, indices=chosen, seed=seed, epoch=epoch)
            yield pairs._replace(half=expand(pairs.half, problem.grid[1])) if whole else pairs


def save_weights(
    path: str | Path,
    model: Network,
    *,
    solver: LearnedSolver,
    problem: Problem,
    images: ImageSet | None = None,
    photons: str | None = None,
    validation_mse: float | None = None,
) -> Card:
    """Write weights as `bench train` does, in half precision, with a card beside them. What lies there is replaced.

    Args:
        path: of the weights (.safetensors); the card has the same name with .json. Their folder is made.
        model: the trained network.
        solver: whose weights these are.
        problem: what they are for.
        images: what they were trained on.
        photons: with how many, as for `training_pairs`.
        validation_mse: the mean error on images that were held out.

    Returns:
        The card as written. What it cannot know, such as the number of epochs, is null in it.

    Raises:
        ParameterError: the solver has another network for this problem, the path is of another kind of file, or these
            are no photons.
        WeightsError: the weights are not finite in half precision.
    """
    from solvers.learned import weights

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ParameterError(f"weights are written to a file of the kind .safetensors, not to '{path}'")
    if differing := weights.differences(model.shapes(), solver.model(problem).shapes()):
        raise ParameterError(f"solver '{solver.label}' has another network for this problem: {differing}")
    try:
        noise = PhotonRange.read(problem.photons if photons is None else photons)
    except ValueError as error:
        raise ParameterError(str(error)) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    card = Card(
        solver=solver.name,
        preset=solver.preset,
        parameters=solver.own_parameters(),
        variants=tuple(map(str, solver.equivalent(Variant(problem.variant)))),
        architecture=model.shapes(),
        sha256="",
        commit=commit() or "unknown",
        dataset=images.name if images else problem.dataset,
        split="train",
        data_sha256=images.digest if images else "",
        images=len(images) if images else None,
        validation_mse=validation_mse,
        frame=show_size(problem.frame),
        grid=show_size(problem.grid),
        photons=str(noise),
    )
    return weights.save(path, model.state_dict(), card)
