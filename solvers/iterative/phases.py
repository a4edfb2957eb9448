"""The projection on complex numbers whose phase lies in a range: a sector of the plane."""

from __future__ import annotations

import math
from types import ModuleType

from solvers.backend import Array


def nearest_phase(xp: ModuleType, z: Array, first: float, last: float) -> Array:
    """The number nearest to each z, of any shape, with a phase from `first` to `last` (radians), or zero.

    Beside the sector that is the foot of the perpendicular on its nearer edge, and behind it zero.
    """
    middle, half = (first + last) / 2, (last - first) / 2
    angle = _angle(xp, z, middle)
    beyond = xp.clip(xp.abs(angle) - half, 0, math.pi / 2)
    turn = xp.sign(angle) * half + middle
    foot = xp.abs(z) * xp.cos(beyond)
    edge = xp.astype(foot * xp.cos(turn), z.dtype) + 1j * xp.astype(foot * xp.sin(turn), z.dtype)
    edge = xp.where(beyond < math.pi / 2, edge, xp.zeros_like(z))
    return xp.where(beyond > 0, edge, z)


def in_phase(xp: ModuleType, z: Array, first: float, last: float) -> Array:
    """Whether each z has a phase from `first` to `last` (radians), or is zero."""
    return (z == 0) | (xp.abs(_angle(xp, z, (first + last) / 2)) <= (last - first) / 2)


def _angle(xp: ModuleType, z: Array, middle: float) -> Array:
    """The phase of z less `middle`, from −π to π."""
    turned = z * complex(math.cos(middle), -math.sin(middle))
    return xp.atan2(xp.imag(turned), xp.real(turned))
