"""Aggregates of a window: what is kept of the events in it, as frozen data.

Law (order): every aggregate here gives the same value in whatever order the window's events came. A sum is the
correctly rounded exact value, a mean that sum divided by the count; Flink adds in order of arrival and so may differ in
the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from styx_lab.errors import ExpressionError, FlowError
from styx_lab.flow.expression import Expression

__all__ = ["Aggregate", "AggregateName", "count", "max", "mean", "min", "sum"]

AggregateName = Literal["count", "sum", "mean", "min", "max"]
_NAMES: Final = ("count", "sum", "mean", "min", "max")
Value = str | pl.Expr | Expression


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over the non-null values of an expression; `count()` without one counts events."""

    function: AggregateName
    value: Expression | None = None

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """The type of the result: Int64 for counts and sums of whole numbers, else Float64.

        Raises:
            ExpressionError: when the value is no number.
        """
        if self.value is None:
            return pl.Int64()
        dtype = self.value.check(schema, where=where)
        if self.function == "count":
            return pl.Int64()
        if not dtype.is_numeric() and dtype != pl.Boolean:
            raise ExpressionError(
                f"{self.function}() takes a number", where=where, got=f"{self.value.text} of type {dtype}"
            )
        return pl.Float64() if self.function == "mean" or dtype.is_float() else pl.Int64()

    def to_json(self) -> dict[str, Any]:
        """The aggregate as JSON."""
        return {"function": self.function, "value": None if self.value is None else self.value.to_json()}

    @staticmethod
    def from_json(value: Mapping[str, Any], *, where: str) -> Aggregate:
        """The aggregate of `to_json`'s answer."""
        if value["function"] not in _NAMES:
            raise FlowError("unknown aggregate in a stored flow", where=where, got=value["function"])
        inner = value["value"]
        return Aggregate(value["function"], None if inner is None else Expression.from_json(inner, where=where))

    def __str__(self) -> str:
        return f"{self.function}({self.value.text if self.value else ''})"


def _of(name: AggregateName, value: Value) -> Aggregate:
    return Aggregate(name, Expression.of(value, where=f"{name}()"))


def count(value: Value | None = None) -> Aggregate:
    """How many events, or how many non-null values.

    >>> str(count())
    'count()'
    """
    return Aggregate("count") if value is None else _of("count", value)


def sum(value: Value) -> Aggregate:
    """The sum of the non-null values, correctly rounded; 0 where there are none.

    >>> str(sum("amount"))
    'sum(amount)'
    """
    return _of("sum", value)


def mean(value: Value) -> Aggregate:
    """The mean of the non-null values; null where there are none."""
    return _of("mean", value)


def min(value: Value) -> Aggregate:
    """The least non-null value; null where there are none."""
    return _of("min", value)


def max(value: Value) -> Aggregate:
    """The greatest non-null value; null where there are none."""
    return _of("max", value)
