"""What tests of every kind of pattern share: events, a run of the operator however cut, and the slow reading of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from hypothesis import strategies as st

from styx_lab.core.batch import Batch
from styx_lab.core.events import OFFSET, ORIGIN, TIME
from styx_lab.core.operator import OUT
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.state import GROUP, KEY_GROUPS, State, decode_state, encode_state
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.values import evaluate
from styx_lab.flow.pattern import Pattern, Where
from styx_lab.flow.pattern.conditions import Call
from styx_lab.flow.pattern.lookback import folds_of
from styx_lab.flow.pattern.matched import Fold
from styx_lab.flow.steps import Detect
from styx_lab.flow.steps.detect import TIMED_OUT
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.compiled.operator import DetectOperator
from styx_lab.operators.cep.found import KIND
from styx_lab.operators.cep.reading.keyed import KeyedReading
from tests.cep.kit import Mark, Script, stream

COLUMNS: dict[str, pl.DataType] = {
    "key": pl.String(),
    "amount": pl.Float64(),
    "status": pl.String(),
    "tries": pl.Int64(),
    "at": pl.Datetime("ms", "UTC"),
    "sure": pl.Boolean(),
}


READABLE = {**COLUMNS, TIME: TIME_DTYPE}
Event = Mapping[str, Any]


class Row(NamedTuple):
    """A match (0) or a timeout (1): its key, the places of its events by part, its time, and the step's watermark."""

    kind: int
    key: Any
    parts: tuple[tuple[str, tuple[int, ...]], ...]
    at: int
    mark: int


EVENTS = st.fixed_dictionaries(
    {
        "gap": st.sampled_from([0, 1, 1, 2, 5, 30]),
        "back": st.sampled_from([0, 0, 0, 1, 3]),
        "key": st.sampled_from("aab"),
        "amount": st.sampled_from([900.0, 3.0, 700.0, 500.0, None, float("nan"), float("inf"), -0.0]),
        "status": st.sampled_from(["declined", "ok", "declined", None, "", "é"]),
        "tries": st.sampled_from([2, 0, 1, 3, None, 2**60]),
        "at": st.sampled_from([None, 0, 1, -86_400_000]),
        "sure": st.sampled_from([True, False, None]),
    }
)


@st.composite
def scripts(draw: st.DrawFn, *, most: int = 24) -> Script:
    """Events of two keys and watermarks, mostly in order of time, some before the epoch."""
    size = draw(st.sampled_from([most, most, most // 2, 4]))
    at = draw(st.sampled_from([1, 1, 1, 1_000, -15]))
    made: list[dict[str, Any] | Mark] = []
    for event in draw(st.lists(EVENTS, min_size=size // 2, max_size=size)):
        at += event["gap"]
        rest = {name: value for name, value in event.items() if name not in ("gap", "back")}
        made.append({**rest, "t": at - event["back"]})
        if draw(st.integers(0, 5)) == 0:
            made.append(Mark(at - draw(st.integers(0, 4))))
    return made


def step_of(pattern: Pattern, **options: Any) -> Detect:
    """The step of a pattern."""
    return Detect("detect", (), pattern, (), **options)


def compiled(step: Detect) -> DetectOperator:
    """The automaton of a step, with its timeouts."""
    type_ = stream(COLUMNS, "key")
    return DetectOperator(step, type_, step.infer([type_]))


def told(running: DetectOperator, pieces: Sequence[Batch]) -> list[Row]:
    """What an operator gives, in order."""
    found = []
    events = {row[OFFSET]: row for piece in pieces for row in piece.frame.to_dicts()}
    for piece in pieces:
        emission = running.process([piece])
        marks = dict(zip(piece.steps.order.tolist(), piece.steps.mark.tolist(), strict=True))
        turns: list[list[Row]] = []
        for kind, port in enumerate((OUT, TIMED_OUT)):
            given = emission.ports[port]
            see_parts(given.frame, events)
            times = given.frame[TIME].to_physical().to_list()
            rows = zip(given.frame[ORIGIN].to_list(), times, given.order.tolist(), strict=True)
            turns.append([_row(kind, origin, at, marks[order]) for origin, at, order in rows])
        for kind in running.emitted[:, KIND].tolist():
            found.append(turns[kind].pop(0))
    return found


def see_parts(frame: pl.DataFrame, events: dict[int, Event]) -> None:
    """See that the columns of parts hold just the events that the origin names, and null where there is none."""
    for row in frame.to_dicts():
        places = json.loads(row[ORIGIN])[2]
        for part, held in row.items():
            if part == "key" or part.startswith("_"):
                continue
            offsets = [one[2] for one in places.get(part, [])]
            if not all(offset in events for offset in offsets):
                continue  # from before the operator was moved
            times, texts = ([events[offset][name] for offset in offsets] for name in (TIME, "status"))
            if not offsets:
                assert held is None, part
            elif isinstance(held[TIME], list):
                assert (held[TIME], held["status"]) == (times, texts)
            else:
                assert ([held[TIME]], [held["status"]]) == (times, texts)


def _row(kind: int, origin: str, at: int, mark: int) -> Row:
    _, (key,), parts = json.loads(origin)[:3]
    return Row(kind, key, tuple((part, tuple(one[2] for one in events)) for part, events in parts.items()), at, mark)


def moved(running: DetectOperator, make: Callable[[], DetectOperator], order: Sequence[int]) -> DetectOperator:
    """Another operator with the state of one, that went through bytes in one part for each bound of key groups."""
    data = encode_state(running.snapshot())
    state = decode_state(data, where="test")
    bounds = [0, *sorted(order), KEY_GROUPS]
    parts = [state.only(range(first, last)) for first, last in pairwise(bounds)]
    for name, table in state.tables.items():
        assert GROUP in table.columns, f"{name} cannot be parted"
    other = make()
    other.restore(parts[::-1] or [State.union(parts, where="test")])
    return other


def fold(fold: Fold, accepted: Sequence[tuple[str, Event]]) -> Any:
    """A look-back, the plain way."""
    taken = [event for part, event in accepted if part == fold.part]
    if fold.word == "count":
        return len(taken)
    values = [event[fold.column or ""] for event in taken]
    if fold.word in ("first", "last"):
        return None if not values else values[0 if fold.word == "first" else -1]
    known = [float(value) for value in values if value is not None]
    total = 0.0
    for value in known:
        total += value
    if fold.word == "sum":
        return total
    if not known:
        return None
    if fold.word == "mean":
        return total / len(known)
    numbers = [value for value in known if value == value]
    if not numbers:
        return float("nan")
    return min(numbers) if fold.word == "min" else max(numbers)


class Holds:
    """Whether a leaf holds, as Polars says over one row with a column for each look-back."""

    def __init__(self) -> None:
        self._known: dict[Any, bool] = {}

    def __call__(self, leaf: Where | Call, event: Event, accepted: Sequence[tuple[str, Event]]) -> bool:
        assert isinstance(leaf, Where)
        folds = {one.name: (one, fold(one, accepted)) for one in folds_of(leaf.expression)}
        # NaN is no key of a dict.
        key = (leaf.expression, event["place"], repr([value for _, value in folds.values()]))
        if key not in self._known:
            self._known[key] = self._asked(leaf.expression, event, folds)
        return self._known[key]

    @staticmethod
    def _asked(expression: Expression, event: Event, folds: Mapping[str, tuple[Fold, Any]]) -> bool:
        columns = {name: pl.Series(name, [event[name]], dtype=dtype) for name, dtype in READABLE.items()}
        for name, (one, value) in folds.items():
            dtype: Any = pl.Int64 if one.word == "count" else pl.Float64
            if one.word in ("first", "last"):
                dtype = READABLE[one.column or ""]
            columns[name] = pl.Series(name, [value], dtype=dtype)
        return evaluate(pl.DataFrame(list(columns.values())), {"told": expression})["told"][0] is True


class Read(NamedTuple):
    """A row of the slow reading, how it was completed, and when the silence ended that completed it."""

    row: Row
    by: str | None
    deadline_ms: int


def reading(step: Detect, whole: Batch) -> dict[Any, list[Read]]:
    """What the slow reading gives for each key, in order."""
    automaton = build_automaton(step.pattern.parts, step.pattern.after_match)
    by = step.order_by

    def order(event: Event) -> Any:
        value = event[by or ""]
        if value is not None and value != value:
            return (0, 1, 0) if not step.descending else (0, -1, 0)
        return (1, 0, 0) if value is None else (0, 0, -value if step.descending else value)

    keys = KeyedReading[Event](automaton, Holds(), order=None if by is None else order)
    events = whole.frame.with_columns(pl.col(TIME).to_physical(), place=pl.Series(whole.order // 2)).to_dicts()
    turns = [(order, None, event) for order, event in zip(whole.order.tolist(), events, strict=True)]
    turns += [
        (order, mark, None) for order, mark in zip(whole.steps.order.tolist(), whole.steps.mark.tolist(), strict=True)
    ]
    found: dict[Any, list[Read]] = {}
    for _, mark, event in sorted(turns, key=lambda turn: turn[0]):
        if mark is None:
            keys.event(event["key"], event, event[TIME])
            continue
        for key, one in keys.watermark(mark):
            parts = tuple(sorted((part, tuple(taken["place"] for taken in all_)) for part, all_ in one.parts.items()))
            row = Row(int(one.kind == "timeout"), key, parts, one.at, mark)
            found.setdefault(key, []).append(Read(row, one.by, one.deadline_ms or 0))
    return found


def marks_before(batch: Batch) -> dict[int, int]:
    """By a watermark: the one before it."""
    marks = [MIN_WATERMARK, *np.unique(batch.steps.mark).tolist()]
    return dict(zip(marks[1:], marks, strict=False))
