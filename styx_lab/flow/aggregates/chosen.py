"""Aggregates that choose among the values: first, last, n_unique, top_k.

Laws: first and last go by event time, top_k by size, and only among equals does the order of arrival show; n_unique
does not depend on it at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.errors import ExpressionError, FlowError
from styx_lab.flow.aggregates.aggregate import Aggregate, AggregateName
from styx_lab.flow.expression import Expression

__all__ = ["ByTime", "Distinct", "TopK"]


def _comparable(function: str, value: Expression, schema: Mapping[str, pl.DataType], where: str) -> pl.DataType:
    dtype = value.check(schema, where=where)
    if dtype.is_nested() or dtype == pl.Null():
        raise ExpressionError(
            f"{function}() compares values, which must be numbers, texts, truths or times",
            where=where,
            got=f"{value.text} of type {dtype}",
            hint="take a part of it, as in drain.amount",
        )
    return dtype


@dataclass(frozen=True, slots=True)
class ByTime(Aggregate):
    """The value of the event with the least (`first`) or greatest (`last`) event time of those whose value is not null.

    Of several with that time, `first` takes the one that arrived first, `last` the one that arrived last.
    """

    @property
    def ordered(self) -> bool:
        """See `Aggregate.ordered`: among events of one time it shows."""
        return True

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """See `Aggregate.dtype`."""
        assert self.value is not None
        if TIME not in schema:
            raise FlowError(f"{self.function}() goes by event time, and the events have none", where=where)
        return self.value.check(schema, where=where)


@dataclass(frozen=True, slots=True)
class Distinct(Aggregate):
    """How many different non-null values there are; all NaN are one, and so are 0.0 and -0.0."""

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """See `Aggregate.dtype`."""
        assert self.value is not None
        _comparable(self.function, self.value, schema, where)
        return pl.Int64()


@dataclass(frozen=True, slots=True)
class TopK(Aggregate):
    """The values of the `k` events that are greatest by `by` (by the value itself without one), the greatest first.

    Events in which either is null do not count. Equals stand in order of arrival. NaN is greater than any number.
    """

    k: int = 1
    by: Expression | None = None

    def __post_init__(self) -> None:
        if type(self.k) is not int or self.k < 1:
            raise FlowError("k is a whole number from 1 up", where="top_k()", got=self.k, hint="top_k('amount', 3)")

    @property
    def ordered(self) -> bool:
        """See `Aggregate.ordered`: with `by`, among equals it shows."""
        return self.by is not None

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """See `Aggregate.dtype`."""
        assert self.value is not None
        if self.by is None:
            return pl.List(_comparable(self.function, self.value, schema, where))
        _comparable(self.function, self.by, schema, where)
        return pl.List(self.value.check(schema, where=where))

    def options(self) -> dict[str, Any]:
        """See `Aggregate.options`."""
        return {"k": self.k, "by": None if self.by is None else self.by.to_json()}

    @classmethod
    def read(cls, function: AggregateName, value: Expression | None, options: Mapping[str, Any], where: str) -> TopK:
        """See `Aggregate.read`."""
        if value is None or options.keys() != {"k", "by"}:
            raise KeyError(function)
        by = options["by"]
        return cls(function, value, options["k"], None if by is None else Expression.from_json(by, where=where))

    def __str__(self) -> str:
        assert self.value is not None
        return f"top_k({self.value.text}, {self.k}{f', by={self.by.text}' if self.by else ''})"
