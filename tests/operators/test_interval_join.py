"""Interval joins: the plain meaning, the laws, who comes out alone, and what is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, SOURCE, TIME, canonical_json
from styx_lab.core.operator import OUT, Operator
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import MAX_WATERMARK, distance_text
from styx_lab.errors import CheckpointError, FlowError
from styx_lab.flow.aggregate import count
from styx_lab.flow.flow import flow
from styx_lab.flow.steps.joined import LATE_LEFT, LATE_RIGHT
from styx_lab.flow.stream import Stream, source
from styx_lab.flow.window import Tumbling
from styx_lab.testing import Script, check_operator
from styx_lab.testing.cuts import cut_at
from styx_lab.testing.windows.case import Case
from styx_lab.testing.windows.family import operator_of
from styx_lab.testing.windows.script import TWO, batches, stream
from tests.operators.join_kit import PlainInterval, cases, play

FEWER = settings(max_examples=max(5, settings().max_examples // 4))
# One case in ten or twenty tells a join that keeps too much from one that does not.
MORE = settings(max_examples=4 * settings().max_examples)
BOUNDS = st.tuples(st.integers(-12, 12), st.integers(0, 12)).map(lambda one: (one[0], one[0] + one[1]))
How = Literal["inner", "left", "full"]
HOWS = st.sampled_from(["inner", "left", "full"])
NO_CASE = Case.of({"id": "x", "op": {"type": "i"}, "watermark": {"strategy": "explicit"}, "events": []})


def joined(lower: int, upper: int, how: How = "inner", **rest: Any) -> Stream:
    left, right = stream(NO_CASE, "l"), stream(NO_CASE, "r")
    return left.interval_join(right, distance_text(lower), distance_text(upper), how=how, **rest)


def run(running: Operator, case: Case, size: int = 10_000) -> tuple[list[dict[str, Any]], list[int]]:
    """Results as the plain join gives them (without `wm`), and late places."""
    out, late = [], []
    for piece in cut_at(batches(case, TWO), np.arange(0, max(2 * len(case.events), 1), 2 * size)):
        emission = running.process(piece)
        frame = emission.ports[OUT].frame
        found = frame.select("key", left="index", right="index_right", ts=pl.col(TIME).to_physical()).to_dicts()
        out += found
        late += (emission.late_order // 2).tolist()
        ports = sorted(one for port in (LATE_LEFT, LATE_RIGHT) for one in emission.ports[port].order.tolist())
        assert ports == emission.late_order.tolist()
    return out, late


@pytest.mark.laws
@MORE
@given(cases({"type": "i"}), BOUNDS, st.booleans(), st.booleans(), HOWS, st.sampled_from([1, 3, 7, 10_000]))
def test_joins_are_those_of_the_plain_join(
    case: Case, bounds: tuple[int, int], lower_x: bool, upper_x: bool, how: How, size: int
) -> None:
    lower, upper = bounds
    said = play(case, PlainInterval(lower + lower_x, upper - upper_x, how))
    running = operator_of(joined(lower, upper, how, lower_exclusive=lower_x, upper_exclusive=upper_x))
    out, late = run(running, case, size)
    for one in said.out:
        del one["wm"]
    assert out == said.out
    assert late == said.late


@pytest.mark.laws
@FEWER
@given(cases({"type": "i"}, most=24), BOUNDS, HOWS)
def test_the_operator_keeps_the_contract(case: Case, bounds: tuple[int, int], how: How) -> None:
    made = joined(*bounds, how)
    check_operator(lambda: operator_of(made), batches(case, TWO))


@pytest.mark.laws
@FEWER
@given(cases({"type": "i"}, most=24), BOUNDS, HOWS)
def test_a_stream_joins_itself(case: Case, bounds: tuple[int, int], how: How) -> None:
    left = stream(NO_CASE, "l")
    made = left.interval_join(left, *(distance_text(one) for one in bounds), how=how)
    whole = batches(case, TWO)[0]
    check_operator(lambda: operator_of(made), [whole, whole])


EVENTS = [
    {"t": 10, "key": "a", "side": "l"},
    {"t": 12, "key": "a", "side": "r"},
    {"t": 11, "key": "b", "side": "l"},
    {"t": 11, "key": "c", "side": "r"},
    {"wm": 100},
    {"t": 5, "key": "a", "side": "r"},
    {"t": 5, "key": "a", "side": "l"},
]


def _emission(how: How, events: list[dict[str, Any]] = EVENTS, **rest: Any) -> Any:
    case = Case.of(
        {"id": "x", "op": {"type": "i"}, "watermark": {"strategy": "explicit"}, "events": events, "end": False}
    )
    return operator_of(joined(-5, 5, how, **rest)).process(batches(case, TWO))


def test_a_pair_has_the_columns_of_both_sides_and_the_origin_of_both_events() -> None:
    emission = _emission("inner")
    row = emission.ports[OUT].frame.with_columns(pl.selectors.datetime().to_physical()).row(0, named=True)
    assert list(row)[:3] == ["key", "t", "value"]
    assert (row["index"], row["index_right"], row["t_right"]) == (0, 1, 12)
    assert (row["_time"], row["_arrival"], row["_detected"]) == (12, 1, 1)
    assert row["_origin"] == '["interval_join",["a"],["l",0,0],["r",0,1]]'
    assert emission.counts == {"pairs": 1}
    assert emission.late_order.tolist() == [10, 12]
    assert [len(emission.ports[port]) for port in (LATE_LEFT, LATE_RIGHT)] == [1, 1]


def test_events_without_a_partner_come_out_when_they_go() -> None:
    emission = _emission("full")
    out = emission.ports[OUT]
    assert out.frame.select("key", "index", "index_right").rows() == [("a", 0, 1), ("b", 2, None), ("c", None, 3)]
    assert out.order.tolist() == [2, 9, 9]
    assert out.frame["_origin"].to_list()[1:] == [
        '["interval_join",["b"],["l",0,2],null]',
        '["interval_join",["c"],null,["r",0,3]]',
    ]
    assert emission.counts == {"pairs": 1, "unmatched": 2}
    # The watermark behind is as far behind as an event is kept.
    assert out.steps.mark.tolist() == [95]
    assert _emission("inner").ports[OUT].steps.mark.tolist() == [100]
    assert _emission("left").counts == {"pairs": 1, "unmatched": 1}


def test_what_comes_out_alone_is_not_late_for_the_next_step() -> None:
    events = [{"t": 5, "key": "a", "side": "l"}, {"wm": 9}, {"wm": 10}]
    out = _emission("left", events).ports[OUT]
    assert out.frame[TIME].to_physical().to_list() == [5]
    assert out.watermarks().tolist() == [4]


def test_an_event_at_the_watermark_stays_until_the_next_one() -> None:
    # Flink sets its timer at once, and timers run when a watermark comes.
    events = [{"wm": 10}, {"t": 10, "key": "a", "side": "l"}, {"t": 10, "key": "a", "side": "r"}]
    case = Case.of({"id": "x", "op": {"type": "i"}, "watermark": {"strategy": "explicit"}, "events": events})
    frame = operator_of(joined(-5, 0)).process(batches(case, TWO)).ports[OUT].frame
    assert frame.select("index", "index_right").rows() == [(1, 2)]


def test_the_end_of_input_lets_everything_go() -> None:
    running = operator_of(joined(-5, 5, "full"))
    case = Case.of({"id": "x", "op": {"type": "i"}, "watermark": {"strategy": "explicit"}, "events": EVENTS[:1]})
    emission = running.process(batches(case, TWO))
    assert (len(emission.ports[OUT]), emission.ports[OUT].after) == (1, MAX_WATERMARK)
    assert running.size() == {"keys": 0, "events": 0}


def test_memory_is_what_may_still_have_a_partner() -> None:
    running = operator_of(joined(-5, 5))
    most = 0
    for at in range(0, 60_000, 2_000):
        events = [{"t": t, "key": f"k{t}", "side": "lr"[t % 2]} for t in range(at, at + 2_000)]
        case = {"id": "x", "op": {"type": "i"}, "watermark": {"strategy": "explicit"}, "end": False}
        whole = batches(Case.of({**case, "events": [*events, {"wm": at + 1_990}]}), TWO)
        before = at - 10 if at else -(2**63)
        running.process([Batch(one.frame, one.order, before, one.steps) for one in whole])
        most = max(most, running.size()["events"])
        assert running.size()["keys"] == running.size()["events"]
    assert most < 20
    memory: Any = running
    assert len(memory._memory.rows[0]) < 10_000
    assert memory._memory.keys.capacity < 10_000


def test_state_of_another_join_is_refused() -> None:
    state = operator_of(joined(-5, 5)).snapshot()
    with pytest.raises(CheckpointError, match="said something else of"):
        operator_of(joined(-5, 6)).restore([state])


def _other(**columns: str) -> Stream:
    return source("other", schema={"ts": "int", **columns}, time="ts", key=tuple(columns))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda one: one.interval_join(one, "5m", "-5m"), "lower bound is above"),
        (lambda one: one.interval_join(one, "five", "5m"), "not a distance"),
        (lambda one: one.interval_join(one, 5, "5m"), "not a distance"),
        (lambda one: one.interval_join(one, "-9999999d", "5m"), "ten thousand years"),
        (lambda one: one.interval_join(_other(card="int"), "0s", "5m"), "same types"),
        (lambda one: one.interval_join(_other(card="str", shop="str"), "0s", "5m"), "same types"),
        (lambda one: one.interval_join(source("x", schema={"t": "int"}, time="t"), "0s", "1s"), "need a key"),
        (lambda one: source("x", schema={"t": "int"}, time="t").interval_join(one, "0s", "1s"), "on the left side"),
        (lambda one: one.interval_join(one, "0s", "5m", how="right"), "no such kind"),
        (lambda one: one.interval_join(one, "0s", "5m", suffix=""), "of that name"),
        (lambda one: one.interval_join(one, "0s", "5m", suffix=3), "a suffix is text"),
    ],
)
def test_what_cannot_be_joined_is_refused_when_built(make: Any, told: str) -> None:
    with pytest.raises(FlowError, match=told):
        make(stream(NO_CASE, "l"))


def test_sides_may_name_their_key_as_they_like() -> None:
    left = source("l", schema={"t": "int", "card": "str", "shop": "int"}, time="t", key=["card", "shop"])
    right = source("r", schema={"t": "int", "n": "str", "at": "int", "x": "float"}, time="t", key=["n", "at"])
    made = left.interval_join(right, "-1s", "1s")
    assert list(made.columns) == ["card", "shop", "t", "t_right", "x"]
    assert made.key == ("card", "shop")
    assert made.side("late_left").columns == left.columns
    assert made.side("late_right").columns == right.columns


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("str", ["plain", 'quoted "', "back\\slash", "new\nline", "\x00\x1f\x7f", "é\u2028", ""]),
        ("int", [0, -5, 2**62]),
        ("bool", [True, False]),
        ("datetime", [datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC), datetime(2024, 2, 29, tzinfo=UTC)]),
    ],
)
def test_an_origin_is_canonical_json_whatever_the_key(kind: str, keys: list[Any]) -> None:
    left = source("left", schema={"t": "int", "k": kind, "n": "int"}, time="t", key=["n", "k"])
    right = source("right", schema={"t": "int", "m": "int", "k": kind}, time="t", key=["m", "k"])
    frame = pl.DataFrame({"t": range(len(keys)), "k": keys, "n": range(len(keys))}, schema=left.columns)
    batch = _raw(left, frame), _raw(right, frame.with_columns(m=pl.col("n") + pl.col("n") % 2))
    out = operator_of(left.interval_join(right, "0ms", "0ms", how="full")).process(batch).ports[OUT].frame
    expected = []
    for place, key in enumerate(keys):
        mine, theirs = ["left", 0, place], ["right", 0, place]
        if place % 2:
            expected += [[[place, key], mine, None], [[place + 1, key], None, theirs]]
        else:
            expected.append([[place, key], mine, theirs])
    texts = [canonical_json(["interval_join", *one]).decode() for one in expected]
    assert sorted(out["_origin"].to_list()) == sorted(texts)


def _raw(stream: Stream, frame: pl.DataFrame) -> Batch:
    """The rows as a source gives them, in order, and the end of input."""
    rows = frame.height
    steps = Steps(np.array([2 * rows + 1]), np.array([MAX_WATERMARK]), np.array([rows]))
    place = pl.int_range(rows, dtype=pl.Int64)
    stamped = frame.with_columns(
        place.cast(TIME_DTYPE).alias(TIME),
        place.cast(TIME_DTYPE).alias(ARRIVAL),
        pl.lit(stream.port.step).alias(SOURCE),
        pl.lit(0, pl.Int32).alias(PARTITION),
        place.alias(OFFSET),
    )
    return Batch(stamped.select(list(stream.type.schema)), np.arange(rows) * 2, steps=steps)


def test_derived_events_join_by_their_origins() -> None:
    left = stream(NO_CASE, "l").window(Tumbling("10ms"), n=count())
    right = stream(NO_CASE, "r")
    made = flow("derived", left.interval_join(right, "-20ms", "20ms", name="pair").to("out"))
    script = Script().event({"key": "a"}, at=5, source="l").event({"key": "a"}, at=12, source="r")
    (row,) = script.end().run(made).rows("out")
    assert (row["n"], row["_time"]) == (1, "1970-01-01T00:00:00.012Z")
    assert row["_origin"] == '["pair",["a"],["window",["a"],[0,10,0]],["r",0,0]]'
