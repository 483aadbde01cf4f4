"""What a choice gives must not depend on which rows share a frame: a row has the value that it has alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars import col

from styx_lab.flow.expression import Expression, evaluate

AMOUNTS = np.random.default_rng(1).random(400) * 1_000
ROWS = pl.DataFrame({"a": AMOUNTS, "b": pl.Series([None] * 399 + [7.0], dtype=pl.Float64), "c": [0] * 399 + [1]})

CHOICES = [
    "a / COALESCE(b, 3.0)",
    "a / IFNULL(b, 3.0)",
    "a / CASE WHEN c = 0 THEN 3.0 ELSE 7.0 END",
    "a / case when c = 0 then case when b is null then 3.0 else 4.0 end else 7.0 end",
    "(a + 1) / COALESCE(COALESCE(b, CASE WHEN c > 1 THEN 2.0 END), 3.0) - -a",
    "CASE WHEN a / COALESCE(b, 3.0) > 100 THEN a / COALESCE(b, 3.0) ELSE 0 END",
    "COALESCE(b, a / COALESCE(b, 3.0))",
    "a / COALESCE(b, 3.0) > 100 AND a NOT IN (1, 2) OR 'CASE (' = 'x'",
    col("a") / pl.coalesce(col("b"), pl.lit(3.0)),
    col("a") / pl.when(col("c") == 0).then(3.0).otherwise(7.0),
    col("a") / pl.when(col("c") == 0).then(pl.when(col("b").is_null()).then(3.0).otherwise(4.0)).otherwise(7.0),
    col("a") - pl.coalesce(col("b"), pl.lit(0.0)) * pl.coalesce(col("b"), pl.lit(-0.0)),
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_row_has_the_value_that_it_has_alone(choice: str | pl.Expr) -> None:
    one = {"x": Expression.of(choice, where="test")}
    together = evaluate(ROWS, one)["x"]
    apart = pl.concat(evaluate(row, one) for row in ROWS.iter_slices(1))["x"]
    halves = pl.concat(evaluate(row, one) for row in ROWS.iter_slices(200))["x"]
    assert together.equals(apart)
    assert together.equals(halves)


@pytest.mark.parametrize("text", [one for one in CHOICES if isinstance(one, str)])
def test_stages_do_not_change_what_a_text_means(text: str) -> None:
    staged = evaluate(ROWS, {"x": Expression.of(text, where="test")})["x"]
    plain = ROWS.with_columns(x=pl.sql_expr(text))["x"]
    if staged.dtype.is_float():
        assert np.allclose(staged.to_numpy(), plain.to_numpy(), rtol=1e-14, equal_nan=True)
    else:
        assert staged.equals(plain)
