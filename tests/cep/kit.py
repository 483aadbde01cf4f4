"""What the tests of patterns share: neutral cases as patterns and batches, and the matcher written the plain way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, RAW_COLUMNS, SOURCE, TIME
from styx_lab.core.operator import LATE, OUT, Operator
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import Detect
from styx_lab.flow.types import StreamType, raw_type
from styx_lab.operators.cep import detect_operator

CLOCK = 1_000_000
"""Arrival time of a script's first event, epoch ms; each next one comes 10 ms later."""


@dataclass(frozen=True)
class Mark:
    """A watermark of a script."""

    at: int


Script = Sequence[dict[str, Any] | Mark]


@dataclass(frozen=True)
class Found:
    """A match: the key, the places of its events in the script by part, its time, and the watermark that let it out."""

    key: Any
    parts: tuple[tuple[str, tuple[int, ...]], ...]
    at: int
    mark: int


def batch(script: Script, columns: dict[str, pl.DataType], *, delay: int | None = None) -> Batch:
    """A script as one batch, to the end of input: what stands at place i has order 2 i, the step it causes 2 i + 1."""
    rows, orders, marks = [], [], []
    mark, greatest = MIN_WATERMARK, MIN_WATERMARK
    for place, entry in enumerate([*script, Mark(MAX_WATERMARK)]):
        target = mark
        clock = CLOCK + 10 * place
        if isinstance(entry, Mark):
            target = max(mark, entry.at)
        else:
            orders.append(2 * place)
            rows.append(
                {name: entry.get(name) for name in columns}
                | {TIME: entry["t"], ARRIVAL: clock, SOURCE: "script", PARTITION: 0, OFFSET: place}
            )
            greatest = max(greatest, entry["t"])
            if delay is not None:
                target = max(mark, greatest - delay - 1)
        if target > mark:
            mark = target
            marks.append((2 * place + 1, mark, clock))
    schema = {**columns, **RAW_COLUMNS, TIME: pl.Int64(), ARRIVAL: pl.Int64()}
    frame = pl.DataFrame(rows, schema=schema).with_columns(pl.col(TIME, ARRIVAL).cast(RAW_COLUMNS[TIME]))
    steps = np.array(marks, np.int64).reshape(-1, 3).T.copy()
    return Batch(frame, np.array(orders, np.int64), steps=Steps(steps[0], steps[1], steps[2]))


def stream(columns: dict[str, pl.DataType], key: str) -> StreamType:
    """The type of a script's events, keyed."""
    return raw_type(columns.items(), (key,))


def detector(pattern: Pattern, columns: dict[str, pl.DataType], key: str) -> Operator:
    """A new operator for a pattern."""
    step = Detect("detect", (), pattern, ())
    type_ = stream(columns, key)
    return detect_operator(step, type_, {OUT: step.infer([type_])[OUT]})


def detect(running: Operator, key: str, batches: Iterable[Batch]) -> tuple[list[Found], list[int]]:
    """Run batches; gives the matches in the order in which they came, and the places of late events."""
    found, late = [], []
    for piece in batches:
        emission = running.process([piece])
        late += [order // 2 for order in emission.late_order.tolist()]
        assert emission.ports[LATE].order.tolist() == emission.late_order.tolist()
        out = emission.ports[OUT]
        marks = dict(zip(out.steps.order.tolist(), out.steps.mark.tolist(), strict=True))
        rows = out.frame.with_columns(pl.col(TIME).to_physical()).to_dicts()
        for row, order in zip(rows, out.order.tolist(), strict=True):
            parts = _parts(row)
            found.append(Found(row[key], parts, row[TIME], marks[order]))
    return found, late


def _parts(row: dict[str, Any]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The places of a match's events, as its origin tells them."""
    import json

    origin = json.loads(row["_origin"])
    return tuple((name, tuple(offset for _, _, offset in places)) for name, places in origin[2].items())


# The neutral cases of Flink's answers.


def pattern_of(case: dict[str, Any]) -> Pattern:
    """The pattern of a neutral case."""
    return Pattern.from_json(case["pattern"], where="case", columns=columns_of(case))


def columns_of(case: dict[str, Any]) -> dict[str, pl.DataType]:
    """The columns of a neutral case: those of its events and of its conditions."""
    found: dict[str, pl.DataType] = {"t": pl.Int64(), "key": pl.String()}
    for event in case["events"]:
        for name, value in event.items():
            if name != "wm":
                found.setdefault(name, pl.String() if isinstance(value, str) else pl.Float64())
    for step in case["pattern"]["steps"]:
        for call in step["calls"]:
            for leaf in _leaves(call.get("cond")):
                found.setdefault(leaf["field"], pl.String() if isinstance(leaf["value"], str) else pl.Float64())
    return found


def _leaves(condition: dict[str, Any] | None) -> list[dict[str, Any]]:
    if condition is None:
        return []
    if "field" in condition:
        return [condition]
    return [leaf for one in [*condition.get("args", []), condition.get("arg")] for leaf in _leaves(one)]


def script_of(case: dict[str, Any]) -> Script:
    """The events and watermarks of a neutral case; an unkeyed one has a constant key."""
    keyed = case.get("keyed")
    return [
        Mark(event["wm"]) if "wm" in event else {**event, "key": event[keyed] if keyed else "all"}
        for event in case["events"]
    ]


# The plain matcher.

Condition = Callable[[dict[str, Any]], bool]


@dataclass
class _Partial:
    start: int
    state: int
    taken: list[int]


def reference(
    parts: Sequence[tuple[str, str, list[Condition], int, bool]],
    within: int | None,
    script: Script,
    *,
    delay: int | None,
    key: str = "key",
) -> tuple[list[Found], list[int]]:
    """Patterns the plain way: sort each watermark's events, and try every partial match of the key on each.

    Args:
        parts: name, relation, conditions, how many events it takes, and whether they come one right after the other.
        within: a match spans less than this, ms.
        script: events and watermarks.
        delay: the bound of disorder, ms; None where only marks move the watermark.
        key: the column of the key.
    """
    states = [
        (name, conditions, consecutive if repeat else relation == "next")
        for name, relation, conditions, times, consecutive in parts
        for repeat in range(times)
    ]
    waiting: list[tuple[int, int]] = []
    living: dict[Any, list[_Partial]] = {}
    found: list[Found] = []
    late: list[int] = []
    mark, greatest = MIN_WATERMARK, MIN_WATERMARK
    for place, entry in enumerate([*script, Mark(MAX_WATERMARK)]):
        target = entry.at if isinstance(entry, Mark) else mark
        if not isinstance(entry, Mark):
            if entry["t"] <= mark:
                late.append(place)
            else:
                waiting.append((entry["t"], place))
            greatest = max(greatest, entry["t"])
            if delay is not None:
                target = greatest - delay - 1
        if target <= mark:
            continue
        mark = target
        ripe = sorted(one for one in waiting if one[0] <= mark)
        waiting = [one for one in waiting if one[0] > mark]
        for at, number in ripe:
            event = script[number]
            assert isinstance(event, dict)
            partials = living.setdefault(event[key], [])
            left = []
            # The start partial match comes last, behind those that began before.
            for partial in [*partials, _Partial(at, 0, [])]:
                if within is not None and at - partial.start >= within:
                    continue
                _, conditions, strict = states[partial.state]
                if all(condition(event) for condition in conditions):
                    taken = [*partial.taken, number]
                    if len(taken) == len(states):
                        found.append(Found(event[key], _named(states, taken), at, mark))
                    else:
                        left.append(_Partial(partial.start, partial.state + 1, taken))
                elif partial.state and not strict:
                    left.append(partial)
            living[event[key]] = left
    return found, late


def _named(states: Sequence[tuple[str, Any, Any]], taken: Sequence[int]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    named: dict[str, list[int]] = {}
    for (name, _, _), number in zip(states, taken, strict=True):
        named.setdefault(name, []).append(number)
    return tuple((name, tuple(numbers)) for name, numbers in named.items())
