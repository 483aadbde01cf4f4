"""Verbs that keep nothing: filter, select, with_columns, key_by, union, split."""

from __future__ import annotations

from typing import Self

import polars as pl

from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import Filter, KeyBy, Port, Select, Split, Union, WithColumns
from styx_lab.flow.stream.columns import Value, computed
from styx_lab.flow.stream.parts import REST, Parts, check_part_names
from styx_lab.flow.stream.so_far import StreamSoFar

__all__ = ["ShapeVerbs"]


class ShapeVerbs(StreamSoFar):
    """What one event gives, without memory."""

    __slots__ = ()

    def filter(self, condition: Value, *, name: str | None = None) -> Self:
        """Keep the events for which the condition is true (null is false).

        >>> from styx_lab.flow.stream.example import payments
        >>> payments().filter("amount > 500").port.step
        'filter'

        Args:
            condition: SQL text or a Polars expression over the event's columns.
            name: the step's name; `filter`, `filter_2`, ... where none is given.
        """
        name = self._name(name, "filter")
        return self._append(Filter(name, (self.port,), Expression.of(condition, where=f"step {name!r}")))

    def select(self, *columns: str | pl.Expr, name: str | None = None, **named: Value) -> Self:
        """Keep just these columns: names, named Polars expressions, or `new="amount * 2"`.

        >>> from styx_lab.flow.stream.example import payments
        >>> list(payments().select("card_id", euros="amount * 0.9").columns)
        ['card_id', 'euros']
        """
        name = self._name(name, "select")
        return self._append(Select(name, (self.port,), computed(columns, named, where=f"step {name!r}")))

    def with_columns(self, *columns: pl.Expr, name: str | None = None, **named: Value) -> Self:
        """Add columns computed from the event, or replace them.

        >>> from styx_lab.flow.stream.example import payments
        >>> payments().with_columns(large=pl.col("amount") > 500).columns["large"]
        Boolean
        """
        name = self._name(name, "with_columns")
        return self._append(WithColumns(name, (self.port,), computed(columns, named, where=f"step {name!r}")))

    def key_by(self, *columns: str, name: str | None = None) -> Self:
        """Say which events belong together from here on; an event without the key becomes a dead letter."""
        name = self._name(name, "key_by")
        return self._append(KeyBy(name, (self.port,), tuple(columns)))

    def union(self, *others: StreamSoFar, name: str | None = None) -> Self:
        """This stream and others of the same type as one, in order of arrival; the smallest watermark counts."""
        if not others:
            raise FlowError("union() needs another stream", where=f"after step {self.port.step!r}")
        return self._bring(others, name, "union", Union)

    def split(self, *, name: str | None = None, **conditions: Value) -> Parts[Self]:
        """Part the stream: each event goes to the first condition that is true, else to `rest`.

        >>> from styx_lab.flow.stream.example import payments
        >>> parts = payments().split(large="amount > 500", small="amount < 1")
        >>> list(parts)
        ['large', 'small', 'rest']
        >>> parts.large.port, parts["rest"].port
        (Port(step='split', name='large'), Port(step='split', name='out'))

        Args:
            name: the step's name; `split` where none is given.
            conditions: SQL text or a Polars expression for each part, in order; null is false.

        Gives the parts by name; each is a port of the one step, with the type of this stream, so they can be united
        again. An event that a condition cannot be evaluated for is a dead letter, unless an earlier one took it.

        Time and state: none. Counts `to_large`, ... for each part.

        Raises:
            FlowError: when there is no condition, or one is no condition over the event's columns.
        """
        name = self._name(name, "split")
        where = f"step {name!r}"
        check_part_names(conditions, where=where)
        rest = self._append(Split(name, (self.port,), computed((), conditions, where=where)))
        found = {part: type(self)(rest.steps, Port(name, part), rest.type) for part in conditions}
        return Parts({**found, REST: rest})
