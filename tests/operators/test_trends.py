"""Top and trend: each against a slow reference that takes one entry of the sequence at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from math import isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.core.batch import Batch
from styx_lab.core.keys import key_json
from styx_lab.core.operator import Operator
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import CheckpointError, FlowError
from styx_lab.flow.steps import Top, Trend
from styx_lab.flow.stream import Stream, source
from styx_lab.flow.types import StreamType
from styx_lab.operators.top import TopOperator
from styx_lab.operators.trend import TrendOperator
from styx_lab.testing import check_operator
from styx_lab.testing.strategies import payments
from tests.operators.sequence_kit import (
    KEYED,
    UNKEYED,
    Event,
    Step,
    batch,
    counted,
    feed,
    late,
    operator_types,
    said,
    sequences,
    walk,
)

pytestmark = pytest.mark.laws
FEWER = settings(max_examples=max(10, settings().max_examples // 4))
SIZES = st.sampled_from([1, 2, 7, 10_000])
VALUES = st.sampled_from([1.0, 2.0, 2.0, 3.5, -0.0, 0.0, None, float("nan"), float("inf")])


@st.composite
def results(draw: st.DrawFn) -> Event:
    """A result of a window of 10 or 20 ms, or now and then of none."""
    start = 10 * draw(st.integers(-2, 4))
    end = start + draw(st.sampled_from([10, 10, 20]))
    window = draw(st.sampled_from([(start, end)] * 12 + [(None, end), (start, None)]))
    return Event(end - 1, draw(st.sampled_from(["a", "b", "c", 'q"'])), "x", draw(VALUES), window)


SEQUENCES = sequences(results())


def top(count: int, *, descending: bool = True, stream: StreamType = KEYED) -> Callable[[], Operator]:
    step = Top("ranked", (), count, "value", descending)
    return lambda: TopOperator(step, *operator_types(stream, step))


def trend(over: int, fill: float | None = 0, *, stream: StreamType = KEYED) -> Callable[[], Operator]:
    step = Trend("followed", (), "value", over, 10, fill)
    return lambda: TrendOperator(step, *operator_types(stream, step))


def by_window(whole: Batch, *, keyed: bool = True) -> tuple[list[tuple[int, dict[str, Any]]], list[int], list[int]]:
    """The last result of each key and window with the order of the step that ends it; what is late; what is dead."""
    released, too_late, dead, waiting = [], [], [], []
    watermark = MIN_WATERMARK
    for order, entry in walk(whole):
        if isinstance(entry, dict):
            if entry["window_start"] is None or entry["window_end"] is None:
                dead.append(entry["id"])
            elif entry["window_end"] - 1 <= watermark:
                too_late.append(entry["id"])
            else:
                waiting.append(entry)
            continue
        watermark = entry
        ended = sorted(
            (row for row in waiting if row["window_end"] - 1 <= watermark), key=lambda row: row["window_end"]
        )
        waiting = [row for row in waiting if row["window_end"] - 1 > watermark]
        for place, row in enumerate(ended):
            one = (row["key"], row["window_start"], row["window_end"])
            others = [(other["key"], other["window_start"], other["window_end"]) for other in ended[place + 1 :]]
            if not keyed or one not in others:
                released.append((order, row))
    return released, too_late, dead


def number(value: float | None) -> float:
    return nan if value is None else value


@given(SEQUENCES, SIZES, st.integers(1, 4), st.booleans(), st.booleans())
def test_the_greatest_of_each_window(whole: Batch, size: int, count: int, descending: bool, keyed: bool) -> None:
    released, too_late, dead = by_window(whole, keyed=keyed)
    windows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for order, row in released:
        windows[order, row["window_end"], row["window_start"]].append(row)
    expected = []
    for (order, _, _), rows in sorted(windows.items()):

        def rank(row: dict[str, Any]) -> Any:
            value = number(row["value"])
            key = key_json((row["key"],)) if keyed else b""
            return (isnan(value), 0 if isnan(value) else -value if descending else value, key)

        ranked = sorted(rows, key=rank)[:count]
        expected += [(order, row["id"], place) for place, row in enumerate(ranked, 1)]
    found = feed(top(count, descending=descending, stream=KEYED if keyed else UNKEYED)(), whole, size=size)
    assert said(found, "id", "rank") == expected
    assert late(found) == too_late
    assert [one for emission in found if emission.dead is not None for one in emission.dead["offset"]] == dead
    assert counted(found, "outranked") == len(released) - len(expected)
    assert counted(found, "replaced") == len(whole) - len(released) - len(too_late) - len(dead)


def least_squares(points: list[tuple[int, float]]) -> float | None:
    """The slope as the textbook has it, from numpy."""
    if len(points) < 2:
        return None
    places, values = zip(*points, strict=True)
    if not np.isfinite(values).all():
        return None
    return float(np.polyfit(places, values, 1)[0])


@given(SEQUENCES, SIZES, st.integers(2, 6), st.sampled_from([0, None, 1.5]))
def test_the_trend_of_each_key(whole: Batch, size: int, over: int, fill: float | None) -> None:
    released, too_late, _ = by_window(whole)
    known: dict[str, dict[int, float]] = defaultdict(dict)
    expected = []
    for order, row in released:
        window, values = row["window_end"] // 10, known[row["key"]]
        values[window] = nan
        span = range(window - over + 1, window)
        before = [one for one in span if not isnan(values.get(one, nan))]
        previous = values.get(window - 1, nan)
        if isnan(previous) and before and fill is not None:
            previous = fill
        value = number(row["value"])
        values[window] = value
        slope = None
        if not isnan(value):
            first = min([*before, window])
            grid = [(one, values.get(one, nan)) for one in range(first, window + 1)]
            points = [(one, fill if isnan(found) and fill is not None else found) for one, found in grid]
            slope = least_squares([(one, found) for one, found in points if not isnan(found)])
        change = value - previous
        told = (None if isnan(previous) else float(previous), None if isnan(change) else change)
        expected.append((order, row["id"], *told, slope))
    found = said(feed(trend(over, fill)(), whole, size=size), "id", "previous", "change", "slope")
    assert [row[:4] for row in found] == [row[:4] for row in expected]
    for (*_, one), (*_, other) in zip(found, expected, strict=True):
        if other is None:
            # Through an infinite value goes no line; it may be seen as infinitely steep.
            assert one is None or not np.isfinite(one)
        else:
            assert one == pytest.approx(other, abs=1e-9)
    assert late(feed(trend(over, fill)(), whole, size=size)) == too_late


@pytest.mark.parametrize(
    "make",
    [top(2), top(1, descending=False, stream=UNKEYED), trend(4), trend(3, None), trend(2, stream=UNKEYED)],
    ids=["top", "top without key", "trend", "trend without fill", "trend without key"],
)
@FEWER
@given(whole=SEQUENCES)
def test_the_contract_holds_of_top_and_trend(make: Callable[[], Operator], whole: Batch) -> None:
    check_operator(make, whole)


def counts(*values: tuple[int, float], key: str = "a") -> list[Event | Step]:
    """Results of windows of 10 ms by their number, each made by the step that ends it."""
    return [
        Step(10 * window + 9, (Event(10 * window + 9, key, "x", value, (10 * window, 10 * window + 10)),))
        for window, value in values
    ]


def test_the_slope_of_a_word_by_hand() -> None:
    whole = batch([*counts((0, 1.0), (1, 3.0), (2, 5.0), (4, 4.0), (9, 1.0)), Step(MAX_WATERMARK)])
    rows = said(feed(trend(3)(), whole), "previous", "change", "slope")
    # 1; 1 3; 1 3 5; 5 0 4; and after four windows of nothing, again as if it had never been.
    assert [row[1:] for row in rows] == [
        (None, None, None),
        (1.0, 2.0, 2.0),
        (3.0, 2.0, 2.0),
        (0.0, 4.0, -0.5),
        (None, None, None),
    ]
    without = said(feed(trend(3, None)(), whole), "previous", "change", "slope")
    assert without[3][1:] == (None, None, -0.5)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(2, 9), st.integers(2, 9))
def test_a_level_line_has_the_slope_nought(value: float, over: int, windows: int) -> None:
    whole = batch(counts(*((window, value) for window in range(windows))))
    slopes = [slope for _, slope in said(feed(trend(over)(), whole), "slope")]
    assert slopes == [None, *[0.0] * (windows - 1)]


def test_memory_follows_the_keys_of_the_last_windows() -> None:
    operator = trend(2)()
    most = 0
    for window in range(60):
        made = tuple(
            Event(10 * window + 9, f"{window}-{i}", "x", 1.0, (10 * window, 10 * window + 10)) for i in range(500)
        )
        operator.process([batch([Step(10 * window + 9, made)])])
        most = max(most, operator.size()["keys"])
    assert most < 5_000
    assert operator.size()["waiting"] == 0


def per_minute(stream: Stream | None = None) -> Stream:
    return (stream or payments()).window(styx.Sliding("5m", every="1m"), name="spent", n=styx.count())


def test_equal_values_stand_in_order_of_their_key() -> None:
    rows = tuple(Event(9, key, "x", 2.0, (0, 10)) for key in ("c", "a", "b"))
    found = feed(top(2)(), batch([Step(9, (*rows, Event(9, "z", "x", 1.0, (0, 10))))]))
    assert said(found, "key", "rank") == [(1, "a", 1), (1, "b", 2)]
    assert counted(found, "outranked") == 2


def test_the_distance_of_windows_is_found() -> None:
    stream = per_minute().filter("n > 1").top(3, by="n").cooldown("1h").trend("n")
    step = stream.steps[-1]
    assert isinstance(step, Trend)
    assert step.every_ms == 60_000
    assert step.summary() == "n over 5 windows, 1m apart"
    others = payments().window(styx.Tumbling("1m"), name="short", n=styx.count())
    both = per_minute().union(others).trend("n").steps[-1]
    assert isinstance(both, Trend)
    assert both.every_ms == 60_000
    assert list(stream.columns)[-4:] == ["rank", "previous", "change", "slope"]
    assert stream.key == ("card_id",)


def test_results_from_a_file_need_a_distance() -> None:
    schema = {"word": "str", "window_start": "datetime", "window_end": "datetime", "n": "int"}
    stream = source("counts", schema=schema, time="window_start", key="word")
    with pytest.raises(FlowError, match="how far apart"):
        stream.trend("n")
    step = stream.trend("n", every="1m").steps[-1]
    assert isinstance(step, Trend)
    assert step.every_ms == 60_000


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (lambda: payments().top(1, by="tries"), "takes the results of windows.*no column 'window_start'"),
        (lambda: payments().trend("tries", every="1m"), "takes the results of windows"),
        (lambda: per_minute().with_columns(window_end="n").top(1, by="n"), "column 'window_end' is Int64"),
        (lambda: per_minute().top(0, by="n"), "at least 1.*0"),
        (lambda: per_minute().top(1.5, by="n"), "whole number"),  # type: ignore[arg-type]
        (lambda: per_minute().top(1, by="card_id"), "ranks numbers"),
        (lambda: per_minute().top(1, by="m"), "no such column.*'m'"),
        (lambda: per_minute().top(1, by="n").top(1, by="n"), "of that name already.*'rank'"),
        (lambda: per_minute().trend("n", over=1), "2 to 10000.*1"),
        (lambda: per_minute().trend("n", fill=nan), "finite number or None"),
        (lambda: per_minute().trend("card_id"), "follows a number"),
        (lambda: per_minute().trend("n").trend("n"), "of that name already.*'previous'"),
        (lambda: per_minute().union(payments().window(styx.Tumbling("9m"), n=styx.count())).trend("n"), "every="),
    ],
)
def test_what_cannot_be_asked_is_refused(verb: Any, words: str) -> None:
    with pytest.raises(FlowError, match=f"(?s){words}"):
        verb()


@pytest.mark.parametrize("make", [top(1), trend(2)], ids=["top", "trend"])
def test_a_state_of_another_layout_is_refused(make: Callable[[], Operator]) -> None:
    with pytest.raises(CheckpointError, match="unknown layout"):
        make().restore([replace(make().snapshot(), version=99)])


def test_a_window_that_fires_early_and_again_counts_once() -> None:
    early, last, behind = (Event(9, "a", "x", value, (0, 10)) for value in (1.0, 5.0, 9.0))
    whole = batch([early, Event(9, "b", "x", 3.0, (0, 10)), Step(9, (last,)), behind, Step(MAX_WATERMARK)])
    found = feed(top(2)(), whole, size=1)
    assert said(found, "key", "value", "rank") == [(5, "a", 5.0, 1), (5, "b", 3.0, 2)]
    assert counted(found, "replaced") == 1
    assert len(late(found)) == 1
