"""The specs of the steps that keep nothing: filter, select, with_columns, key_by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import polars as pl

from styx_lab.core.operator import OUT
from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps.step import Columns, Port, Step, check_key, columns_text, read_columns
from styx_lab.flow.types import StreamType, derived_type

__all__ = ["Filter", "KeyBy", "Select", "WithColumns"]


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
        return cls(name, inputs, read_columns(details["columns"], where=f"step {name!r}"))

    def summary(self) -> str:
        """See `Step.summary`."""
        return columns_text(self.columns)


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
        check_key(inputs[0], self.key, where=self.where)
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
