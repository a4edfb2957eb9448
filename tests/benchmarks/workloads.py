"""What the benchmarks compute with: images in the size of interest, on one thread, in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from datasets import Measurement, load_images, measure, place, placements
from solvers import Backend, IterativeSolver, create
from solvers.iterative.block import Block, box_block
from solvers.iterative.state import State

ONE_THREAD = Backend("torch", "cpu", "float32", 1)
GRID = (96, 96)
LIBRARIES = ("torch", "torch-out", "scipy", "numpy")
BATCHES = (1, 4, 8, 16, 64)  # images transformed at once
STEPS = ("er", "hio", "raar", "difference_map", "rrr", "alm")
FASTEST = "rrr[nonneg=true]"  # the solver that needs the fewest seconds for a solution


def sample(count: int, variant: str = "shift_flip") -> tuple[NDArray, Measurement]:
    """The first embedded images (count, 42, 42) and their measurement."""
    indices = np.arange(count)
    where = placements(variant, seed=0, split="test", indices=indices)
    objects = place(load_images("sample").tiles(indices), where)
    return objects, measure(objects, indices=indices)


class _Portable(Block):
    """A block that no kernel takes."""

    constraints = None


def started(
    label: str, grid: tuple[int, int], batch: int, *, portable: bool = False, real: bool = True, masked: bool = False
) -> Callable[[int], None]:
    """Iterations of a solver on random objects that fill the box, as a function of their number.

    Args:
        portable: without kernels.
        real: the objects are real, and not complex.
        masked: a small square around the zero frequency was not measured.
    """
    rng = np.random.default_rng(0)
    box = tuple(7 * m // 16 for m in grid)

    def objects() -> NDArray:
        x = rng.random((batch, *box))
        return x if real else x * np.exp(2j * np.pi * rng.random(x.shape))

    measurement = measure(objects(), grid=grid)
    mask = np.ones((batch, *grid), dtype=bool)
    mask[:, :4, :4] = mask[:, -3:, :4] = mask[:, :4, -3:] = mask[:, -3:, -3:] = not masked
    solver = create(label)
    assert isinstance(solver, IterativeSolver)
    solver.prepare(ONE_THREAD)
    block: Block = box_block(measurement, ONE_THREAD, real=real, nonnegative=solver.nonneg, mask=mask)
    guess = np.zeros((batch, *grid), dtype=np.float32 if real else np.complex64)
    guess[:, : box[0], : box[1]] = objects()
    if portable:
        block = _Portable(**{field.name: getattr(block, field.name) for field in fields(block)})
    state: State = solver.begin(ONE_THREAD.asarray(guess), block)

    def advance(count: int) -> None:
        nonlocal state
        state = solver.advance(state, block, count)

    return advance


def complex_transform_pair(grid: tuple[int, int], batch: int) -> Callable[[], None]:
    """One fft2 and one ifft2 of complex64 images by torch."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.random((batch, *grid, 2), dtype=np.float32).view(np.complex64)[..., 0])

    def pair() -> None:
        torch.fft.ifft2(torch.fft.fft2(x))

    return pair


def transform_pair(library: str, grid: tuple[int, int], batch: int) -> Callable[[], None]:
    """One rfft2 and one irfft2 of float32 images, into buffers that are used again where the library can do that.

    torch can, at the price of copies: "torch" leaves the buffers to it, "torch-out" hands them over.
    """
    x = np.random.default_rng(0).random((batch, *grid), dtype=np.float32)
    half = np.empty((batch, grid[0], grid[1] // 2 + 1), dtype=np.complex64)
    if library == "torch":
        given = torch.from_numpy(x)

        def pair() -> None:
            torch.fft.irfft2(torch.fft.rfft2(given), s=grid)

    elif library == "torch-out":
        xt, ht = torch.from_numpy(x), torch.from_numpy(half)

        def pair() -> None:
            torch.fft.rfft2(xt, out=ht)
            torch.fft.irfft2(ht, s=grid, out=xt)

    elif library == "numpy":

        def pair() -> None:
            np.fft.rfft2(x, out=half)
            np.fft.irfft2(half, s=grid, out=x)

    else:  # scipy has no out=; it may destroy its input

        def pair() -> None:
            scipy.fft.irfft2(scipy.fft.rfft2(x, workers=1), s=grid, overwrite_x=True, workers=1)

    return pair
