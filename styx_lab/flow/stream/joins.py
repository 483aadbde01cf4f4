"""Verbs that add what another stream or a table knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import polars as pl

from styx_lab.errors import FlowError
from styx_lab.flow.steps import Enrich
from styx_lab.flow.stream.columns import names_of
from styx_lab.flow.stream.so_far import StreamSoFar
from styx_lab.flow.table import Table, table

__all__ = ["JoinVerbs"]


class JoinVerbs(StreamSoFar):
    """Joins."""

    __slots__ = ()

    def enrich(
        self, rows: Table | str | Path | pl.DataFrame, *, on: str | Sequence[str], name: str | None = None
    ) -> Self:
        """Add the columns of a static table, found by the event's columns `on`; null where it has no such row.

        Args:
            rows: a `table(...)`, or a file or frame to make one of (named after the file, or `table`).
            on: the columns that both have; in the table no two rows may have the same.
            name: the step's name.
        """
        name = self._name(name, "enrich")
        if not isinstance(rows, Table):
            rows = table("table" if isinstance(rows, pl.DataFrame) else Path(rows).stem, rows)
        step = Enrich(name, (self.port,), rows, names_of(on))
        stream = self._append(step)
        twice = rows.frame.filter(pl.struct(step.on).is_duplicated())
        if not twice.is_empty():
            raise FlowError(
                "two rows of the table have the same key",
                where=f"step {name!r}, table {rows.name!r}",
                got=twice.select(step.on).row(0),
                hint="keep one of them",
            )
        return stream
