"""The spec of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import polars as pl

from styx_lab.core.operator import LATE, OUT
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.trigger import AtEnd, AtEndOfInput, Every, Trigger, When, trigger_from_json
from styx_lab.flow.types import StreamType, derived_type
from styx_lab.flow.window import Counted, Global, Session, Window, window_from_json

__all__ = ["USUAL", "Firing", "WindowStep", "window_columns"]


@dataclass(frozen=True, slots=True)
class Firing:
    """When windows give results, what stays in them, and how long they wait for late events.

    Attributes:
        trigger: when they fire; None for the window's own default.
        discarding: whether a firing empties the window, so that the next result has only what is new.
        lateness_ms: how long after its end a window still takes late events, ms.
        processing: whether windows are of processing time, not of event time.
    """

    trigger: Trigger | None = None
    discarding: bool = False
    lateness_ms: int = 0
    processing: bool = False

    @property
    def once(self) -> bool:
        """Whether each window fires at most once, at its end."""
        return self.trigger in (None, AtEnd()) and not self.lateness_ms

    def check(self, window: Window, stream: StreamType, *, where: str) -> None:
        """Refuse what can never fire, or what a window cannot do.

        Raises:
            FlowError: naming what to write instead.
        """
        if self.processing:
            self._check_processing(window, where)
        if isinstance(window, Session):
            window.check(stream.readable, where=where)
        if isinstance(self.trigger, When):
            self.trigger.expression.check(stream.readable, where=f"{where}, trigger", boolean=True)
        if isinstance(window, Counted):
            if self != Firing():
                raise FlowError(
                    "counted windows fire by their count alone, and nothing is late for them",
                    where=where,
                    hint="Global() with a trigger",
                )
        elif isinstance(window, Global):
            self._check_global(where)
        elif isinstance(self.trigger, AtEndOfInput):
            raise FlowError("only the global window waits for the end of input", where=where, hint="Global()")

    def _check_processing(self, window: Window, where: str) -> None:
        if self.lateness_ms:
            raise FlowError(
                "nothing is late in processing time",
                where=where,
                got=f"allowed_lateness of {duration_text(self.lateness_ms)}",
                hint="leave it out, or use event time",
            )
        if isinstance(window, Global | Counted):
            raise FlowError(
                "this window does not depend on time",
                where=where,
                got=str(window),
                hint="leave out clock='processing'",
            )

    def _check_global(self, where: str) -> None:
        if self.trigger is None or isinstance(self.trigger, AtEnd) or getattr(self.trigger, "at_end", False):
            raise FlowError(
                "a global window has no end to fire at",
                where=where,
                got="no trigger" if self.trigger is None else str(self.trigger),
                hint="trigger=EveryEvents(100), When('...'), AtEndOfInput() or Never()",
            )

    def check_ending(self, window: Window, *, where: str) -> None:
        """Refuse what would never come to an end.

        Raises:
            FlowError: for a global window that fires every so often: at the end of input it would for ever.
        """
        if isinstance(window, Global) and isinstance(self.trigger, Every):
            raise FlowError(
                "a global window that fires every so often would, at the end of input, fire for ever",
                where=where,
                hint="Tumbling(...) or Cumulating(...), or trigger=EveryEvents(...)",
            )

    def to_json(self) -> dict[str, Any]:
        """What differs from the default, as JSON."""
        value: dict[str, Any] = {}
        if self.trigger is not None:
            value["trigger"] = self.trigger.to_json()
        if self.discarding:
            value["discarding"] = True
        if self.lateness_ms:
            value["lateness_ms"] = self.lateness_ms
        if self.processing:
            value["clock"] = "processing"
        return value

    @staticmethod
    def from_json(value: Mapping[str, Any], *, where: str) -> Firing:
        """The firing of `to_json`'s answer, which may stand among other things."""
        trigger = trigger_from_json(value["trigger"], where=where) if "trigger" in value else None
        processing = value.get("clock") == "processing"
        return Firing(trigger, value.get("discarding", False), value.get("lateness_ms", 0), processing)

    def __str__(self) -> str:
        said = ["of processing time"] if self.processing else []
        said += [] if self.trigger is None else [str(self.trigger)]
        said += ["discarding"] if self.discarding else []
        said += [f"late by up to {duration_text(self.lateness_ms)}"] if self.lateness_ms else []
        return "".join(f", {one}" for one in said)


USUAL: Final = Firing()
"""Once, at the window's end, or as the window itself fires."""


@dataclass(frozen=True, slots=True)
class WindowStep(Step):
    """Aggregates per key and window. Gives RawEvents -> BusinessEvents, one a firing of a window that has events."""

    window: Window
    aggregates: tuple[tuple[str, Aggregate], ...]
    firing: Firing = USUAL

    verb: ClassVar[str] = "window"

    @property
    def wants_ticks(self) -> bool:
        """See `Step.wants_ticks`."""
        return self.firing.processing

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not self.aggregates:
            raise FlowError("a window needs at least one aggregate", where=self.where, hint="window(..., n=count())")
        self.firing.check(self.window, stream, where=self.where)
        columns = window_columns(self.window, self.firing, stream)
        columns += [
            (name, aggregate.dtype(stream.readable, where=f"{self.where}, {name!r}"))
            for name, aggregate in self.aggregates
        ]
        return {OUT: derived_type(columns, stream.key), LATE: stream}

    def check_ending(self) -> None:
        """See `Step.check_ending`."""
        self.firing.check_ending(self.window, where=self.where)

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {
            "window": self.window.to_json(),
            "aggregates": [[name, aggregate.to_json()] for name, aggregate in self.aggregates],
            **self.firing.to_json(),
        }

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> WindowStep:
        """See `Step.read`."""
        where = f"step {name!r}"
        aggregates = tuple((column, Aggregate.from_json(one, where=where)) for column, one in details["aggregates"])
        firing = Firing.from_json(details, where=where)
        return cls(name, inputs, window_from_json(details["window"], where=where), aggregates, firing)

    def summary(self) -> str:
        """See `Step.summary`."""
        aggregates = ", ".join(f"{name} = {aggregate}" for name, aggregate in self.aggregates)
        return f"{self.window}{self.firing}: {aggregates}"


def window_columns(window: Window, firing: Firing, stream: StreamType) -> list[tuple[str, pl.DataType]]:
    """The columns that a window's results have before their values: the key, the edges, the number of the firing.

    `window_firing` is there where a window can fire more than once.
    """
    known = dict(stream.columns)
    columns: list[tuple[str, pl.DataType]] = [(name, known[name]) for name in stream.key]
    if not isinstance(window, Global | Counted):
        columns += [("window_start", TIME_DTYPE), ("window_end", TIME_DTYPE)]
    if not firing.once or isinstance(window, Global | Counted):
        columns += [("window_firing", pl.Int64())]
    return columns
