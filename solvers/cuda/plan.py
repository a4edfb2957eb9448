"""How the shared-memory kernel cuts a transform into radices and threads, and where it keeps what. Pure arithmetic.

A transform of length N = A · B is done by a few threads of one warp in two steps, radix A and radix B, with one
exchange between them. The numbers chosen here reach `projection.cu` as macros, so that its loops unroll.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

from solvers.cuda.kind import Kind

LARGEST = 128  # of a grid's sides: a half plane of twice that no longer fits into shared memory
WARP = 32
BANKS = 16  # of 8 bytes: what half a warp reaches at once when each thread asks for a complex number
MOST = 25  # complex numbers that a thread can hold besides as many of the state
RADICES = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16, 25)
RESIDENT = 2  # blocks that a multiprocessor is to hold at once: one computes while the other waits at a barrier
REGISTERS = 65536  # of a multiprocessor
ENOUGH = 128  # of them for a thread: with fewer, the compiler moves the state to memory


@dataclass(frozen=True)
class Split:
    """A transform of length `first` · `second`, done by `threads` threads."""

    first: int
    second: int
    threads: int


@dataclass(frozen=True)
class Plan:
    """All that the kernel for images of one grid and box is compiled with."""

    grid: tuple[int, int]
    box: tuple[int, int]
    column: Split
    row: Split
    real: bool = True
    supported: bool = False

    @property
    def columns(self) -> int:
        """Complex columns that are transformed.

        Those of a half plane whose first one carries the zero and the Nyquist frequency together; all of a complex
        image's.
        """
        return (self.grid[1] + 1) // 2 if self.real else self.grid[1]

    @property
    def threads(self) -> int:
        """Of a block: every column has its own, for the whole of a launch."""
        return -(-self.columns // (WARP // self.column.threads)) * WARP

    @property
    def resident(self) -> int:
        """Blocks that share a multiprocessor's registers: fewer where enough for each thread would not be left."""
        return max(1, min(RESIDENT, REGISTERS // (ENOUGH * self.threads)))

    @property
    def line_stride(self) -> int:
        """Complex numbers from the first to the second line of a pair of rows, which has two if the image is complex: 8
        modulo 16 spreads four lines over all banks, with what `pair_stride` is."""
        needed = self._line()
        return needed + (8 - needed) % BANKS

    @property
    def pair_stride(self) -> int:
        """Complex numbers from one pair of rows to the next: 12 modulo 16 spreads four pairs over all banks."""
        needed = self._line() + (0 if self.real else self.line_stride)
        return needed + (12 - needed) % BANKS

    @property
    def group_stride(self) -> int:
        """From one group of second / 2 pairs of rows to the next."""
        return self.column.second // 2 * self.pair_stride + 4

    @property
    def object_stride(self) -> int:
        """From one line of the box to the next."""
        return self.box[1] + (12 - self.box[1]) % BANKS

    @property
    def magnitude_stride(self) -> int:
        """Floats from one row of magnitudes to the next: 8 or 24 modulo 32 spread four rows of eight over all banks."""
        needed = self.grid[1] // 2 + 1 if self.real else self.grid[1]
        return needed + (8 - needed) % BANKS

    @property
    def box_lines(self) -> int:
        """Lines in the pairs of rows that the box touches."""
        return -(-self.box[0] // 2) * (1 if self.real else 2)

    @property
    def shared_bytes(self) -> int:
        """Shared memory of a block: the plane, the box, two tables of roots of unity, magnitudes, partial sums, and a
        support."""
        m1, m2 = self.grid
        complexes = self.column.first * self.group_stride + self.box_lines * self.object_stride + m1 + m2
        support = self.box_lines * self.box[1] if self.supported else 0
        return 8 * complexes + 4 * (m1 * self.magnitude_stride + 2 * self.threads) + -(-support // 8) * 8

    def position(self, k: int) -> int:
        """Where a row keeps column k: a gap after every `first` columns keeps the radix-B step free of conflicts."""
        return k % self.row.first + (self.row.first + 1) * (k // self.row.first)

    def macros(self) -> dict[str, int]:
        """The definitions that `projection.cu` asks for, besides those of the kind."""
        return {
            "COLUMN_A": self.column.first,
            "COLUMN_B": self.column.second,
            "COLUMN_T": self.column.threads,
            "ROW_A": self.row.first,
            "ROW_B": self.row.second,
            "ROW_T": self.row.threads,
            "LINE_STRIDE": self.line_stride,
            "PAIR_STRIDE": self.pair_stride,
            "GROUP_STRIDE": self.group_stride,
            "OBJECT_STRIDE": self.object_stride,
            "MAGNITUDE_STRIDE": self.magnitude_stride,
            "THREADS": self.threads,
            "RESIDENT": self.resident,
        }

    def _line(self) -> int:
        """Complex numbers that a line takes; one of odd length in a real image has a place more, for column 0."""
        places = self.position(self.grid[1]) + 1 if self.real else self.position(self.grid[1] - 1) + 1
        return max((self.row.first + 1) * self.row.second, places)


def plan(kind: Kind) -> Plan:
    """The plan for images of this kind.

    Raises:
        ValueError: the kernel does not do this size; `refusal` says why.
    """
    reason = refusal(kind.grid, kind.real)
    if reason:
        raise ValueError(reason)
    return _plan(kind.grid, kind.box, kind.real, kind.supported)


@cache
def _plan(grid: tuple[int, int], box: tuple[int, int], real: bool, supported: bool) -> Plan:
    return Plan(grid, box, _split(grid[0], in_pairs=True), _split(grid[1], in_pairs=False), real, supported)


def refusal(grid: tuple[int, int], real: bool = True) -> str | None:
    """Why the kernel does not do images (m1, m2); None where it does."""
    if max(grid) > LARGEST:
        return f"a grid of {grid[0]}×{grid[1]} is larger than {LARGEST}×{LARGEST}"
    for m in grid:
        if m < 2 or not _smooth(m):
            return f"length {m} is not a product of 2, 3 and 5"
    if grid[0] % 2:
        return f"{grid[0]} rows are not a whole number of pairs"
    threads = _plan(grid, grid, real, supported=False).threads
    if threads * ENOUGH > REGISTERS:
        return f"complex images of {grid[0]}×{grid[1]} leave fewer than {ENOUGH} registers to each of {threads} threads"
    return None


def _smooth(n: int) -> bool:
    for factor in (2, 3, 5):
        while n % factor == 0:
            n //= factor
    return n == 1


def _split(n: int, *, in_pairs: bool) -> Split:
    """The split with the least work, lanes that idle counted in; then the one that needs the fewest registers.

    A column comes in pairs of rows, which the same thread takes: its second radix is even, and counts half as many
    pieces of work in the first step.
    """

    def cost(split: Split) -> tuple[float, int, int]:
        first, second = held(split)
        lanes = WARP / (WARP // split.threads)
        return lanes * (first + second), max(first, second), -split.first

    def held(split: Split) -> tuple[int, int]:
        pieces = split.second // 2 if in_pairs else split.second
        rounds = -(-pieces // split.threads), -(-split.first // split.threads)
        return rounds[0] * split.first * (2 if in_pairs else 1), rounds[1] * split.second

    splits = [
        Split(first, second, threads)
        for first, second, threads in product(RADICES, RADICES, range(1, 17))
        if first * second == n and not (in_pairs and second % 2)
    ]
    return min((s for s in splits if max(held(s)) <= MOST), key=cost)
