"""What is wrong with a data file. Bad arguments are a `ValueError`."""

import re


class DatasetError(ValueError):
    """A data file is missing, damaged or not what it claims to be; the message names it in one line."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """The text in one line, without the characters by which it could steer a terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "�", " ".join(text.split()))
