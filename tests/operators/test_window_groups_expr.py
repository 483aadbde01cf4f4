"""Expressions over a window's events: what they give against Polars and plain Python, and what is refused.

Laws: which groups fire together does not show, nor the order of arrival; what is stored is data, and none of it runs.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col

from styx_lab.errors import DataError, ExpressionError, FlowError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.expression import evaluate
from styx_lab.flow.expression.summary import Summary
from styx_lab.flow.types import raw_type
from styx_lab.operators.window.groups import Groups
from tests.operators.window_kit import plain

WHERE = "step 'doc'"
OWN = {"a": pl.Float64(), "b": pl.Int64(), "flag": pl.Boolean(), "text": pl.String()}
STREAM = raw_type(OWN.items(), ())
# Sums of these are exact in any order, so that Polars can be asked.
ROW = st.fixed_dictionaries(
    {
        "a": st.one_of(st.none(), st.integers(-64, 64).map(lambda n: n / 8)),
        "b": st.one_of(st.none(), st.integers(-9, 9)),
        "flag": st.one_of(st.none(), st.booleans()),
        "text": st.one_of(st.none(), st.sampled_from(["", "x", "yy"])),
    }
)
GROUPS = st.lists(st.lists(ROW, min_size=1, max_size=9), min_size=1, max_size=5)

ASKED: dict[str, pl.Expr] = {
    "range": col("a").max() - col("a").min(),
    "sum": col("a").sum(),
    "of_a_product": (col("a") * col("b")).sum(),
    "mean": col("b").mean(),
    "len": pl.len() + col("a").len(),
    "count": col("a").count(),
    "nulls": col("text").null_count(),
    "different": col("text").n_unique(),
    "different_there": col("text").drop_nulls().n_unique(),
    "different_some": col("text").filter(col("b") > 0).drop_nulls().n_unique(),
    "median": col("a").median(),
    "quantile": col("a").quantile(0.25, "lower"),
    "any": col("flag").any(),
    "all": col("flag").all(),
    "any_of": (col("b") > 3).any(),
    "some": col("a").filter(col("b") > 0).sum(),
    "twice": col("a").filter((col("b") > 0) & col("flag")).max(),
    "how_many": col("a").filter(col("flag")).len(),
    "bool": col("flag").max() & (col("b").max() > 2),
    "text": col("text").min(),
    "text_some": col("text").filter(col("flag")).max(),
    "nested": (col("b") - col("b").max()).min(),
    "nested_twice": (col("b") - (col("b") - col("b").min()).max()).sum(),
    "above": col("b").filter(col("b") >= col("b").mean()).count(),
    "choice": pl.when(pl.len() > 3).then(col("b").sum()).otherwise(col("b").max()),
    "share": col("a").sum() / pl.len(),
}

AGGREGATES = {name: agg.expr(each) for name, each in ASKED.items()}


def compute(groups: list[list[dict[str, Any]]], **aggregates: Aggregate) -> dict[str, pl.Series]:
    running = Groups(tuple(aggregates.items()), STREAM, WHERE)
    together = pl.DataFrame([row for rows in groups for row in rows], schema=OWN)
    values = evaluate(together, running.expressions) if running.expressions else pl.DataFrame()
    kept = pl.DataFrame([*together.select(running.plain).get_columns(), *values.get_columns()])
    assert dict(kept.schema) == running.schema
    counts = np.array([len(rows) for rows in groups], np.int64)
    return {each.name: each for each in running.compute(kept, counts, lambda group: f"group {group}")}


@settings(max_examples=60)
@given(GROUPS)
def test_a_polars_expression_gives_what_polars_gives(groups: list[list[dict[str, Any]]]) -> None:
    found = compute(groups, **AGGREGATES)
    for place, rows in enumerate(groups):
        frame = pl.DataFrame(rows, schema=OWN)
        for name, each in ASKED.items():
            assert found[name][place] == frame.select(each).item(), name


def test_spreads_are_those_of_polars() -> None:
    rows = [{"a": value, "b": 0, "flag": None, "text": None} for value in (1.0, 2.5, None, 9.0)]
    asked = {"var": col("a").var(), "std": col("a").std(ddof=0), "mean": col("a").mean()}
    found = compute([rows], **{name: agg.expr(each) for name, each in asked.items()})
    for name, each in asked.items():
        assert found[name][0] == pytest.approx(pl.DataFrame(rows, schema=OWN).select(each).item(), rel=1e-14)


@settings(max_examples=60)
@given(GROUPS)
def test_sql_means_what_sql_means(groups: list[list[dict[str, Any]]]) -> None:
    asked = {
        "range": "MAX(a) - MIN(a)",
        "total": "SUM(b)",
        "all": "COUNT(*) * 100 + COUNT(a)",
        "ones": "COUNT(1)",
        "different": "count(DISTINCT text)",
        "different_some": "COUNT(DISTINCT b + 1) FILTER (WHERE flag)",
        "declined": "COUNT(*) FILTER (WHERE text = 'x' AND b > 0)",
        "share": "COALESCE(SUM(a) FILTER (WHERE b > 0), 0) / COUNT(*)",
        "case": "CASE WHEN COUNT(*) > 2 THEN MAX(b) ELSE MIN(b) END",
        "quantile": "QUANTILE_CONT(COALESCE(a, 0), 0.5)",
        "inside": "SUM(CASE WHEN flag THEN 1 ELSE 0 END)",
        "spread": "STDDEV_POP(b)",
    }
    found = compute(groups, **{name: agg.expr(text) for name, text in asked.items()})
    for place, rows in enumerate(groups):
        a = [row["a"] for row in rows if row["a"] is not None]
        b = [row["b"] for row in rows if row["b"] is not None]
        positive = [row["a"] for row in rows if row["a"] is not None and (row["b"] or 0) > 0]
        ranked = sorted(row["a"] or 0.0 for row in rows)
        exact = Fraction(sum(b), max(len(b), 1))
        expected = {
            "range": max(a) - min(a) if a else None,
            "total": sum(b) if b else None,
            "all": len(rows) * 100 + len(a),
            "ones": len(rows),
            "different": len({row["text"] for row in rows} - {None}),
            "different_some": len({row["b"] for row in rows if row["flag"]} - {None}),
            "declined": sum(row["text"] == "x" and (row["b"] or 0) > 0 for row in rows),
            "share": sum(positive) / len(rows),
            "case": (max if len(rows) > 2 else min)(b, default=None),
            "quantile": (ranked[(len(rows) - 1) // 2] + ranked[len(rows) // 2]) / 2,
            "inside": sum(bool(row["flag"]) for row in rows),
        }
        for name, value in expected.items():
            assert found[name][place] == value, name
        if b:
            spread = math.sqrt(sum((value - exact) ** 2 for value in b) / len(b))
            assert found["spread"][place] == pytest.approx(spread, rel=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_neither_size_nor_company_nor_order_shows_in_the_last_bit(seed: int) -> None:
    # Polars adds floats otherwise in one group than in many, in a long column than in a short one, with nulls or not.
    chance = random.Random(seed)
    sizes = [*range(1, 20), 63, 64, 65, 127, 128, 129, 255, 257, 600, *(chance.randint(1, 300) for _ in range(20))]
    chance.shuffle(sizes)
    odd = chance.choice([0.0, 0.2])
    groups = [
        [
            {"a": None if chance.random() < odd else chance.uniform(-1, 1) * 10 ** chance.randint(-9, 9), "b": 1}
            | {"flag": chance.random() < 0.7, "text": None}
            for _ in range(size)
        ]
        for size in sizes
    ]
    asked = {
        "sum": col("a").sum(),
        "mean": col("a").filter(col("flag")).mean() / 3,
        "std": (col("a") / 7).std(),
        "furthest": (col("a") - col("a").mean()).abs().sum() / pl.len(),
        "sql": "SUM(a / 3) FILTER (WHERE flag) / COUNT(*) * 0.1",
    }
    aggregates = {name: agg.expr(each) for name, each in asked.items()}
    together = compute(groups, **aggregates)
    for place, rows in enumerate(groups):
        for name, column in compute([chance.sample(rows, len(rows))], **aggregates).items():
            assert plain(column[0]) == plain(together[name][place]), (name, len(rows))
        there = [Fraction(row["a"]) for row in rows if row["a"] is not None]
        assert together["sum"][place] == float(sum(there, Fraction(0)))


def test_equal_parts_are_reckoned_once_and_kept_once() -> None:
    mean = col("a").mean()
    summary = Summary.of((col("a") - mean).max() + mean + mean, where=WHERE)
    assert [fold.function for fold in summary.folds] == ["mean", "max"]
    assert summary.columns() == {"a"}
    groups = Groups((("x", agg.expr("MAX(a + 1) - MIN(a + 1)")), ("y", agg.sum("a + 1"))), STREAM, WHERE)
    assert (list(groups.expressions), groups.plain) == (["_0"], [])


def test_what_cannot_be_reckoned_says_of_which_group() -> None:
    rows = [[{"a": 1.0, "b": value, "flag": None, "text": None}] for value in (1, 2, 300, 4)]
    with pytest.raises(DataError, match=r"cannot be reckoned") as caught:
        compute(rows, small=agg.expr(col("b").max().cast(pl.Int8)))
    assert caught.value.where == "step 'doc', 'small', group 2"
    with pytest.raises(DataError, match=r"cannot be reckoned") as caught:
        compute(rows, small=agg.expr((col("b") + col("b").min() - 0).cast(pl.Int8).max()))
    assert caught.value.where == "step 'doc', 'small', group 2"
    with pytest.raises(DataError, match="beyond 64 bits") as caught:
        compute([[rows[0][0]], [rows[0][0] | {"b": 2**62}] * 2], total=agg.expr("SUM(b)"))
    assert "group 1" in str(caught.value)


REFUSED: list[tuple[Any, str]] = [
    (col("a").first(), "first goes by the order"),
    (col("a").last() - col("a").max(), "last goes by the order"),
    (col("a").diff().max(), "diff goes by the order"),
    (col("a").shift(1).max(), "shift goes by the order"),
    (col("a").cum_sum().max(), "cum_sum goes by the order"),
    (col("a").sort().first(), "goes by the order"),
    (col("a").top_k(2).sum(), "top_k.* goes by the order"),
    (col("a").arg_max(), "arg_max goes by the order"),
    (col("a").max().over("b"), "over goes by the order"),
    (col("a").sample(1).max(), "sample"),
    (col("a").implode(), "implode goes by the order"),
    (col("a").skew(), "skew"),
    (col("a").map_elements(lambda value: value, pl.Float64).max(), "Python"),
    (col("a"), "outside of an aggregate"),
    (col("a").max() - col("b"), "'b' stands outside"),
    (col("a").filter(col("b") > 0) + col("a").max(), "filter stands right before"),
    (col("a").filter(col("b") > 0).filter(col("flag")).max(), "after another"),
    (col("a").drop_nulls().filter(col("flag")).max(), "after drop_nulls"),
    (pl.lit(1), "nothing in it aggregates"),
    (pl.lit(1).sum(), "one value and not one for each event"),
    (col("a").max().min(), "one value and not one for each event"),
    (col("flag").any(ignore_nulls=False), "any"),
    (col("a").quantile(col("b").max()), "quantile"),
    (col("a", "b").max(), "several columns"),
    ("a", "outside of an aggregate"),
    ("MAX(a) - b", "'b' stands outside"),
    ("1", "nothing in it aggregates"),
    ("FIRST(a)", "FIRST cannot be used"),
    ("SUM(DISTINCT b)", "DISTINCT"),
    ("MAX(a) OVER (PARTITION BY b)", "OVER"),
    ("MAX(a - AVG(a))", "AVG stands inside MAX"),
    ("SUM(a", "bracket"),
    ("SUM()", "empty|expression"),
    ("SUM(a) FILTER (b > 1)", "WHERE"),
    ("MAX(a) + NOW()", "NOW reads the clock"),
    ("MAX(a) + RANDOM()", "random"),
    ("SUM((SELECT 1))", "subquery"),
    ("QUANTILE_CONT(a, b)", "between 0 and 1"),
    ("QUANTILE_CONT(a, 1.5)", "between 0 and 1"),
    ("COUNT(*, a)", "SQL"),
    ('MAX(a) + "\0fold 3"', "character"),
    ("", "empty"),
    (3, "not an expression"),
]


@pytest.mark.parametrize(("wrong", "what"), REFUSED, ids=[str(place) for place in range(len(REFUSED))])
def test_what_is_no_value_of_a_window_is_refused(wrong: Any, what: str) -> None:
    with pytest.raises(ExpressionError, match=what):
        agg.expr(wrong)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (col("nothing").max(), "unknown column"),
        (col("text").sum(), "takes numbers"),
        (col("b").any(), "true or false"),
        (col("text").max() + col("a").sum(), "do not fit"),
        (col("a").filter(col("b")).sum(), "true or false"),
        ("AVG(text)", "takes numbers"),
    ],
)
def test_types_that_do_not_fit_are_refused(wrong: Any, what: str) -> None:
    with pytest.raises(ExpressionError, match=what):
        agg.expr(wrong).dtype(STREAM.readable, where=WHERE)


DEEP: Any = {"column": "a"}
for _ in range(400):
    DEEP = {"call": "max", "of": [{"call": "add", "of": [{"column": "a"}, DEEP]}]}


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {"sql": "MAX(a)", "more": 1},
        {"version": 2, "tree": {}},
        {"version": True, "tree": {"call": "len", "of": []}},
        {"version": 1, "tree": {"call": "max", "of": []}},
        {"version": 1, "tree": {"call": "max", "of": [{"column": "a"}], "with": {"x": 1}}},
        {"version": 1, "tree": {"call": "max", "of": [{"column": "a"}], "more": 1}},
        {"version": 1, "tree": {"call": "max", "of": [{"column": "*"}]}},
        {"version": 1, "tree": {"call": "max", "of": [{"column": "\0fold 0"}]}},
        {"version": 1, "tree": {"call": "add", "of": [{"column": "\0fold 0"}, {"call": "len", "of": []}]}},
        {"version": 1, "tree": {"call": "var", "of": [{"column": "a"}], "with": {"ddof": "1"}}},
        {"version": 1, "tree": {"call": "quantile", "of": [{"column": "a"}], "with": {"q": 1, "interpolation": "x"}}},
        {"version": 1, "tree": {"call": "max", "of": [{"call": "filter", "of": [{"column": "a"}]}]}},
        {"version": 1, "tree": {"call": "filter", "of": [{"column": "a"}, {"column": "flag"}]}},
        {"version": 1, "tree": {"call": "map_elements", "of": [{"call": "len", "of": []}]}},
        {"version": 1, "tree": DEEP},
        {"version": 1, "tree": [1]},
    ],
)
def test_a_stored_expression_that_was_changed_is_refused(stored: Any) -> None:
    with pytest.raises(FlowError):
        Aggregate.from_json({"function": "expr", "value": stored}, where=WHERE)


@pytest.mark.parametrize("name", ASKED)
def test_a_stored_expression_is_read_back(name: str) -> None:
    made = agg.expr(ASKED[name])
    again = Aggregate.from_json(made.to_json(), where=WHERE)
    assert (again, str(again), again.to_json()) == (made, str(made), made.to_json())
    assert again.dtype(STREAM.readable, where=WHERE) == made.dtype(STREAM.readable, where=WHERE)
