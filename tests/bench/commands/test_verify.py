"""`bench verify`: solvers that keep the contract pass, and each way of breaking it is found by its own check."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from doubles import Broken, Demanding, Misshapen, NotFinite, Quitting, register_solvers

from bench.commands.verify import findings
from bench.executors.contract import CHECKS
from bench.executors.inline import Inline
from datasets import Measurement, load_images, place, placements
from solvers import Backend, Information, Reconstruction, Solver, Status, Streams


class Honest(Solver):
    """Gives an image with the right magnitudes and random phases, whose residual is zero."""

    name = "honest"
    summary = "keeps the contract"

    def information(self) -> Information:
        return Information()

    def solve(self, measurement: Measurement, rng: Streams) -> Reconstruction:
        valid = measurement.valid()
        images = np.zeros(measurement.intensities.shape, dtype=complex)
        for i in np.flatnonzero(valid):
            phases = rng.generator(measurement.indices[i]).random(measurement.grid)
            images[i] = np.fft.ifft2(np.sqrt(measurement.intensities[i]) * np.exp(2j * np.pi * phases))
        ones = np.ones(len(valid), dtype=np.int64)
        status = [Status.STOPPED if ok else Status.INVALID for ok in valid]
        return Reconstruction(images, np.where(valid, 0.0, np.nan), ones, ones, ones, status)


class Optimistic(Honest):
    """Says that the residual is smaller than it is."""

    def solve(self, measurement, rng):
        return replace(found := super().solve(measurement, rng), images=found.images * 2)


class Secretive(Honest):
    """Uses nonnegativity, and does not say so."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        return replace(found, images=found.images * (1j if measurement.nonnegative.all() else 1))


class Realist(Honest):
    """Uses that the object is real, and does not say so."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        return replace(found, images=found.images * (1j if measurement.real else 1))


class Boxed(Honest):
    """Uses the size of the object, and does not say so."""

    def solve(self, measurement, rng):
        return replace(
            found := super().solve(measurement, rng), images=np.roll(found.images, measurement.object_shape[0], 1)
        )


class Unseeded(Honest):
    """Draws from a generator of its own."""

    generator: ClassVar[np.random.Generator] = np.random.default_rng(0)

    def solve(self, measurement, rng):
        return super().solve(measurement, Streams(int(Unseeded.generator.integers(1 << 30))))


class Crowded(Honest):
    """Draws one stream for the whole batch, in its order."""

    def solve(self, measurement, rng):
        names = np.arange(len(measurement))
        return super().solve(replace(measurement, indices=names), rng)


class Vandal(Honest):
    """Takes the square root in place."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        np.sqrt(np.abs(measurement.intensities), out=measurement.intensities)
        return found


class Cheat(Honest):
    """Looks the images up."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        where = placements("shift_flip", seed=0, split="test", indices=measurement.indices)
        images = np.zeros(measurement.intensities.shape)
        images[:, :42, :42] = place(load_images("sample").tiles(measurement.indices), where)
        return replace(found, images=np.where(measurement.valid()[:, None, None], images, 0))


class Trusting(Honest):
    """Takes every measurement for a good one."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        return replace(found, status=[Status.STOPPED] * len(measurement))


class Unscaled(Honest):
    """Takes bright images for brighter than they are."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        bright = measurement.intensities.max() > 1e6
        return replace(found, images=found.images / (2 if bright else 1))


class Dim(Honest):
    """Takes images with small pixels for empty ones, and says that it stopped there."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        return replace(found, images=np.where(abs(found.images) < 1e-12, 0, found.images))


class Misled(Honest):
    """Gives the right image in any unit, but says what the residual would be in that of the embedded images."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        dim = measurement.intensities.max(initial=0) < 1e-20
        return replace(found, residual=found.residual + (0.5 if dim else 0))


class Faint(Honest):
    """Looks images up where the light is so faint that nobody looks."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        if not 0 < measurement.intensities.max(initial=0) < 1e-20:
            return found
        where = placements("shift_flip", seed=0, split="test", indices=measurement.indices)
        images = found.images.copy()
        images[:] = 0
        images[:, :42, :42] = 1e-15 * place(load_images("sample").tiles(measurement.indices), where)
        return replace(found, images=images)


class Narrow(Honest):
    """Has no numbers for small pixels, and says so."""

    def solve(self, measurement, rng):
        found = super().solve(measurement, rng)
        lost = measurement.valid() & (measurement.intensities.max(axis=(1, 2), initial=0) < 1e-20)
        status = [Status.DIVERGED if gone else kept for gone, kept in zip(lost, found.status, strict=True)]
        images = np.where(lost[:, None, None], 0, found.images)
        return replace(found, images=images, residual=np.where(lost, np.nan, found.residual), status=status)


class Textual(Honest):
    """Returns counts as floats."""

    def solve(self, measurement, rng):
        return replace(found := super().solve(measurement, rng), iterations=found.iterations / 2)


@pytest.fixture
def broken(monkeypatch):
    """The promises that a solver breaks, with the reasons; a label, or a class of this file."""

    def check(solver: str | type[Solver]) -> dict[str, str]:
        if not isinstance(solver, str):
            register_solvers(monkeypatch, solver)
            solver = solver.name
        with Inline(load_images("sample"), Backend()) as here:
            return {check: reason for check, reason in findings(solver, "shift_flip", here) if reason}

    return check


@pytest.fixture
def here(monkeypatch):
    """`bench verify` in this process, where the solvers of this file are known."""
    monkeypatch.setattr("bench.commands.verify.Processes", Inline)


@pytest.mark.parametrize(
    "label",
    [
        "er[iterations=25]",
        "hio[nonneg=true,iterations=25]",
        "raar[iterations=25,real=false]",
        "difference_map[nonneg=true,iterations=25]",
        "rrr[nonneg=true,support=shrinkwrap,iterations=25,starts=2]",
        "alm[iterations=12]",
        "alm[nonneg=true,iterations=12]",
    ],
)
def test_the_solvers_of_this_package_keep_the_contract(label, broken):
    assert broken(label) == {}


@pytest.mark.parametrize("kind", [Honest, Narrow])
def test_a_solver_of_another_package_can_keep_it_too(kind, broken):
    assert broken(kind) == {}


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Optimistic, "residual as it is defined"),
        (Secretive, "uses what it declares"),
        (Realist, "uses what it declares"),
        (Boxed, "uses what it declares"),
        (Unseeded, "same seed, same result"),
        (Crowded, "independent of the batch"),
        (Vandal, "leaves the measurement alone"),
        (Cheat, "knows no truth"),
        (Trusting, "survives bad measurements"),
        (Faint, "knows no truth"),
        (Unscaled, "scales with the intensities"),
        (Dim, "scales with the intensities"),
        (Misled, "scales with the intensities"),
        (NotFinite, "finite images"),
        (Textual, "right shapes and types"),
        (Misshapen, "right shapes and types"),
        (Broken, "prepares and solves"),
        (Quitting, "prepares and solves"),
    ],
)
def test_each_breach_is_found_by_its_check(kind, check, broken):
    found = broken(kind)
    assert check in found
    assert "\n" not in found[check]


def test_every_check_says_what_it_checks():
    assert all(check.__doc__ for check in CHECKS.values())


# ---- the command


@pytest.mark.slow
def test_the_contract_is_shown_as_a_table(bench):
    done = bench("verify", "--solvers", "er[iterations=5],rrr[iterations=5]")
    assert done.status == 0
    assert done.out.count("✓") == 2 * (len(CHECKS) + 1)
    assert "✗" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_a_solver_that_fails_is_told_with_the_place_where(bench, monkeypatch, here):
    register_solvers(monkeypatch, Broken)
    done = bench("verify", "--solvers", "broken")
    assert re.search(r"doubles\.py:\d+", done.out.replace("\n", ""))
    assert "Traceback" not in done.err
    assert "Traceback (most recent call last)" in bench("verify", "--solvers", "broken", "--debug").err


def test_a_breach_has_the_exit_status_of_a_failed_solver(bench, monkeypatch, here):
    register_solvers(monkeypatch, Broken)
    done = bench("verify", "--solvers", "er[iterations=5],broken")
    assert done.status == 3
    assert "ZeroDivisionError: the [/dial] was at [bold]eleven" in " ".join(done.out.split())


@pytest.mark.slow
def test_weights_that_are_not_there_are_named_with_the_command_that_makes_them(bench, tmp_path):
    done = bench("verify", "--solvers", f"unet_a[weights={tmp_path / 'none'}]")
    assert done.status == 3
    assert "python -m bench train" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--solvers", "rrrr"], "'rrrr'"),
        (["--solvers", ""], "--solvers"),
        (["--solvers", "er", "--variant", "mirror"], "'mirror'"),
        (["--solvers", "demanding"], "strength"),
    ],
)
def test_bad_usage_is_one_line(bench, monkeypatch, arguments, word):
    register_solvers(monkeypatch, Demanding)
    done = bench("verify", *arguments)
    assert done.status == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert word in done.err
