"""The step specs: what each verb of a stream says, as frozen data. `operators/` has the machine that runs each.

Law: a spec is checked when it is made (`infer`), holds no running thing, and is equal to another that says the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import polars as pl

from styx_lab.core.events import NOTIFICATION_SCHEMA, TIME, EventKind
from styx_lab.core.keys import KEY_TYPES
from styx_lab.core.operator import LATE, OUT
from styx_lab.core.schema import TIME_DTYPE, Schema
from styx_lab.core.time import duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.expression import Expression
from styx_lab.flow.message import Message
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.table import Table
from styx_lab.flow.types import StreamType, derived_type, raw_type
from styx_lab.flow.window import Window, window_from_json

__all__ = [
    "STEPS",
    "Detect",
    "Enrich",
    "Filter",
    "KeyBy",
    "Notify",
    "Port",
    "Score",
    "Select",
    "SourceStep",
    "Step",
    "To",
    "Union",
    "WindowStep",
    "WithColumns",
]

Columns = tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Port:
    """One output of a step: `out` or `late`."""

    step: str
    name: str = OUT

    def __str__(self) -> str:
        return self.step if self.name == OUT else f"{self.step}.{self.name}"


@dataclass(frozen=True, slots=True)
class Step(ABC):
    """What all steps have: a name, unique in the flow, and the ports they read."""

    name: str
    inputs: tuple[Port, ...]

    verb: ClassVar[str]

    @property
    def where(self) -> str:
        """How errors name this step."""
        return f"step {self.name!r}"

    @abstractmethod
    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """Check the step against its inputs' types and give its ports' types; a sink has none.

        Raises:
            FlowError: when the step cannot work on such inputs.
        """

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """The step's own fields as JSON."""

    @classmethod
    @abstractmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Step:
        """The step of `details`' answer."""

    @abstractmethod
    def summary(self) -> str:
        """One line for drawings: what the step does."""


@dataclass(frozen=True, slots=True)
class SourceStep(Step):
    """Where events come in: their schema, their time, their key, and how late they may be."""

    schema: Schema
    time: str
    key: tuple[str, ...]
    max_delay_ms: int
    max_future_ms: int

    verb: ClassVar[str] = "source"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        stream = raw_type(self.schema.polars.items(), self.key)
        stream.need([self.time], where=f"{self.where}, time")
        if self.schema[self.time] not in {"int", "str", "datetime"}:
            raise FlowError(
                "event time must be int (epoch ms), str (ISO 8601) or datetime",
                where=f"{self.where}, column {self.time!r}",
                got=self.schema[self.time],
            )
        _check_key(stream, self.key, where=self.where)
        return {OUT: stream}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {
            "schema": self.schema.to_json(),
            "time": self.time,
            "key": list(self.key),
            "max_delay_ms": self.max_delay_ms,
            "max_future_ms": self.max_future_ms,
        }

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> SourceStep:
        """See `Step.read`."""
        return cls(
            name,
            inputs,
            Schema(details["schema"]),
            details["time"],
            tuple(details["key"]),
            details["max_delay_ms"],
            details["max_future_ms"],
        )

    def summary(self) -> str:
        """See `Step.summary`."""
        keyed = f", by {', '.join(self.key)}" if self.key else ""
        return f"time {self.time}, up to {duration_text(self.max_delay_ms)} out of order{keyed}"


@dataclass(frozen=True, slots=True)
class Filter(Step):
    """Keeps the events for which a condition is true."""

    condition: Expression

    verb: ClassVar[str] = "filter"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        self.condition.check(inputs[0].readable, where=self.where, boolean=True)
        return {OUT: inputs[0]}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"condition": self.condition.to_json()}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Filter:
        """See `Step.read`."""
        return cls(name, inputs, Expression.from_json(details["condition"], where=f"step {name!r}"))

    def summary(self) -> str:
        """See `Step.summary`."""
        return self.condition.text


@dataclass(frozen=True, slots=True)
class _Computed(Step):
    columns: Columns

    def _computed(self, stream: StreamType) -> list[tuple[str, pl.DataType]]:
        known = stream.readable
        derived_type([(name, pl.Null()) for name, _ in self.columns], ())
        return [
            (name, expression.check(known, where=f"{self.where}, column {name!r}")) for name, expression in self.columns
        ]

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"columns": [[name, expression.to_json()] for name, expression in self.columns]}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> _Computed:
        """See `Step.read`."""
        return cls(name, inputs, _read_columns(details["columns"], where=f"step {name!r}"))

    def summary(self) -> str:
        """See `Step.summary`."""
        return _columns_text(self.columns)


@dataclass(frozen=True, slots=True)
class Select(_Computed):
    """Keeps just these columns, each computed from the event."""

    verb: ClassVar[str] = "select"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        for key in stream.key:
            if dict(self.columns).get(key) != Expression.of(pl.col(key), where=self.where):
                raise FlowError(
                    "select() must keep the key as it is",
                    where=self.where,
                    hint=f"select({key!r}, ...), or key_by() after",
                )
        return {OUT: stream.with_columns(self._computed(stream))}


@dataclass(frozen=True, slots=True)
class WithColumns(_Computed):
    """Adds columns computed from the event, or replaces them."""

    verb: ClassVar[str] = "with_columns"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        for key in stream.key:
            if key in dict(self.columns):
                raise FlowError(
                    "with_columns() must not replace the key", where=self.where, got=key, hint="choose another name"
                )
        return {OUT: stream.with_columns((dict(stream.columns) | dict(self._computed(stream))).items())}


@dataclass(frozen=True, slots=True)
class KeyBy(Step):
    """Says which events belong together. An event without the key becomes a dead letter."""

    key: tuple[str, ...]

    verb: ClassVar[str] = "key_by"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        if not self.key:
            raise FlowError("key_by() needs at least one column", where=self.where)
        _check_key(inputs[0], self.key, where=self.where)
        return {OUT: replace(inputs[0], key=self.key)}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"key": list(self.key)}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> KeyBy:
        """See `Step.read`."""
        return cls(name, inputs, tuple(details["key"]))

    def summary(self) -> str:
        """See `Step.summary`."""
        return ", ".join(self.key)


@dataclass(frozen=True, slots=True)
class Union(Step):
    """Several streams of one type as one; its watermark is the smallest of theirs."""

    verb: ClassVar[str] = "union"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        first = inputs[0]
        for port, other in zip(self.inputs[1:], inputs[1:], strict=True):
            if other != first:
                raise FlowError(
                    "only streams of one kind, key and schema can be united",
                    where=self.where,
                    got=f"{self.inputs[0]}: {_type_text(first)} and {port}: {_type_text(other)}",
                    hint="select() the same columns, key_by() the same key",
                )
        return {OUT: first}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Union:
        """See `Step.read`."""
        return cls(name, inputs)

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{len(self.inputs)} streams"


@dataclass(frozen=True, slots=True)
class WindowStep(Step):
    """Aggregates per key and window of event time. Gives RawEvents -> BusinessEvents, one a window that has events."""

    window: Window
    aggregates: tuple[tuple[str, Aggregate], ...]

    verb: ClassVar[str] = "window"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not self.aggregates:
            raise FlowError("a window needs at least one aggregate", where=self.where, hint="window(..., n=count())")
        known = dict(stream.columns)
        columns = [(name, known[name]) for name in stream.key]
        columns += [("window_start", TIME_DTYPE), ("window_end", TIME_DTYPE)]
        columns += [
            (name, aggregate.dtype(stream.readable, where=f"{self.where}, {name!r}"))
            for name, aggregate in self.aggregates
        ]
        return {OUT: derived_type(columns, stream.key), LATE: stream}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {
            "window": self.window.to_json(),
            "aggregates": [[name, aggregate.to_json()] for name, aggregate in self.aggregates],
        }

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> WindowStep:
        """See `Step.read`."""
        where = f"step {name!r}"
        aggregates = tuple((column, Aggregate.from_json(one, where=where)) for column, one in details["aggregates"])
        return cls(name, inputs, window_from_json(details["window"], where=where), aggregates)

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.window}: " + ", ".join(f"{name} = {aggregate}" for name, aggregate in self.aggregates)


@dataclass(frozen=True, slots=True)
class Detect(Step):
    """Finds a pattern among the events of each key. RawEvents -> BusinessEvents."""

    pattern: Pattern
    columns: Columns

    verb: ClassVar[str] = "detect"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not stream.key:
            raise FlowError(
                "detect() needs a keyed stream", where=self.where, hint="put key_by(...) before it, or source(key=...)"
            )
        known = dict(stream.columns)
        self.pattern.check(stream.readable, where=self.where)
        parts = self.parts(stream)
        for name in [name for name, _ in self.columns] + list(parts):
            if name in stream.key:
                raise FlowError(
                    "a part or column has the name of the key", where=self.where, got=name, hint="rename it"
                )
        columns = [(name, known[name]) for name in stream.key]
        columns += [
            (name, expression.check(parts, where=f"{self.where}, column {name!r}")) for name, expression in self.columns
        ]
        matched = derived_type([*columns, *parts.items()], stream.key)
        return {OUT: matched, LATE: stream}

    def parts(self, stream: StreamType) -> dict[str, pl.DataType]:
        """The type of each part's column: a struct of the event's columns and `_time`; of lists where it repeats."""
        fields = {**dict(stream.columns), TIME: TIME_DTYPE}
        return {
            part.name: pl.Struct({name: pl.List(dtype) if part.many else dtype for name, dtype in fields.items()})
            for part in self.pattern.parts
        }

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {
            "pattern": self.pattern.to_json(),
            "columns": [[name, expression.to_json()] for name, expression in self.columns],
        }

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Detect:
        """See `Step.read`."""
        where = f"step {name!r}"
        pattern = Pattern.from_json(details["pattern"], where=where)
        return cls(name, inputs, pattern, _read_columns(details["columns"], where=where))

    def summary(self) -> str:
        """See `Step.summary`."""
        return str(self.pattern)


@dataclass(frozen=True, slots=True)
class Enrich(Step):
    """Adds the columns of a static table, found by the event's column(s); null where the table has no such row."""

    table: Table
    on: tuple[str, ...]

    verb: ClassVar[str] = "enrich"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        theirs, ours = dict(self.table.schema), dict(stream.columns)
        stream.need(self.on, where=self.where)
        for name in self.on:
            if name not in theirs:
                raise FlowError(
                    "the table has no such column",
                    where=f"{self.where}, table {self.table.name!r}",
                    got=name,
                    hint=f"its columns are {', '.join(theirs)}",
                )
            if theirs[name] != ours[name]:
                raise FlowError(
                    "the table's column has another type than the event's",
                    where=f"{self.where}, column {name!r}",
                    got=f"{theirs[name]} and {ours[name]}",
                    hint="cast one of them",
                )
        added = [(name, dtype) for name, dtype in self.table.schema if name not in self.on]
        for name, _ in added:
            if name in ours:
                raise FlowError(
                    "the event has a column of that name already",
                    where=f"{self.where}, table {self.table.name!r}",
                    got=name,
                    hint="rename it in the table",
                )
        return {OUT: _rich(stream).with_columns([*stream.columns, *added])}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"table": self.table.to_json(), "on": list(self.on)}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Enrich:
        """See `Step.read`."""
        return cls(name, inputs, Table.from_json(details["table"]), tuple(details["on"]))

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.table.name} on {', '.join(self.on)}"


@dataclass(frozen=True, slots=True)
class Score(Step):
    """Adds a model's answer to each event. An event that the model cannot score becomes a dead letter."""

    model: str
    into: str

    verb: ClassVar[str] = "score"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if self.into in stream.names:
            raise FlowError(
                "the event has that column already", where=self.where, got=self.into, hint="choose another into="
            )
        derived_type([(self.into, pl.Float64())], ())
        return {OUT: _rich(stream).with_columns([*stream.columns, (self.into, pl.Float64())])}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"model": self.model, "into": self.into}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Score:
        """See `Step.read`."""
        return cls(name, inputs, details["model"], details["into"])

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.model} into {self.into}"


@dataclass(frozen=True, slots=True)
class Notify(Step):
    """Makes a Notification of each event: a deterministic id, a message, the event and the times of its stages."""

    message: Message

    verb: ClassVar[str] = "notify"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        self.message.check(dict(stream.columns), where=self.where)
        columns = NOTIFICATION_SCHEMA | {"event": pl.Struct(dict(stream.columns))}
        return {OUT: StreamType(EventKind.NOTIFICATION, tuple(columns.items()), stream.reserved)}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"message": self.message.text}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Notify:
        """See `Step.read`."""
        return cls(name, inputs, Message(details["message"]))

    def summary(self) -> str:
        """See `Step.summary`."""
        return self.message.text


@dataclass(frozen=True, slots=True)
class To(Step):
    """A named output of the flow. Which sink stands behind it is said when the flow runs."""

    verb: ClassVar[str] = "to"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        return {}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> To:
        """See `Step.read`."""
        return cls(name, inputs)

    def summary(self) -> str:
        """See `Step.summary`."""
        return "output"


STEPS: Final[dict[str, type[Step]]] = {
    cls.verb: cls
    for cls in (SourceStep, Filter, Select, WithColumns, KeyBy, Union, WindowStep, Detect, Enrich, Score, Notify, To)
}


def _check_key(stream: StreamType, key: tuple[str, ...], *, where: str) -> None:
    stream.need(key, where=f"{where}, key")
    known = dict(stream.columns)
    for name in key:
        if not isinstance(known[name], KEY_TYPES):
            raise FlowError(
                "a key must be text, a whole number, a bool or a time",
                where=f"{where}, column {name!r}",
                got=str(known[name]),
                hint="with_columns() a column that can be one",
            )
    if len(set(key)) != len(key):
        raise FlowError("a key names a column twice", where=where, got=list(key))


def _rich(stream: StreamType) -> StreamType:
    return replace(stream, kind=EventKind.RICH) if stream.kind is EventKind.BUSINESS else stream


def _read_columns(columns: Sequence[tuple[str, Any]], *, where: str) -> Columns:
    return tuple((name, Expression.from_json(value, where=where)) for name, value in columns)


def _columns_text(columns: Columns) -> str:
    return ", ".join(name if value.text == name else f"{name} = {value.text}" for name, value in columns)


def _type_text(stream: StreamType) -> str:
    columns = ", ".join(f"{name}: {dtype}" for name, dtype in stream.columns)
    return f"{stream.kind}({columns}) by {list(stream.key)}"
