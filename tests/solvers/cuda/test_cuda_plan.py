"""How the shared-memory kernel divides its work, and which accesses would wait for each other."""

from __future__ import annotations

import pytest

from solvers.cuda.kind import Kind
from solvers.cuda.plan import LARGEST, plan, refusal


def plan_of(grid, box, **known):
    return plan(Kind("rrr", grid, box, **known))


FAVOURITE, COMPLEX = plan_of((96, 96), (42, 42)), plan_of((96, 96), (42, 42), real=False)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ((130, 96), "a grid of 130×96 is larger than 128×128"),
        ((96, 77), "length 77 is not a product of 2, 3 and 5"),
        ((1, 96), "length 1 is not a product of 2, 3 and 5"),
        ((75, 96), "75 rows are not a whole number of pairs"),
    ],
)
def test_what_the_kernel_does_not_do_is_refused_with_a_reason(grid, message):
    for real in (True, False):
        assert refusal(grid, real) == message
        with pytest.raises(ValueError, match=message):
            plan_of(grid, (1, 1), real=real)


def test_complex_images_are_refused_where_their_state_would_not_stay_in_registers():
    assert refusal((128, 128)) is None
    message = "complex images of 128×128 leave fewer than 128 registers to each of 1024 threads"
    assert refusal((128, 128), real=False) == message
    assert refusal((96, 96), real=False) is None


def test_all_other_sizes_have_a_plan():
    lengths = [m for m in range(2, LARGEST + 1) if refusal((2, m)) is None]
    assert {2, 3, 5, 96, 125, 128} <= set(lengths)
    for m in lengths:
        rows, columns = plan_of((96, m), (1, 1)), plan_of((m, 96), (1, 1)) if m % 2 == 0 else None
        assert rows.row.first * rows.row.second == m
        assert rows.threads % 32 == 0
        if columns is not None:
            assert columns.column.first * columns.column.second == m
            assert columns.threads <= 1024


@pytest.mark.parametrize("real", [True, False])
def test_no_two_numbers_share_a_place(real):
    for grid in ((96, 96), (90, 75), (8, 4), (54, 80), (2, 3)):
        split = plan_of(grid, grid, real=real)
        numbers = grid[1] + (grid[1] % 2 if real else 0)  # an odd row of a real image has a place more, for column 0
        places = {
            pair // (split.column.second // 2) * split.group_stride
            + pair % (split.column.second // 2) * split.pair_stride
            + line * split.line_stride
            + split.position(k)
            for pair in range(grid[0] // 2)
            for line in range(1 if real else 2)
            for k in range(numbers)
        }
        assert len(places) == grid[0] // 2 * (1 if real else 2) * numbers
        assert max(places) < split.column.first * split.group_stride


@pytest.mark.parametrize("split", [FAVOURITE, COMPLEX], ids=["real", "complex"])
def test_half_a_warp_of_96_by_96_reaches_every_bank_once(split):
    """The accesses of the exchanges within rows and columns, for the lanes 0 to 15: four threads of four transforms."""
    lanes = [(group, thread) for group in range(4) for thread in range(4)]
    line = lambda g: g * split.pair_stride if split.real else g // 2 * split.pair_stride + g % 2 * split.line_stride  # noqa: E731
    accesses = {
        "a column's pairs of rows": lambda g, t: t * split.pair_stride + split.position(8 + g),
        "a column between its radices": lambda g, t: t * split.group_stride + split.position(8 + g),
        "a row before": lambda g, t: line(g) + t + 13 * 2,
        "a row after": lambda g, t: line(g) + 5 + 13 * t,
        "the box": lambda g, t: g * split.object_stride + t,
    }
    for name, place in accesses.items():
        assert len({place(g, t) % 16 for g, t in lanes}) == 16, name


@pytest.mark.parametrize("split", [FAVOURITE, COMPLEX], ids=["real", "complex"])
def test_a_warp_reads_magnitudes_from_all_banks(split):
    banks = {(t * split.magnitude_stride + column) % 32 for t in range(4) for column in range(8)}
    assert len(banks) == 32
