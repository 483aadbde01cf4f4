"""What is kept of each event for the aggregates of groups, and the events of many firings, group after group.

Law: what an aggregate needs of an event is reckoned once, when the event comes, from that event alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.errors import DataError
from styx_lab.flow.expression import Expression
from styx_lab.flow.types import StreamType

__all__ = ["Kept", "Members", "NameRow", "numbers", "whole"]

NameRow = Callable[[int], str]
"""Says of which key and window a group is, for errors."""


@dataclass(slots=True)
class Kept:
    """The columns that are kept of each event; the same expression is kept once, a mere column as itself.

    Args:
        stream: the type of the events.
    """

    stream: StreamType
    expressions: dict[str, Expression] = field(default_factory=dict)
    plain: list[str] = field(default_factory=list)
    schema: dict[str, pl.DataType] = field(default_factory=dict)

    def column(self, name: str) -> str:
        """Keep a column of the event itself."""
        if name not in self.schema:
            self.plain.append(name)
            self.schema[name] = self.stream.schema[name]
        return name

    def value(self, expression: Expression, where: str) -> str:
        """Keep the values of an expression; gives the name of their column."""
        known = next((name for name, each in self.expressions.items() if each == expression), None)
        if known is not None:
            return known
        dtype = expression.check(self.stream.readable, where=where)
        for name in expression.columns():
            if expression.stages.last.meta.eq(pl.col(name)):
                return self.column(name)
        name = f"_{len(self.expressions)}"
        self.expressions[name] = expression
        self.schema[name] = dtype
        return name


class Members:
    """The events of all firings of a step, one group after the other, each in order of arrival.

    Args:
        frame: the kept columns, a row for each event.
        counts: how many events each group has.
        name_row: says of which key and window a group is.
    """

    def __init__(self, frame: pl.DataFrame, counts: Int64s, name_row: NameRow) -> None:
        self.frame = frame
        self.counts = counts
        self.name_row = name_row

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def starts(self) -> Int64s:
        """Where each group begins, and the end."""
        starts = np.zeros(len(self.counts) + 1, np.int64)
        np.cumsum(self.counts, out=starts[1:])
        return starts

    @cached_property
    def group(self) -> Int64s:
        """The group of each event."""
        return np.repeat(np.arange(len(self.counts), dtype=np.int64), self.counts)


def whole(column: pl.Series, where: str) -> pl.Series:
    """Whole numbers or truths as Int64.

    Raises:
        DataError: when one is beyond 64 bits.
    """
    if column.dtype in (pl.UInt64, pl.Int128) and (column.max() or 0) >= 2**63:  # type: ignore[operator]
        raise DataError("a whole number beyond 64 bits", where=where)
    return column.cast(pl.Int64)


def numbers(column: pl.Series, where: str) -> tuple[np.ndarray, Int64s, np.ndarray]:
    """A column of numbers or truths as arrays: floats or whole numbers (the other is empty), and which are not null.

    Raises:
        DataError: when a whole number is beyond 64 bits.
    """
    valid = np.array(column.is_not_null().to_numpy(), np.bool_)
    if column.dtype.is_float():
        return np.array(column.fill_null(0.0).to_numpy(), np.float64), np.empty(0, np.int64), valid
    column = whole(column, where)
    return np.empty(0), np.array(column.fill_null(0).to_numpy(), np.int64), valid
