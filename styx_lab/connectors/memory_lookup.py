"""A lookup in memory: for notebooks and tests.

Law: what it answers is what it holds at that moment; `put` changes it while a flow runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from styx_lab.core.schema import TIME_DTYPE, Schema
from styx_lab.errors import DataError

__all__ = ["MemoryLookup"]

_PYTHON: Final[Mapping[pl.DataType, Any]] = {
    pl.String(): str,
    pl.Int64(): int,
    pl.Float64(): float | int,
    pl.Boolean(): bool,
    TIME_DTYPE: datetime,
}


class MemoryLookup:
    """Rows by key, held in memory.

    >>> limits = MemoryLookup([{"card": "a", "limit": 5}], {"card": "str", "limit": "int"}, key="card")
    >>> limits.put([{"card": "a", "limit": 7}])
    >>> limits.find(pl.DataFrame({"card": ["a", "b"]}))["limit"].to_list()
    [7]

    Args:
        rows: what it holds at first.
        schema: its columns and their types, as in a `Schema`.
        key: the columns that are a row's key; those it can find by.
        name: what to call it in messages.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        schema: Schema | Mapping[str, str | type],
        *,
        key: str | Sequence[str],
        name: str = "memory",
    ) -> None:
        self.name = name
        self.schema: Mapping[str, pl.DataType] = (schema if isinstance(schema, Schema) else Schema(schema)).polars
        self._key = [key] if isinstance(key, str) else list(key)
        for one in self._key:
            if one not in self.schema:
                raise DataError("the lookup has no such column", where=name, got=one, hint=", ".join(self.schema))
        self._frame = pl.DataFrame(schema=self.schema)
        self.put(rows)

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put rows in; each takes the place of the one with its key.

        Raises:
            DataError: when a row does not fit the schema.
        """
        for row in rows:
            for name, value in row.items():
                if not self._fits(name, value):
                    raise DataError(
                        "a row does not fit", where=self.name, got=f"{name}: {value!r}", hint=f"{self.schema}"
                    )
        new = pl.DataFrame(list(rows), schema=dict(self.schema))
        self._frame = pl.concat([self._frame, new]).unique(self._key, keep="last", maintain_order=True)

    def _fits(self, name: str, value: Any) -> bool:
        if name not in self.schema:
            return False
        dtype = self.schema[name]
        # A bool is a whole number to Python.
        return value is None or (
            isinstance(value, _PYTHON[dtype]) and isinstance(value, bool) == (dtype == pl.Boolean())
        )

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        """See `core.ports.Lookup.find`."""
        return self._frame.join(keys, on=keys.columns, how="semi")

    def close(self) -> None:
        """Nothing is held open."""
