"""The address of a dask scheduler, checked before anything tries to connect."""

from __future__ import annotations

import re

SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")

_ADDRESS = re.compile(r"(?:(?P<scheme>[^:/]*)://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+):(?P<port>[0-9]{1,5})")


def check_address(address: str) -> str:
    """The address, as [SCHEME://]HOST:PORT; without a scheme dask takes tcp.

    A cluster inside this process has an address of another form, inproc://…, which only dask itself gives out.

    Raises:
        ValueError: it is none; one line that says what is wrong.
    """
    if address.startswith("inproc://"):
        return address
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise ValueError(f"'{address}' is no address: write tcp://HOST:PORT")
    if parts["scheme"] is not None and parts["scheme"] not in SCHEMES:
        raise ValueError(f"'{address}' has an unknown scheme '{parts['scheme']}': choose from {', '.join(SCHEMES)}")
    if not 1 <= int(parts["port"]) <= 65535:
        raise ValueError(f"'{address}' has no port from 1 to 65535")
    return address
