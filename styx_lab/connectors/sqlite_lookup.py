"""A lookup in a table of a SQLite file, which others may write to meanwhile.

Law: the file is opened for reading only, and each question sees what is committed at that moment. A value that is not
of the type that was declared is an error, never another value.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from styx_lab.core.schema import TIME_DTYPE, Schema
from styx_lab.errors import DataError, InputMissingError

__all__ = ["SqliteLookup"]

_PARAMETERS: Final = 500
"""Values in one statement; SQLite takes 999 in its oldest versions."""


class SqliteLookup:
    """A table or view of a SQLite file.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with sqlite3.connect(f"{folder}/cards.db") as file:
    ...         _ = file.execute("create table limits (card text, most real)")
    ...         _ = file.execute("insert into limits values ('a', 100.0)")
    ...     limits = SqliteLookup(f"{folder}/cards.db", "limits", {"card": "str", "most": "float"})
    ...     limits.find(pl.DataFrame({"card": ["a", "b"]})).rows()
    ...     limits.close()
    [('a', 100.0)]

    Args:
        path: the file.
        table: the table's or view's name.
        schema: the columns that are read and their types, as in a `Schema`: a `bool` is kept as 0 or 1, a `datetime` as
            epoch ms.
        timeout: seconds to wait for somebody who writes, before the question fails.

    Raises:
        InputMissingError: when there is no such file.
        DataError: when the table or a column is not there.
    """

    def __init__(
        self,
        path: str | Path,
        table: str,
        schema: Schema | Mapping[str, str | type],
        *,
        timeout: float = 5.0,
    ) -> None:
        self.name = f"{path}, table {table!r}"
        self.schema: Mapping[str, pl.DataType] = (schema if isinstance(schema, Schema) else Schema(schema)).polars
        file = Path(path)
        if not file.exists():
            raise InputMissingError("no such file", where=str(path), hint="a SQLite file with the table")
        uri = f"{file.resolve().as_uri()}?mode=ro"
        self._columns = ", ".join(_quoted(name) for name in self.schema)
        self._table = _quoted(table)
        self._file = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
        try:
            there = {row[1] for row in self._file.execute(f"pragma table_info({self._table})")}
        except sqlite3.Error as error:
            self._file.close()
            raise DataError(f"no SQLite file that can be read: {error}", where=str(path)) from error
        lacking = [name for name in self.schema if name not in there]
        if lacking:
            self._file.close()
            raise DataError(
                "the table has no such column" if there else "no such table",
                where=self.name,
                got=lacking[0] if there else table,
                hint=f"it has {', '.join(sorted(there))}" if there else "name a table or view of the file",
            )

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        """See `core.ports.Lookup.find`."""
        names = ", ".join(_quoted(name) for name in keys.columns)
        stored = keys.with_columns(pl.col(TIME_DTYPE).dt.epoch("ms"), pl.col(pl.Boolean).cast(pl.Int64))
        size = max(1, _PARAMETERS // keys.width)
        rows: list[tuple[Any, ...]] = []
        for part in stored.iter_slices(size):
            marks = ", ".join([f"({', '.join('?' * keys.width)})"] * part.height)
            # Names are quoted, values are parameters.
            statement = f"select {self._columns} from {self._table} where ({names}) in (values {marks})"  # noqa: S608
            values = [value for row in part.rows() for value in row]
            rows += self._file.execute(statement, values).fetchall()
        return pl.DataFrame(
            {
                name: _column(name, dtype, [row[place] for row in rows])
                for place, (name, dtype) in enumerate(self.schema.items())
            },
            schema=dict(self.schema),
        )

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._file.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _column(name: str, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    """A column of stored values, each of which must be what was declared."""
    stored: tuple[type, ...] = {pl.String(): (str,), pl.Float64(): (float, int)}.get(dtype, (int,))
    for value in values:
        wrong = value is not None and not isinstance(value, stored)
        if wrong or (dtype == pl.Boolean() and value not in (None, 0, 1)):
            raise DataError(
                "a value of another type than declared", where=f"column {name!r}", got=value, hint=str(dtype)
            )
    if dtype == TIME_DTYPE:
        return pl.Series(name, values, pl.Int64).cast(TIME_DTYPE)
    if dtype == pl.Boolean():
        return pl.Series(name, [None if value is None else bool(value) for value in values], pl.Boolean)
    return pl.Series(name, values, dtype)
