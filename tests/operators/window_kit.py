"""What the tests of windows share: scripts of events and watermarks as batches, and windows written the plain way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, ORIGIN, RAW_COLUMNS, TIME, canonical_json
from styx_lab.core.operator import LATE, OUT
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK, duration_text
from styx_lab.flow import aggregate as agg
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.steps import WindowStep
from styx_lab.flow.types import StreamType, raw_type
from styx_lab.flow.window import Sliding, Tumbling
from styx_lab.operators.window import WindowOperator

COLUMNS = {"key": pl.String(), "value": pl.Float64(), "number": pl.Int64(), "flag": pl.Boolean(), "bit": pl.Int64()}
EVERY: dict[str, Aggregate] = {
    "n": agg.count(),
    "filled": agg.count("value"),
    "total": agg.sum("value"),
    "average": agg.mean("value"),
    "least": agg.min("value"),
    "most": agg.max("value"),
    "whole_total": agg.sum("number"),
    "whole_average": agg.mean("number"),
    "whole_least": agg.min("number"),
    "whole_most": agg.max("number"),
    "flags": agg.sum("flag"),
    "doubled": agg.sum(pl.col("value") * 2),
    "members": agg.sum("bit"),
}


@dataclass(frozen=True)
class Event:
    """An event of a script."""

    t: int
    key: str = "a"
    value: float | None = 1.0
    number: int | None = 1
    flag: bool | None = None


@dataclass(frozen=True)
class Mark:
    """A watermark of a script."""

    at: int


Script = Sequence[Event | Mark]


def stream(keyed: bool = True) -> StreamType:
    """The type of a script's events."""
    return raw_type(COLUMNS.items(), ("key",) if keyed else ())


def step(size: int, slide: int | None = None, aggregates: dict[str, Aggregate] | None = None) -> WindowStep:
    """A window step: size and slide in ms; without a slide it is tumbling."""
    window = (
        Tumbling(duration_text(size)) if slide is None else Sliding(duration_text(size), every=duration_text(slide))
    )
    return WindowStep("per_key", (), window, tuple((aggregates or EVERY).items()))


def operator(size: int, slide: int | None = None, *, keyed: bool = True, **aggregates: Aggregate) -> WindowOperator:
    """An operator with every aggregate, or with these."""
    return WindowOperator(step(size, slide, aggregates), stream(keyed))


def batch(script: Script, *, delay: int | None = None, end: bool = True) -> Batch:
    """A script as one batch: what stands at place i has order 2 i, the step it causes 2 i + 1.

    Args:
        delay: the bound of disorder in ms; None where only marks move the watermark.
        end: whether the end of input follows.
    """
    rows: list[dict[str, Any]] = []
    orders, marks = [], []
    mark, clock, greatest = MIN_WATERMARK, 1_000_000, MIN_WATERMARK
    entries = [*script, *([Mark(MAX_WATERMARK)] if end else [])]
    for place, entry in enumerate(entries):
        target = mark
        if isinstance(entry, Event):
            clock += 10
            greatest = max(greatest, entry.t)
            orders.append(2 * place)
            bit = 1 << (place % 62)
            rows.append(
                {"key": entry.key, "value": entry.value, "number": entry.number, "flag": entry.flag, "bit": bit}
            )
            rows[-1] |= {TIME: entry.t, ARRIVAL: clock, "_source": "script", "_partition": 0, "_offset": place}
            if delay is not None:
                target = max(mark, greatest - delay - 1)
        else:
            target = max(mark, entry.at)
        if target > mark:
            mark = target
            marks.append((2 * place + 1, mark, clock))
    schema = {**COLUMNS, **RAW_COLUMNS, TIME: pl.Int64, ARRIVAL: pl.Int64}
    frame = pl.DataFrame(rows, schema=schema).with_columns(pl.col(TIME, ARRIVAL).cast(TIME_DTYPE))
    columns = np.array(marks, np.int64).reshape(-1, 3).T
    return Batch(frame, np.array(orders, np.int64), steps=Steps(columns[0], columns[1], columns[2]))


@dataclass(eq=False)
class Answer:
    """What an operator gave, put together over batches."""

    out: pl.DataFrame
    order: list[int]
    late: pl.DataFrame
    late_order: list[int]
    counts: dict[str, int] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """The results with their orders; NaN as text, so that rows can be compared."""
        rows = [{**row, "order": order} for row, order in zip(self.out.to_dicts(), self.order, strict=True)]
        return [{name: plain(value) for name, value in row.items()} for row in rows]

    def all(self) -> tuple[Any, ...]:
        """Everything, so that it can be compared."""
        late = [{name: plain(value) for name, value in row.items()} for row in self.late.to_dicts()]
        return self.rows(), self.out.schema, late, self.late_order, self.counts


def plain(value: Any) -> Any:
    """A value that is equal to itself and, for floats, to nothing else: the sign of nought counts."""
    return value.hex() if isinstance(value, float) else value


def feed(running: WindowOperator, batches: Iterable[Batch]) -> Answer:
    """Run batches through an operator."""
    emissions = [(piece, running.process([piece])) for piece in batches]
    answer = Answer(pl.DataFrame(), [], pl.DataFrame(), [])
    for piece, emission in emissions:
        assert set(emission.ports) == {OUT, LATE}
        for port in emission.ports.values():
            assert (port.before, port.steps) == (piece.before, piece.steps)
        assert emission.late_order.tolist() == emission.ports[LATE].order.tolist()
        answer.order += emission.ports[OUT].order.tolist()
        answer.late_order += emission.late_order.tolist()
        for name, count in emission.counts.items():
            answer.counts[name] = answer.counts.get(name, 0) + count
    answer.out = pl.concat([emission.ports[OUT].frame for _, emission in emissions])
    answer.late = pl.concat([emission.ports[LATE].frame for _, emission in emissions])
    return answer


def exact(values: Iterable[float]) -> float:
    """The correctly rounded sum."""
    values = list(values)
    strange = [value for value in values if not math.isfinite(value)]
    if strange:
        return sum(strange)
    total = sum(map(Fraction, values), Fraction(0))
    try:
        return float(total)
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def _java(choose: Any, values: list[float]) -> float:
    if any(math.isnan(value) for value in values):
        return math.nan
    return choose(values, key=lambda value: (value, math.copysign(1, value)))


def reference(
    whole: Batch, size: int, slide: int, *, keyed: bool = True
) -> tuple[list[dict[str, Any]], list[int], int]:
    """Windows the plain way: all results in order, the orders of late events, and how many events were in no window."""
    events = list(zip(whole.frame.to_dicts(), whole.order.tolist(), whole.watermarks().tolist(), strict=True))
    late, outside = [], 0
    windows: dict[tuple[int, Any], list[dict[str, Any]]] = {}
    for row, order, mark in events:
        t = round(row[TIME].timestamp() * 1000)
        start = t // slide * slide
        took = False
        while start > t - size:
            if start + size - 1 > mark:
                windows.setdefault((start + size, row["key"] if keyed else ()), []).append(row)
                took = True
            start -= slide
        if not took and t <= mark:
            late.append(order)
        elif not took:
            outside += 1
    results = []
    for (end, key), rows in windows.items():
        due = int(whole.steps.due(np.array([end - 1], np.int64))[0])
        if due == len(whole.steps):
            continue
        order, clock = int(whole.steps.order[due]), int(whole.steps.clock[due])
        values = [row["value"] for row in rows if row["value"] is not None]
        numbers = [row["number"] for row in rows if row["number"] is not None]
        result = {
            **({"key": key} if keyed else {}),
            "window_start": end - size,
            "window_end": end,
            "n": len(rows),
            "filled": len(values),
            "total": exact(values),
            "average": exact(values) / len(values) if values else None,
            "least": _java(min, values) if values else None,
            "most": _java(max, values) if values else None,
            "whole_total": sum(numbers),
            "whole_average": float(sum(numbers)) / len(numbers) if numbers else None,
            "whole_least": min(numbers, default=None),
            "whole_most": max(numbers, default=None),
            "flags": sum(bool(row["flag"]) for row in rows),
            "doubled": exact(value * 2 for value in values),
            "members": sum(row["bit"] for row in rows),
            TIME: end - 1,
            ARRIVAL: clock,
            "_detected": clock,
            ORIGIN: canonical_json(["per_key", [key] if keyed else [], [end - size, end, 0]]).decode(),
            "order": order,
        }
        results.append((order, end, rows[0]["_offset"], {name: plain(value) for name, value in result.items()}))
    return [result for *_, result in sorted(results, key=lambda one: one[:3])], late, outside


def in_ms(rows: list[dict[str, Any]], frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Results with their times as epoch ms."""
    times = [name for name, dtype in frame.schema.items() if dtype == TIME_DTYPE]
    columns = frame.select(pl.col(times).to_physical()).to_dicts()
    return [row | ms for row, ms in zip(rows, columns, strict=True)]
