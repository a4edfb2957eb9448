"""The deep image prior: an untrained network as the model of one image."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from datasets import Measurement
from datasets.problem import Problem
from solvers.backend import Backend
from solvers.base import Information, Reconstruction, Solver, Streams
from solvers.chunks import in_chunks
from solvers.composed.stages import best_of
from solvers.errors import ParameterError
from solvers.iterative.block import box_block

if TYPE_CHECKING:
    from torch import Tensor

# Numbers in the finest features of the images that are fitted together: on a CPU, what stays in its caches.
TOGETHER = {"cpu": 2**19, "cuda": 2**26}
EPSILON = 1e-5  # added to the variance of a channel


class DeepImagePrior(Solver):
    """min over θ of ‖|F X(θ)| − √Y‖² over what was measured, by Adam; X(θ) is what a small network makes of noise.

    The network is a decoder with weights of its own for every image, and no other image was ever seen by it. From
    fixed noise B₀ on a coarse grid, with c channels,

        B_{i+1} = cn(relu(U_i B_i C_i)),   i = 0 … d − 1,      X = relu(B_d c_d + b)   in the box, zero outside

    where C_i (c × c) mixes the channels of a pixel, U_i is bilinear interpolation to twice as many pixels a side, and
    cn gives each channel of an image a learned mean and standard deviation. Of θ = {C_i, c_d, b, cn}, C_i and c_d are
    random at first, b is 0, and cn has mean 0 and standard deviation 1. The gradient of the loss in X is 2 (X − P_M X),
    with the projection that all solvers share; the step length falls as half a cosine, and the last image counts. With
    few parameters, a smooth image is fitted sooner than noise.

    A fit ends in a wrong basin more often than not: several starts help more than longer ones. Parameters were tuned on
    training images. Of these, 27 had a mean error of 0.152 without noise and of 0.134 with 1e5 photons; with levels=3
    and rate=0.03, of 0.179 and 0.167.

    Sources: Ulyanov, Vedaldi and Lempitsky, "Deep image prior" (CVPR 2018) for the method; the decoder is that of
    Heckel and Hand, "Deep decoder" (ICLR 2019), eq. 1, with relu in place of a sigmoid at its end, since an intensity
    has no upper limit; for phase retrieval, Jagatap and Hegde, "Algorithmic guarantees for inverse imaging with
    untrained network priors" (NeurIPS 2019), and Bostan, Heckel, Chen, Kellman and Waller, "Deep phase decoder"
    (Optica 7, 559, 2020).
    """

    name: ClassVar[str] = "deep_image_prior"
    summary: ClassVar[str] = "an untrained network, fitted to the magnitudes of each image by itself"
    precisions: ClassVar[tuple[str, ...]] = ("float32",)

    iterations: int = Field(200, ge=1, le=10**6, description="steps of Adam in a start")
    starts: int = Field(4, ge=1, le=1000, description="random networks, at most; chosen by residual")
    rate: float = Field(0.02, gt=0, le=1, description="length of the first step of Adam")
    width: int = Field(32, ge=1, le=1024, description="channels c of the decoder")
    levels: int = Field(4, ge=1, le=8, description="layers d of the decoder, each of which doubles the resolution")
    tolerance: float = Field(1e-3, ge=0, description="magnitude residual at which an image is finished")

    def information(self) -> Information:
        return Information(support="box", real=True, nonnegative=True, untrained=True)

    def refusal(self, problem: Problem) -> str:
        return "" if problem.phase is None else f"{self.name} makes real images: it cannot recover complex objects"

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        """Reconstruct a batch. An object that is not known to be nonnegative is left out: its status is INVALID.

        Raises:
            ParameterError: the objects are complex.
        """
        if not measurement.real:
            raise ParameterError(f"{self.name} was given complex objects: it makes real images")
        return best_of(self.starts, measurement, rng, self._start)

    def _start(self, measurement: Measurement, rng: Streams, number: int) -> Reconstruction:
        valid = measurement.valid() & measurement.nonnegative
        size = max(1, min(256, TOGETHER[self.backend.device] // (self.width * math.prod(measurement.object_shape))))
        return in_chunks(
            lambda rows, part, unit: self._fitted(part, rng),
            measurement,
            self.backend,
            valid=valid,
            there=valid,
            size=size,
            tolerance=self.tolerance,
            iterations=self.iterations,
            transforms=2 * self.iterations + 1,
            kernel="portable",
        )

    def _fitted(self, measurement: Measurement, rng: Streams) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Images (B, m1, m2) and their residuals (B,), in normalised units."""
        import torch

        backend = Backend("torch", self.backend.device, "float32", self.backend.threads)
        mask = None if measurement.whole().all() else measurement.measured
        block = box_block(measurement, backend, real=True, nonnegative=True, mask=mask)
        energy = np.nansum(measurement.intensities, axis=(1, 2)) / math.prod(measurement.grid)
        n1, n2 = measurement.object_shape
        pixel = backend.asarray(np.sqrt(energy / (n1 * n2)))[:, None, None]  # root mean square
        streams = [rng.generator(int(index)) for index in measurement.indices]
        decoder = _Decoder(streams, (n1, n2), self.width, self.levels, backend)
        x = torch.zeros(block.support.shape, device=backend.device)
        # Of ‖X − P_M X‖² / ‖X‖², by which an image has as much weight as another.
        slope = 2 * block.support / backend.asarray(energy)[:, None, None]
        adam = torch.optim.Adam(decoder.parameters, lr=self.rate)
        for step in range(self.iterations):
            adam.param_groups[0]["lr"] = self.rate * (1 + math.cos(math.pi * step / self.iterations)) / 2
            drawn = decoder.images() * pixel
            x[:, :n1, :n2] = drawn.detach()
            x *= block.support
            gradient = slope * (x - block.project_magnitude(x))
            adam.zero_grad()
            drawn.backward(gradient[:, :n1, :n2])
            adam.step()
        with torch.no_grad():
            x[:, :n1, :n2] = decoder.images() * pixel
            x *= block.support
        found = torch.where(torch.isfinite(x).all(dim=(1, 2), keepdim=True), x, torch.nan)  # all of it, or nothing
        return backend.to_numpy(found), backend.to_numpy(block.residual(found)).astype(np.float64)


class _Decoder:
    """The networks of B images, whose weights are stacked: the layers of all are one product of matrices each."""

    def __init__(
        self,
        streams: list[np.random.Generator],
        shape: tuple[int, int],
        width: int,
        levels: int,
        backend: Backend,
    ) -> None:
        import torch

        sides = [[-(-n // 2**k) for n in shape] for k in range(levels, -1, -1)]

        def drawn(bound: float, *size: int) -> Tensor:
            """Uniform in [−bound, bound], for each image from its own stream (B, *size)."""
            draws = [bound * (2 * stream.random(size, dtype=np.float32) - 1) for stream in streams]
            return backend.asarray(np.stack(draws))

        def constant(value: float, rows: int) -> Tensor:
            return torch.full((len(streams), rows, 1), value, device=backend.device)

        self._noise = drawn(1, width, math.prod(sides[0]))
        bound = math.sqrt(1.5 / width)  # for a variance of 1 / 2c
        self._mixing = [drawn(bound, width, width) for _ in range(levels)]
        self._last, self._offset = drawn(bound, 1, width), constant(0.0, 1)
        self._deviations = [constant(1.0, width) for _ in range(levels)]
        self._means = [constant(0.0, width) for _ in range(levels)]
        self._finer = [
            [backend.asarray(_interpolation(n, m)) for n, m in zip(coarse, fine, strict=True)]
            for coarse, fine in pairwise(sides)
        ]
        self.parameters = [*self._mixing, *self._deviations, *self._means, self._last, self._offset]
        for parameter in self.parameters:
            parameter.requires_grad_()

    def images(self) -> Tensor:
        """X (B, n1, n2), in units of the root mean square of a pixel."""
        import torch

        x = self._noise
        for mix, (rows, columns), deviation, mean in zip(
            self._mixing, self._finer, self._deviations, self._means, strict=True
        ):
            x = torch.bmm(mix, x)  # before U, with which it commutes, since there are fewer pixels
            x = rows @ x.unflatten(2, (rows.shape[1], columns.shape[1])) @ columns.T
            x = torch.relu(x.flatten(2))
            x = x - x.mean(dim=2, keepdim=True)
            x = x * (x.square().mean(dim=2, keepdim=True) + EPSILON).rsqrt() * deviation + mean
        return torch.relu(torch.bmm(self._last, x) + self._offset).view(len(x), len(rows), len(columns))


def _interpolation(coarse: int, fine: int) -> NDArray[np.float32]:
    """(fine, coarse) linear interpolation between the middles of pixels.

    It is a matrix because torch adds up the gradient of its own interpolation in any order on a GPU.
    """
    places = np.clip((np.arange(fine) + 0.5) * coarse / fine - 0.5, 0, coarse - 1)
    below = places.astype(int)
    above, share = np.minimum(below + 1, coarse - 1), places - below
    matrix = np.zeros((fine, coarse), dtype=np.float32)
    np.add.at(matrix, (np.arange(fine), below), 1 - share)
    np.add.at(matrix, (np.arange(fine), above), share)
    return matrix
