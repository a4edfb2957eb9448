"""What is wrong with a data file. Bad arguments are a `ValueError`."""


class DatasetError(ValueError):
    """A data file is missing, damaged or not what it claims to be; the message names it in one line."""
