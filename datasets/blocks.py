"""Images in blocks that stay in the cache, several blocks at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def map_blocks(work: Callable[[slice], Result], count: int, size: int, threads: int = 1) -> list[Result]:
    """What `work` gives for 0 … size − 1, size … 2 size − 1, … of `count` images, in this order.

    NumPy, SciPy and hashlib let other threads run while they compute: `threads` blocks are worked on side by side.
    """
    blocks = [slice(first, min(first + size, count)) for first in range(0, count, size)]
    if threads == 1 or len(blocks) < 2:
        return [work(block) for block in blocks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, blocks))
