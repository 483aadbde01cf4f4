"""The spec of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import LATE, OUT
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.errors import FlowError
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType, derived_type
from styx_lab.flow.window import Window, window_from_json

__all__ = ["WindowStep"]


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
