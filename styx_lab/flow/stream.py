"""The stream builder: what a user writes. Each verb gives a new stream with one more step; nothing runs.

Law: streams are values. A verb never changes the stream it is called on, so a stream can be used twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from styx_lab.core.operator import LATE, OUT
from styx_lab.core.schema import Schema
from styx_lab.core.time import Duration, duration_ms
from styx_lab.errors import FlowError
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.expression import Expression
from styx_lab.flow.message import Message
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import (
    Columns,
    Detect,
    Enrich,
    Filter,
    KeyBy,
    Notify,
    Port,
    Score,
    Select,
    SourceStep,
    Step,
    To,
    Union,
    WindowStep,
    WithColumns,
)
from styx_lab.flow.table import Table, table
from styx_lab.flow.types import StreamType
from styx_lab.flow.window import Sliding, Tumbling, Window

__all__ = ["Stream", "source"]

Value = str | pl.Expr | Expression


def source(
    name: str,
    *,
    schema: Schema | Mapping[str, str | type],
    time: str,
    key: str | Sequence[str] = (),
    max_delay: Duration = "0ms",
    max_future: Duration = "1d",
) -> Stream:
    """Where a flow's events come in: a stream of RawEvents.

    >>> payments = source("payments", schema={"ts": "int", "card_id": "str", "amount": "float"},
    ...                   time="ts", key="card_id", max_delay="2s")
    >>> payments.columns
    {'ts': Int64, 'card_id': String, 'amount': Float64}

    Args:
        name: what the source is called; a file, recording or topic is put behind it when the flow runs.
        schema: the event's columns and types (see `Schema`).
        time: the column with the event time: `int` (epoch ms), `str` (ISO 8601; UTC unless it says otherwise) or
            `datetime`.
        key: the column or columns that say which events belong together.
        max_delay: how far out of order events may come. A partition's watermark is the greatest event time seen, less
            this, less 1 ms.
        max_future: an event whose time is more than this after its arrival becomes a dead letter.

    Time: computes the watermark, per partition, as the minimum over partitions. State: the greatest time of each.

    Raises:
        FlowError: on an unknown column, a time column of the wrong type, a key that cannot be one.
    """
    where = f"source {name!r}"
    step = SourceStep(
        _checked_name(name, "source"),
        (),
        schema if isinstance(schema, Schema) else Schema(schema),
        time,
        _names(key),
        duration_ms(max_delay, where=f"{where}, max_delay", zero=True),
        duration_ms(max_future, where=f"{where}, max_future"),
    )
    return Stream((step,), Port(step.name), step.infer([])[OUT])


@dataclass(frozen=True, slots=True)
class Stream:
    """Events on their way through a flow: the steps so far, and the port of the last one.

    Attributes:
        steps: every step that this stream depends on, sources first.
        port: where it comes out.
        type: its kind of event, columns and key.
    """

    steps: tuple[Step, ...]
    port: Port
    type: StreamType

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The event's own columns and their types."""
        return dict(self.type.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns the stream is keyed by."""
        return self.type.key

    @property
    def late(self) -> Stream:
        """The events that came too late for the window or pattern this stream comes from."""
        step = self.steps[-1]
        if not isinstance(step, WindowStep | Detect) or self.port != Port(step.name):
            raise FlowError("only window() and detect() have late events", where=f"step {self.port.step!r}")
        before = Stream(self.steps[:-1], step.inputs[0], _type_of(self.steps, step.inputs[0]))
        return Stream(self.steps, Port(step.name, LATE), before.type)

    def filter(self, condition: Value, *, name: str | None = None) -> Stream:
        """Keep the events for which the condition is true (null is false).

        >>> _payments().filter("amount > 500").port.step
        'filter'

        Args:
            condition: SQL text or a Polars expression over the event's columns.
            name: the step's name; `filter`, `filter_2`, ... where none is given.
        """
        name = self._name(name, "filter")
        return self._append(Filter(name, (self.port,), Expression.of(condition, where=f"step {name!r}")))

    def select(self, *columns: str | pl.Expr, name: str | None = None, **named: Value) -> Stream:
        """Keep just these columns: names, named Polars expressions, or `new="amount * 2"`.

        >>> list(_payments().select("card_id", euros="amount * 0.9").columns)
        ['card_id', 'euros']
        """
        name = self._name(name, "select")
        return self._append(Select(name, (self.port,), _computed(columns, named, where=f"step {name!r}")))

    def with_columns(self, *columns: pl.Expr, name: str | None = None, **named: Value) -> Stream:
        """Add columns computed from the event, or replace them.

        >>> _payments().with_columns(large=pl.col("amount") > 500).columns["large"]
        Boolean
        """
        name = self._name(name, "with_columns")
        return self._append(WithColumns(name, (self.port,), _computed(columns, named, where=f"step {name!r}")))

    def key_by(self, *columns: str, name: str | None = None) -> Stream:
        """Say which events belong together from here on; an event without the key becomes a dead letter."""
        name = self._name(name, "key_by")
        return self._append(KeyBy(name, (self.port,), tuple(columns)))

    def union(self, *others: Stream, name: str | None = None) -> Stream:
        """This stream and others of the same type as one, in order of arrival; the smallest watermark counts."""
        if not others:
            raise FlowError("union() needs another stream", where=f"after step {self.port.step!r}")
        steps = _merge([self, *others])
        name = _fresh(name, "union", steps)
        step = Union(name, tuple(stream.port for stream in (self, *others)))
        return Stream((*steps, step), Port(name), step.infer([stream.type for stream in (self, *others)])[OUT])

    def window(self, window: Window, *, name: str | None = None, **aggregates: Aggregate) -> Stream:
        """Aggregate per key and window of event time: one BusinessEvent for each window that has events.

        >>> from styx_lab.flow.aggregate import count, sum
        >>> list(_payments().window(Sliding("5m", every="1m"), n=count(), total=sum("amount")).columns)
        ['card_id', 'window_start', 'window_end', 'n', 'total']

        Time: a window fires when the watermark reaches its end less 1 ms. An event is late, and goes to `.late`, when
        none of its windows is still open. State: per key, one partial for each pane of an open window.
        """
        name = self._name(name, "window")
        if not isinstance(window, Tumbling | Sliding):
            raise FlowError("not a window", where=f"step {name!r}", got=window, hint="Tumbling('5m') or Sliding(...)")
        for column, aggregate in aggregates.items():
            if not isinstance(aggregate, Aggregate):
                raise FlowError(
                    "not an aggregate",
                    where=f"step {name!r}, {column!r}",
                    got=aggregate,
                    hint="count(), sum('amount'), ...",
                )
        return self._append(WindowStep(name, (self.port,), window, tuple(aggregates.items())))

    def detect(self, pattern: Pattern, *, name: str | None = None, **columns: Value) -> Stream:
        """Find a pattern among the events of each key: one BusinessEvent for each match.

        >>> drain = Pattern.begin("small").where("amount < 1").followed_by("drain").where("amount > 500").within("10m")
        >>> list(_payments().detect(drain, amount="drain.amount").columns)
        ['card_id', 'amount', 'small', 'drain']

        Args:
            pattern: what to look for.
            name: the step's name; `detect` where none is given.
            columns: columns of the match, over its parts: a part is a struct (`drain.amount` in SQL), of lists where
            the
                part takes several events (`pl.col("declined").struct.field("amount").list.sum()`).

        Time: events of a key are taken in order of event time, once the watermark has passed them; an event that the
        watermark has passed when it comes is late, and goes to `.late`. State: the events that may still be part of a
        match; without `within` they are kept for ever. Follows Flink CEP with `noSkip`.
        """
        name = self._name(name, "detect")
        if not isinstance(pattern, Pattern):
            raise FlowError("not a pattern", where=f"step {name!r}", got=pattern, hint="Pattern.begin('name')...")
        return self._append(Detect(name, (self.port,), pattern, _computed((), columns, where=f"step {name!r}")))

    def enrich(
        self, rows: Table | str | Path | pl.DataFrame, *, on: str | Sequence[str], name: str | None = None
    ) -> Stream:
        """Add the columns of a static table, found by the event's columns `on`; null where it has no such row.

        Args:
            rows: a `table(...)`, or a file or frame to make one of (named after the file, or `table`).
            on: the columns that both have; in the table no two rows may have the same.
            name: the step's name.
        """
        name = self._name(name, "enrich")
        if not isinstance(rows, Table):
            rows = table("table" if isinstance(rows, pl.DataFrame) else Path(rows).stem, rows)
        step = Enrich(name, (self.port,), rows, _names(on))
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

    def score(self, model: str, *, into: str, name: str | None = None) -> Stream:
        """Add a model's answer to each event.

        Args:
            model: a model of the store: `fraud` (the newest), `fraud@3` or `fraud@champion`.
            into: the new column; the probability of the positive class, or the predicted number.
            name: the step's name.
        """
        name = self._name(name, "score")
        return self._append(Score(name, (self.port,), model, into))

    def notify(self, name: str, *, message: str) -> Stream:
        """Make a Notification of each event, with a deterministic id.

        >>> _payments().notify("large", message="Card {card_id}: {amount:.2f}").type.kind
        <EventKind.NOTIFICATION: 'Notification'>
        """
        return self._append(Notify(_checked_name(name, "notify"), (self.port,), Message(message)))

    def to(self, output: str) -> Stream:
        """Send the stream to a named output of the flow; the stream itself can be used further."""
        step = To(_checked_name(output, "to"), (self.port,))
        _refuse_duplicate(step.name, self.steps)
        return Stream((*self.steps, step), self.port, self.type)

    def _append(self, step: Step) -> Stream:
        _refuse_duplicate(step.name, self.steps)
        return Stream((*self.steps, step), Port(step.name), step.infer([self.type])[OUT])

    def _name(self, name: str | None, verb: str) -> str:
        return _fresh(name, verb, self.steps)


def _type_of(steps: Sequence[Step], port: Port) -> StreamType:
    types: dict[Port, StreamType] = {}
    for step in steps:
        for name, stream in step.infer([types[one] for one in step.inputs]).items():
            types[Port(step.name, name)] = stream
    return types[port]


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _computed(positional: Sequence[str | pl.Expr], named: Mapping[str, Value], *, where: str) -> Columns:
    found: list[tuple[str, Expression]] = []
    for value in positional:
        if isinstance(value, str):
            found.append((value, Expression.of(pl.col(value), where=where)))
        elif isinstance(value, pl.Expr):
            found.append((value.meta.output_name(), Expression.of(value, where=where)))
        else:
            raise FlowError("not a column", where=where, got=value, hint="a name, a Polars expression, or new='SQL'")
    found += [(name, Expression.of(value, where=f"{where}, column {name!r}")) for name, value in named.items()]
    return tuple(found)


def _merge(streams: Sequence[Stream]) -> tuple[Step, ...]:
    merged: dict[str, Step] = {}
    for stream in streams:
        for step in stream.steps:
            if merged.setdefault(step.name, step) != step:
                raise FlowError(
                    "two different steps have the same name",
                    where=f"step {step.name!r}",
                    hint=f"give one of them a name: {step.verb}(..., name='...')",
                )
    return tuple(merged.values())


def _refuse_duplicate(name: str, steps: Sequence[Step]) -> None:
    for step in steps:
        if step.name == name:
            raise FlowError(
                "two steps have the same name",
                where=f"step {name!r}",
                got=f"{step.verb}() has it already",
                hint="rename one",
            )


def _checked_name(name: str, verb: str) -> str:
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
        raise FlowError(
            "a step's name must be a plain word", where=f"{verb}()", got=name, hint="letters, digits, _ and -"
        )
    return name


def _fresh(name: str | None, verb: str, steps: Sequence[Step]) -> str:
    if name is not None:
        return _checked_name(name, verb)
    taken = {step.name for step in steps}
    number = 1
    while (found := verb if number == 1 else f"{verb}_{number}") in taken:
        number += 1
    return found


def _payments() -> Stream:
    # The stream of this module's examples.
    return source("payments", schema={"ts": "int", "card_id": "str", "amount": "float"}, time="ts", key="card_id")
