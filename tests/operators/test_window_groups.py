"""Laws: groups of events give the same bits as panes do; the cut into batches and the groups beside one do not show."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from styx_lab.core.events import TIME
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.errors import DataError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.expression import evaluate
from styx_lab.operators.window.groups import Groups
from tests.operators.window_kit import COLUMNS, EVERY, Event, batch, feed, operator, plain, stream

WHERE = "step 'per_key'"
ODD = [0.0, -0.0, 0.1, 1e16, -1e16, 1.0, 5e-324, 1.7e308, -1.7e308, math.inf, -math.inf, math.nan]
VALUES = st.one_of(st.none(), st.sampled_from(ODD), st.floats(-1e6, 1e6))
NUMBERS = st.one_of(st.none(), st.integers(-5, 5), st.integers(-(2**40), 2**40))
EVENTS = st.builds(
    Event, st.integers(0, 39), st.sampled_from("abc"), VALUES, NUMBERS, st.one_of(st.none(), st.booleans())
)


def grouped(groups: Groups, members: list[pl.DataFrame]) -> list[pl.Series]:
    """The aggregates of groups of whole events."""
    together = pl.concat(members)
    values = evaluate(together, groups.expressions) if groups.expressions else pl.DataFrame()
    kept = pl.DataFrame([*together.select(groups.plain).get_columns(), *values.get_columns()])
    assert dict(kept.schema) == groups.schema
    return groups.compute(kept, np.array([each.height for each in members], np.int64), lambda group: f"group {group}")


@given(st.lists(EVENTS, min_size=1, max_size=40))
@example([Event(0, "a", 1e300), Event(1, "a", 1.0), Event(2, "a", -1e300)])
@example([Event(0, "a", math.inf), Event(0, "a", -math.inf), Event(0, "b", None, None)])
def test_groups_give_the_bits_that_panes_give(script: list[Event]) -> None:
    # Seen in order of time, so that nothing is late; windows of three panes.
    script.sort(key=lambda event: event.t)
    whole = batch(script)
    expected = feed(operator(30, 10), [whole])
    groups = Groups(tuple(EVERY.items()), stream(), WHERE)
    events = whole.frame.with_columns(t=pl.col("_time").to_physical())
    members = [
        events.filter(key=row["key"]).filter(pl.col("t").is_between(row["start"], row["start"] + 30, closed="left"))
        for row in expected.out.with_columns(start=pl.col("window_start").to_physical()).to_dicts()
    ]
    for column in grouped(groups, [each.select(whole.frame.columns) for each in members]):
        told = expected.out[column.name]
        assert column.dtype == told.dtype
        assert [plain(value) for value in column] == [plain(value) for value in told]


def test_of_events_that_are_only_counted_the_time_is_kept() -> None:
    # Without a column rows have no number, and a counted window that slides keeps its events.
    groups = Groups((("n", agg.count()),), stream(), WHERE)
    assert (groups.schema, groups.expressions, groups.plain) == ({TIME: TIME_DTYPE}, {}, [TIME])
    times = pl.DataFrame({TIME: pl.Series(range(7)).cast(TIME_DTYPE)})
    (column,) = groups.compute(times, np.array([2, 5]), str)
    assert (column.name, column.dtype, column.to_list()) == ("n", pl.Int64, [2, 5])


def test_the_same_value_is_kept_once() -> None:
    doubled = pl.col("value") * 2
    groups = Groups(
        (("a", agg.sum(doubled)), ("b", agg.collect(doubled)), ("c", agg.sum("value")), ("d", agg.collect())),
        stream(),
        WHERE,
    )
    assert list(groups.expressions) == ["_0"]
    assert groups.plain == ["value", "key", "number", "flag", "bit"]


def test_a_sum_beyond_64_bits_says_where() -> None:
    groups = Groups((("whole", agg.sum("number")),), stream(), WHERE)
    frame = pl.DataFrame({"number": [1, 2**62, 2**62]})
    with pytest.raises(DataError, match="beyond 64 bits") as caught:
        groups.compute(frame, np.array([1, 2]), lambda group: f"group {group}")
    assert caught.value.where == "step 'per_key', 'whole', group 1"


def test_collect_keeps_the_order_and_the_nulls() -> None:
    groups = Groups((("values", agg.collect("value")), ("all", agg.collect())), stream(), WHERE)
    events = pl.DataFrame(
        {"key": ["a", "a", "b"], "value": [2.0, None, 1.0], "number": [1, 2, 3], "flag": [None] * 3, "bit": [0, 0, 0]},
        schema=COLUMNS,
    )
    values, whole = grouped(groups, [events[:2], events[2:]])
    assert values.to_list() == [[2.0, None], [1.0]]
    assert whole.to_list() == [events[:2].to_dicts(), events[2:].to_dicts()]
    assert whole.dtype == agg.collect().dtype(stream().readable, where=WHERE)


def test_text_can_be_counted_over_panes_and_over_groups() -> None:
    script = [Event(0, key="abc"), Event(1, key="abc")]
    (told,) = feed(operator(10, n=agg.count("key")), [batch(script)]).out["n"]
    groups = Groups((("n", agg.count("key")),), stream(), WHERE)
    (column,) = groups.compute(pl.DataFrame({"key": ["a", None, ""]}), np.array([3]), str)
    assert (told, column.to_list()) == (2, [2])


def _json(aggregate: agg.Aggregate) -> dict[str, Any]:
    return aggregate.to_json()


def test_the_json_of_the_five_is_what_it_was() -> None:
    assert _json(agg.count()) == {"function": "count", "value": None}
    assert _json(agg.sum("amount")) == {"function": "sum", "value": {"sql": "amount"}}
    assert [agg.Aggregate.from_json(_json(each), where=WHERE) for each in EVERY.values()] == list(EVERY.values())
