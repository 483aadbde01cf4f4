"""The sides of a join, put together as if events had come one at a time."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.operators.join.sides import merge_sides
from styx_lab.operators.union import lowest_steps

PLACES = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(-20, 20)), max_size=20)


def _batch(places: list[tuple[int, bool, int]], side: int) -> Batch:
    orders, steps, mark = [], [], MIN_WATERMARK
    for place, (which, event, time) in enumerate(places):
        if which == side or which == 2:
            orders += [2 * place] * event
            if time > mark:
                mark = time
                steps.append((2 * place + 1, mark, time))
    columns = np.array(steps, np.int64).reshape(-1, 3).T
    return Batch(
        pl.DataFrame({"row": range(len(orders))}),
        np.array(orders, np.int64),
        steps=Steps(*(one.copy() for one in columns)),
    )


@given(PLACES)
def test_sides_are_merged_as_if_events_came_one_at_a_time(places: list[tuple[int, bool, int]]) -> None:
    expected, seen, marks = [], [0, 0], [MIN_WATERMARK, MIN_WATERMARK]
    for place, (which, event, time) in enumerate(places):
        sides = [side for side in (0, 1) if which in (side, 2)]
        before = min(marks)
        for side in sides if event else ():
            expected.append((2 * place, side, seen[side], before))
            seen[side] += 1
        for side in sides:
            marks[side] = max(marks[side], time)
    merged = merge_sides([_batch(places, 0), _batch(places, 1)])
    columns = (merged.order, merged.side, merged.row, merged.watermarks())
    assert list(zip(*(one.tolist() for one in columns), strict=True)) == expected
    assert merged.after == min(marks)


def test_a_clock_before_1970_stays_what_it_is() -> None:
    steps = Steps(np.array([1]), np.array([-100]), np.array([-90]))
    empty = Batch(pl.DataFrame({"row": []}), np.empty(0, np.int64), steps=steps)
    assert lowest_steps([empty, empty]).clock.tolist() == [-90]
