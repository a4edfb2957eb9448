"""What is asked for by a label: a class whose fields are parameters, and which does not change once it is made."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from datasets.labels import label_of


class Labelled(BaseModel):
    """A solver, or where data come from, with its parameters. They are fixed and validated when it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    name: ClassVar[str]
    summary: ClassVar[str]
    origin: ClassVar[str] = ""  # where the class lies, if it is asked for by that
    _instead: ClassVar[str] = "what it keeps for itself has a name that begins with _"

    @property
    def label(self) -> str:
        """How it is asked for: the one spelling that `datasets.labels` calls canonical."""
        return label_of(self.origin or self.name, self)

    def __setattr__(self, name: str, value: Any) -> None:
        """Names that begin with _ can be set.

        Raises:
            AttributeError: for any other name, with what to do instead.
        """
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            if error.errors()[0]["type"] != "frozen_instance":
                raise
            raise AttributeError(
                f"'{name}' cannot be set: {type(self).__name__} does not change once it is made; {self._instead}"
            ) from None
