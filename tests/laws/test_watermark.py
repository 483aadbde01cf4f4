"""The watermark: a function of the arrivals, one event at a time, whatever the cut and wherever it went on from."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.time import MIN_WATERMARK
from styx_lab.core.watermark import WatermarkTracker

pytestmark = pytest.mark.laws

# Event time, partition, arrival.
EVENTS = st.lists(st.tuples(st.integers(-50, 100), st.integers(0, 3), st.integers(0, 50)), max_size=25)
KNOWN = st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True)

Step = tuple[int, int, int]


def plain(events: list[tuple[int, int, int]], known: list[int], bound: int) -> list[Step]:
    """Steps as (order, mark, clock), by the definition."""
    greatest = dict.fromkeys(known, MIN_WATERMARK)
    mark, clock, steps = MIN_WATERMARK, MIN_WATERMARK, []
    for place, (time, partition, arrival) in enumerate(events):
        clock = max(clock, arrival)
        greatest[partition] = max(greatest.get(partition, MIN_WATERMARK), time)
        lowest = min(greatest.values())
        if lowest > MIN_WATERMARK and lowest - bound - 1 > mark:
            mark = lowest - bound - 1
            steps.append((2 * place + 1, mark, clock))
    return steps


def follow(tracker: WatermarkTracker, events: list[tuple[int, int, int]], first: int) -> list[Step]:
    times, partitions, arrivals = (np.array([event[place] for event in events], np.int64) for place in range(3))
    orders = 2 * np.arange(first, first + len(events), dtype=np.int64)
    steps = tracker.follow(times, partitions.astype(np.int32), arrivals, orders)
    return list(zip(steps.order.tolist(), steps.mark.tolist(), steps.clock.tolist(), strict=True))


@given(EVENTS, KNOWN, st.integers(0, 20), st.lists(st.integers(0, 25), max_size=4))
def test_it_is_the_definition_however_cut_and_restored(
    events: list[tuple[int, int, int]], known: list[int], bound: int, cuts: list[int]
) -> None:
    expected = plain(events, known, bound)
    assert follow(WatermarkTracker(known, bound_ms=bound), events, 0) == expected
    found: list[Step] = []
    tracker = WatermarkTracker(known, bound_ms=bound)
    edges = [0, *sorted(cuts), len(events)]
    for start, stop in pairwise(edges):
        found += follow(tracker, events[start:stop], start)
        kept = json.loads(json.dumps(tracker.to_json()))
        # In another process, which knows other partitions before its first event.
        tracker = WatermarkTracker([0], bound_ms=bound)
        tracker.from_json(kept)
    assert found == expected
    assert tracker.watermark == (expected[-1][1] if expected else MIN_WATERMARK)


# Event time or the decision that the partition is idle, partition, arrival, what the event says of the watermark.
ENTRIES = st.lists(
    st.tuples(
        st.one_of(st.integers(-50, 100), st.integers(-50, 100), st.none()),
        st.integers(0, 3),
        st.integers(0, 50),
        st.one_of(st.none(), st.integers(-50, 100)),
    ),
    max_size=25,
)
Entry = tuple[int | None, int, int, int | None]


def plain_entries(entries: list[Entry], known: list[int], bound: int | None) -> tuple[list[Step], list[int]]:
    """Steps, and who is idle in the end, by the definition; without a bound events say their watermark themselves."""
    greatest, active = dict.fromkeys(known, MIN_WATERMARK), set(known)
    mark, clock, steps = MIN_WATERMARK, MIN_WATERMARK, []
    for place, (time, partition, arrival, said) in enumerate(entries):
        clock = max(clock, arrival)
        before = greatest.setdefault(partition, MIN_WATERMARK)
        if time is None:
            active.discard(partition)
        else:
            active.add(partition)
            own = time - bound - 1 if bound is not None else MIN_WATERMARK if said is None else said
            greatest[partition] = max(before, own)
        lowest = min((greatest[one] for one in active), default=MIN_WATERMARK)
        if lowest > mark:
            mark = lowest
            steps.append((2 * place + 1, mark, clock))
    return steps, sorted(greatest.keys() - active)


def follow_entries(tracker: WatermarkTracker, entries: list[Entry], first: int, *, said: bool) -> list[Step]:
    rows = [
        (MIN_WATERMARK if time is None else time, partition, arrival, MIN_WATERMARK if says is None else says)
        for time, partition, arrival, says in entries
    ]
    times, partitions, arrivals, says = (np.array([row[place] for row in rows], np.int64) for place in range(4))
    idle = np.array([time is None for time, *_ in entries], np.bool_)
    orders = 2 * np.arange(first, first + len(entries), dtype=np.int64)
    steps = tracker.follow(times, partitions, arrivals, orders, idle=idle, says=says if said else None)
    return list(zip(steps.order.tolist(), steps.mark.tolist(), steps.clock.tolist(), strict=True))


@given(ENTRIES, KNOWN, st.one_of(st.none(), st.integers(0, 20)), st.lists(st.integers(0, 25), max_size=4))
def test_idle_and_said_are_the_definition_however_cut_and_restored(
    entries: list[Entry], known: list[int], bound: int | None, cuts: list[int]
) -> None:
    expected, idle = plain_entries(entries, known, bound)
    found: list[Step] = []
    changes: list[tuple[int, int, bool]] = []
    tracker = WatermarkTracker(known, bound_ms=bound)
    for start, stop in pairwise([0, *sorted(cuts), len(entries)]):
        found += follow_entries(tracker, entries[start:stop], start, said=bound is None)
        changes += tracker.changes
        kept = json.loads(json.dumps(tracker.to_json()))
        tracker = WatermarkTracker([0], bound_ms=bound)
        tracker.from_json(kept)
    assert found == expected
    assert sorted(tracker.idle) == idle
    whole = WatermarkTracker(known, bound_ms=bound)
    follow_entries(whole, entries, 0, said=bound is None)
    assert whole.changes == changes, "where the source as a whole is idle does not depend on the cut"
    assert whole.newest == tracker.newest == max((e[0] for e in entries if e[0] is not None), default=MIN_WATERMARK)


def test_a_state_of_before_there_were_idle_partitions_goes_on() -> None:
    tracker = WatermarkTracker([0], bound_ms=2)
    tracker.from_json({"partitions": [0, 1], "greatest": [10, 7], "watermark": 4, "clock": 9})
    assert (tracker.idle, tracker.newest, tracker.silent) == ([], 10, False)
    assert follow(tracker, [(11, 1, 10)], 5) == [(11, 7, 10)]
