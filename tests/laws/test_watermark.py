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
