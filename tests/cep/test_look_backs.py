"""Law (oracle): a condition that looks back has the value that Polars gives it over columns that hold what it reads."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab import col, matched
from styx_lab.errors import ExpressionError
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import Detect
from tests.cep.every_kind import COLUMNS, compiled, reading, scripts, step_of, told
from tests.cep.kit import Script, batch, stream

A, B = matched("a"), matched("b b")
NUMBERS = [
    col("amount"),
    col("tries").cast(pl.Float64),
    A.amount.first(), A.amount.last(), A.amount.sum(), A.amount.mean(), A.amount.min(), A.amount.max(),
    B.tries.sum(), B.tries.min(), B.tries.max(), B.tries.mean(),
    A.count() * 1.0, B.count() + 0.0,
    pl.lit(2.0), pl.lit(0.0),
]  # fmt: skip
PAIRS = [
    (col("status"), A.status.last()), (col("status"), B.status.first()), (A.status.first(), B.status.last()),
    (col("status"), pl.lit("declined")), (A.status.first(), pl.lit("e")), (A.status.last(), pl.lit("")),
    (col("tries"), A.tries.last()), (A.tries.first(), B.tries.last()), (A.count(), B.count()),
    (col("at"), A.at.first()), (A.at.last(), B.at.last()), (col("sure"), A.sure.last()),
    (col("status").str.len_chars(), A.count()), (col("_time"), B["_time"].last()),
]  # fmt: skip


@st.composite
def numbers(draw: st.DrawFn, depth: int = 2) -> pl.Expr:
    if not depth or draw(st.booleans()):
        return draw(st.sampled_from(NUMBERS))
    left, right = draw(numbers(depth - 1)), draw(numbers(depth - 1))
    ways = [left + right, left - right, left * right, left / right, -left, left.fill_null(right)]
    return draw(st.sampled_from([*ways, pl.coalesce(left, right)]))


@st.composite
def truths(draw: st.DrawFn, depth: int = 2) -> pl.Expr:
    if not depth or draw(st.integers(0, 2)) == 0:
        left, right = draw(st.one_of(st.tuples(numbers(), numbers()), st.sampled_from(PAIRS)))
        ways = [left > right, left >= right, left < right, left <= right, left == right, left != right]
        return draw(st.sampled_from([*ways, left.is_null(), right.is_not_null(), A.sure.first(), col("sure")]))
    left, right = draw(truths(depth - 1)), draw(truths(depth - 1))
    return draw(st.sampled_from([left & right, left | right, ~left, left.fill_null(value=True), left.is_null()]))


@pytest.mark.laws
@given(truths(), truths(), scripts(most=16))
def test_what_looks_back_means_what_polars_says(one: pl.Expr, other: pl.Expr, script: Script) -> None:
    pattern = Pattern.begin("a").times(1, 2).followed_by_any("b b").where(one).optional().next("c").where(other)
    step = step_of(pattern)
    try:
        step.infer([stream(COLUMNS, "key")])
    except ExpressionError:
        return  # of nothing but constants, or of columns alone where types do not fit
    whole = batch(script, COLUMNS, delay=0)
    found = [(row.key, row.parts) for row in told(compiled(step), [whole])]
    expected = reading(step, whole)
    for key in "ab":
        assert [parts for of, parts in found if of == key] == [one.row.parts for one in expected.get(key, [])]


@pytest.mark.parametrize(
    ("dtype", "hint"), [(pl.UInt64, "Int64"), (pl.Datetime("ns"), "microseconds"), (pl.Duration("ns"), "microseconds")]
)
@pytest.mark.parametrize("asked", [A.odd.last() == col("odd"), A.odd.first().is_null(), col("odd") < A.odd.first()])
def test_a_type_whose_values_would_run_together_is_refused(dtype: Any, hint: str, asked: pl.Expr) -> None:
    pattern = Pattern.begin("a").followed_by("b").where(asked)
    type_ = stream({**COLUMNS, "odd": dtype}, "key")
    with pytest.raises(ExpressionError, match=f"part 'b'.*cast it to {hint}"):
        Detect("detect", (), pattern, ()).infer([type_])


def test_so_is_what_the_event_is_asked_for() -> None:
    pattern = Pattern.begin("a").followed_by("b").where(col("odd") + 1 > A.count())
    with pytest.raises(ExpressionError, match="cast it to Int64"):
        Detect("detect", (), pattern, ()).infer([stream({**COLUMNS, "odd": pl.UInt64()}, "key")])
