"""Where data come from: what sources of images and of measured patterns have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from datasets.errors import DatasetError
from datasets.labels import label_of


class Source(BaseModel, ABC):
    """A source with its parameters. They are fixed and validated when it is made.

    A source is a file with one subclass of `ImageSource` or `PatternSource`: it sets `name` and `summary`, declares its
    parameters as fields, and implements `read`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    name: ClassVar[str]
    summary: ClassVar[str]
    origin: ClassVar[str] = ""  # where the class lies, if it is asked for by that

    @abstractmethod
    def read(self, split: str, folder: str | Path | None = None) -> object:
        """What the source has for a split: an `ImageSet` or a `PatternSet`."""

    @property
    def label(self) -> str:
        """The one spelling that `datasets.labels` calls canonical."""
        return label_of(self.origin or self.name, self)

    def refuse(self, folder: str | Path | None, because: str = "reads nothing there") -> None:
        """For a source that reads no files of a published set.

        Raises:
            DatasetError: a folder is given all the same.
        """
        if folder is not None:
            raise DatasetError(f"data folder '{folder}' is of no use: the dataset '{self.label}' {because}")
