"""Sets of rows that two evaluators are asked about, each in frames whose columns have one type.

Law: a set is a function of the rows it is made from, the file and the seed, so a report can be made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

__all__ = ["ExampleSet", "evenly", "with_values"]


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """Rows to ask about.

    Attributes:
        name: `training`, `generated`, `boundaries`, `bad`, ...
        parts: the rows; a column may have another type in another part.
        labels: for each row what is special about it, where something is.
        note: what was left out of it, in words; empty where nothing was.
    """

    name: str
    parts: tuple[pl.DataFrame, ...]
    labels: tuple[str, ...] = ()
    note: str = ""

    def __len__(self) -> int:
        return sum(part.height for part in self.parts)

    def row(self, index: int) -> dict[str, Any]:
        """One row's inputs."""
        for part in self.parts:
            if index < part.height:
                return part.row(index, named=True)
            index -= part.height
        raise IndexError(index)

    def label(self, index: int) -> str:
        """What is special about a row."""
        return self.labels[index] if self.labels else ""


def evenly(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many rows of a frame, evenly spread.

    >>> evenly(pl.DataFrame({"x": range(10)}), 4)["x"].to_list()
    [0, 2, 5, 7]
    """
    if frame.height <= most:
        return frame
    return frame[[index * frame.height // most for index in range(most)]]


def with_values(
    bases: pl.DataFrame,
    changes: Sequence[tuple[int, Mapping[str, Any]]],
    types: Mapping[str, pl.DataType] | None = None,
) -> pl.DataFrame:
    """Rows that are copies of others, each with some values of its own.

    >>> with_values(pl.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}), [(1, {"x": 9.5}), (0, {})]).rows()
    [(9.5, 'b'), (1.0, 'a')]

    Args:
        bases: the rows to copy.
        changes: which row to copy, and the values that differ.
        types: of columns that are to have another type than the copied ones.
    """
    chosen = bases[[base for base, _ in changes]]
    columns = []
    for name in bases.columns:
        column = chosen.get_column(name)
        dtype = (types or {}).get(name)
        if dtype is not None or any(name in change for _, change in changes):
            values = [change.get(name, old) for (_, change), old in zip(changes, _as(column, dtype), strict=True)]
            column = pl.Series(name, values, dtype=dtype or column.dtype)
        columns.append(column)
    return pl.DataFrame(columns)


def _as(column: pl.Series, dtype: pl.DataType | None) -> Iterator[Any]:
    if dtype is None or dtype == column.dtype:
        return iter(column.to_list())
    if isinstance(dtype, pl.String):
        return (None if value is None else str(value) for value in column.to_list())
    return iter([None] * len(column))
