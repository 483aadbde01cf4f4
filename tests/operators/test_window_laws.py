"""The laws, for windows: re-chunking, order within the bound, crash anywhere, nothing silent; and the plain meaning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.batch import Batch
from styx_lab.core.keys import key_json
from styx_lab.core.state import State, decode_state, encode_state, key_group
from tests.operators.window_kit import Answer, Event, Mark, Script, batch, feed, in_ms, operator, reference

FLOATS = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6),
    st.sampled_from([0.1, 0.2, 1e16, -1e16, 1.0, 1e-300, 5e-324, 1e308, -1e308, -0.0, 0.0]),
    st.floats(allow_nan=True, allow_infinity=True),
)
WHOLES = st.one_of(st.none(), st.integers(-(2**55), 2**55))
EVENTS = st.builds(
    Event, st.integers(-30, 60), st.sampled_from("abcd"), FLOATS, WHOLES, st.one_of(st.none(), st.booleans())
)
MARKS = st.builds(Mark, st.integers(-40, 80))
SHAPES = st.sampled_from([(10, None), (10, 5), (10, 3), (12, 4), (4, 10), (1, 1), (7, 7), (6, 9), (3, 1)])


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Events and marks at any place; times mostly rise, so that windows open and close all along."""
    entries = draw(st.lists(st.one_of(EVENTS, EVENTS, EVENTS, MARKS), max_size=40))
    if draw(st.booleans()):
        entries = [
            replace(entry, t=entry.t + 5 * place) if isinstance(entry, Event) else Mark(entry.at + 5 * place - 20)
            for place, entry in enumerate(entries)
        ]
    return entries


RUNS = st.tuples(scripts(), st.one_of(st.none(), st.integers(0, 15)), st.booleans(), SHAPES, st.booleans())


def _whole(run: Any) -> Batch:
    script, delay, end, _, _ = run
    return batch(script, delay=delay, end=end)


def _start(run: Any) -> Any:
    *_, (size, slide), keyed = run
    return operator(size, slide, keyed=keyed)


@pytest.mark.laws
@given(RUNS, st.sampled_from([1, 2, 7, 10_000]))
def test_results_are_those_of_the_plain_windows_however_cut(run: Any, size: int) -> None:
    whole = _whole(run)
    *_, (length, slide), keyed = run
    answer = feed(_start(run), whole.slices(size))
    rows, late, outside = reference(whole, length, slide or length, keyed=keyed)
    assert in_ms(answer.rows(), answer.out) == rows
    assert answer.late_order == late
    assert answer.counts.get("no_window", 0) == outside
    assert answer.counts["windows"] == len(rows)


@pytest.mark.laws
@given(RUNS)
def test_the_cut_does_not_show(run: Any) -> None:
    whole = _whole(run)
    answer = feed(_start(run), [whole])
    for size in (1, 7):
        assert feed(_start(run), whole.slices(size)).all() == answer.all()


@pytest.mark.laws
@given(
    st.lists(st.builds(Event, st.integers(0, 100), st.sampled_from("abc"), FLOATS, WHOLES), max_size=40),
    SHAPES,
    st.data(),
)
def test_order_within_the_bound_does_not_show(events: list[Event], shape: Any, data: st.DataObject) -> None:
    # The sort by time and by a delay of at most 15 ms each is one order of arrival within the bound; so is another.
    delays = st.lists(st.integers(0, 15), min_size=len(events), max_size=len(events))
    answers = []
    for _ in range(2):
        lag = data.draw(delays)
        order = sorted(range(len(events)), key=lambda place: (events[place].t + lag[place], place))
        answers.append(feed(operator(*shape), [batch([events[place] for place in order], delay=15)]))
    assert all(not answer.late_order for answer in answers)
    first, second = (_results_by_key(answer) for answer in answers)
    assert first == second


def _results_by_key(answer: Answer) -> dict[str, list[dict[str, Any]]]:
    """Per key the sequence of results, but for what depends on the place of arrival."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in answer.rows():
        kept = {name: value for name, value in row.items() if name not in ("order", "_arrival", "_detected", "members")}
        grouped.setdefault(row["key"], []).append(kept)
    return grouped


@pytest.mark.laws
@given(RUNS, st.sampled_from([1, 3, 7]))
def test_a_crash_at_any_boundary_does_not_show(run: Any, size: int) -> None:
    pieces = list(_whole(run).slices(size))
    undisturbed = feed(_start(run), pieces)
    running = _start(run)
    restored: list[Answer] = []
    for piece in pieces:
        restored.append(feed(running, [piece]))
        state = decode_state(encode_state(running.snapshot()), where="test")
        # Shared out by key group over three places, and put together in another order.
        parts = [state.only(range(first, 128, 3)) for first in (2, 0, 1)]
        running = _start(run)
        running.restore(parts)
    together = Answer(
        pl.concat([answer.out for answer in restored]),
        [order for answer in restored for order in answer.order],
        pl.concat([answer.late for answer in restored]),
        [order for answer in restored for order in answer.late_order],
    )
    for answer in restored:
        for name, count in answer.counts.items():
            together.counts[name] = together.counts.get(name, 0) + count
    assert together.all() == undisturbed.all()


@pytest.mark.laws
@given(RUNS)
def test_state_shared_out_by_key_group_gives_each_key_its_sequence(run: Any) -> None:
    script, *rest, shape, _ = run
    run = (script, *rest, shape, True)
    pieces = list(_whole(run).slices(7))
    half = len(pieces) // 2
    undisturbed = feed(_start(run), pieces)
    before = _start(run)
    answers = [feed(before, pieces[:half])] if half else []
    state: State = before.snapshot()
    later = pieces[half:]
    for groups in (range(64), range(64, 128)):
        running = _start(run)
        running.restore([state.only(groups)])
        answers.append(feed(running, [_of_groups(piece, set(groups)) for piece in later]))
    rows = sorted((row for answer in answers for row in answer.rows()), key=str)
    assert rows == sorted(undisturbed.rows(), key=str)


def _of_groups(piece: Batch, groups: set[int]) -> Batch:
    return piece.keep(
        piece.frame.select(pl.col("key").map_elements(lambda key: key_group(key_json((key,))) in groups, pl.Boolean))
        .to_series()
        .to_numpy()
    )


@pytest.mark.laws
@given(scripts(), st.integers(0, 15), st.integers(1, 20))
def test_each_event_is_processed_or_late(script: Script, delay: int, size: int) -> None:
    whole = batch(script, delay=delay)
    answer = feed(operator(size), whole.slices(7))
    # At the end of input each event of a tumbling window that was processed is in exactly one result.
    processed = int(answer.out["n"].sum())
    assert len(whole) == processed + len(answer.late_order)
    late = set(answer.late_order)
    assert answer.late["_offset"].to_list() == [order // 2 for order in answer.late_order]
    members = sum(1 << (order // 2) for order in whole.order.tolist() if order not in late)
    assert int(answer.out["members"].sum()) == members
