"""A script's events as sources, which die, stop or have nothing where the script says so.

Law: what a source hands out is what the script says, from whatever position it is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from styx_lab.connectors import MemorySource
from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, SOURCE_TIMESTAMP
from styx_lab.core.operator import OUT
from styx_lab.core.ports import TICK, Arrivals, EncodedFormat
from styx_lab.core.time import MAX_WATERMARK, ms_iso
from styx_lab.errors import FlowError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import SourceStep
from styx_lab.flow.stream import Stream
from styx_lab.operators.source import SourceOperator

if TYPE_CHECKING:
    from styx_lab.testing.script import Moment, Script

__all__ = ["Crash", "Interruptions", "ScriptSource", "script_batch", "script_sources"]


_PLACED: Final = ("event", "idle_partition", "tick")
"""The moments that have a place in the source's sequence."""


class Crash(Exception):
    """The engine dies."""


class Interruptions:
    """What has happened of a script: it lives on when the engine dies.

    Attributes:
        stop: set when the engine is asked to stop; a new one after each start.
        paused: whether a script without an end is through.
    """

    def __init__(self, event: Callable[[], Event] = Event) -> None:
        self._event = event
        self.stop = event()
        self.paused = False
        self._happened: set[int] = set()

    def happen(self, moment: int) -> bool:
        """Whether the moment happens now, and not only again."""
        new = moment not in self._happened
        self._happened.add(moment)
        return new

    def start(self) -> None:
        """The engine is started again."""
        self.stop = self._event()


class ScriptSource:
    """One source of a script; a `Source` that engines read.

    Args:
        step: the source's spec.
        moments: its moments, each with its number in the script.
        ended: whether the input ends.
        interruptions: shared by the script's sources and all starts of the engine.
    """

    def __init__(
        self, step: SourceStep, moments: Sequence[tuple[int, Moment]], *, ended: bool, interruptions: Interruptions
    ) -> None:
        events = [moment for _, moment in moments if moment.what in _PLACED]
        written = any(isinstance(moment.event, bytes) for moment in events)
        found = [_fields(step, moment) if moment.what == "event" else {} for moment in events]
        arrivals = _arrivals(events)
        spoken = [moment.partition for moment in events if moment.what != "tick"] or [0]
        if None in arrivals and any(arrival is not None for arrival in arrivals):
            raise FlowError("all events of a source have an arrival, or none has", where=step.where, got=arrivals)
        self._memory = MemorySource(
            [_payload(one) for one in found] if written else found,  # type: ignore[arg-type]
            step.schema,
            name=step.name,
            # A tick is of no partition; it must not make one known.
            partition=[spoken[0] if moment.what == "tick" else moment.partition for moment in events],
            arrival=None if not events or None in arrivals else arrivals,  # type: ignore[arg-type]
        )
        self._has_arrival = bool(events) and None not in arrivals
        self._timestamps = np.array([_timestamp(step, moment) for moment in events], np.int64)
        self._idle = np.array([moment.what != "event" for moment in events], np.bool_)
        self._ticks = np.array([moment.what == "tick" for moment in events], np.bool_)
        self._marks: list[tuple[int, int, str]] = []
        row = 0
        for number, moment in moments:
            if moment.what in _PLACED:
                row += 1
            else:
                self._marks.append((row, number, moment.what))
        self._schema = step.schema.polars
        self._ended = ended
        self._interruptions = interruptions
        self._mark = 0

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self._memory.name

    @property
    def partitions(self) -> tuple[int, ...]:
        """See `Source.partitions`."""
        return self._memory.partitions

    @property
    def format(self) -> EncodedFormat:
        """See `Source.format`."""
        return self._memory.format

    @property
    def header(self) -> tuple[str, ...]:
        """See `Source.header`."""
        return ()

    def read(self, most: int) -> Arrivals | None:
        """See `Source.read`; raises `Crash` where the script says so."""
        row = self._memory.position()["row"]
        while self._mark < len(self._marks) and self._marks[self._mark][0] == row:
            _, number, what = self._marks[self._mark]
            if what == "idle":
                self._mark += 1
                return self._nothing()
            if self._interruptions.happen(number):
                if what == "crash":
                    raise Crash
                self._interruptions.stop.set()
                return self._nothing()
            self._mark += 1
        if self._mark < len(self._marks):
            most = min(most, self._marks[self._mark][0] - row)
        found = self._memory.read(most)
        if found is None and not self._ended:
            self._interruptions.paused = True
            self._interruptions.stop.set()
            return self._nothing()
        return None if found is None else self._with_decisions(found, row)

    def _with_decisions(self, found: Arrivals, row: int) -> Arrivals:
        found = replace(found, timestamp=self._timestamps[row : row + len(found)])
        idle = self._idle[row : row + len(found)]
        if not idle.any():
            return found
        ticks = self._ticks[row : row + len(found)]
        partition = np.where(ticks, TICK, found.partition).astype(np.int32)
        return replace(found, idle=idle, offset=np.where(idle, -1, found.offset), partition=partition)

    def _nothing(self) -> Arrivals:
        written = self.format == "json"
        return Arrivals(
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.empty(0, np.int64) if self._has_arrival else None,
            np.empty(0, np.int64),
            payloads=[] if written else None,
            columns=None if written else pl.DataFrame(schema=self._schema),
        )

    def position(self) -> Any:
        """See `Source.position`."""
        return {"row": self._memory.position()["row"], "mark": self._mark}

    def seek(self, position: Any) -> None:
        """See `Source.seek`."""
        self._memory.seek({"row": position["row"]})
        self._mark = position["mark"]

    def close(self) -> None:
        """See `Source.close`."""
        self._memory.close()


def script_sources(script: Script, flow: Flow, interruptions: Interruptions) -> dict[str, ScriptSource]:
    """A source for each source step of a flow.

    Raises:
        FlowError: when an event is of no source of the flow, or the script moves the watermark by itself.
    """
    steps = {step.name: step for step in flow.sources}
    moments: dict[str, list[tuple[int, Moment]]] = {name: [] for name in steps}
    last = next(iter(steps))
    for number, moment in enumerate(script.moments):
        if moment.what == "watermark":
            raise FlowError(
                "a flow's watermark follows from its events",
                where=f"Script, moment {number}",
                got=f"watermark({moment.at})",
                hint="use watermark() with batch() alone; here an event or end() moves it",
            )
        if moment.what == "end":
            continue
        if moment.source is not None:
            name = moment.source
        elif moment.what in _PLACED and len(steps) > 1:
            raise FlowError(
                "the flow has several sources: say which",
                where=f"Script, moment {number}",
                hint=f"event(..., source= one of {', '.join(steps)})",
            )
        else:
            # A crash belongs to the source of the event before it.
            name = last
        if name not in steps:
            raise FlowError(
                "the flow has no such source", where=f"Script, moment {number}", got=name, hint=", ".join(steps)
            )
        last = name
        moments[name].append((number, moment))
    return {
        name: ScriptSource(step, moments[name], ended=script.ended, interruptions=interruptions)
        for name, step in steps.items()
    }


def script_batch(script: Script, stream: Stream) -> Batch:
    """See `Script.batch`."""
    step = stream.steps[0]
    if len(stream.steps) != 1 or not isinstance(step, SourceStep):
        raise FlowError(
            "batch() takes the stream of a source", where="Script.batch()", hint="source(...), without verbs"
        )
    placed = [moment for moment in script.moments if moment.what in (*_PLACED, "watermark")]
    events = [(place, moment) for place, moment in enumerate(placed) if moment.what in _PLACED]
    source = ScriptSource(step, events, ended=True, interruptions=Interruptions())
    operator = SourceOperator(step, stream.type, source.partitions, source.format)
    arrivals = source.read(len(events)) if events else None
    operator.ticking = True
    before = operator.idle().ports[OUT]
    if arrivals is not None:
        before = operator.take(arrivals, np.array([place for place, _ in events], np.int64)).ports[OUT]
    marks = [(order, mark) for order, mark in zip(before.steps.order.tolist(), before.steps.mark.tolist(), strict=True)]
    marks += [
        (2 * place + 1, moment.at)
        for place, moment in enumerate(placed)
        if moment.what == "watermark" and moment.at is not None
    ]
    if script.ended:
        marks.append((2 * len(placed) + 1, MAX_WATERMARK))
    came = np.concatenate([before.order, before.steps.order])
    arranged = np.argsort(came, kind="stable")
    said = np.concatenate([before.frame[ARRIVAL].to_physical().to_numpy(), before.steps.clock])[arranged]
    clocks = np.maximum.accumulate(np.concatenate([[0], said]))
    ticks = set(before.steps.order[before.steps.ticks(before.before)].tolist())
    steps, reached = [], before.before
    for order, mark in sorted(marks):
        if mark > reached or order in ticks:
            reached = max(mark, reached)
            steps.append((order, reached, clocks[np.searchsorted(came[arranged], order, side="right")]))
    columns = np.array(steps, np.int64).reshape(-1, 3).T
    return Batch(
        before.frame, before.order, before.before, Steps(columns[0].copy(), columns[1].copy(), columns[2].copy())
    )


def _fields(step: SourceStep, moment: Moment) -> dict[str, Any] | bytes:
    if isinstance(moment.event, bytes):
        return moment.event
    if isinstance(moment.event, str):
        if len(step.key) != 1:
            raise FlowError(
                "an event that is a text needs a source with one key column",
                where=step.where,
                got=moment.event,
                hint="event({'card_id': 'a'}, at=3)",
            )
        fields: dict[str, Any] = {step.key[0]: moment.event}
    else:
        fields = dict(moment.event)
    if moment.at is not None and step.time != SOURCE_TIMESTAMP:
        fields[step.time] = _written(step, moment.at)
    return fields


def _written(step: SourceStep, at: int) -> Any:
    """A time as the source's time column says it."""
    word, form = step.schema[step.time], step.form
    if word == "float":
        return at / 1_000
    if word == "int":
        return at // 1_000 if form.unit == "s" else at * {"ms": 1, "us": 1_000, "ns": 1_000_000}[form.unit]
    if form.format is None:
        return ms_iso(at)
    clocks = pl.Series([at]).cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone(form.zone or "UTC")
    return clocks.dt.strftime(form.format)[0]


def _arrivals(moments: Sequence[Moment]) -> list[int | None]:
    """When each came; a decision that does not say so, with what came before it."""
    events = [moment for moment in moments if moment.what == "event"] or moments
    known = [moment.arrival for moment in events if moment.arrival is not None]
    found: list[int | None] = []
    for moment in moments:
        if moment.what == "event" or not known:
            found.append(moment.arrival if moment.what == "event" else None)
        else:
            last = next((one for one in reversed(found) if one is not None), known[0])
            found.append(last if moment.arrival is None else moment.arrival)
    return found


def _timestamp(step: SourceStep, moment: Moment) -> int:
    """What the source itself says of an event's time; -1 is nothing."""
    return moment.at if step.time == SOURCE_TIMESTAMP and moment.at is not None else -1


def _payload(found: dict[str, Any] | bytes) -> bytes:
    return found if isinstance(found, bytes) else json.dumps(found).encode()
