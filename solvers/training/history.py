"""What happened in a training, step by step: a CSV file beside its weights, with one line for each step."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from datasets.files import read_regular
from solvers.files import write_text

LARGEST = 2**30  # bytes


class Step(NamedTuple):
    """One row.

    Attributes:
        step: counted from 1.
        images: trained on so far, every epoch counted.
        loss: of this step.
        validation: mean adjusted relative error on the images held out; NaN, an empty cell, where it was not measured.
        learning_rate: of this step.
        seconds: spent in training so far, all resumptions together.
    """

    step: int
    images: int
    loss: float
    validation: float
    learning_rate: float
    seconds: float


class History:
    """Appends the steps of one training as they are done."""

    def __init__(self, path: Path, done: int) -> None:
        """Keep the rows of the steps that are `done`, and no others: those of a process that was killed after its last
        checkpoint are done again.

        Raises:
            OSError: the file cannot be read or written.
        """
        self.path = path
        kept = [row for row in read(path) if row.step <= done] if done else []
        self._stream = self._rewrite(kept)

    def add(self, row: Step) -> None:
        self._stream.write(_line(row))

    def amend(self, step: int, validation: float) -> None:
        """The validation of the last step, which is measured after it."""
        self.sync()
        rows = read(self.path)
        if rows and rows[-1].step == step:
            self._stream.close()
            self._stream = self._rewrite([*rows[:-1], rows[-1]._replace(validation=validation)])

    def sync(self) -> None:
        """Make sure that all rows are on the disk, before a checkpoint relies on that."""
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        self._stream.close()

    def _rewrite(self, rows: list[Step]) -> TextIO:
        write_text(self.path, ",".join(Step._fields) + "\n" + "".join(map(_line, rows)))
        return self.path.open("a", encoding="utf-8", buffering=1)


def read(path: Path) -> list[Step]:
    """The rows of a history, up to the first that is not whole; none where there is no file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        text = read_regular(path, LARGEST).decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    rows: list[Step] = []
    with suppress(ValueError):
        for line in text.split("\n")[1:-1]:  # what follows the last line break was not finished
            step, images, loss, validation, *others = line.split(",")
            learning_rate, seconds = map(float, others)
            measured = float(validation) if validation else math.nan
            rows.append(Step(int(step), int(images), float(loss), measured, learning_rate, seconds))
    return rows


def _line(row: Step) -> str:
    return ",".join(map(_cell, row)) + "\n"


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"
