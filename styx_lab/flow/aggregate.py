"""Aggregates of a window, as one writes them: `count()`, `sum("amount")`, ...

Law (order): unless an aggregate says so (`ordered`), it gives the same value in whatever order the window's events
came. A sum is the correctly rounded exact value, a mean that sum divided by the count; Flink adds in order of arrival
and so may differ in the last digit.
"""

from __future__ import annotations

import polars as pl

from styx_lab.flow.aggregates import Aggregate, AggregateName, Value
from styx_lab.flow.aggregates.chosen import ByTime, Distinct, TopK
from styx_lab.flow.aggregates.collected import Collect
from styx_lab.flow.aggregates.custom import UserAggregate, custom_of
from styx_lab.flow.aggregates.expr import Expr
from styx_lab.flow.aggregates.spread import Interpolation, Quantile, Spread
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.summary import Summary

__all__ = [
    "Aggregate",
    "AggregateName",
    "UserAggregate",
    "collect",
    "count",
    "custom",
    "expr",
    "first",
    "last",
    "max",
    "mean",
    "median",
    "min",
    "n_unique",
    "quantile",
    "std",
    "sum",
    "top_k",
    "var",
]


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


def var(value: Value, ddof: int = 1) -> Aggregate:
    """The variance of the non-null values; null where there are not more than `ddof` of them.

    >>> str(var("amount")), str(var("amount", ddof=0))
    ('var(amount, ddof=1)', 'var(amount, ddof=0)')

    Reckoned in two passes of exact sums: right to a few units in the last place however far the values are from nought,
    and the same in whatever order they came. With a NaN or an infinity among the values it is NaN.

    Time: none. State: every value, until the window is gone.

    Args:
        value: a number, or true or false.
        ddof: what is taken off the count: 1 for a sample's variance, 0 for that of all there are.

    Raises:
        FlowError: on a `ddof` that is no whole number from 0 up.
    """
    return Spread("var", _value("var", value), ddof)


def std(value: Value, ddof: int = 1) -> Aggregate:
    """The standard deviation of the non-null values: the root of `var`.

    >>> str(std("amount"))
    'std(amount, ddof=1)'

    Time, state and errors as for `var`; it has a value even where the variance is beyond the range of floats.
    """
    return Spread("std", _value("std", value), ddof)


def median(value: Value) -> Aggregate:
    """The middle of the non-null values, halfway between the two in the middle; null where there are none.

    >>> str(median("amount"))
    'median(amount)'

    With a NaN among the values it is NaN. Time: none. State: every value, until the window is gone.
    """
    return Quantile("median", _value("median", value))


def quantile(value: Value, q: float, interpolation: Interpolation = "linear") -> Aggregate:
    """The value below which a share of the non-null values lies; null where there are none.

    >>> str(quantile("amount", 0.95))
    "quantile(amount, q=0.95, interpolation='linear')"

    It stands at position `q * (n - 1)` of the sorted values, counted from 0, as NumPy's and Polars' quantiles do; where
    that is between two values, `interpolation` says what is taken: the point between them (`linear`), the `lower` or
    `higher` one, the `nearest` (the higher, if both are as near) or their `midpoint`. With a NaN among the values it is
    NaN, and so it is between an infinity and its opposite. A nought has no sign.

    Time: none. State: every value, until the window is gone.

    Raises:
        FlowError: on a `q` outside 0 to 1, or an unknown interpolation.
    """
    return Quantile("quantile", _value("quantile", value), q, interpolation)


def first(value: Value) -> Aggregate:
    """The value of the event with the least event time, of those whose value is not null; null where there are none.

    >>> import polars as pl
    >>> first("status").dtype({"status": pl.String(), "_time": pl.Datetime("ms", "UTC")}, where="doc")
    String

    Time: event time; of several events with that time, the one that arrived first. State: every value with its time,
    until the window is gone. Flink's `FIRST_VALUE` ignores nulls too, and goes by order of arrival.
    """
    return ByTime("first", _value("first", value))


def last(value: Value) -> Aggregate:
    """The value of the event with the greatest event time, of those whose value is not null; null where there are none.

    >>> str(last("status"))
    'last(status)'

    Time: event time; of several events with that time, the one that arrived last. State: every value with its time,
    until the window is gone. Flink's `LAST_VALUE` ignores nulls too, and goes by order of arrival.
    """
    return ByTime("last", _value("last", value))


def n_unique(value: Value) -> Aggregate:
    """How many different non-null values there are (SQL's `COUNT(DISTINCT value)`).

    >>> import polars as pl
    >>> n_unique("city").dtype({"city": pl.String()}, where="doc")
    Int64

    All NaN are one value, and so are 0.0 and -0.0. Time: none. State: every value, until the window is gone.
    """
    return Distinct("n_unique", _value("n_unique", value))


def top_k(value: Value, k: int, by: Value | None = None) -> Aggregate:
    """The `k` greatest values as a list, the greatest first; fewer where there are not so many.

    >>> str(top_k("amount", 3)), str(top_k("merchant", 3, by="amount"))
    ('top_k(amount, 3)', 'top_k(merchant, 3, by=amount)')

    Events in which the value or `by` is null do not count. NaN is greater than any number. Time: none; equals stand in
    order of arrival. State: every value, until the window is gone.

    Args:
        value: what to list.
        k: how many at most.
        by: what to compare; without it the values themselves.

    Raises:
        FlowError: on a `k` that is no whole number from 1 up.
    """
    chosen = None if by is None else _value("top_k", by)
    return TopK("top_k", _value("top_k", value), k, chosen)


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


def expr(value: str | pl.Expr) -> Aggregate:
    """An expression over the window's events that gives one value: SQL text, or a Polars expression.

    >>> from polars import col
    >>> str(expr(col("amount").max() - col("amount").min()))
    'amount.max() - amount.min()'
    >>> str(expr("SUM(amount) FILTER (WHERE status = 'declined') / COUNT(*)"))
    "SUM(amount) FILTER (WHERE status = 'declined') / COUNT(*)"
    >>> expr(col("amount").max() - col("fee"))
    Traceback (most recent call last):
        ...
    styx_lab.errors.ExpressionError: expr(): the column 'fee' stands outside of an aggregate, so ...

    Inside may stand `sum`, `mean`, `min`, `max`, `count`, `len`, `n_unique`, `null_count`, `var`, `std`, `median`,
    `quantile`, `any` and `all`, over any row-wise expression, also over one that reads another aggregate, such as
    `(col("amount") - col("amount").mean()).abs().max()`; and `filter` right before one of them. In SQL: `COUNT`, `SUM`,
    `AVG`, `MIN`, `MAX`, `MEDIAN`, `STDDEV`, `VARIANCE` and their `_SAMP` and `_POP`, `QUANTILE_CONT`,
    `COUNT(DISTINCT ...)` and `FILTER (WHERE ...)`. What goes by the order of the events (`first`, `shift`, `cum_sum`,
    `sort`), by chance or by the clock is refused.

    They are Styx's aggregates, not Polars': sums are exact and means rounded once, so the order of arrival does not
    show; a NaN among the values makes a minimum or maximum NaN; whole numbers have 64 bits. Otherwise each means what
    it means in the language it is written in: `n_unique` counts null as a value, SQL's `SUM` of nothing is null.

    Time: none. State: the values that it reads of every event, until the window is gone.

    Raises:
        ExpressionError: when something in it cannot be used, or it is not one value for a window.
    """
    return Expr("expr", None, Summary.of(value, where="expr()"))


def custom(cls: type[UserAggregate], value: Value) -> Aggregate:
    """An aggregate of your own: a class in a module, with `create`, `add`, `merge`, `result` and `output`.

    >>> from styx_lab.flow.example_aggregate import GeometricMean
    >>> str(custom(GeometricMean, "amount"))
    'GeometricMean(amount)'

    The class must stand in a module that can be imported (`%%styx module NAME` makes one of a notebook's cell); the
    flow carries the source of that module with its hash, and runs what it carries. It is made without arguments. Null
    values do not reach it. Try it with `styx_lab.testing.check_aggregate`.

    Time: none; values come in order of arrival. A class that says `ordered = False` promises that this does not matter.
    State: the value of every event, until the window is gone.

    Args:
        cls: the class; see `UserAggregate`.
        value: what `add` is given of each event.

    Raises:
        FlowError: on a class that lacks something, or that cannot be carried along (of a notebook, in a function).
    """
    return custom_of(cls, _value("custom", value))
