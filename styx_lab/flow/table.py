"""A static table: what an event is enriched from. Pinned by the hash of its content.

Law: a look-up is part of the input, so a table is known by what is in it, and a flow with another content is another
flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import polars as pl

from styx_lab.core.events import canonical_lines
from styx_lab.core.schema import dtype_from_json, dtype_to_json
from styx_lab.errors import DataError, FlowError, InputMissingError

__all__ = ["Table", "read_rows", "table"]

_READERS: Final[Mapping[str, Callable[[Path], pl.DataFrame]]] = {
    ".parquet": pl.read_parquet,
    ".csv": pl.read_csv,
    ".jsonl": pl.read_ndjson,
}


@dataclass(frozen=True, slots=True)
class Table:
    """A named static table. Make one with `table(name, path_or_frame)`."""

    name: str
    schema: tuple[tuple[str, pl.DataType], ...]
    sha256: str
    _frame: pl.DataFrame | None = field(default=None, compare=False, repr=False)

    @property
    def frame(self) -> pl.DataFrame:
        """The rows.

        Raises:
            FlowError: when the flow was read from JSON without its tables.
        """
        if self._frame is None:
            raise FlowError(
                "the table's rows are not here", where=f"table {self.name!r}", hint="Flow.from_json(text, tables={...})"
            )
        return self._frame

    def with_frame(self, frame: pl.DataFrame) -> Table:
        """The same table with its rows, which must be those it was made from."""
        found = _content_hash(frame)
        if found != self.sha256:
            raise FlowError("the table's content has changed", where=f"table {self.name!r}", got=found)
        return Table(self.name, self.schema, self.sha256, frame)

    def to_json(self) -> dict[str, Any]:
        """Name, types and content hash; the rows travel as Parquet beside it."""
        return {
            "name": self.name,
            "schema": {name: dtype_to_json(dtype) for name, dtype in self.schema},
            "sha256": self.sha256,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Table:
        """The table of `to_json`'s answer, without rows."""
        schema = tuple((name, dtype_from_json(dtype)) for name, dtype in value["schema"].items())
        return Table(value["name"], schema, value["sha256"])


def table(name: str, rows: str | Path | pl.DataFrame) -> Table:
    """A static table from a frame or a file (`.parquet`, `.csv`, `.jsonl`), read at once.

    >>> table("customers", pl.DataFrame({"card_id": ["a"], "segment": ["gold"]})).schema
    (('card_id', String), ('segment', String))

    Raises:
        InputMissingError: when the file is not there.
        DataError: when it is empty or of another kind.
    """
    where = f"table {name!r}"
    frame = rows if isinstance(rows, pl.DataFrame) else read_rows(rows, where=where)
    if frame.is_empty():
        raise DataError("the table has no rows", where=where, hint="enrich() needs at least one")
    return Table(name, tuple(frame.schema.items()), _content_hash(frame), frame)


def read_rows(path: str | Path, *, where: str) -> pl.DataFrame:
    """The rows of a `.parquet`, `.csv` or `.jsonl` file, all at once.

    Raises:
        InputMissingError: when the file is not there.
        DataError: when it is of another kind, or damaged.
    """
    file = Path(path)
    if not file.exists():
        raise InputMissingError("no such file", where=where, got=str(path), hint="check the path")
    if file.suffix not in _READERS:
        raise DataError("the file must be .parquet, .csv or .jsonl", where=where, got=str(path))
    try:
        return _READERS[file.suffix](file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"the file cannot be read: {error}", where=where, got=str(path)) from error


def _content_hash(frame: pl.DataFrame) -> str:
    digest = sha256()
    digest.update(repr([(name, dtype_to_json(dtype)) for name, dtype in frame.schema.items()]).encode())
    for line in canonical_lines(frame):
        digest.update(line + b"\n")
    return digest.hexdigest()
