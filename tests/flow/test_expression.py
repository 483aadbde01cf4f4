"""Expressions: what is refused and how it is said, the check against a schema, equality, loading what is hostile."""

from __future__ import annotations

import copy
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars import col, lit

from styx_lab.errors import ExpressionError
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.values import evaluate

SCHEMA: dict[str, pl.DataType] = {
    "amount": pl.Float64(),
    "count": pl.Int64(),
    "status": pl.String(),
    "tags": pl.List(pl.String()),
    "drain": pl.Struct({"amount": pl.Float64()}),
    "_time": pl.Datetime("ms", "UTC"),
}


def of(value: Any) -> Expression:
    return Expression.of(value, where="step 's'")


REFUSED: dict[str, tuple[pl.Expr, str]] = {
    "sum": (col("a").sum() > 1, "window"),
    "mean": (col("a") > col("a").mean(), "window"),
    "count": (col("a").count(), "window"),
    "len": (pl.len() > 1, "window"),
    "n_unique": (col("a").n_unique(), "window"),
    "first": (col("a").first(), "window"),
    "quantile": (col("a").quantile(0.5), "window"),
    "any": (col("a").any(), "window"),
    "null_count": (col("a").null_count(), "window"),
    "implode": (col("a").implode(), "window"),
    "corr": (pl.corr("a", "b"), "window"),
    "str.join": (col("a").str.join("-"), "window"),
    "over": (col("a").sum().over("b"), "window"),
    "shift": (col("a").shift(), "detect"),
    "diff": (col("a").diff(), "detect"),
    "pct_change": (col("a").pct_change(), "detect"),
    "rank": (col("a").rank(), "detect"),
    "cum_sum": (col("a").cum_sum(), "detect"),
    "rolling_mean": (col("a").rolling_mean(3), "detect"),
    "rolling_sum_by": (col("a").rolling_sum_by("t", "1h"), "detect"),
    "rolling": (col("a").sum().rolling(index_column="t", period="1h"), "detect"),
    "ewm_mean": (col("a").ewm_mean(com=1), "detect"),
    "interpolate": (col("a").interpolate(), "detect"),
    "fill_null(strategy=...)": (col("a").fill_null(strategy="forward"), "detect"),
    "rle_id": (col("a").rle_id(), "detect"),
    "is_unique": (col("a").is_unique(), "detect"),
    "is_first_distinct": (col("a").is_first_distinct(), "detect"),
    "sort": (col("a").sort(), "one value for each event"),
    "sort_by": (col("a").sort_by("b"), "one value for each event"),
    "reverse": (col("a").reverse(), "one value for each event"),
    "unique": (col("a").unique(), "one value for each event"),
    "slice": (col("a").head(2), "one value for each event"),
    "gather": (col("a").get(0), "one value for each event"),
    "filter": (col("a").filter(col("b") > 1), "one value for each event"),
    "explode": (col("a").explode(), "one value for each event"),
    "drop_nulls": (col("a").drop_nulls(), "one value for each event"),
    "int_range": (pl.int_range(pl.len()), "one value for each event"),
    "sample": (col("a").sample(1), "replay"),
    "shuffle": (col("a").shuffle(), "replay"),
    "map_batches": (col("a").map_batches(lambda values: values), "Polars functions"),
    "map_elements": (col("a").map_elements(lambda value: [value], return_dtype=pl.List(pl.Int64)), "Polars functions"),
    "fold_horizontal": (pl.fold(0, lambda x, y: x + y, ["a"]), "Polars functions"),
    "name": (col("a").name.suffix("x"), "alias"),
    "list.eval": (col("a").list.eval(pl.element() * 2), "list.len"),
    "several columns": (col("a", "b"), "name each column"),
    "several": (pl.all(), "name each column"),
    "a pattern": (col("^a.*$"), "name each column"),
    "hash": (col("a").hash(), "docs/expressions.md"),
    "format": (col("a").str.to_date(), "give the format"),
    "is_in": (col("a").is_in(col("b")), "list of constants"),
    "NaN": (col("a") > lit(float("nan")), "number"),
    "a list of constants": (lit([1, 2]), "is_in"),
    "Categorical": (col("a").cast(pl.Categorical), "cast to"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_row_wise_is_refused_by_name_with_advice(name: str) -> None:
    value, advice = REFUSED[name]
    for expression in (value, (value.is_null() | col("x")).alias("y"), pl.when(col("x")).then(value)):
        with pytest.raises(ExpressionError) as refused:
            of(expression)
        assert name in str(refused.value)
        assert advice in str(refused.value.hint)
        assert refused.value.where == "step 's'"


def test_what_is_unknown_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"dt\.time cannot be used"):
        of(col("a").dt.time())
    with pytest.raises(ExpressionError, match="not an expression; got 5"):
        of(5)


def test_a_chain_that_is_too_long_is_refused() -> None:
    chain = col("a") == 0
    for number in range(200):
        chain = chain | (col("a") == number)
    with pytest.raises(ExpressionError, match="nested too deeply"):
        of(chain)


def test_expressions_are_equal_when_their_json_is() -> None:
    one, other = of(col("amount") > 500), of(col("amount") > 500)
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, of(col("amount") > 500.0), of("amount > 500")}) == 3
    assert of(one) is one
    assert one.stages is one.stages


def test_its_json_is_a_copy() -> None:
    one = of(col("amount") > 500)
    one.to_json()["tree"]["of"].clear()
    stored = one.to_json()
    loaded = Expression.from_json(stored, where="x")
    stored["tree"]["of"].clear()
    assert loaded == one == of(col("amount") > 500)


def test_it_is_frozen() -> None:
    with pytest.raises(AttributeError):
        of("amount > 500").text = "amount > 1"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("amount  >  500", "amount  >  500"),
        ((col("status") == "declined") & (col("amount") > 500), "(status == 'declined') & (amount > 500)"),
        (~col("drain").struct.field("amount").is_in([1.5]), "not drain.amount.is_in([1.5])"),
        (pl.coalesce("amount", 0).round(2), "coalesce(amount, 0).round(decimals=2, mode='half_to_even')"),
    ],
)
def test_its_text_is_what_a_person_would_write(value: Any, text: str) -> None:
    assert of(value).text == text
    assert Expression.from_json(of(value).to_json(), where="x").text == text


def test_it_tells_its_columns() -> None:
    assert of("drain.amount > amount AND status IN ('x')").columns() == {"drain", "amount", "status"}
    assert of((col("drain").struct.field("amount") > col("amount")).alias("big")).columns() == {"drain", "amount"}
    assert of(lit(1)).columns() == frozenset()


@pytest.mark.parametrize(
    "value", ["amount > 500", col("amount") > 500, "amount > 0.5 AND status LIKE 'dec%'", lit(True)]
)
def test_a_condition_passes(value: Any) -> None:
    assert of(value).check(SCHEMA, where="x", boolean=True) == pl.Boolean()


@pytest.mark.parametrize("value", ["amuont > 500", col("amuont") > 500])
def test_an_unknown_column_is_named_with_what_is_near(value: Any) -> None:
    with pytest.raises(
        ExpressionError, match=r"step 'big': unknown column .*got 'amuont'.*'amount'; the columns are amount, c"
    ):
        of(value).check(SCHEMA, where="step 'big'")


@pytest.mark.parametrize("value", ["drain.amuont > 1", col("drain").struct.field("amuont") > 1])
def test_an_unknown_part_is_named_with_what_is_near(value: Any) -> None:
    with pytest.raises(ExpressionError, match=r"unknown part of 'drain'; got 'amuont'.*'drain\.amount'"):
        of(value).check(SCHEMA, where="x")


@pytest.mark.parametrize(
    "value",
    [
        "amount > 'x'",
        col("amount") > "x",
        "status + 1 > 2 AND status.x",
        col("status").dt.hour(),
        col("amount").str.len_chars(),
        "status ~ '('",
        col("_time").dt.truncate("1 fortnight"),
        "_time > TIMESTAMP '2024-01-01 00:00:00'",
        # These pass over nulls; a value shows them.
        col("drain") > 1,
        col("tags") > 1,
        "drain > 1",
        pl.concat_str("tags", "status"),
        col("tags").cast(pl.Int64),
        col("tags").list.sum(),
    ],
)
def test_types_that_do_not_fit_are_an_error(value: Any) -> None:
    with pytest.raises(ExpressionError):
        of(value).check(SCHEMA, where="x")


@pytest.mark.parametrize("value", [col("status").cast(pl.Int64), "CAST(status AS INT)", col("tags").list.get(7)])
def test_a_value_that_a_strict_function_might_not_take_is_no_error_of_type(value: Any) -> None:
    of(value).check(SCHEMA, where="x")


@pytest.mark.parametrize("value", ["amount", col("status"), "NULL", lit(None), "drain", "count + 1"])
def test_a_condition_must_be_true_or_false(value: Any) -> None:
    with pytest.raises(ExpressionError, match="a condition must be true or false"):
        of(value).check(SCHEMA, where="x", boolean=True)


def test_a_type_that_no_column_has_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="no column of type Decimal"):
        of("count * 1.5").check(SCHEMA, where="x")
    assert of("CAST(count * 1.5 AS DOUBLE)").check(SCHEMA, where="x") == pl.Float64()


@pytest.mark.parametrize("value", [lit(1) + 1, "1 + 1", lit(None), "NULL IS NULL"])
def test_a_constant_has_a_value_for_each_row(value: Any) -> None:
    expression = of(value)
    dtype = expression.check({}, where="x")
    for height in (0, 1, 3):
        values = evaluate(pl.DataFrame({"a": [1] * height}, schema={"a": pl.Int64}), {"x": expression})["x"]
        assert len(values) == height
        assert values.dtype == dtype


A = {"column": "a"}
MISSING = {"nulls_equal": False}
GOOD = {"call": "greater", "of": [{"column": "a"}, {"literal": ["int", 1]}]}
TREES: list[Any] = [
    None,
    [],
    {"column": 5},
    {"column": "*"},
    {"column": "^.*$"},
    {"column": "a", "more": 1},
    {"literal": "x"},
    {"literal": []},
    {"literal": ["int", True]},
    {"literal": ["int", 2**70]},
    {"literal": ["float", 1]},
    {"literal": ["float", float("nan")]},
    {"literal": ["number", 300, "int8"]},
    {"literal": ["number", 1, "str"]},
    {"literal": ["number", 1.5, "int8"]},
    {"literal": ["number", 1, 5]},
    {"literal": ["datetime", 1, "parsec", None]},
    {"literal": ["datetime", 1, "ms", "No/Where"]},
    {"literal": ["datetime", 2**80, "ms", "UTC"]},
    {"literal": ["null", {"list": "hat"}]},
    {"literal": ["list", "int", [1]]},
    {"literal": ["object", "gASVBQAAAAAAAACMAUGULg=="]},
    {"call": "greater", "of": [A]},
    {"call": "greater", "of": A},
    {"call": "greater", "of": [A] * 3},
    {"call": "greater", "of": [A] * 2, "with": {"strict": True}},
    {"call": "sum", "of": [A]},
    {"call": "shift", "of": [A]},
    {"call": "map_batches", "of": [A], "with": {"function": "os.system"}},
    {"call": "__class__", "of": [A]},
    {"call": "sql.to_float", "of": [A]},
    {"call": ["greater"], "of": []},
    {"call": "is_in", "of": [A, {"column": "b"}], "with": MISSING},
    {"call": "is_in", "of": [A, {"literal": ["list", "int", ["x"]]}], "with": MISSING},
    {"call": "is_in", "of": [A, {"literal": ["list", "str", [1]]}], "with": MISSING},
    {"call": "is_in", "of": [A, {"literal": ["list", "float", [float("inf")]]}], "with": MISSING},
    {"call": "round", "of": [A], "with": {"decimals": -1, "mode": "half_to_even"}},
    {"call": "round", "of": [A], "with": {"decimals": True, "mode": "half_to_even"}},
    {"call": "round", "of": [A], "with": {"decimals": 1, "mode": "up"}},
    {"call": "clip", "of": [A] * 2, "with": {"lower": True, "upper": True}},
    {"call": "cast", "of": [A], "with": {"dtype": "object", "mode": "strict"}},
    {"call": "cast", "of": [A], "with": {"dtype": "int", "mode": "lax"}},
    {"call": "cast", "of": [A], "with": {"dtype": {"datetime": ["ms", 5]}, "mode": "strict"}},
    {"call": "alias", "of": [A], "with": {"name": None}},
    {"call": "str.strptime", "of": [A, {"literal": ["str", "raise"]}],
     "with": {"dtype": "date", "format": None, "strict": True, "exact": True}},
    {"call": "str.pad_start", "of": [A, {"literal": ["int", 3]}], "with": {"fill_char": "too long"}},
    {"Function": {"input": [], "function": "Abs"}},
]  # fmt: skip
HOSTILE: list[Any] = [
    None,
    {},
    {"sql": 5},
    {"sql": "a", "tree": GOOD},
    {"version": 2, "tree": GOOD},
    {"version": True, "tree": GOOD},
    {"version": "1", "tree": GOOD},
    {"version": 1, "tree": GOOD, "more": 1},
    {"sql": "a in (select a from read_csv('/etc/hostname'))"},
    {"sql": "NOW() > a"},
    *({"version": 1, "tree": tree} for tree in TREES),
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: json.dumps(value)[:80])
def test_what_is_no_stored_expression_is_refused(value: Any) -> None:
    with pytest.raises(ExpressionError) as refused:
        Expression.from_json(value, where="step 's'")
    assert refused.value.where == "step 's'"


def test_a_tree_that_is_too_deep_is_refused() -> None:
    tree: dict[str, Any] = {"column": "a"}
    for _ in range(5_000):
        tree = {"call": "not", "of": [tree]}
    with pytest.raises(ExpressionError, match="nested too deeply"):
        Expression.from_json({"version": 1, "tree": tree}, where="x")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "int", "abs", "*", "str"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["call", "of", "with", "column", "literal", "name", "dtype"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(tree=json_values, place=st.integers(0, 3))
def test_any_json_loads_or_is_refused(tree: Any, place: int) -> None:
    value: dict[str, Any] = {"version": 1, "tree": copy.deepcopy(GOOD)}
    match place:
        case 0:
            value["tree"] = tree
        case 1:
            value["tree"]["of"][0] = tree
        case 2:
            value["tree"]["of"][1]["literal"] = tree
        case _:
            value["tree"]["with"] = tree
    try:
        loaded = Expression.from_json(value, where="x")
    except ExpressionError:
        return
    assert Expression.from_json(loaded.to_json(), where="x") == loaded


numbers = st.recursive(
    st.sampled_from([col("amount"), col("count"), col("drain").struct.field("amount")])
    | st.integers(-(2**40), 2**40).map(lit)
    | st.floats(-1e9, 1e9).map(lit),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: two[0] + two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] * two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] / two[1]),
        st.tuples(inner, inner).map(lambda two: pl.max_horizontal(*two)),
        st.tuples(inner, inner).map(lambda two: pl.coalesce(*two)),
        st.tuples(inner, inner).map(lambda two: pl.when(two[0] > two[1]).then(two[0]).otherwise(-two[1])),
        inner.map(lambda one: one.cast(pl.Float64).abs().sqrt().round(3)),
        inner.map(lambda one: one.fill_null(0).clip(-10, 1e6)),
    ),
    max_leaves=8,
)
texts = st.recursive(
    st.sampled_from([col("status"), lit("x"), col("tags").list.first()]) | st.text(max_size=3).map(lit),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: pl.concat_str(*two, separator="-")),
        inner.map(lambda one: one.str.to_uppercase().str.slice(0, 2)),
        inner.map(lambda one: one.str.replace_all("x", "y", literal=True)),
    ),
    max_leaves=4,
)
conditions = st.recursive(
    st.one_of(
        st.tuples(numbers, numbers).map(lambda two: two[0] < two[1]),
        st.tuples(numbers, numbers).map(lambda two: two[0].eq_missing(two[1])),
        numbers.map(lambda one: one.is_null()),
        texts.map(lambda one: one.is_in(["x", "declined", None])),
        texts.map(lambda one: one.str.contains("e.")),
        texts.map(lambda one: one.str.len_chars() > 2),
        st.integers(0, 23).map(lambda hour: col("_time").dt.hour() >= hour),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] | ~two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] ^ two[1]),
    ),
    max_leaves=5,
)
FRAME = pl.DataFrame(
    {
        "amount": [1.5, None, -700.0, 0.0],
        "count": [3, 0, None, -(2**40)],
        "status": ["declined", "x", None, ""],
        "tags": [["x", None], [], None, ["né", "e"]],
        "drain": [{"amount": 2.5}, {"amount": None}, None, {"amount": 0.0}],
        "_time": pl.Series([0, -1, None, 1_709_210_096_789]).cast(pl.Datetime("ms", "UTC")),
    },
    schema=SCHEMA,
)


@pytest.mark.laws
@given(written=st.one_of(numbers, texts, conditions))
def test_any_expression_means_the_same_after_it_is_kept_and_loaded(written: pl.Expr) -> None:
    kept = of(written)
    loaded = Expression.from_json(json.loads(json.dumps(kept.to_json())), where="x")
    assert loaded == kept
    assert loaded.columns() == set(written.meta.root_names())
    meant = FRAME.with_columns(written.alias("value"))["value"]
    assert evaluate(FRAME, {"value": loaded})["value"].equals(meant, check_dtypes=True)
    assert loaded.check(SCHEMA, where="x") == meant.dtype
    pieces = [evaluate(piece, {"value": loaded})["value"] for piece in FRAME.iter_slices(1)]
    assert pl.concat(pieces).equals(meant, check_dtypes=True)
