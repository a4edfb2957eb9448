"""The label of a solver: `datasets.labels` says how it is written."""

from __future__ import annotations

from datasets import labels
from datasets.labels import spelled, split_labels, write_label
from solvers.errors import ParameterError

__all__ = ["read_label", "spelled", "split_labels", "write_label"]


def read_label(label: str) -> tuple[str, dict[str, str]]:
    """The name of a solver's label, and its parameters as they are written there.

    Raises:
        ParameterError: it is no label, or gives a parameter twice.
    """
    try:
        return labels.read_label(label, "solver")
    except labels.LabelError as error:
        raise ParameterError(str(error)) from error
