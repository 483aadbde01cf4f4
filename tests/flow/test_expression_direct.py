"""What needs no query is what a query gives: conditions and parts, over columns of every kind, against Polars."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col, lit

from styx_lab.core.schema import TIME_DTYPE
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.direct import NotDirect, direct
from styx_lab.flow.expression.stages import written_out
from styx_lab.flow.expression.values import evaluate, truths

LEAST, MOST = -(2**63), 2**63 - 1
FLOATS = [
    float("nan"),
    0.0,
    -0.0,
    1.0,
    1.5,
    -3.25,
    0.1,
    0.3,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e308,
    5e-324,
    2.0**53,
]
INTS = [0, 1, -1, 2, 3, 2**53, 2**53 + 1, -(2**53) - 1, LEAST, MOST]
TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "fail",
    "auth",
    "a text of more than twelve bytes",
    "a text of more than twelve",
    "é",
    "\0",
]
TIMES = [0, -1, 1, 1_700_000_000_000]
SCHEMA: dict[str, pl.DataType] = {
    "f": pl.Float64(), "g": pl.Float64(), "n": pl.Int64(), "m": pl.Int64(), "s": pl.String(), "t": pl.String(),
    "b": pl.Boolean(), "c": pl.Boolean(), "w": TIME_DTYPE, "v": TIME_DTYPE,
    "p": pl.Struct({"f": pl.Float64(), "s": pl.String(), "b": pl.Boolean(), "i": pl.Struct({"n": pl.Int64()})}),
}  # fmt: skip


def of(value: Any) -> Expression:
    return Expression.of(value, where="test")


def queried(frame: pl.DataFrame, expression: Expression) -> list[Any]:
    """By Polars alone, over two rows at least, as the law of `values.py` has it."""
    whole = written_out(pl.concat([frame, frame]) if frame.height == 1 else frame)
    values: list[Any] = expression.stages.over(whole, "\0value").get_column("\0value").to_list()
    return values[: frame.height]


def values_of(dtype: Any) -> st.SearchStrategy[Any]:
    if isinstance(dtype, pl.Struct):
        fields = {field.name: st.none() | values_of(field.dtype) for field in dtype.fields}
        return st.fixed_dictionaries(fields)
    return {
        pl.Float64: st.sampled_from(FLOATS) | st.floats(),
        pl.Int64: st.sampled_from(INTS) | st.integers(LEAST, MOST),
        pl.String: st.sampled_from(TEXTS),
        pl.Boolean: st.booleans(),
        pl.Datetime: st.sampled_from(TIMES),
    }[dtype if isinstance(dtype, type) else type(dtype)]


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    height = draw(st.sampled_from([0, 1, 1, 2, 3, 7, 7, 20]))
    columns = []
    for name, dtype in SCHEMA.items():
        one = values_of(dtype) if draw(st.booleans()) else st.none() | values_of(dtype)
        columns.append(pl.Series(name, draw(st.lists(one, min_size=height, max_size=height)), dtype=dtype))
    frame = pl.DataFrame(columns)
    if height > 1 and draw(st.booleans()):
        # In pieces, and the first row of another frame.
        frame = pl.concat([frame[:1], frame[1:]], rechunk=False)
    return frame[1:] if height > 2 and draw(st.booleans()) else frame


def constants(kind: str) -> st.SearchStrategy[Any]:
    finite = st.sampled_from([value for value in FLOATS if np.isfinite(value)])
    return {
        "f": finite | st.sampled_from(INTS),
        "n": st.sampled_from(INTS) | finite,
        "s": st.sampled_from(TEXTS),
        "b": st.booleans(),
    }[kind]


COLUMNS = {
    "f": [col("f"), col("g"), col("p").struct.field("f")],
    "n": [col("n"), col("m"), col("p").struct.field("i").struct.field("n")],
    "s": [col("s"), col("t"), col("p").struct.field("s")],
    "b": [col("b"), col("c"), col("p").struct.field("b")],
    "w": [col("w"), col("v")],
}
ORDERS = ["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"]


@st.composite
def leaves(draw: st.DrawFn) -> pl.Expr:
    kind = draw(st.sampled_from("fnsb"))
    column = draw(st.sampled_from(COLUMNS[kind]))
    shape = draw(st.integers(0, 7))
    order = draw(st.sampled_from(ORDERS if kind != "b" else ORDERS[:2]))
    if shape <= 2:
        made = getattr(column, order)(draw(constants(kind)))
    elif shape == 3:
        made = getattr(lit(draw(constants(kind))), order)(column)
    elif shape == 4:
        kind = draw(st.sampled_from("fnsw"))
        made = getattr(draw(st.sampled_from(COLUMNS[kind])), order)(draw(st.sampled_from(COLUMNS[kind])))
    elif shape == 5:
        column = draw(st.sampled_from([*COLUMNS[kind], *COLUMNS["w"]]))
        made = draw(st.sampled_from([column.is_null(), column.is_not_null()]))
    elif shape == 6:
        wanted = [
            value for value in draw(st.lists(constants(kind), min_size=1, max_size=4)) if type(value) is not float
        ]
        made = column.is_in(wanted, nulls_equal=draw(st.booleans())) if wanted and kind in "ns" else column.is_null()
    elif kind == "b":
        made = column
    else:
        closed: Any = draw(st.sampled_from(["both", "left", "right", "none"]))
        made = column.is_between(lit(draw(constants(kind))), lit(draw(constants(kind))), closed=closed)
    assert isinstance(made, pl.Expr)
    return made


def conditions() -> st.SearchStrategy[pl.Expr]:
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            inner.map(lambda one: ~one),
            st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
            st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
            st.lists(inner, min_size=1, max_size=3).map(pl.all_horizontal),
            st.lists(inner, min_size=1, max_size=3).map(pl.any_horizontal),
        ),
        max_leaves=5,
    )


def agree(frame: pl.DataFrame, expression: Expression) -> bool:
    """Whether it needs no query; if so it is what a query gives, and always what the operators see is."""
    try:
        right = queried(frame, expression)
    except pl.exceptions.PolarsError:
        # Polars compares no text with a number, say: such a one is refused when a flow is made.
        return False
    assert evaluate(frame, {"x": expression})["x"].to_list() == right
    assert truths(frame, [expression])[expression].tolist() == [value is True for value in right]
    condition = direct(expression).condition
    if condition is None:
        return False
    try:
        told = condition(frame)
    except NotDirect:
        return False
    nulls = [False] * frame.height if told.null is None else told.null.tolist()
    found = [None if null else true for true, null in zip(told.true.tolist(), nulls, strict=True)]
    assert found == right
    assert not (told.true & np.array(nulls, np.bool_)).any()
    return True


@settings(max_examples=300)
@given(frames(), conditions())
def test_a_condition_gives_what_a_query_gives(frame: pl.DataFrame, condition: pl.Expr) -> None:
    agree(frame, of(condition))


TEXT_OF = {"f": ["f", "g", "p.f"], "n": ["n", "m"], "s": ["s", "t", "p.s"], "b": ["b", "c"]}


@st.composite
def sql_leaves(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from("ffnsb"))
    name = draw(st.sampled_from(TEXT_OF[kind]))
    numbers = st.sampled_from(["0", "1", "-1", "0.5", "-0.1", "0.30", "1e3", "9007199254740993", "123456.789", "-0.0"])
    literals = {
        "f": numbers,
        "n": numbers,
        "s": st.sampled_from([f"'{text}'" for text in TEXTS if text != "\0"]),
        "b": st.sampled_from(["TRUE", "FALSE"]),
    }[kind]
    shape = draw(st.integers(0, 6))
    if shape == 0:
        return f"{name} IS {draw(st.sampled_from(['', 'NOT ']))}NULL"
    if shape == 1 and kind != "b":
        return f"{name} BETWEEN {draw(literals)} AND {draw(literals)}"
    if shape == 2 and kind != "b":
        return f"{name} {draw(st.sampled_from(['', 'NOT ']))}IN ({', '.join(draw(st.lists(literals, min_size=1)))})"
    if shape == 3:
        return f"{draw(literals)} {draw(st.sampled_from(['=', '<>']))} {name}"
    signs = ["=", "<>", "!="] if kind == "b" else ["=", "<>", "<", "<=", ">", ">="]
    return f"{name} {draw(st.sampled_from(signs))} {draw(literals)}"


def sql_conditions() -> st.SearchStrategy[str]:
    return st.recursive(
        sql_leaves(),
        lambda inner: st.one_of(
            inner.map(lambda one: f"NOT ({one})"),
            st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda two: f"({two[0]}) {two[1]} ({two[2]})"),
        ),
        max_leaves=5,
    )


@settings(max_examples=300)
@given(frames(), sql_conditions())
def test_a_condition_in_sql_gives_what_a_query_gives(frame: pl.DataFrame, condition: str) -> None:
    agree(frame, of(condition))


FRAME = pl.DataFrame(
    {
        "f": [1.0, float("nan"), None],
        "n": [1, 2, None],
        "s": ["fail", "auth", None],
        "b": [True, False, None],
        "w": pl.Series([1, 2, None]).cast(TIME_DTYPE),
        "p": [{"f": 1.0}, {"f": None}, None],
    }
)


@pytest.mark.parametrize(
    "condition",
    [
        "s = 'fail'", "s <> 'fail'", "s = 'auth' AND f > 0.5", "f > 100", "100 < f", "n >= 3 OR b", "NOT b", "b = TRUE",
        "s IN ('fail', 'auth')", "n IN (1, 2)", "n BETWEEN 1 AND 2", "f IS NULL", "p.f IS NOT NULL", "p.f < 3",
        "w IS NULL", col("f").is_between(0, 2), ~(col("s") == "x") | col("b"), col("f") == col("f"), col("b"),
    ],
)  # fmt: skip
def test_the_common_conditions_need_no_query(condition: Any) -> None:
    assert agree(FRAME, of(condition))
    assert agree(FRAME[:1], of(condition))
    assert agree(FRAME[:2], of(condition))
    assert agree(FRAME.clear(), of(condition))


@pytest.mark.parametrize(
    "condition",
    [
        "f * 2 > 100", "s LIKE 'f%'", "n > 2.5", col("w") > datetime(2024, 1, 1, tzinfo=UTC), col("n") > 2**63,
        col("f") > 2**60 + 1, col("s").is_in(["a", None]), col("n").is_in(list(range(9))), col("s").is_in([]),
        col("s").is_in(["a"], nulls_equal=True),
        col("b").is_in([True]), col("f").cast(pl.Boolean), col("f") == col("n"), lit(value=True),
        col("b").eq_missing(lit(value=None)),
    ],
)  # fmt: skip
def test_what_is_not_known_is_left_to_a_query(condition: Any) -> None:
    assert not agree(FRAME, of(condition))


def test_columns_and_parts_need_no_query() -> None:
    expressions = {"a": of("f"), "b": of("p.f"), "c": of(col("s").alias("other")), "d": of("f * 2")}
    made = evaluate(FRAME, expressions)
    assert made.columns == ["a", "b", "c", "d"]
    assert made["b"].to_list() == [1.0, None, None]
    assert made["c"].to_list() == ["fail", "auth", None]
    assert [direct(one).column is not None for one in expressions.values()] == [True, True, True, False]


@settings(max_examples=200)
@given(frames(), st.sampled_from([one for kind in COLUMNS.values() for one in kind]))
def test_a_part_is_what_a_query_gives(frame: pl.DataFrame, column: pl.Expr) -> None:
    found = evaluate(frame, {"x": of(column)})["x"]
    right = frame.select(column.alias("x"))["x"]
    assert found.dtype == right.dtype
    assert found.equals(right, check_names=True)
