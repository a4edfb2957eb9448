"""A finished shard as one file: a checksum, a line of JSON that says what it is, and its rows as Parquet.

    SHA-256 of all that follows, in hexadecimal ⏎
    {"shard": …, "timing": …, "reason": …, "error": …} ⏎
    the rows

The first two lines can be read without the rest, and nothing is believed before the checksum is right.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.shard import Outcome, Shard, Timing


class DamagedError(ValueError):
    """The bytes are not those that were written."""


@dataclass(frozen=True)
class Header:
    """What a shard file says about itself."""

    shard: Shard
    timing: Timing
    reason: str
    error: str


def encode(outcome: Outcome) -> bytes:
    rows = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(outcome.rows, preserve_index=False), rows)
    header = asdict(Header(outcome.shard, outcome.timing, outcome.reason, outcome.error))
    content = json.dumps(header).encode() + b"\n" + rows.getvalue()
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def read_header(content: bytes) -> Header:
    """The description of a shard file, after its checksum was found to be right.

    Raises:
        DamagedError: it is not, or the file is not one of this version.
    """
    return _open(content)[0]


def decode(content: bytes) -> Outcome:
    """The outcome that was encoded.

    Raises:
        DamagedError: as for `read_header`.
    """
    header, rows = _open(content)
    return Outcome(header.shard, _read_rows(rows), header.timing, header.error)


def _open(content: bytes) -> tuple[Header, bytes]:
    checksum, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != checksum:
        raise DamagedError("its checksum is wrong")
    line, _, rows = rest.partition(b"\n")
    try:
        fields = json.loads(line)
        header = Header(Shard(**fields["shard"]), Timing(**fields["timing"]), fields["reason"], fields["error"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError("it was written by another version") from error
    return header, rows


def _read_rows(rows: bytes) -> pd.DataFrame:
    return pq.read_table(pa.BufferReader(rows)).to_pandas()
