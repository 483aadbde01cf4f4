"""What every verb builds on: the steps so far, and how one more is put behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import polars as pl

from styx_lab.core.operator import LATE, OUT
from styx_lab.errors import FlowError
from styx_lab.flow.steps import Port, Step
from styx_lab.flow.stream.names import fresh_name, merge_steps, refuse_duplicate
from styx_lab.flow.types import StreamType

__all__ = ["StreamSoFar"]


@dataclass(frozen=True, slots=True)
class StreamSoFar:
    """The steps so far, and the port of the last one.

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
    def late(self) -> Self:
        """The events that came too late for the step this stream comes from."""
        return self.side(LATE)

    def side(self, name: str) -> Self:
        """Another output of the step this stream comes from, by its name.

        Raises:
            FlowError: when the step has no such output.
        """
        step = self.steps[-1]
        ports = _types_of(self.steps) if self.port == Port(step.name) else {}
        port = Port(step.name, name)
        if port not in ports:
            known = ", ".join(repr(one.name) for one in ports if one.step == step.name and one.name != OUT)
            raise FlowError(
                f"this step has no output {name!r}",
                where=f"step {self.port.step!r}",
                hint=f"it has {known}" if known else "window(), joins and detect() have late events",
            )
        return type(self)(self.steps, port, ports[port])

    def _append(self, step: Step) -> Self:
        """The stream after one more step that reads this one."""
        refuse_duplicate(step.name, self.steps)
        return type(self)((*self.steps, step), Port(step.name), step.infer([self.type])[OUT])

    def _bring(
        self, others: Sequence[StreamSoFar], name: str | None, verb: str, make: Callable[[str, tuple[Port, ...]], Step]
    ) -> Self:
        """The stream after a step that reads this one and others: `make(name, ports)` gives the step."""
        streams: tuple[StreamSoFar, ...] = (self, *others)
        steps = merge_steps([stream.steps for stream in streams])
        name = fresh_name(name, verb, steps)
        refuse_duplicate(name, steps)
        step = make(name, tuple(stream.port for stream in streams))
        return type(self)((*steps, step), Port(name), step.infer([stream.type for stream in streams])[OUT])

    def _name(self, name: str | None, verb: str) -> str:
        return fresh_name(name, verb, self.steps)


def _types_of(steps: Sequence[Step]) -> dict[Port, StreamType]:
    types: dict[Port, StreamType] = {}
    for step in steps:
        for name, stream in step.infer([types[one] for one in step.inputs]).items():
            types[Port(step.name, name)] = stream
    return types
