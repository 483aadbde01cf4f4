"""Law: a condition that looks back means the same split into its parts as it does whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab import col, matched
from styx_lab.flow.expression import Expression, evaluate
from styx_lab.flow.pattern import Fold, Lookback
from styx_lab.flow.pattern.lookback import OPERATIONS, comparable, shown
from styx_lab.flow.pattern.matched import fold_of

NUMBERS = [None, -1.5, 0.0, 1.0, 2.0, 3.25]
LEAVES = [
    col("amount"),
    col("amount") * 2 + 1,
    col("tries").cast(pl.Float64),
    matched("a").amount.sum(),
    matched("a").amount.last(),
    matched("b b")['odd "column"'].max(),
    matched("a").count().fill_null(0),
    pl.lit(2.0),
]


def split(expression: pl.Expr) -> Lookback:
    return Lookback.of(Expression.of(expression, where="test"), where="test")


@st.composite
def numbers(draw: st.DrawFn, depth: int = 3) -> pl.Expr:
    if not depth or draw(st.booleans()):
        return draw(st.sampled_from(LEAVES))
    left, right = draw(numbers(depth - 1)), draw(numbers(depth - 1))
    ways = [left + right, left - right, left * right, -left, left.fill_null(right), pl.coalesce(left, right)]
    return draw(st.sampled_from(ways))


@st.composite
def truths(draw: st.DrawFn, depth: int = 3) -> pl.Expr:
    if not depth or draw(st.integers(0, 3)) == 0:
        left, right = draw(numbers()), draw(numbers())
        ways = [left > right, left >= right, left < right, left <= right, left == right, left != right]
        return draw(st.sampled_from([*ways, left.is_null(), right.is_not_null(), col("amount") > 1]))
    left, right = draw(truths(depth - 1)), draw(truths(depth - 1))
    return draw(st.sampled_from([left & right, left | right, ~left, left.fill_null(value=True), left.is_null()]))


def run(program: Any, inputs: list[Any], folds: list[Any]) -> Any:
    """The program, the plain way, with three values of truth."""
    name, *rest = program
    if name in ("input", "fold", "const"):
        return {"input": inputs, "fold": folds}[name][rest[0]] if name != "const" else rest[0]
    values = [run(one, inputs, folds) for one in rest]
    left, right = values[0], values[-1]
    match name:
        case "coalesce":
            return next((one for one in values if one is not None), None)
        case "is_null":
            return left is None
        case "is_not_null":
            return left is not None
        case "and":
            return False if False in (left, right) else None if None in (left, right) else True
        case "or":
            return True if True in (left, right) else None if None in (left, right) else False
    if None in values:
        return None
    plain = {
        "not": lambda: not left, "negate": lambda: -left, "add": lambda: left + right, "subtract": lambda: left - right,
        "multiply": lambda: left * right, "equal": lambda: left == right, "not_equal": lambda: left != right,
        "less": lambda: left < right, "less_or_equal": lambda: left <= right, "greater": lambda: left > right,
        "greater_or_equal": lambda: left >= right,
    }  # fmt: skip
    return plain[name]()


VALUE = st.sampled_from(NUMBERS)


@given(
    truths(), st.lists(st.tuples(VALUE, st.sampled_from([None, 0, 1, 2]), VALUE, VALUE, VALUE), min_size=2, max_size=4)
)
def test_split_it_means_what_it_means_whole(asked: pl.Expr, rows: list[tuple[Any, ...]]) -> None:
    expression = Expression.of(asked, where="test")
    lookback = Lookback.of(expression, where="test")
    known = [matched("a").amount.sum(), matched("a").amount.last(), matched("b b")['odd "column"'].max()]
    names = [one.meta.output_name() for one in known]
    count = matched("a").count().meta.output_name()
    frame = pl.DataFrame(
        {
            "amount": [row[0] for row in rows],
            "tries": [row[1] for row in rows],
            **{name: [row[2 + place] for row in rows] for place, name in enumerate(names)},
            count: [float(place) for place in range(len(rows))],
        },
        schema_overrides={"amount": pl.Float64, "tries": pl.Int64, **dict.fromkeys(names, pl.Float64)},
    )
    whole = evaluate(frame, {"whole": expression})["whole"].to_list()
    parts = evaluate(frame, {str(place): one for place, one in enumerate(lookback.inputs)}) if lookback.inputs else None
    for row in range(len(rows)):
        inputs = [] if parts is None else list(parts.row(row))
        folds = [frame[fold.name][row] for fold in lookback.folds]
        assert run(lookback.program, inputs, folds) == whole[row]


def test_what_depends_on_the_event_alone_is_kept_whole_and_once() -> None:
    asked = (col("amount") * 2 > matched("a").amount.sum()) & (col("amount") * 2 < 3 * matched("a").amount.sum())
    found = split(asked & (col("status") == "ok"))
    assert [one.text for one in found.inputs] == ["amount * 2", "status == 'ok'"]
    assert found.folds == (Fold("a", "sum", "amount"),)
    assert found.program == (
        "and",
        (
            "and",
            ("greater", ("input", 0), ("fold", 0)),
            ("less", ("input", 0), ("multiply", ("const", 3), ("fold", 0))),
        ),
        ("input", 1),
    )


def test_a_condition_of_the_event_alone_is_one_input() -> None:
    expression = Expression.of("amount > 5", where="test")
    assert Lookback.of(expression, where="test") == Lookback((expression,), (), ("input", 0))


def test_every_operation_has_its_number_of_arguments() -> None:
    def check(program: Any) -> None:
        name, *rest = program
        if name not in ("input", "fold", "const"):
            assert OPERATIONS[name] in (None, len(rest))
            for one in rest:
                check(one)

    check(split(-matched("a").amount.sum() / 2 < 1).program)
    check(split(pl.coalesce(matched("a").amount.first(), 1, 2) != 0).program)


@pytest.mark.parametrize(
    "fold",
    [
        Fold("a", "sum", "amount"),
        Fold('q"uo\\te', "last", "a]b)"),
        Fold("é\n", "count"),
        Fold("a", "first", "_time"),
    ],
)
def test_a_look_back_reads_back_from_its_name(fold: Fold) -> None:
    assert fold_of(fold.name) == fold
    assert shown(Expression.of(pl.col(fold.name) > 1, where="test")) == f"{fold} > 1"


@pytest.mark.parametrize(
    "name", ["amount", "_matched", '_matched("a").sum()', '_matched("a")["x"].count()', '_matched("a")["x"].std()']
)
def test_other_names_are_no_look_backs(name: str) -> None:
    assert fold_of(name) is None


def test_types_are_those_of_the_columns() -> None:
    schema: dict[str, pl.DataType] = {"amount": pl.Int64(), "status": pl.String(), "_time": pl.Datetime("ms", "UTC")}
    part = matched("a")
    asked = split(
        (part.amount.sum() > 1) & (part.amount.last() > 1) & (part.status.first() == "x") & (part.count() > 1)
        & (part["_time"].last() < col("_time"))
    )  # fmt: skip
    dtypes = dict(zip(asked.folds, asked.fold_dtypes(schema, where="test"), strict=True))
    assert dtypes[Fold("a", "sum", "amount")] == pl.Float64()
    assert dtypes[Fold("a", "last", "amount")] == pl.Int64()
    assert dtypes[Fold("a", "first", "status")] == pl.String()
    assert dtypes[Fold("a", "count")] == pl.Int64()
    assert dtypes[Fold("a", "last", "_time")] == pl.Datetime("ms", "UTC")
    assert asked.input_dtypes(schema, where="test") == (pl.Datetime("ms", "UTC"),)


def test_times_are_compared_in_microseconds() -> None:
    moment = datetime(2024, 1, 1, 12, tzinfo=UTC)
    micros = int(moment.timestamp()) * 1_000_000
    assert split(matched("a")["_time"].last() > moment).program[2] == ("const", micros)
    assert split(col("_time") - matched("a")["_time"].last() < timedelta(seconds=2)).program[2] == ("const", 2_000_000)
    assert comparable(pl.Series([moment]).cast(pl.Datetime("ms", "UTC"))).to_list() == [micros]
    assert comparable(pl.Series([moment.date()])).to_list() == [
        int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    ]
    assert comparable(pl.Series(["x"])).to_list() == ["x"]
