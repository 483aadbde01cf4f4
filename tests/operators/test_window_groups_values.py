"""What the aggregates of groups give, against plain Python; and the laws that hold for all of them.

Laws: the groups beside one do not show, nor does the order of arrival in an aggregate that is not `ordered`; the type
is the one that was promised when the flow was built.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from styx_lab.core.schema import TIME_DTYPE, dtype_from_json, dtype_to_json
from styx_lab.errors import ExpressionError, FlowError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.expression import evaluate
from styx_lab.flow.types import raw_type
from styx_lab.operators.window.groups import Groups
from tests.operators.window_kit import plain

WHERE = "step 'doc'"
COLUMNS = {"value": pl.Float64(), "number": pl.Int64(), "flag": pl.Boolean(), "text": pl.String(), "_time": TIME_DTYPE}
STREAM = raw_type([(name, dtype) for name, dtype in COLUMNS.items() if name != "_time"], ())
ODD = [0.0, -0.0, 0.1, 1e16, -1e16, 1.0, 5e-324, 1.7e308, -1.7e308, math.inf, -math.inf, math.nan]
FINITE = st.one_of(st.floats(-1e6, 1e6), st.floats(allow_nan=False, allow_infinity=False))
EVENT = st.fixed_dictionaries(
    {
        "value": st.one_of(st.none(), st.sampled_from(ODD), st.floats(-10, 10).map(lambda x: round(x, 1))),
        "number": st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**53), 2**53)),
        "flag": st.one_of(st.none(), st.booleans()),
        "text": st.one_of(st.none(), st.sampled_from(["", "a", "b", "é\u0000"])),
        "_time": st.integers(-5, 5),
    }
)
GROUPS = st.lists(st.lists(EVENT, min_size=1, max_size=12), min_size=1, max_size=6)
EVERY: dict[str, Aggregate] = {
    "n": agg.count(),
    "total": agg.sum("value"),
    "var": agg.var("value"),
    "var_all": agg.var("number", ddof=0),
    "std": agg.std("value"),
    "std_flag": agg.std("flag"),
    "median": agg.median("value"),
    "median_number": agg.median("number"),
    **{f"q_{how}": agg.quantile("value", 0.3, how) for how in ("linear", "lower", "higher", "nearest", "midpoint")},
    "first": agg.first("text"),
    "last": agg.last("value"),
    "last_plus": agg.last(pl.col("number") + 1),
    "different": agg.n_unique("value"),
    "different_text": agg.n_unique("text"),
    "different_flag": agg.n_unique("flag"),
    "top": agg.top_k("value", 3),
    "top_text": agg.top_k("text", 2),
    "top_by": agg.top_k("text", 3, by="value"),
    "range": agg.expr(pl.col("value").max() - pl.col("value").min()),
    "range_sql": agg.expr("MAX(number) - MIN(number)"),
    "share": agg.expr(pl.col("value").filter(pl.col("flag")).sum() / pl.len()),
    "share_sql": agg.expr("SUM(value) FILTER (WHERE flag) / COUNT(*)"),
    "furthest": agg.expr((pl.col("value") - pl.col("value").mean()).abs().max()),
    "third": agg.expr(pl.when(pl.len() > 2).then(pl.col("value").mean()).otherwise(3) / 3),
    "most_text": agg.expr(pl.col("text").max().str.len_chars()),
    "span": agg.expr(pl.col("_time").max() - pl.col("_time").min()),
    "values": agg.collect("value"),
    "events": agg.collect(),
}


def frame(events: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(events), schema={**COLUMNS, "_time": pl.Int64}).cast({"_time": TIME_DTYPE})


def compute(groups: list[list[dict[str, Any]]], aggregates: dict[str, Aggregate] = EVERY) -> dict[str, pl.Series]:
    running = Groups(tuple(aggregates.items()), STREAM, WHERE)
    together = frame([event for events in groups for event in events])
    values = evaluate(together, running.expressions) if running.expressions else pl.DataFrame()
    kept = pl.DataFrame([*together.select(running.plain).get_columns(), *values.get_columns()])
    counts = np.array([len(events) for events in groups], np.int64)
    return {each.name: each for each in running.compute(kept, counts, lambda group: f"group {group}")}


def exactly(value: Any) -> Any:
    """A value that equals only what has the same bits."""
    if isinstance(value, pl.Series):
        return [exactly(each) for each in value]
    if isinstance(value, dict):
        return {name: exactly(each) for name, each in value.items()}
    return plain(value)


@given(GROUPS)
def test_the_groups_beside_one_do_not_show(groups: list[list[dict[str, Any]]]) -> None:
    together = compute(groups)
    for place, events in enumerate(groups):
        for name, column in compute([events]).items():
            assert exactly(column[0]) == exactly(together[name][place]), name


@given(st.lists(EVENT, min_size=2, max_size=12), st.randoms(use_true_random=False))
@example([{**dict.fromkeys(COLUMNS), "value": value, "_time": 0} for value in (0.0, -0.0)], None)
def test_only_what_says_so_depends_on_the_order_of_arrival(events: list[dict[str, Any]], random: Any) -> None:
    other = events[::-1] if random is None else random.sample(events, len(events))
    before, after = compute([events]), compute([other])
    for name, aggregate in EVERY.items():
        if not aggregate.ordered:
            assert exactly(before[name]) == exactly(after[name]), name


@given(GROUPS)
def test_the_types_are_those_that_were_promised(groups: list[list[dict[str, Any]]]) -> None:
    for name, column in compute(groups).items():
        promised = EVERY[name].dtype(STREAM.readable, where=WHERE)
        assert (column.name, column.dtype, len(column)) == (name, promised, len(groups))
        assert dtype_from_json(dtype_to_json(promised)) == promised


@pytest.mark.parametrize("name", EVERY)
def test_an_aggregate_is_read_back_from_its_json(name: str) -> None:
    stored = EVERY[name].to_json()
    again = Aggregate.from_json(stored, where=WHERE)
    assert (again, str(again), again.to_json()) == (EVERY[name], str(EVERY[name]), stored)


@pytest.mark.parametrize(
    "stored",
    [
        {"function": "mode", "value": {"sql": "value"}},
        {"function": "sum", "value": None},
        {"function": "sum", "value": {"sql": "value"}, "options": {"ddof": 1}},
        {"function": "var", "value": {"sql": "value"}},
        {"function": "var", "value": {"sql": "value"}, "options": {"ddof": -1}},
        {"function": "var", "value": {"sql": "value"}, "options": {"ddof": 1.5}},
        {"function": "quantile", "value": {"sql": "value"}, "options": {"q": 2, "interpolation": "linear"}},
        {"function": "quantile", "value": {"sql": "value"}, "options": {"q": "a", "interpolation": "linear"}},
        {"function": "quantile", "value": {"sql": "value"}, "options": {"q": 0.5, "interpolation": []}},
        {"function": "median", "value": {"sql": "value"}, "options": {"q": 0.1}},
        {"function": "top_k", "value": {"sql": "value"}, "options": {"k": 0, "by": None}},
        {"function": "top_k", "value": {"sql": "value"}, "options": {"k": 1, "by": "value"}},
        {"function": "collect", "value": None, "options": 3},
        {"function": ["count"], "value": None},
        {},
    ],
)
def test_a_damaged_aggregate_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(FlowError, match=r"step 'doc'|ddof|top_k|quantile"):
        Aggregate.from_json(stored, where=WHERE)


def one(aggregate: Aggregate, column: str, values: Sequence[Any], times: Sequence[int] | None = None) -> Any:
    """What an aggregate gives for one group."""
    times = times or [0] * len(values)
    events = [{**dict.fromkeys(COLUMNS), column: value, "_time": t} for value, t in zip(values, times, strict=True)]
    found = compute([events], {"it": aggregate})["it"][0]
    return found.to_list() if isinstance(found, pl.Series) else found


def variance(values: Sequence[float], ddof: int) -> Fraction:
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return sum(((value - mean) ** 2 for value in exact), Fraction(0)) / (len(exact) - ddof)


@given(st.lists(FINITE, min_size=1, max_size=30), st.integers(0, 2))
@example([1e9 + 0.1, 1e9 + 0.2, 1e9 + 0.3], 1)
@example([1.7e308, -1.7e308], 1)
@example([1e200, -1e200, 3.0], 1)
@example([5e-324, 0.0, 1e-323], 0)
@example([0.1] * 7, 1)
@example([1e16, 1.0, -1e16], 1)
def test_variance_is_right_to_a_few_units_in_the_last_place(values: list[float], ddof: int) -> None:
    found, root = one(agg.var("value", ddof), "value", values), one(agg.std("value", ddof), "value", values)
    if len(values) <= ddof:
        assert (found, root) == (None, None)
        return
    expected = variance(values, ddof)
    if expected == 0:
        assert (found, root) == (0.0, 0.0)
    elif expected > Fraction(1.7e308):
        assert found > 1e308
        assert root == pytest.approx(float(expected / Fraction(2) ** 1100) ** 0.5 * 2.0**550, rel=1e-14)
    else:
        assert found == pytest.approx(float(expected), rel=4e-15, abs=5e-324)
        scaled = expected * Fraction(2) ** 1000 if expected < 1e-290 else expected
        small = 2.0**500 if expected < 1e-290 else 1.0
        assert root == pytest.approx(math.sqrt(scaled) / small, rel=4e-15, abs=5e-324)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=20))
@example([2**62, 2**62 + 1])
@example([-(2**63), 2**63 - 1])
def test_variance_of_great_whole_numbers_keeps_the_last_digits(values: list[int]) -> None:
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    expected = float(sum((value - mean) ** 2 for value in exact) / (len(exact) - 1))
    assert one(agg.var("number"), "number", values) == pytest.approx(expected, rel=4e-15)


def test_variance_of_what_is_not_finite_is_nan() -> None:
    for odd in (math.nan, math.inf, -math.inf):
        assert math.isnan(one(agg.var("value"), "value", [1.0, odd, 2.0]))
        assert one(agg.var("value"), "value", [odd, None]) is None
        assert math.isnan(one(agg.var("value", 0), "value", [odd, None]))
    assert one(agg.std("flag"), "flag", [True, False, None]) == statistics.stdev([1, 0])


HOW = st.sampled_from(["linear", "lower", "higher", "nearest", "midpoint"])


@given(st.lists(FINITE, min_size=1, max_size=20), st.floats(0, 1), HOW)
@example([1.0, 2.0, 3.0, 4.0], 0.5, "nearest")
@example([1.7e308, -1.7e308], 0.5, "linear")
@example([-0.0], 0.5, "linear")
def test_a_quantile_is_the_value_at_its_place(values: list[float], q: float, how: Any) -> None:
    found = one(agg.quantile("value", q, how), "value", values)
    ranked = sorted(values)
    place = q * (len(values) - 1)
    low, high = ranked[math.floor(place)], ranked[math.ceil(place)]
    share = place - math.floor(place)
    expected = {
        "lower": Fraction(low),
        "higher": Fraction(high),
        "nearest": Fraction(high if share >= 0.5 else low),
        "midpoint": (Fraction(low) + Fraction(high)) / 2,
        "linear": Fraction(low) + (Fraction(high) - Fraction(low)) * Fraction(share),
    }[how]
    scale = max(abs(low), abs(high))
    assert found == pytest.approx(float(expected), rel=1e-15, abs=max(2e-16 * scale, 5e-324))
    assert low <= found <= high
    assert math.copysign(1.0, found) == 1.0 or found < 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.95, 1.0]), HOW)
def test_a_quantile_is_the_one_of_polars(values: list[float], q: float, how: Any) -> None:
    expected = pl.Series(values).quantile(q, how)
    assert one(agg.quantile("value", q, how), "value", values) == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_quantiles_of_odd_values() -> None:
    inf = math.inf
    half = agg.median("value")
    assert one(half, "value", [None, None]) is None
    assert math.isnan(one(half, "value", [1.0, math.nan, None]))
    assert math.isnan(one(half, "value", [inf, -inf]))
    assert one(half, "value", [-inf, -5.0]) == -inf
    assert one(half, "value", [5.0, inf]) == inf
    assert one(agg.median("number"), "number", [2**53, 2**53 + 4, None]) == 2.0**53 + 2
    assert one(agg.median("flag"), "flag", [True, False, True]) == 1.0


@given(st.lists(st.tuples(st.integers(-2, 2), st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=12))
def test_first_and_last_go_by_event_time_then_by_arrival(events: list[tuple[int, int | None]]) -> None:
    times, values = [t for t, _ in events], [value for _, value in events]
    there = [(t, place) for place, (t, value) in enumerate(events) if value is not None]
    expected = (values[min(there)[1]], values[max(there)[1]]) if there else (None, None)
    assert (
        one(agg.first("number"), "number", values, times),
        one(agg.last("number"), "number", values, times),
    ) == expected


@given(st.lists(st.one_of(st.none(), st.sampled_from(ODD), st.floats()), min_size=1, max_size=12))
def test_different_values_are_counted(values: list[float | None]) -> None:
    there = {"nan" if math.isnan(value) else value for value in values if value is not None}
    assert one(agg.n_unique("value"), "value", values) == len(there)


def test_different_texts_are_counted() -> None:
    assert one(agg.n_unique("text"), "text", ["", None, "a", "", "A", "a\u0000"]) == 4
    assert one(agg.n_unique("text"), "text", [None]) == 0


def _rank(value: float) -> tuple[bool, float]:
    return (math.isnan(value), 0.0 if math.isnan(value) else value)


@given(
    st.lists(
        st.tuples(st.one_of(st.none(), st.sampled_from(ODD)), st.one_of(st.none(), st.text(max_size=2))),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 4),
)
def test_the_greatest_come_first_and_equals_as_they_arrived(events: list[tuple[Any, Any]], k: int) -> None:
    made = [{**dict.fromkeys(COLUMNS), "value": value, "text": text, "_time": 0} for value, text in events]
    found = compute([made], {"it": agg.top_k("text", k, by="value"), "own": agg.top_k("value", k)})
    there = [(value, text) for value, text in events if value is not None and text is not None]
    there.sort(key=lambda pair: _rank(pair[0]), reverse=True)
    assert found["it"][0].to_list() == [text for _, text in there[:k]]
    own = sorted((value for value, _ in events if value is not None), key=_rank, reverse=True)
    assert [plain(each) for each in found["own"][0]] == [plain(each + 0.0) for each in own[:k]]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (lambda: agg.var("text"), r"var\(\) takes a number"),
        (lambda: agg.quantile("text", 0.5), r"quantile\(\) takes a number"),
        (lambda: agg.n_unique("nothing"), "unknown column"),
        (lambda: agg.top_k("text", 2, by="nothing"), "unknown column"),
        (lambda: agg.top_k(pl.col("text").str.split(","), 2), "compares values"),
        (lambda: agg.var("value", ddof=-1), "ddof"),
        (lambda: agg.quantile("value", 1.5), "between 0 and 1"),
        (lambda: agg.quantile("value", True), "between 0 and 1"),
        (lambda: agg.quantile("value", 0.5, "cubic"), "unknown interpolation"),  # type: ignore[arg-type]
        (lambda: agg.top_k("value", 0), "from 1 up"),
        (lambda: agg.top_k("value", True), "from 1 up"),
        (lambda: agg.median("AVG(value)"), "AVG"),
    ],
)
def test_what_cannot_work_is_refused_when_the_flow_is_built(wrong: Any, what: str) -> None:
    with pytest.raises((ExpressionError, FlowError), match=what):
        wrong().dtype(STREAM.readable, where=WHERE)
