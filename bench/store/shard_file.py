"""A finished shard as one file: a checksum, a line of JSON that says what it is, and Parquet: its rows, its pictures.

    SHA-256 of all that follows, in hexadecimal ⏎
    {"shard": …, "timing": …, "reason": …, "error": …, "length": …} ⏎
    the rows, in so many bytes
    the pictures, if any

The first two lines can be read without the rest, and nothing is believed before the checksum is right. What is said in
the second line is still checked: the bytes may be unchanged and make no sense.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from dataclasses import asdict, dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from bench.errors import TRACEBACK, clean
from bench.store.tables import read_parquet
from bench.sweep.pictures import COLUMNS, no_pictures
from bench.sweep.shard import Outcome, Shard, Timing

_LONGEST = 1 << 20  # bytes of a description: many times what the longest traceback takes


class DamagedError(ValueError):
    """The bytes are not those that were written, or not where they were written to."""


@dataclass(frozen=True)
class Header:
    """What a shard file says about itself."""

    shard: Shard
    timing: Timing
    reason: str
    error: str
    length: int


_HEADER = TypeAdapter(Header)


def encode(outcome: Outcome) -> bytes:
    """The bytes of a shard file; of a very long traceback the beginning and the end."""
    rows = _as_parquet(outcome.rows)
    header = Header(outcome.shard, outcome.timing, outcome.reason, clean(outcome.error, TRACEBACK), len(rows))
    pictures = _as_parquet(outcome.pictures) if len(outcome.pictures) else b""
    content = _HEADER.dump_json(header) + b"\n" + rows + pictures
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def read_header(content: bytes, asked: Shard | None = None) -> Header:
    """The description of a shard file, after its checksum was found to be right.

    Args:
        asked: the shard that the file should hold; None where any will do.

    Raises:
        DamagedError: it is not, or the file is not one of this version, or holds another shard.
    """
    return _open(content, asked)[0]


def decode(content: bytes, asked: Shard | None = None) -> Outcome:
    """The outcome that was encoded.

    Raises:
        DamagedError: as for `read_header`.
    """
    header, tables = _open(content, asked)
    rows = _read_rows(tables[: header.length], header.shard)
    pictures = _read_pictures(tables[header.length :], header.shard)
    return Outcome(header.shard, rows, header.timing, header.error, pictures=pictures)


def _as_parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), stream, compression="zstd")
    return stream.getvalue()


def _open(content: bytes, asked: Shard | None) -> tuple[Header, bytes]:
    checksum, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != checksum:
        raise DamagedError("its checksum is wrong")
    line, _, tables = rest.partition(b"\n")
    if len(line) > _LONGEST:
        raise DamagedError("its description is too long")
    try:
        header = _HEADER.validate_json(line, strict=True)
        complete = json.loads(line) == _HEADER.dump_python(header, mode="json")
    except (ValueError, RecursionError) as error:
        raise DamagedError("it was written by another version") from error
    if not complete:
        raise DamagedError("it was written by another version")
    if not _possible(header):
        raise DamagedError("what it says of itself is impossible")
    if asked is not None and header.shard != asked:
        raise DamagedError(f"it holds {clean(str(header.shard), 200)}")
    return header, tables


def _possible(header: Header) -> bool:
    """Whether the numbers are such as a shard can have."""
    shard, numbers = header.shard, [value for value in asdict(header.timing).values() if not isinstance(value, str)]
    return (
        shard.first >= 0
        and shard.count >= 1
        and shard.seed >= 0
        and all(shard.first <= image < shard.first + shard.count for image in shard.kept)
        and all(0 <= number < math.inf for number in (*numbers, header.length))
    )


def _read_rows(content: bytes, shard: Shard) -> pd.DataFrame:
    rows = _of_parquet(content, "rows")
    if len(rows) != shard.count or "image" not in rows or list(rows["image"]) != list(shard.indices):
        raise DamagedError("its rows are those of other images")
    return rows


def _read_pictures(content: bytes, shard: Shard) -> pd.DataFrame:
    if not content:
        return no_pictures()
    pictures = _of_parquet(content, "pictures")
    if list(pictures.columns) != COLUMNS or not set(pictures["image"]) <= set(shard.kept):
        raise DamagedError("its pictures are those of other images")
    return pictures


def _of_parquet(content: bytes, what: str) -> pd.DataFrame:
    try:
        return read_parquet(content)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise DamagedError(f"its {what} cannot be read") from error
