"""What a window's operator gives, holds and refuses, one thing at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ORIGIN, RAW_COLUMNS, TIME, canonical_json
from styx_lab.core.operator import LATE, OUT
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.errors import CheckpointError, DataError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.types import raw_type
from styx_lab.operators.window import WindowOperator
from tests.operators.window_kit import Event, Mark, batch, feed, operator, step, stream


def test_the_columns_are_those_the_flow_promised() -> None:
    for keyed in (True, False):
        answer = feed(operator(10, 5, keyed=keyed), [batch([Event(1), Event(2), Mark(3), Event(-30)])])
        types = step(10, 5).infer([stream(keyed)])
        assert list(answer.out.schema.items()) == list(types[OUT].schema.items())
        assert list(answer.late.schema.items()) == list(types[LATE].schema.items())
        assert (len(answer.out), len(answer.late)) == (2, 1)
    empty = feed(operator(10), [batch([], end=False)])
    assert empty.out.schema == step(10).infer([stream()])[OUT].schema
    assert empty.late.schema == stream().schema


def test_rows_of_a_step_come_by_window_then_by_first_event() -> None:
    script = [Event(12, "b"), Event(3, "c"), Event(11, "a"), Event(4, "b"), Event(13, "c")]
    answer = feed(operator(10), [batch(script)])
    assert answer.out["key"].to_list() == ["c", "b", "b", "a", "c"]
    assert answer.out.select(pl.col(TIME).to_physical()).to_series().to_list() == [9, 9, 19, 19, 19]
    assert answer.order == [11] * 5


def test_first_event_means_first_in_that_window() -> None:
    # In [0, 10) b is first; in [5, 15) a is, for b's first event is not in it.
    script = [Event(1, "b"), Event(7, "a"), Event(8, "b")]
    answer = feed(operator(10, 5), [batch(script)])
    ends = answer.out.select(pl.col("window_end").to_physical(), "key").rows()
    assert ends == [(5, "b"), (10, "b"), (10, "a"), (15, "a"), (15, "b")]


def test_first_events_are_compared_over_all_of_a_window() -> None:
    # By arrival, to and fro between the stretches that other windows divide [0, 20) into.
    script = [
        Event(17, "g"),
        Event(1, "f"),
        Event(12, "e"),
        Event(2, "d"),
        Event(18, "f"),
        Event(13, "c"),
        Event(3, "b"),
    ]
    answer = feed(operator(20, 5), [batch([*script, Event(19, "a")])])
    window = answer.out.filter(pl.col("window_end").to_physical() == 20)
    assert window["key"].to_list() == ["g", "f", "e", "d", "c", "b", "a"]
    assert window["n"].to_list() == [1, 2, 1, 1, 1, 1, 1]


def test_first_events_of_one_order_keep_their_places_after_a_restore() -> None:
    # What one step fired upstream has one order; a cut and a restore may come between.
    whole = batch([Event(1, key) for key in "dcab"] + [Event(2, "e")])
    same = Batch(whole.frame, np.array([3, 3, 3, 3, 3]), whole.before, Steps(*(np.array([n]) for n in (3, 99, 7))))
    undisturbed = feed(operator(10), [same])
    assert undisturbed.out["key"].to_list() == ["d", "c", "a", "b", "e"]
    running, keys = operator(10), []
    for piece in same.slices(1):
        keys += feed(running, [piece]).out["key"].to_list()
        state = running.snapshot()
        running = operator(10)
        running.restore([state.only(range(64, 128)), state.only(range(64))])
    assert keys == ["d", "c", "a", "b", "e"]


@pytest.mark.parametrize("key", ['quote "', "back\\slash", "line\nfeed", "é€😀", "", "\x00\x1f\x7f", "a/b"])
def test_the_origin_is_canonical_json(key: str) -> None:
    (row,) = feed(operator(10), [batch([Event(-3, key)])]).out.to_dicts()
    assert row[ORIGIN].encode() == canonical_json(["per_key", [key], [-10, 0, 0]])
    assert row["key"] == key


def test_keys_of_every_type() -> None:
    columns: dict[str, Any] = {
        "s": pl.String(),
        "i": pl.Int64(),
        "b": pl.Boolean(),
        "d": pl.Date(),
        "t": TIME_DTYPE,
    }
    moment = datetime(2024, 2, 29, 1, 2, 3, 4000, tzinfo=UTC)
    rows = [("x", 1, True, date(2024, 2, 29), moment), ("x", 1, False, date(2024, 2, 29), moment)]
    frame = pl.DataFrame(rows * 2, schema=columns, orient="row")
    reserved = {name: pl.lit(None, dtype) for name, dtype in RAW_COLUMNS.items()}
    frame = frame.with_columns(**{**reserved, TIME: pl.lit(5).cast(TIME_DTYPE)})
    steps = Steps(np.array([9]), np.array([100]), np.array([0]))
    for names in (["s"], ["i"], ["b"], ["d"], ["t"], list(columns)):
        running = WindowOperator(step(10, None, {"n": agg.count()}), raw_type(columns.items(), tuple(names)))
        (held, fired) = (Batch(frame, np.arange(4) * 2), Batch(frame.clear(), np.empty(0, np.int64), steps=steps))
        running.process([held])
        state = running.snapshot()
        running.restore([state])
        out = running.process([fired]).ports[OUT].frame
        distinct = frame.select(names).unique(maintain_order=True)
        assert out.select(names).equals(distinct)
        assert out["n"].sum() == 4
        expected = [canonical_json(["per_key", row, [0, 10, 0]]).decode() for row in distinct.rows()]
        assert out[ORIGIN].to_list() == expected


def test_whole_numbers_overflow_with_an_error_that_names_step_and_key() -> None:
    most = 2**63 - 1
    inside = [Event(1, number=most), Event(2, number=most), Event(3, number=-most), Event(4, "b", number=-(2**63))]
    answer = feed(operator(10), [batch(inside)])
    assert answer.out["whole_total"].to_list() == [most, -(2**63)]
    assert answer.out["whole_average"].to_list() == [most / 3, -(2.0**63)]
    with pytest.raises(DataError, match=r"step 'per_key', 'whole_total', key 'b', window \[0, 10\) ms"):
        feed(operator(10), [batch([Event(0, "a"), Event(1, "b", number=most), Event(2, "b", number=1)])])


def test_nulls_count_for_nothing_but_count() -> None:
    (row,) = feed(operator(10), [batch([Event(1, value=None, number=None)])]).out.to_dicts()
    assert [row[name] for name in ("n", "filled", "total", "whole_total", "flags")] == [1, 0, 0.0, 0, 0]
    assert [row[name] for name in ("average", "least", "most", "whole_average", "whole_least", "whole_most")] == [
        None
    ] * 6


def test_an_event_between_windows_is_counted_or_late() -> None:
    script = [Event(5), Event(12), Mark(20), Event(26), Event(16), Event(5), Event(12)]
    answer = feed(operator(4, 10), [batch(script)])
    assert answer.counts == {"no_window": 2, "windows": 1}
    assert answer.late_order == [8, 10, 12]


def test_what_has_fired_is_let_go() -> None:
    running = operator(10, 5)
    for place in range(60):
        keys = [Event(100 * place + at % 10, f"{place}-{at}", value=10.0 ** (at - 200)) for at in range(400)]
        script = [*keys, Mark(100 * place + 50)]
        answer = feed(running, [batch(script, end=False)])
        # Slots are used again by other keys, which must not show.
        assert set(answer.out["key"]) == {key.key for key in keys}
        assert all(f'"{key}"' in origin for key, origin in answer.out.select("key", ORIGIN).iter_rows())
        assert running.size() == {"keys": 0, "panes": 0}
        assert running.snapshot().tables["panes"].is_empty()
    held = [len(running._index), *(len(array) for array in running._panes._arrays)]
    assert max(held) < 5_000


def test_live_keys_and_panes_are_counted() -> None:
    running = operator(10, 5)
    feed(running, [batch([Event(1, "a"), Event(7, "a"), Event(3, "b"), Event(2, "b")], end=False)])
    assert running.size() == {"keys": 2, "panes": 3}
    feed(running, [batch([Mark(9)], end=False)])
    assert running.size() == {"keys": 1, "panes": 1}


def test_a_snapshot_does_not_change_afterwards() -> None:
    running = operator(10)
    feed(running, [batch([Event(1, value=1e300), Event(1, value=1e-300)], end=False)])
    state = running.snapshot()
    before = state.tables["panes"].clone()
    feed(running, [batch([Event(2, value=5.0), Event(3, "b")], end=False)])
    assert state.tables["panes"].equals(before)
    assert not running.snapshot().tables["panes"].equals(before)


def test_a_state_of_another_window_is_refused() -> None:
    state = operator(10, 5).snapshot()
    operator(10, 5).restore([state])
    for other in (operator(10), operator(10, 2), operator(10, 5, n=agg.count())):
        with pytest.raises(CheckpointError, match="said something else of"):
            other.restore([state])


def test_a_constant_is_a_value_of_each_event() -> None:
    answer = feed(operator(10, total=agg.sum(pl.lit(2))), [batch([Event(1), Event(2), Event(3)])])
    assert answer.out["total"].to_list() == [6]


def test_a_jump_over_empty_time_is_quick() -> None:
    # Windows without events are never visited: there would be 10^13 of them.
    far = 200_000_000_000_000
    answer = feed(operator(1000, 1), [batch([Event(-far), Event(far)], delay=0)])
    assert len(answer.out) == 2000
