"""The one exception that this package raises on bad data or bad requests."""


class DatasetError(ValueError):
    """A data file is missing, damaged or not what it claims to be; the message names it in one line."""
