"""The vocabulary: slices of the sequence, state that can be split and put together, keys, times, canonical bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import canonical_json, canonical_lines
from styx_lab.core.keys import KeyIndex
from styx_lab.core.operator import OUT
from styx_lab.core.state import GROUP, State, decode_state, encode_state, key_group
from styx_lab.core.time import duration_ms, duration_text, iso_ms, ms_iso
from styx_lab.errors import CheckpointError, FlowError
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.steps import Port, WindowStep
from styx_lab.flow.types import raw_type
from styx_lab.flow.window import Tumbling
from styx_lab.operators.window import WindowOperator


def batch(rows: int) -> Batch:
    """Every second event moves the watermark."""
    order = np.arange(rows, dtype=np.int64) * 2
    moved = order[::2]
    steps = Steps(moved + 1, moved * 10, moved)
    return Batch(pl.DataFrame({"row": range(rows)}), order, -7, steps)


@given(rows=st.integers(0, 9), size=st.integers(1, 10))
def test_slices_are_the_batch(rows: int, size: int) -> None:
    whole = batch(rows)
    pieces = whole.slices(size)
    assert pl.concat([piece.frame for piece in pieces]).equals(whole.frame)
    assert np.concatenate([piece.watermarks() for piece in pieces]).tolist() == whole.watermarks().tolist()
    assert np.concatenate([piece.steps.mark for piece in pieces]).tolist() == whole.steps.mark.tolist()
    assert [piece.before for piece in pieces[1:]] == [piece.after for piece in pieces[:-1]]
    assert pieces[-1].after == whole.after


def test_dropping_rows_keeps_the_steps() -> None:
    kept = batch(6).keep(np.array([False, True, False, False, False, True]))
    assert kept.frame["row"].to_list() == [1, 5]
    assert kept.watermarks().tolist() == [0, 80]
    assert len(kept.steps) == 3


def test_advance_moves_the_watermark_without_an_event() -> None:
    stream = raw_type([("ts", pl.Int64())], ())
    step = WindowStep("per", (Port("s"),), Tumbling("10ms"), (("n", Aggregate("count")),))
    operator = WindowOperator(step, stream)
    time = pl.Series("_time", [3]).cast(pl.Datetime("ms", "UTC"))
    empty = pl.DataFrame(schema=stream.schema)
    frame = pl.DataFrame({"ts": [3]}).with_columns(time, time.alias("_arrival"), _source=pl.lit("s")).with_columns(
        _partition=pl.lit(0, pl.Int32), _offset=pl.lit(0, pl.Int64)
    ).select(empty.columns)  # fmt: skip
    operator.process([Batch(frame, np.array([0]))])
    before = operator.advance(stream.schema, order=1, before=-100, mark=8, clock=5)
    fired = operator.advance(stream.schema, order=3, before=8, mark=9, clock=5)
    assert len(before.ports[OUT]) == 0
    assert fired.ports[OUT].frame["n"].to_list() == [1]
    assert fired.ports[OUT].after == 9


def state() -> State:
    groups = [key_group(canonical_json([key])) for key in "abcdef"]
    table = pl.DataFrame({"key": list("abcdef"), GROUP: pl.Series(groups, dtype=pl.UInt8)})
    return State({"at": 3}, {"keyed": table, "whole": pl.DataFrame({"x": [1]})}, 2)


def test_state_is_split_by_group_and_put_together() -> None:
    whole = state()
    parts = [whole.only(range(64)), whole.only(range(64, 128))]
    assert sum(part.tables["keyed"].height for part in parts) == 6
    again = State.union(parts[::-1], where="test")
    assert again.tables["keyed"].sort("key").equals(whole.tables["keyed"].sort("key"))
    assert again.tables["whole"].equals(whole.tables["whole"])
    with pytest.raises(CheckpointError, match="do not belong together"):
        State.union([whole, State({"at": 4}, whole.tables, 2)], where="test")


def test_state_has_bytes_and_damage_is_found() -> None:
    data = encode_state(state())
    again = decode_state(data, where="test")
    assert (again.meta, again.version) == ({"at": 3}, 2)
    assert again.tables["keyed"].equals(state().tables["keyed"])
    for damaged in (b"", data[:-1], data[:40], b"X" + data[1:], data[:-200] + b"?" + data[-199:]):
        with pytest.raises(CheckpointError):
            decode_state(damaged, where="test")


def test_slots_are_used_again_and_groups_follow() -> None:
    index = KeyIndex(["k"])
    assert index.slots(pl.DataFrame({"k": ["a", "b", "a", "c"]})).tolist() == [0, 1, 0, 2]
    index.release(np.array([1]))
    assert index.slots(pl.DataFrame({"k": ["d", "c"]})).tolist() == [1, 2]
    assert index.groups[:3].tolist() == [key_group(canonical_json([key])) for key in "adc"]
    assert len(index) == 3
    assert index.frame(np.array([1, 2]), {"k": pl.String()})["k"].to_list() == ["d", "c"]


def test_the_group_of_a_key_is_fixed_for_ever() -> None:
    keys: list[list[object]] = [["card-17"], ["é"], [3, True], [], [datetime(2024, 1, 1, tzinfo=UTC)]]
    assert [key_group(canonical_json(key)) for key in keys] == GROUPS


GROUPS = [102, 29, 115, 41, 16]


@given(st.integers(0, 10**12))
def test_durations_read_back(ms: int) -> None:
    assert duration_ms(duration_text(ms), where="test", zero=True) == ms
    assert duration_ms(timedelta(milliseconds=ms), where="test", zero=True) == ms


@pytest.mark.parametrize(
    "bad", ["", "5", "-5m", "5 minutes", "1.5h", 5, None, timedelta(microseconds=1), "0s", timedelta(-1)]
)
def test_what_is_no_duration_is_refused(bad: object) -> None:
    with pytest.raises(FlowError, match="duration"):
        duration_ms(bad, where="test")  # type: ignore[arg-type]


@given(st.integers(-(10**13), 10**13))
def test_times_read_back(ms: int) -> None:
    assert iso_ms(ms_iso(ms)) == ms


def test_canonical_lines_have_one_form_of_time_however_deep() -> None:
    moment = datetime(2024, 1, 1, 0, 0, 0, 5000, tzinfo=UTC)
    frame = pl.DataFrame({"b": [{"t": [moment], "x": 1.0}], "a": [moment]}).with_columns(
        pl.col("a").dt.cast_time_unit("ms")
    )
    text = b'{"a":"2024-01-01T00:00:00.005Z","b":{"t":["2024-01-01T00:00:00.005Z"],"x":1.0}}'
    assert canonical_lines(frame) == [text]
    assert canonical_json({"a": moment, "b": {"t": [moment], "x": 1.0}}) == text
