"""A Parquet file: columns that are typed already.

Law: the file's types are the schema's, or widen to them without loss; this is checked once, when it is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.connectors.formats.columns import conform, conform_schema
from styx_lab.connectors.parquet_rows import ParquetRows
from styx_lab.connectors.paths import position_of
from styx_lab.core.ports import Arrivals, EncodedFormat
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError

__all__ = ["ParquetSource"]


class ParquetSource:
    """A Parquet file, as a source: `ParquetSource("payments.parquet", schema)`.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "payments.parquet"
    >>> pl.DataFrame({"amount": [3.5, 900.0]}).write_parquet(path)
    >>> source = ParquetSource(path, Schema({"amount": "float"}))
    >>> source.read(10).columns["amount"].to_list()
    [3.5, 900.0]

    Args:
        path: the file.
        schema: the columns to take; ints widen, ints become floats, times become ms in UTC (see `conform`).

    One partition, 0; the offset is the row's number from 0; no arrival times. A block of rows is held at a time.

    Raises:
        InputMissingError: there is no such file.
        DataError: it is a folder, empty, may not be read, or no Parquet file.
        SchemaError: a column is missing or of another type.
    """

    format: Final[EncodedFormat] = "frame"
    header: Final[tuple[str, ...]] = ()
    partitions: tuple[int, ...] = (0,)

    def __init__(self, path: str | Path, schema: Schema) -> None:
        self.name = str(path)
        self._schema = schema
        self._rows = ParquetRows(path, columns=list(schema), check=self._check)
        self._next = 0

    def _check(self, found: pl.Schema) -> None:
        conform_schema(found, self._schema, where=self.name)

    def read(self, most: int) -> Arrivals | None:
        """The next rows, at most `most`; `None` at the end."""
        frame = self._rows.slice(self._next, most)
        if not frame.height:
            return None
        first, self._next = self._next, self._next + frame.height
        return Arrivals(
            partition=np.zeros(frame.height, np.int32),
            offset=np.arange(first, self._next, dtype=np.int64),
            columns=conform(frame, self._schema, where=self.name),
        )

    def position(self) -> Any:
        """The rows before the next one."""
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        """Go to a position."""
        (row,) = position_of(position, ("row",), where=self.name)
        if row > len(self._rows):
            raise DataError(
                "there are fewer rows than that", where=self.name, got=row, hint="the file was changed since"
            )
        self._next = row

    def close(self) -> None:
        """Let go of the block."""
        self._rows.close()
