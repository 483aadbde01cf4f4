"""What is picked is what indexing gives, for columns of every type that Styx keeps, in one piece or in several."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.batch import Batch
from styx_lab.core.pick import pick, pick_of
from styx_lab.core.schema import TIME_DTYPE

FRAME = pl.DataFrame(
    {
        "s": ["a", None, "a text of more than twelve bytes", ""],
        "f": [1.0, None, float("nan"), -0.0],
        "i": [1, None, 2**63 - 1, -(2**63)],
        "b": [True, None, False, True],
        "u": pl.Series([1, None, 255, 0], dtype=pl.UInt8),
        "t": pl.Series([1, None, 3, 4]).cast(TIME_DTYPE),
        "w": [datetime(2024, 1, 1, tzinfo=UTC), None, None, None],
        "d": [date(2024, 1, 1), None, None, None],
        "r": [timedelta(1), None, None, None],
        "y": [b"x", None, b"", b"\xff"],
        "n": [None] * 4,
        "l": [[1, None], None, [], [3]],
        "p": [{"x": 1, "q": ["a"]}, None, {"x": None, "q": None}, {"x": 2, "q": []}],
        "m": [[{"x": 1}], None, [], [{"x": None}, None]],
    }
)


@given(st.lists(st.integers(0, 3), max_size=9), st.booleans(), st.integers(1, FRAME.width))
def test_what_is_picked_is_what_indexing_gives(places: list[int], pieces: bool, width: int) -> None:
    frame = FRAME.select(FRAME.columns[-width:])
    if pieces:
        frame = pl.concat([frame[:1], frame[1:]], rechunk=False)
    found = pick(frame, np.array(places, np.int64))
    assert found.schema == frame.schema
    assert found.equals(frame[places] if places else frame.clear())
    for column in frame.get_columns():
        assert pick_of(column, np.array(places, np.int64)).equals(found[column.name])


def test_a_row_that_is_not_there_is_no_row() -> None:
    with pytest.raises(pl.exceptions.OutOfBoundsError):
        pick(FRAME, np.array([4]))


@given(st.lists(st.booleans(), min_size=4, max_size=4))
def test_a_batch_keeps_what_a_filter_keeps(mask: list[bool]) -> None:
    kept = Batch(FRAME, np.arange(4) * 2).keep(np.array(mask))
    assert kept.frame.equals(FRAME.filter(pl.Series(mask)))
    assert kept.frame.schema == FRAME.schema
    assert kept.order.tolist() == [2 * place for place, kept in enumerate(mask) if kept]
