"""How the shared-memory kernel divides its work, and which accesses would wait for each other."""

from __future__ import annotations

import pytest

from solvers.cuda.plan import LARGEST, plan, refusal

FAVOURITE = plan((96, 96), (42, 42))


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
    assert refusal(grid) == message
    with pytest.raises(ValueError, match=message):
        plan(grid, (1, 1))


def test_all_other_sizes_have_a_plan():
    lengths = [m for m in range(2, LARGEST + 1) if refusal((2, m)) is None]
    assert {2, 3, 5, 96, 125, 128} <= set(lengths)
    for m in lengths:
        rows, columns = plan((96, m), (1, 1)), plan((m, 96), (1, 1)) if m % 2 == 0 else None
        assert rows.row.first * rows.row.second == m
        assert rows.threads % 32 == 0
        if columns is not None:
            assert columns.column.first * columns.column.second == m
            assert columns.threads <= 1024


def test_no_two_numbers_share_a_place():
    for grid in ((96, 96), (90, 75), (8, 4), (54, 125)):
        split = plan(grid, grid)
        places = {
            pair // (split.column.second // 2) * split.group_stride
            + pair % (split.column.second // 2) * split.pair_stride
            + split.position(k)
            for pair in range(grid[0] // 2)
            for k in range(grid[1] + grid[1] % 2)  # an odd row has one more place, for column 0
        }
        assert len(places) == grid[0] // 2 * (grid[1] + grid[1] % 2)
        assert max(places) < split.column.first * split.group_stride


def test_half_a_warp_of_96_by_96_reaches_every_bank_once():
    """The accesses of the exchanges within rows and columns, for the lanes 0 to 15: four threads of four transforms."""
    split, lanes = FAVOURITE, [(group, thread) for group in range(4) for thread in range(4)]
    accesses = {
        "a column's pairs of rows": lambda g, t: t * split.pair_stride + split.position(8 + g),
        "a column between its radices": lambda g, t: t * split.group_stride + split.position(8 + g),
        "a row before": lambda g, t: g * split.pair_stride + t + 13 * 2,
        "a row after": lambda g, t: g * split.pair_stride + 5 + 13 * t,
        "the box": lambda g, t: g * split.object_stride + t,
    }
    for name, place in accesses.items():
        assert len({place(g, t) % 16 for g, t in lanes}) == 16, name


def test_a_warp_reads_magnitudes_from_all_banks():
    banks = {(t * FAVOURITE.magnitude_stride + column) % 32 for t in range(4) for column in range(8)}
    assert len(banks) == 32
