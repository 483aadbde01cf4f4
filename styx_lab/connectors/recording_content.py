"""What a recording holds, and the hash of it.

Law: the same events in the same order have the same content hash for ever: it is taken over a form of our own, not over
the file, so that no version of Parquet or Polars can change it.

The form: each column is one or more streams of bytes, hashed with SHA-256 by themselves.

- `partition`, `offset`, `timestamp`, `arrival`: the values as little-endian int64.
- `key`, `payload`: a `/lengths` stream of little-endian int64, -1 for null, and a `/bytes` stream of the bytes in a
  row.
- `headers`: a `/counts` stream of little-endian int64 (headers of each event), then `.key` (in UTF-8) and `.value` of
  all headers in order, each with `/lengths` and `/bytes`.

The content hash is the SHA-256 of the text `styx.recording 1` and one line `stream sha256` a stream, in the order
above; every line ends with LF.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import numpy as np
import polars as pl

__all__ = ["NUMBERS", "RECORDING_COLUMNS", "ContentHash"]

RECORDING_COLUMNS: Final[dict[str, pl.DataType]] = {
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "timestamp": pl.Int64(),
    "arrival": pl.Int64(),
    "key": pl.Binary(),
    "headers": pl.List(pl.Struct({"key": pl.String(), "value": pl.Binary()})),
    "payload": pl.Binary(),
}
"""One row an event, in order of arrival. `timestamp` and `arrival` are epoch ms; -1 is no timestamp, a null payload is
a tombstone."""

NUMBERS: Final = ("partition", "offset", "timestamp", "arrival")
"""The columns of whole numbers, which have no nulls."""

_STREAMS: Final = (
    *NUMBERS,
    "key/lengths",
    "key/bytes",
    "headers/counts",
    "headers.key/lengths",
    "headers.key/bytes",
    "headers.value/lengths",
    "headers.value/bytes",
    "payload/lengths",
    "payload/bytes",
)


class ContentHash:
    """The content hash of a recording, taken slice by slice; where the slices are cut makes no difference.

    >>> empty = ContentHash()
    >>> empty.hexdigest()[:16]
    'd365b6a7dae3b5fc'
    """

    def __init__(self) -> None:
        self._streams = {name: sha256() for name in _STREAMS}

    def update(self, rows: pl.DataFrame) -> None:
        """Take further rows of `RECORDING_COLUMNS`."""
        for name in NUMBERS:
            self._numbers(name, rows[name])
        self._binary("key", rows["key"])
        headers = rows["headers"]
        self._numbers("headers/counts", headers.list.len().fill_null(0))
        flat = headers.filter(headers.list.len() > 0).explode()
        self._binary("headers.key", flat.struct.field("key").cast(pl.Binary))
        self._binary("headers.value", flat.struct.field("value"))
        self._binary("payload", rows["payload"])

    def hexdigest(self) -> str:
        """The hash of all rows so far, in hexadecimal."""
        lines = ["styx.recording 1", *(f"{name} {stream.hexdigest()}" for name, stream in self._streams.items())]
        return sha256("".join(line + "\n" for line in lines).encode()).hexdigest()

    def _numbers(self, name: str, column: pl.Series) -> None:
        self._streams[name].update(column.cast(pl.Int64).to_numpy().astype(np.dtype("<i8"), copy=False).tobytes())

    def _binary(self, name: str, column: pl.Series) -> None:
        self._numbers(f"{name}/lengths", column.bin.size().cast(pl.Int64).fill_null(-1))
        self._streams[f"{name}/bytes"].update(b"".join(column.drop_nulls().to_list()))
