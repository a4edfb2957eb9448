"""Messages between a worker and the process that owns it: JSON over a socket, arrays through shared memory.

A message is plain data: None, truth values, numbers, text, lists, dictionaries with text for keys, and NumPy arrays of
numbers. Nothing that comes from a worker is ever unpickled: what a solver sends cannot run in the process of its owner.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 1 << 26  # bytes of a message besides its arrays

_ARRAY = "\0array"  # the key of what stands for an array in the JSON; no other key begins with a zero byte
_ALIGNMENT = 64


class MessageError(Exception):
    """What the other side has sent is no message."""


class Channel:
    """One side of a conversation in which each side waits for the other's answer.

    The arrays of a message lie in memory that the next message from the same side uses again: who wants to keep them
    copies them. Writing to them is allowed and seen by nobody else.
    """

    def __init__(self, connection: Connection, outgoing: int, incoming: int) -> None:
        """With the descriptors of two files from `shared_memory`, which the other side has the other way round."""
        self.connection = connection
        self._outgoing, self._incoming = _Memory(outgoing, mmap.MAP_SHARED), _Memory(incoming, mmap.MAP_PRIVATE)

    def send(self, message: Any) -> None:
        """Send plain data.

        Raises:
            TypeError: it is something else.
            OSError: the other side is gone.
        """
        arrays: list[NDArray] = []
        text = json.dumps(_without_arrays(message, arrays)).encode()
        offsets = list(_offsets(arrays))
        if arrays:
            memory = self._outgoing.of_size(offsets[-1] + arrays[-1].nbytes)
            for offset, array in zip(offsets, arrays, strict=True):
                np.ndarray(array.shape, array.dtype, memory, offset)[...] = array
        layout = [[array.dtype.str, array.shape, offset] for array, offset in zip(arrays, offsets, strict=True)]
        self.connection.send_bytes(json.dumps(layout).encode() + b"\n" + text)

    def receive(self) -> Any:
        """Wait for a message.

        Raises:
            EOFError: the other side is gone.
            MessageError: it has sent something else.
        """
        try:
            content = self.connection.recv_bytes(LONGEST)
        except OSError as error:
            raise EOFError from error
        try:
            layout, _, text = content.partition(b"\n")
            arrays = [self._array(*place) for place in json.loads(layout)]
            return _with_arrays(json.loads(text), arrays)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, OSError) as error:
            raise MessageError(f"no message: {error}") from error

    def _array(self, dtype: str, shape: list[int], offset: int) -> NDArray:
        kind = np.dtype(dtype)
        if kind.kind not in "biufc":
            raise ValueError(f"an array of {kind}")
        size = kind.itemsize * int(np.prod(shape, dtype=object))
        return np.ndarray(tuple(shape), kind, self._incoming.of_size(offset + size), offset)


def shared_memory() -> int:
    """The descriptor of an empty file in memory: it can be handed to another process, and is gone with the last one."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("phasebench", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)  # who reads it must not find it gone
        return descriptor
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class _Memory:
    """The content of a file, mapped anew when a message needs more of it."""

    def __init__(self, descriptor: int, flags: int) -> None:
        self._descriptor, self._flags = descriptor, flags
        self._map: mmap.mmap | bytes = b""

    def of_size(self, size: int) -> mmap.mmap | bytes:
        """At least so many bytes; the writer lets the file grow."""
        if size > len(self._map):
            if self._flags == mmap.MAP_SHARED:
                os.ftruncate(self._descriptor, size)
            self._map = mmap.mmap(self._descriptor, size, flags=self._flags)
        return self._map

    def __del__(self) -> None:  # arrays that are still in use keep the map
        os.close(self._descriptor)


def _offsets(arrays: list[NDArray]) -> Iterator[int]:
    end = 0
    for array in arrays:
        yield end
        end += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT


def _without_arrays(value: Any, arrays: list[NDArray]) -> Any:
    """Plain data for JSON; each array goes to the list, and its place there stays."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc":
            raise TypeError(f"an array of {value.dtype} is no plain data")
        arrays.append(value)
        return {_ARRAY: len(arrays) - 1}
    if isinstance(value, dict):
        return {key: _without_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, arrays) for item in value]
    return value


def _with_arrays(value: Any, arrays: list[NDArray]) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            return arrays[value[_ARRAY]]
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    return value
