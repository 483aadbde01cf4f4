"""Rows of events by number: against a plain dict, with numbers that lie close together and far apart."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.operators.rows import EventRows

GAPS = st.one_of(st.integers(1, 3), st.integers(1, 200), st.sampled_from([10**6, 10**12]))


@given(st.lists(st.lists(GAPS, max_size=8), max_size=6), st.data())
def test_rows_are_found_and_forgotten(gaps: list[list[int]], data: st.DataObject) -> None:
    rows, known, number = EventRows({"a": pl.Int64(), "b": pl.String()}), dict[int, int](), 0
    for piece in gaps:
        numbers = (number + np.cumsum(piece)).astype(np.int64)
        number = int(numbers[-1]) if piece else number
        values = [len(known) + place for place in range(len(piece))]
        rows.add(
            pl.DataFrame({"a": values, "b": [str(one) for one in values]}, schema_overrides={"a": pl.Int64}), numbers
        )
        known |= dict(zip(numbers.tolist(), values, strict=True))
        # Some that are there, in any order, and some that never were.
        kept = data.draw(st.permutations(sorted(known))) if known else []
        kept = kept[: data.draw(st.integers(0, len(kept)))]
        strange = [one for one in data.draw(st.lists(st.integers(0, number + 5), max_size=3)) if one not in known]
        if data.draw(st.booleans()):
            rows.keep(np.array([*kept, *strange], np.int64))
            known = {one: known[one] for one in sorted(kept)}
        assert len(rows) == len(known)
        assert rows.find(np.array([*known], np.int64))["a"].to_list() == list(known.values())
        assert rows.find(np.array([*kept], np.int64), ["b"]).rows() == [(str(known[one]),) for one in kept]
