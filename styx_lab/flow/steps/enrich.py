"""The spec of a look-up in a static table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import OUT
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Port, Step, rich
from styx_lab.flow.table import Table
from styx_lab.flow.types import StreamType

__all__ = ["Enrich"]


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
        return {OUT: rich(stream).with_columns([*stream.columns, *added])}

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
