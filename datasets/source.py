"""Where data come from: what sources of images and of measured patterns have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from datasets.errors import DatasetError
from datasets.labelled import Labelled


class Source(Labelled, ABC):
    """A source with its parameters. They are fixed and validated when it is made.

    A source is a file with one subclass of `ImageSource` or `PatternSource`: it sets `name` and `summary`, declares its
    parameters as fields, and implements `read`.
    """

    @abstractmethod
    def read(self, split: str, folder: str | Path | None = None) -> object:
        """What the source has for a split: an `ImageSet` or a `PatternSet`."""

    def refuse(self, folder: str | Path | None, because: str = "reads nothing there") -> None:
        """For a source that reads no files of a published set.

        Raises:
            DatasetError: a folder is given all the same.
        """
        if folder is not None:
            raise DatasetError(f"data folder '{folder}' is of no use: the dataset '{self.label}' {because}")
