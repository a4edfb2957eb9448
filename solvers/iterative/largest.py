"""The projection on images with few pixels: which of them are kept.

Source: Elser, Lan and Bendory, SIAM J. Imaging Sci. 11, 2429 (2018).
"""

from __future__ import annotations

from types import ModuleType

from solvers.backend import Array


def largest(xp: ModuleType, x: Array, support: Array, pixels: int, *, nonnegative: bool) -> Array:
    """The pixels of the support that the nearest image with at most so many of them keeps: the largest ones.

    Those with the largest modulus; of nonnegative images, the largest values. Of equal ones the first in the order of
    rows is kept.

    Args:
        xp: the array namespace.
        x: (B, m1, m2), real or complex.
        support: bool (B, m1, m2).
        pixels: how many are kept; all of the support where it has fewer.

    Returns:
        bool (B, m1, m2).
    """
    batch, m1, m2 = x.shape
    if nonnegative:
        size = xp.clip(x, 0, None)
    elif xp.isdtype(x.dtype, "complex floating"):
        size = xp.real(x) ** 2 + xp.imag(x) ** 2
    else:
        size = xp.abs(x)
    size = xp.reshape(xp.where(support, size, -xp.ones_like(size)), (batch, m1 * m2))
    order = xp.argsort(size, axis=1, descending=True, stable=True)
    rank = xp.argsort(order, axis=1, stable=True)
    return support & xp.reshape(rank < pixels, (batch, m1, m2))
