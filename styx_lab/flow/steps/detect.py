"""The spec of pattern detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.core.operator import LATE, OUT
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.errors import FlowError
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps.step import Columns, Port, Step, read_columns
from styx_lab.flow.types import StreamType, derived_type

__all__ = ["Detect"]


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
        return cls(name, inputs, pattern, read_columns(details["columns"], where=where))

    def summary(self) -> str:
        """See `Step.summary`."""
        return str(self.pattern)
