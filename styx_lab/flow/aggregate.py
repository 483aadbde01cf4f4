"""Aggregates of a window, as one writes them: `count()`, `sum("amount")`, ...

Law (order): unless an aggregate says so (`ordered`), it gives the same value in whatever order the window's events
came. A sum is the correctly rounded exact value, a mean that sum divided by the count; Flink adds in order of arrival
and so may differ in the last digit.
"""

from __future__ import annotations

from styx_lab.flow.aggregates import Aggregate, AggregateName, Value
from styx_lab.flow.aggregates.collected import Collect
from styx_lab.flow.expression import Expression

__all__ = ["Aggregate", "AggregateName", "collect", "count", "max", "mean", "min", "sum"]


def _value(name: str, value: Value) -> Expression:
    return Expression.of(value, where=f"{name}()")


def count(value: Value | None = None) -> Aggregate:
    """How many events, or how many non-null values.

    >>> str(count())
    'count()'
    """
    return Aggregate("count", None if value is None else _value("count", value))


def sum(value: Value) -> Aggregate:
    """The sum of the non-null values, correctly rounded; 0 where there are none.

    >>> str(sum("amount"))
    'sum(amount)'
    """
    return Aggregate("sum", _value("sum", value))


def mean(value: Value) -> Aggregate:
    """The mean of the non-null values; null where there are none."""
    return Aggregate("mean", _value("mean", value))


def min(value: Value) -> Aggregate:
    """The least non-null value; null where there are none."""
    return Aggregate("min", _value("min", value))


def max(value: Value) -> Aggregate:
    """The greatest non-null value; null where there are none."""
    return Aggregate("max", _value("max", value))


def collect(value: Value | None = None) -> Aggregate:
    """The values, nulls too, as a list in order of arrival; without a value the events, each a struct of its columns.

    >>> import polars as pl
    >>> collect("amount").dtype({"amount": pl.Float64()}, where="doc")
    List(Float64)
    >>> collect().dtype({"card": pl.String(), "_time": pl.Datetime("ms", "UTC")}, where="doc")
    List(Struct({'card': String}))

    Time: none; the order of arrival shows in the list, by meaning. State: every value, until the window is gone.
    """
    return Collect("collect", None if value is None else _value("collect", value))
