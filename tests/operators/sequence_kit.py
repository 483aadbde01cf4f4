"""Sequences of rows and watermark steps by hand, and how to walk through one an entry at a time.

Law: the walk is the definition: rows in their order, each step after the rows of its order or less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, SOURCE, TIME
from styx_lab.core.operator import LATE, OUT, Emission, Operator
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.flow.types import StreamType, raw_type

COLUMNS: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "key": pl.String(),
    "word": pl.String(),
    "value": pl.Float64(),
    "window_start": TIME_DTYPE,
    "window_end": TIME_DTYPE,
}
KEYED, UNKEYED = raw_type(COLUMNS.items(), ("key",)), raw_type(COLUMNS.items(), ())


@dataclass(frozen=True)
class Event:
    """A row that comes by itself."""

    t: int
    key: str = "a"
    word: str | None = "x"
    value: float | None = 1.0
    window: tuple[int | None, int | None] = (0, 10)


@dataclass(frozen=True)
class Step:
    """A watermark step, with the rows that it made, which stand before it."""

    mark: int
    made: tuple[Event, ...] = ()


Sequence_ = list[Event | Step]


def batch(entries: Sequence[Event | Step]) -> Batch:
    """The entries as one batch; a step that would not move the watermark, or a made row that is late, is left out."""
    rows: list[dict[str, Any]] = []
    orders: list[int] = []
    steps: list[tuple[int, int]] = []
    watermark = MIN_WATERMARK

    def add(event: Event, order: int) -> None:
        start, end = event.window
        own = {"id": len(rows), "key": event.key, "word": event.word, "value": event.value}
        place = {SOURCE: "s", PARTITION: 0, OFFSET: len(rows), ARRIVAL: 1_000 + order}
        rows.append(own | place | {"window_start": start, "window_end": end, TIME: event.t})
        orders.append(order)

    for place, entry in enumerate(entries):
        if isinstance(entry, Event):
            add(entry, 2 * place)
        elif entry.mark > watermark:
            for event in entry.made:
                if event.t > watermark:
                    add(event, 2 * place + 1)
            watermark = entry.mark
            steps.append((2 * place + 1, watermark))
    schema = KEYED.schema
    frame = pl.DataFrame(
        {
            name: pl.Series(name, [row[name] for row in rows], pl.Int64 if dtype == TIME_DTYPE else dtype).cast(dtype)
            for name, dtype in schema.items()
        }
    )
    order = np.array([order for order, _ in steps], np.int64)
    marks = np.array([mark for _, mark in steps], np.int64)
    return Batch(frame, np.array(orders, np.int64), MIN_WATERMARK, Steps(order, marks, order + 1_000))


def walk(whole: Batch) -> Iterator[tuple[int, dict[str, Any] | int]]:
    """Each row as (order, its fields, with times in ms) and each step as (order, mark), in sequence."""
    times = [name for name, dtype in whole.frame.schema.items() if dtype == TIME_DTYPE]
    fields = whole.frame.with_columns(pl.col(times).to_physical()).to_dicts()
    entries: list[tuple[int, int, dict[str, Any] | int]] = [
        (order, 0, row) for order, row in zip(whole.order.tolist(), fields, strict=True)
    ]
    entries += [
        (order, 1, mark) for order, mark in zip(whole.steps.order.tolist(), whole.steps.mark.tolist(), strict=True)
    ]
    for order, _, entry in sorted(entries, key=lambda one: one[:2]):
        yield order, entry


def feed(operator: Operator, whole: Batch, *, size: int = 10_000) -> list[Emission]:
    """What an operator says to the batch in slices."""
    return [operator.process([piece]) for piece in whole.slices(size)]


def feed_reborn(make: Callable[[], Operator], whole: Batch, *, size: int = 10_000) -> list[Emission]:
    """The same where after each slice another operator goes on from the snapshot, which forgets what it may."""
    emissions, operator = [], make()
    for piece in whole.slices(size):
        emissions.append(operator.process([piece]))
        state, operator = operator.snapshot(), make()
        operator.restore([state])
    return emissions


def said(emissions: Sequence[Emission], *columns: str, port: str = OUT) -> list[tuple[Any, ...]]:
    """The order and some columns of each row that came out."""
    return [
        (order, *row)
        for emission in emissions
        for order, row in zip(
            emission.ports[port].order.tolist(), emission.ports[port].frame.select(columns).rows(), strict=True
        )
    ]


def late(emissions: Sequence[Emission]) -> list[int]:
    """The ids of late rows."""
    return [number for _, number in said(emissions, "id", port=LATE)]


def counted(emissions: Sequence[Emission], name: str) -> int:
    """A counter, added up."""
    return sum(emission.counts.get(name, 0) for emission in emissions)


@st.composite
def sequences(draw: st.DrawFn, events: st.SearchStrategy[Event], *, most: int = 40) -> Batch:
    """Events in any disorder among steps that come now and then; some are made by a step; the end of input."""
    entries: Sequence_ = []
    mark = draw(st.integers(-30, 10))
    for what in draw(st.lists(st.sampled_from(["event", "event", "event", "step"]), max_size=most)):
        if what == "event":
            entries.append(draw(events))
        else:
            mark += draw(st.sampled_from([1, 2, 5, 9, 30]))
            made = draw(st.lists(events, max_size=3))
            entries.append(Step(mark, tuple(event for event in made if event.t <= mark)))
    return batch([*entries, Step(MAX_WATERMARK)])


def operator_types(stream: StreamType, step: Any) -> tuple[StreamType, StreamType]:
    """The input's and the output's type of a step."""
    return stream, step.infer([stream])[OUT]
