"""The aggregates of groups of events: the events of each firing of a window, handed over together.

Law (re-chunking): what a group gives depends on its own events and their order alone, never on the groups beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import TIME
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.aggregates.chosen import ByTime, Distinct, TopK
from styx_lab.flow.aggregates.collected import Collect
from styx_lab.flow.aggregates.custom import Custom
from styx_lab.flow.aggregates.expr import Expr
from styx_lab.flow.aggregates.spread import Quantile, Spread
from styx_lab.flow.expression import Expression
from styx_lab.flow.types import StreamType
from styx_lab.operators.window.choice import by_time, greatest, unique_counts
from styx_lab.operators.window.folding import Folding
from styx_lab.operators.window.folds import Summing
from styx_lab.operators.window.gathered import collect_events, collect_values
from styx_lab.operators.window.members import Kept, Members, NameRow
from styx_lab.operators.window.spread import quantile_of, spread_of
from styx_lab.operators.window.users import Own

__all__ = ["Groups"]

Compute = Callable[[Members], pl.Series]
"""Gives the values of one aggregate, one for each group."""


class Groups:
    """Reckons aggregates over groups of events.

    >>> import numpy as np
    >>> from styx_lab.flow.aggregate import collect, sum
    >>> from styx_lab.flow.types import raw_type
    >>> stream = raw_type([("amount", pl.Float64())], key=())
    >>> groups = Groups((("total", sum("amount")), ("all", collect("amount"))), stream, "step 'doc'")
    >>> groups.schema
    {'amount': Float64}
    >>> events = pl.DataFrame({"amount": [1.0, 2.0, 40.0]})
    >>> [column.to_list() for column in groups.compute(events, np.array([2, 1]), str)]
    [[3.0, 40.0], [[1.0, 2.0], [40.0]]]

    Args:
        aggregates: those of a step, with their columns' names.
        stream: the type of its input.
        where: the step, for errors.

    Raises:
        ExpressionError: when an aggregate cannot work on such a stream.
    """

    def __init__(self, aggregates: tuple[tuple[str, Aggregate], ...], stream: StreamType, where: str) -> None:
        self._where = where
        self._names = [name for name, _ in aggregates]
        self._kept = Kept(stream)
        self._compute: dict[str, Compute] = {}
        folded = []
        for name, aggregate in aggregates:
            here = f"{where}, {name!r}"
            aggregate.dtype(stream.readable, where=here)
            if aggregate.mergeable:
                column = None if aggregate.value is None else self._kept.value(aggregate.value, here)
                folded.append((name, aggregate.function, column))
            else:
                self._compute[name] = _TABLE[type(aggregate)](name, aggregate, self._kept, here)
        if not self._kept.schema:
            # Rows without a column have no number: of events that are only counted the time is kept.
            self._kept.column(TIME)
        self._folding = Folding(folded, self._kept.schema, where) if folded else None

    @property
    def expressions(self) -> dict[str, Expression]:
        """What must be evaluated for each event when it comes, by the name of the column under which it is kept."""
        return self._kept.expressions

    @property
    def plain(self) -> list[str]:
        """The columns of the event itself that must be kept beside them."""
        return self._kept.plain

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """All columns that must be kept of each event, with their types."""
        return self._kept.schema

    def compute(self, members: pl.DataFrame, counts: Int64s, name_row: NameRow) -> list[pl.Series]:
        """The aggregates of groups, one Series each, named as the flow names it.

        Args:
            members: the kept columns of the events of all groups, one group after the other, each in order of arrival.
            counts: how many events each group has; at least one.
            name_row: says of which key and window a group is, for errors.

        Raises:
            DataError: when a sum of whole numbers is beyond 64 bits.
        """
        together = Members(members, counts, name_row)
        folded = {each.name: each for each in self._folding.compute(together)} if self._folding else {}
        return [folded[name] if name in folded else self._compute[name](together) for name in self._names]


def _collect(name: str, aggregate: Collect, kept: Kept, where: str) -> Compute:
    if aggregate.value is not None:
        return partial(collect_values, name, kept.value(aggregate.value, where))
    return partial(collect_events, name, [kept.column(column) for column in kept.stream.names])


def _spread(name: str, aggregate: Spread, kept: Kept, where: str) -> Compute:
    assert aggregate.value is not None
    column = kept.value(aggregate.value, where)
    return partial(spread_of, name, column, aggregate.ddof, aggregate.function == "std", where)


def _quantile(name: str, aggregate: Quantile, kept: Kept, where: str) -> Compute:
    assert aggregate.value is not None
    column = kept.value(aggregate.value, where)
    return partial(quantile_of, name, column, aggregate.q, aggregate.interpolation, where)


def _by_time(name: str, aggregate: ByTime, kept: Kept, where: str) -> Compute:
    assert aggregate.value is not None
    kept.column(TIME)
    return partial(by_time, name, kept.value(aggregate.value, where), aggregate.function == "last")


def _distinct(name: str, aggregate: Distinct, kept: Kept, where: str) -> Compute:
    assert aggregate.value is not None
    return partial(unique_counts, name, kept.value(aggregate.value, where), False)


def _top_k(name: str, aggregate: TopK, kept: Kept, where: str) -> Compute:
    assert aggregate.value is not None
    column = kept.value(aggregate.value, where)
    by = column if aggregate.by is None else kept.value(aggregate.by, where)
    return partial(greatest, name, column, by, aggregate.k)


def _expr(name: str, aggregate: Expr, kept: Kept, where: str) -> Compute:
    assert aggregate.summary is not None
    return Summing(name, aggregate.summary, kept, where).compute


def _custom(name: str, aggregate: Custom, kept: Kept, where: str) -> Compute:
    assert aggregate.value is not None
    return Own(name, aggregate, kept.value(aggregate.value, where), where).compute


_TABLE: Final[dict[type[Aggregate], Callable[[str, Any, Kept, str], Compute]]] = {
    Spread: _spread,
    Quantile: _quantile,
    ByTime: _by_time,
    Distinct: _distinct,
    TopK: _top_k,
    Collect: _collect,
    Expr: _expr,
    Custom: _custom,
}
