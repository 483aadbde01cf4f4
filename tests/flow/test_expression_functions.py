"""Every allowed function: row-wise, pinned in the golden file, the same after loading, and read from Polars' own words.

To add a function: add its example here, then run this file from the root, which appends it to the golden file (begin
with an empty object). What is in the golden file is never changed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars import col, lit

from styx_lab.core.events import canonical_lines
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.rowwise import BY_NAME, BY_POLARS
from styx_lab.flow.expression.tree import build_tree
from styx_lab.flow.expression.values import evaluate

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "expressions.json"
NOON = datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC)

SCHEMA: dict[str, pl.DataType] = {
    "a": pl.Float64(),
    "b": pl.Float64(),
    "i": pl.Int64(),
    "n": pl.Int64(),
    "s": pl.String(),
    "u": pl.String(),
    "p": pl.Boolean(),
    "q": pl.Boolean(),
    "t": pl.Datetime("ms", "UTC"),
    "v": pl.Datetime("ms", "UTC"),
    "l": pl.List(pl.Float64()),
    "w": pl.List(pl.String()),
    "drain": pl.Struct({"amount": pl.Float64(), "card": pl.Struct({"country": pl.String()})}),
}

EXAMPLES: Mapping[str, pl.Expr] = {
    "add": col("a") + col("b"),
    "subtract": col("t") - col("v"),
    "multiply": col("a") * 3,
    "divide": col("i") / col("n"),
    "divide, by a constant": col("a") / 3,
    "floor_divide": col("a") // 2,
    "modulo": col("i") % 7,
    "equal": col("s") == "declined",
    "not_equal": col("i") != 3,
    "less": col("a") < col("b"),
    "less_or_equal": col("t") <= NOON,
    "greater": col("a") > 0.5,
    "greater_or_equal": col("t") - col("v") >= timedelta(seconds=2),
    "equal_or_both_null": col("a").eq_missing(col("b")),
    "not_equal_nor_both_null": col("s").ne_missing(col("u")),
    "and": (col("a") > 1) & col("p"),
    "or": col("p") | col("q"),
    "xor": col("p") ^ col("q"),
    "not": ~col("p"),
    "all_horizontal": pl.all_horizontal("p", "q"),
    "any_horizontal": pl.any_horizontal("p", "q"),
    "is_null": col("a").is_null(),
    "is_not_null": col("drain").is_not_null(),
    "is_nan": (col("a") / col("b")).is_nan(),
    "is_not_nan": (col("a") / col("b")).is_not_nan(),
    "is_finite": (col("a") / col("b")).is_finite(),
    "is_infinite": (col("a") / col("b")).is_infinite(),
    "is_in": col("s").is_in(["declined", "x"]),
    "is_in, null among the numbers": col("i").is_in([1, None, 3], nulls_equal=True),
    "is_in, times": col("t").is_in([NOON]),
    "is_in, nothing": col("i").is_in([]),
    "is_between": col("a").is_between(0, 10, closed="left"),
    "is_close": col("a").is_close(col("b"), abs_tol=0.5),
    "when": pl.when(col("a") > 1).then(1).when(col("p")).then(2).otherwise(None),
    "fill_null": col("a").fill_null(0),
    "coalesce": pl.coalesce("a", "b", 0.0),
    "negate": -col("i"),
    "abs": col("a").abs(),
    "sign": col("a").sign(),
    "floor": col("a").floor(),
    "ceil": col("a").ceil(),
    "round": col("a").round(1),
    "round, half away from zero": col("a").round(0, mode="half_away_from_zero"),
    "truncate": col("a").truncate(1),
    "pow": col("a").abs() ** 0.5,
    "sqrt": col("a").sqrt(),
    "cbrt": col("a").cbrt(),
    "log": col("a").log(10),
    "log1p": col("a").log1p(),
    "exp": (col("a") / 1e6).exp(),
    "clip": col("a").clip(0, col("b")),
    "clip, below": col("i").clip(upper_bound=5),
    "clip, above": col("i").clip(lower_bound=5),
    **{
        name: getattr(col("a"), name)()
        for name in ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "degrees", "radians")
    },
    "arctan2": pl.arctan2("a", "b"),
    "min_horizontal": pl.min_horizontal("a", "b"),
    "max_horizontal": pl.max_horizontal("t", "v"),
    "sum_horizontal": pl.sum_horizontal("a", "b", "i"),
    "mean_horizontal": pl.mean_horizontal("a", "b", ignore_nulls=False),
    "str.len_chars": col("s").str.len_chars(),
    "str.len_bytes": col("s").str.len_bytes(),
    "str.to_lowercase": col("s").str.to_lowercase(),
    "str.to_uppercase": col("s").str.to_uppercase(),
    "str.to_titlecase": col("s").str.to_titlecase(),
    "str.contains": col("s").str.contains("^d.*d$"),
    "str.contains, literal": col("s").str.contains("l.n", literal=True),
    "str.find": col("s").str.find("n"),
    "str.starts_with": col("s").str.starts_with("dec"),
    "str.ends_with": col("s").str.ends_with(col("u")),
    "str.strip_chars": col("s").str.strip_chars(),
    "str.strip_chars_start": col("s").str.strip_chars_start("d"),
    "str.strip_chars_end": col("s").str.strip_chars_end("d"),
    "str.strip_prefix": col("s").str.strip_prefix("de"),
    "str.strip_suffix": col("s").str.strip_suffix("ed"),
    "str.slice": col("s").str.slice(1, 3),
    "str.head": col("s").str.head(2),
    "str.tail": col("s").str.tail(2),
    "str.replace": col("s").str.replace("e", "E"),
    "str.replace, all": col("s").str.replace_all("[aeiou]", "_"),
    "str.extract": col("s").str.extract("(c.)", 1),
    "str.split": col("s").str.split("c"),
    "str.pad_start": col("s").str.pad_start(10, "*"),
    "str.pad_end": col("s").str.pad_end(10, "*"),
    "str.zfill": col("s").str.zfill(10),
    "str.strptime": (lit("2024-02-29 10:") + col("u")).str.to_datetime("%Y-%m-%d %H:%M", strict=False),
    "concat_str": pl.concat_str("s", lit(":"), "u", separator="-", ignore_nulls=True),
    **{
        f"dt.{name}": getattr(col("t").dt, name)()
        for name in (
            "hour", "minute", "second", "millisecond", "microsecond", "nanosecond", "day", "weekday", "week", "month",
            "quarter", "year", "iso_year", "ordinal_day", "date",
        )
    },
    **{
        f"dt.total_{name}": getattr((col("t") - col("v")).dt, f"total_{name}")()
        for name in ("days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds")
    },
    "dt.timestamp": col("t").dt.epoch("ms"),
    "dt.truncate": col("t").dt.truncate("15m"),
    "dt.round": col("t").dt.round("1h"),
    "dt.offset_by": col("t").dt.offset_by("-1mo2d"),
    "dt.convert_time_zone": col("t").dt.convert_time_zone("Europe/Paris").dt.hour(),
    "dt.to_string": col("t").dt.to_string("%Y/%m/%d %H:%M"),
    "field": col("drain").struct.field("amount"),
    "field, of a field": col("drain").struct.field("card").struct.field("country"),
    "list.len": col("l").list.len(),
    "list.get": col("l").list.get(1, null_on_oob=True),
    "list.get, first": col("l").list.first(),
    "list.get, last": col("w").list.last(),
    "list.min": col("l").list.min(),
    "list.max": col("l").list.max(),
    "list.sum": col("l").list.sum(),
    "list.mean": col("l").list.mean(),
    "list.drop_nulls": col("l").list.drop_nulls(),
    "list.contains": col("w").list.contains("x"),
    "list.join": col("w").list.join("+"),
    "cast": col("a").cast(pl.Int64, strict=False),
    "cast, strict": col("i").cast(pl.Float64),
    "cast, wrapped": col("i").cast(pl.Int8, wrap_numerical=True),
    "cast, to a time": col("i").cast(pl.Datetime("ms", "UTC")),
    "cast, to text": col("a").cast(pl.String),
    "alias": (col("a") * 2).alias("double"),
    "literal, null": pl.when(col("p")).then(lit(None)).otherwise(lit("x")),
    "literal, typed null": pl.coalesce(lit(None, dtype=pl.Int64), "i"),
    "literal, typed": col("i") + lit(1, dtype=pl.Int32),
    "literal, small float": col("a") * lit(0.1, dtype=pl.Float32),
    "literal, date": col("t").dt.date() > date(2024, 1, 1),
    "literal, alone": lit(1.5) + 1,
}  # fmt: skip

FRAME = pl.DataFrame(
    {
        "a": [1.25, -0.5, None, 2.5, 0.0, 1e6, -7.05, 0.1],
        "b": [1.0, None, None, 2.5, 0.0, -3.0, 7.0, 0.2],
        "i": [1, -2, None, 3, 0, 2**40, 300, 8],
        "n": [3, 0, 1, None, 2, 7, 1, 2],
        "s": ["declined", " Spaced ", None, "", "née", "x", "l.n", "d1d"],
        "u": ["05", "d", "x", None, "", "23", "99", "d"],
        "p": [True, False, None, True, False, None, True, False],
        "q": [True, None, None, False, False, True, True, False],
        "t": [NOON, datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), None,
              *[NOON + timedelta(hours=3 * k) for k in range(5)]],
        "v": [NOON - timedelta(seconds=2), NOON, NOON, None, *[NOON - timedelta(minutes=7 * k) for k in range(4)]],
        "l": [[1.5, 2.5], [], None, [None], [0.1, None, 0.2, 0.3], [3.0], [1e308, 1.0], [-1.0]],
        "w": [["x", "y"], [], None, [None], ["x", None], ["z"], ["", "x"], ["y"]],
        "drain": [
            {"amount": 1.5, "card": {"country": "FR"}}, None, {"amount": None, "card": None},
            *[{"amount": float(k), "card": {"country": None}} for k in range(5)],
        ],
    },
    schema=SCHEMA,
)  # fmt: skip


def evaluated(expression: Expression, frame: pl.DataFrame) -> pl.Series:
    return evaluate(frame, {"value": expression})["value"]


def in_json(values: pl.Series) -> list[Any]:
    plain = (
        values.map_elements(lambda x: None if not math.isfinite(x) else x, return_dtype=values.dtype, skip_nulls=True)
        if values.dtype.is_float()
        else values
    )
    return [json.loads(line)["value"] for line in canonical_lines(plain.to_frame("value"))]


def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.read_text())
    return found


def calls(tree: Mapping[str, Any]) -> Iterator[str]:
    if "call" in tree:
        yield tree["call"]
        for each in tree["of"]:
            yield from calls(each)


def test_every_function_has_an_example() -> None:
    used = {
        name for example in EXAMPLES.values() for name in calls(Expression.of(example, where="x").to_json()["tree"])
    }
    assert used == BY_NAME.keys() | {"alias", "cast", "str.strptime"}


def test_no_two_functions_share_a_place_or_a_name() -> None:
    assert len(BY_POLARS) == len({*BY_POLARS}) >= len(BY_NAME)
    assert {function.name for function in BY_POLARS.values() if function.build} == BY_NAME.keys()


def test_every_example_is_in_the_golden_file() -> None:
    assert golden().keys() == EXAMPLES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_polars_words_are_read_as_the_golden_file_has_them(name: str) -> None:
    """Fails when a Polars version writes an expression in another form: then the mapping must follow, not the file."""
    assert Expression.of(EXAMPLES[name], where="x").to_json() == golden()[name]["json"]


@pytest.mark.parametrize("name", golden())
def test_the_golden_file_loads_and_means_what_it_meant(name: str) -> None:
    pinned = golden()[name]
    loaded = Expression.from_json(pinned["json"], where="x")
    assert loaded.to_json() == pinned["json"]
    assert loaded.text == pinned["text"]
    values = evaluated(loaded, FRAME)
    assert str(values.dtype) == pinned["dtype"]
    # The last digit of a sine is the mathematics library's own.
    for got, meant in zip(in_json(values), pinned["values"], strict=True):
        assert got == (pytest.approx(meant, rel=1e-12) if isinstance(meant, float) else meant)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_kept_means_what_was_written(name: str) -> None:
    written, kept = EXAMPLES[name], Expression.of(EXAMPLES[name], where="x")
    assert evaluated(kept, FRAME).equals(FRAME.with_columns(written.alias("value"))["value"], check_dtypes=True)
    # A list's mean and sum are built with one more step, which makes their order of adding the same for every batch.
    if not name.startswith(("list.sum", "list.mean")):
        assert Expression.of(build_tree(kept.to_json()["tree"], where="x"), where="x") == kept


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_check_tells_the_type_that_comes(name: str) -> None:
    kept = Expression.of(EXAMPLES[name], where="x")
    assert kept.check(SCHEMA, where="x") == evaluated(kept, FRAME).dtype


floats = st.none() | st.floats(-1e12, 1e12) | st.sampled_from([0.0, -0.5, 0.1, 1e300])
words = st.none() | st.text("dec lined.x", max_size=9) | st.sampled_from(["declined", "05", "née"])
times = st.none() | st.integers(-(2**38), 2**41).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
truths = st.none() | st.booleans()
rows = st.fixed_dictionaries(
    {
        "a": floats, "b": floats, "i": st.none() | st.integers(-(2**40), 2**40), "n": st.none() | st.integers(-3, 3),
        "s": words, "u": words, "p": truths, "q": truths, "t": times, "v": times,
        # Long lists of floats: a sum in another order differs in its last digits.
        "l": st.none() | st.lists(floats, max_size=4) | st.randoms(use_true_random=False).map(
            lambda random: [random.uniform(-1e9, 1e9) for _ in range(150)]),
        "w": st.none() | st.lists(words, max_size=3),
        "drain": st.none() | st.fixed_dictionaries(
            {"amount": floats, "card": st.none() | st.fixed_dictionaries({"country": words})}),
    }
)  # fmt: skip
frames = st.lists(rows, min_size=1, max_size=7).map(lambda found: pl.DataFrame(found, schema=SCHEMA))


@pytest.mark.laws
@given(frame=frames, size=st.integers(1, 4))
def test_a_value_depends_on_its_own_row_alone(frame: pl.DataFrame, size: int) -> None:
    for name, example in EXAMPLES.items():
        kept = Expression.of(example, where="x")
        whole = evaluated(kept, frame)
        pieces = pl.concat([evaluated(kept, piece) for piece in frame.iter_slices(size)])
        assert whole.equals(pieces, check_dtypes=True, null_equal=True), name


@pytest.mark.laws
@pytest.mark.parametrize("written", [col("a") / 3, col("a") / col("three"), "a / 3", "a / 0.07", "b / 7 + a / three"])
def test_a_quotient_is_the_same_in_a_frame_of_one_row(written: str | pl.Expr) -> None:
    """Polars itself multiplies by a third in a longer frame, and divides by three in this one."""
    quotient = Expression.of(written, where="x")
    frame = pl.DataFrame({"a": [k * 0.7 for k in range(200)], "b": range(200)}).with_columns(three=lit(3.0))
    whole = evaluated(quotient, frame)
    singles = list(frame.iter_slices(1))
    assert whole.equals(pl.concat([evaluated(quotient, single) for single in singles]))
    loaded = [pl.DataFrame(single.to_dict(as_series=False)) for single in singles]
    assert whole.equals(pl.concat([evaluated(quotient, single) for single in loaded]))
    assert whole.equals(evaluated(quotient, pl.concat(loaded, rechunk=False)))


if __name__ == "__main__":
    pinned = golden() if GOLDEN.exists() else {}
    for name, example in EXAMPLES.items():
        kept = Expression.of(example, where=name)
        values = evaluated(kept, FRAME)
        pinned.setdefault(
            name,
            {"json": kept.to_json(), "text": kept.text, "dtype": str(values.dtype), "values": in_json(values)},
        )
    lines = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in pinned.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
