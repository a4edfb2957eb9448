"""What comes out of the starts of a reconstruction: the mean of those that agree, and how far they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from bench.reconstruction.starts import FailedError, Known, Start
from bench.score.agreement import AGREES
from bench.score.transfer import FEWEST, by_ring, half_period, rings, transfer
from solvers.composed.registration import centred, register

SUPPORT = 0.1  # of the largest magnitude: pixels of the mean above it are its support


@dataclass(frozen=True)
class Reconstructed:
    """An object recovered from a measured pattern. Images lie in the middle of the grid (m1, m2).

    Attributes:
        object: the mean of the starts that agree, registered to the best of them.
        spread: root mean square distance of these starts from their mean, at each pixel.
        best: the start with the smallest residual.
        images: (S, m1, m2) all starts, registered to the best.
        residual: (S,) ‖|FX| − √Y‖ / ‖√Y‖ over what was measured; NaN for a start that diverged.
        error: (S,) of each start against the best: 1 − |⟨a, b⟩|² / ‖a‖² ‖b‖².
        flipped: (S,) which starts were turned by 180 degrees and conjugated.
        iterations: (S,).
        known: the pattern, and what was known of the object.
        solver: its label.
        notes, warnings: what was done to the numbers, and what looks wrong, in words.
    """

    object: NDArray
    spread: NDArray[np.float64]
    best: NDArray
    images: NDArray
    residual: NDArray[np.float64]
    error: NDArray[np.float64]
    flipped: NDArray[np.bool_]
    iterations: NDArray[np.int64]
    known: Known
    solver: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def agrees(self) -> NDArray[np.bool_]:
        """(S,) the starts whose error against the best one is at most AGREES."""
        return self.error <= AGREES

    @property
    def intensities(self) -> NDArray[np.float64]:
        """(m1, m2), zero frequency at [0, 0], NaN where nothing was measured."""
        return self.known.intensities

    @property
    def support(self) -> NDArray[np.bool_]:
        """(m1, m2) pixels of the mean with more than a tenth of its largest magnitude."""
        magnitude = np.abs(self.object)
        return magnitude > SUPPORT * magnitude.max()

    @cached_property
    def prtf(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Frequency in cycles per pixel, and the transfer function of the starts that agree."""
        return transfer(self.images[self.agrees], self.intensities)

    @property
    def half_period(self) -> float:
        """The resolution in pixels; NaN where so few starts agree that chance alone keeps the PRTF up."""
        return half_period(*self.prtf) if self.agrees.sum() >= FEWEST else float("nan")

    @cached_property
    def fitted(self) -> NDArray[np.float64]:
        """(m1, m2) the intensities of the best start."""
        return np.abs(scipy.fft.fft2(self.best)) ** 2

    def residual_by_ring(self) -> NDArray[np.float64]:
        """‖|FX| − √Y‖ / ‖√Y‖ of the best start over each ring of `prtf`."""
        root = np.sqrt(self.intensities)
        ring, frequency = rings((root.shape[0], root.shape[1]))
        wrong = by_ring((np.sqrt(self.fitted) - root) ** 2, ring, len(frequency))
        light = by_ring(root**2, ring, len(frequency))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(np.where(light > 0, wrong / light, np.nan))

    def starts(self) -> pd.DataFrame:
        """One row for each start."""
        return pd.DataFrame(
            {
                "start": np.arange(len(self.residual)),
                "residual": self.residual,
                "error": self.error,
                "agrees": self.agrees,
                "flipped": self.flipped,
                "iterations": self.iterations,
                "pixels": [int((np.abs(one) > SUPPORT * np.abs(one).max()).sum()) for one in self.images],
            }
        )

    def summary(self) -> list[str]:
        """What was found, in a few lines."""
        agreeing, every = int(self.agrees.sum()), len(self.residual)
        others = np.delete(self.error, int(np.nanargmin(self.residual)))
        lines = [f"residual {np.nanmin(self.residual):.4f} (all starts: up to {np.nanmax(self.residual):.4f})"]
        if every > 1:
            lines.append(
                f"{agreeing} of {every} starts agree: at most {AGREES:g} of the energy differs from the best one "
                f"(median {np.median(others):.3f})"
            )
        if agreeing < FEWEST:
            lines.append(f"no resolution: it takes {FEWEST} starts that agree")
        else:
            at = f"half-period resolution {self.half_period:.2f} pixels (PRTF at 1/e)"
            _, prtf = self.prtf
            lines.append(at + "; it never falls below" * bool(np.nanmin(prtf[1:], initial=1) > np.exp(-1)))
        pieces, share = _pieces(self.support)
        lines.append(f"support {int(self.support.sum())} pixels, {share:.0%} of them in the largest of {pieces} pieces")
        return lines


def combine(
    known: Known,
    solver: str,
    starts: Sequence[Start],
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Reconstructed:
    """The reconstruction that the starts give together.

    Raises:
        FailedError: all of them diverged, or the best of them is zero everywhere.
    """
    residual = np.array([start.residual for start in starts])
    if not np.isfinite(residual).any():
        raise FailedError(f"solver '{solver}' diverged in all {len(starts)} starts")
    reference = starts[int(np.nanargmin(residual))].image
    if not reference.any():
        raise FailedError(f"solver '{solver}' gave an image that is zero everywhere")
    reference = np.roll(reference, centred(reference), (0, 1))
    registered = [register(reference, start.image) for start in starts]
    images = np.stack([one.image for one in registered])
    error = np.array([one.error for one in registered])
    agreeing = images[error <= AGREES]
    mean = agreeing.mean(axis=0)
    warned = list(warnings)
    if len(starts) > 1 and len(agreeing) == 1:
        warned.append(
            "no two starts agree: more iterations, another support or another --object may help; "
            "what is written is the best start alone"
        )
    return Reconstructed(
        object=mean,
        spread=np.sqrt((np.abs(agreeing - mean) ** 2).mean(axis=0)),
        best=reference,
        images=images,
        residual=residual,
        error=error,
        flipped=np.array([one.flipped for one in registered]),
        iterations=np.array([start.iterations for start in starts]),
        known=known,
        solver=solver,
        notes=tuple(notes),
        warnings=tuple(warned),
    )


def _pieces(support: NDArray[np.bool_]) -> tuple[int, float]:
    """Connected pieces of a support, and the share of its pixels in the largest one."""
    parts, count = scipy.ndimage.label(support, structure=np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    return count, float(sizes.max() / sizes.sum())
