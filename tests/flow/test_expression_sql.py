"""SQL text as an expression: kept as written, row-wise, and nothing is opened or asked while it is parsed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from styx_lab.errors import ExpressionError
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.values import evaluate

FRAME = pl.DataFrame(
    {
        "a": [1.5, None, -2.0, 700.0],
        "b": [2, 0, None, 5],
        "s": ["declined", None, "x", ""],
        "ok": [True, None, False, True],
        "l": [[1, 2], [], None, [None]],
        "drain": [{"amount": 600.0}, {"amount": None}, None, {"amount": 1.0}],
        "t": pl.Series([0, -1, None, 1_709_210_096_789]).cast(pl.Datetime("ms", "UTC")),
        "now": [1, 2, 3, 4],
    }
)

ALLOWED = [
    "a > 500",
    "a > 0.5 AND NOT ok",
    "drain.amount > 500",
    "(drain -> 'amount') > 500",
    "s = 'declined' OR s IS NULL",
    "s IN ('x', 'declined', NULL)",
    "b NOT IN (1, 2)",
    "a IN (1.5, 2)",
    "a BETWEEN 1 AND 2.5",
    "a * b / 2 + b % 2 - b // 2",
    "CASE WHEN a > 1 THEN 'big' ELSE 'small' END",
    "CASE s WHEN 'x' THEN 1 END",
    "IF(ok, a, 0)",
    "COALESCE(a, b, 0)",
    "NULLIF(a, 1.5)",
    "CAST(a AS BIGINT)",
    "TRY_CAST(s AS INT)",
    "ABS(a) + FLOOR(a) + CEIL(a) + ROUND(a, 1) + SQRT(ABS(a)) + SIGN(a)",
    "POWER(a, 2) + EXP(b) + LN(b + 1) + LOG10(b + 1)",
    "COS(a) + ATAN2(a, b)",
    "GREATEST(a, b) - LEAST(a, b)",
    "LENGTH(s) + OCTET_LENGTH(s)",
    "UPPER(s) || LOWER(s) || 'x'",
    "CONCAT_WS('-', s, 'x')",
    "SUBSTR(s, 2, 3) = LEFT(s, 2)",
    "TRIM(s) = REPLACE(s, 'x', 'y')",
    "s LIKE 'dec%' OR s ILIKE '%NED' OR s ~ '^d.*d$' OR STARTS_WITH(s, 'd')",
    "s LIKE '%NOW()%' OR s = 'CURRENT_DATE' OR s = 'SELECT'",
    "EXTRACT(hour FROM t) >= 22 OR DATE_PART('isodow', t) = 7",
    "EXTRACT(epoch FROM t)",
    "t > TIMESTAMPTZ '2024-01-01 00:00:00Z'",
    "t - INTERVAL '1 day 2 hours' > t",
    "t::date > DATE '2024-01-01' - INTERVAL '1 day'",
    "STRPTIME(s, '%Y-%m-%d') IS NULL OR s IS NOT NULL",
    "ARRAY_LENGTH(l) > 0 AND ARRAY_CONTAINS(l, 1)",
    "l[1] = 1",
    "a IS DISTINCT FROM b",
    "now > 2",
    '"now" > 2',
    "1 + 1",
]

NOT_ROW_WISE = {
    "a > AVG(a)": "AVG",
    "SUM(a) > 5": "SUM",
    "COUNT(*) > 5": "COUNT",
    "max(a)": "max",
    "MEDIAN (a) > 5": "MEDIAN",
    "LAST_VALUE(a)": "LAST_VALUE",
    "SUM(a) OVER (PARTITION BY b) > 1": "SUM",
    "LAG(a) OVER (ORDER BY b)": "LAG",
    "ROW_NUMBER() OVER (ORDER BY a) = 1": "ROW_NUMBER",
    "UNNEST(l)": "explode",
    "COLUMNS('a')": "several columns",
    "ARRAY_SUM(l) > 1": "list.sum",
    "TIMESTAMP(s) IS NULL": "without a format",
    "DATE(s) IS NULL": "without a format",
    "a = ANY(l)": "is_in",
}

CLOCK = [
    "NOW() > t",
    "now ( ) > t",
    '"NOW"() > t',
    '"now" () > t',
    "`NOW`() > t",
    "now /* hidden */ () > t",
    "now --\n() > t",
    "NOW() + INTERVAL '1 day' > t",
    "CURRENT_DATE > t",
    "current_timestamp > t",
    "CURRENT_TIMESTAMP() > t",
    "CURRENT_TIME > t",
    "LOCALTIMESTAMP > t",
    "CASE WHEN a > 1 THEN Current_Date END",
    "s = '' '' OR NOW() > t",
    "s = 'it''s' OR NOW() > t",
    "s = '\"' OR NOW() > t AND s = '\"'",
    "s = 'x\\' OR NOW() > t OR s = ''",
    "s = $$'$$ OR NOW() > t OR s = $$'$$",
]

OPENS = [
    "a IN (SELECT a FROM read_csv('{path}'))",
    "(select root from READ_CSV('{path}')) = 1",
    "EXISTS (SELECT 1 FROM read_csv('{path}'))",
    "EXISTS (WITH x AS (SELECT * FROM read_csv('{path}')) SELECT * FROM x)",
    "(FROM read_csv('{path}'))",
    "s = 'it''s' AND (SELECT 1) = 1",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_it_is_kept_as_written_and_gives_one_value_for_each_row(text: str) -> None:
    written = Expression.of(text, where="x")
    assert written.to_json() == {"sql": text}
    assert written.text == text
    assert Expression.from_json({"sql": text}, where="x") == written
    frame = FRAME if not text.startswith(("CAST", "STRPTIME")) else FRAME.with_columns(s=pl.lit("2024-02-29"))
    whole = evaluate(frame, {"value": written})["value"]
    pieces = [evaluate(piece, {"value": written})["value"] for piece in frame.iter_slices(1)]
    assert whole.equals(pl.concat(pieces), check_dtypes=True)
    if not whole.dtype.is_decimal():
        assert written.check(FRAME.schema, where="x") == whole.dtype


@pytest.mark.parametrize("text", NOT_ROW_WISE)
def test_what_is_not_row_wise_is_refused_by_name(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        Expression.of(text, where="step 's'")
    assert NOT_ROW_WISE[text] in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize("text", CLOCK)
def test_the_clock_is_refused_however_it_is_written(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression.of(text, where="x")


def test_the_clock_is_named_with_what_to_use() -> None:
    with pytest.raises(ExpressionError, match=r"NOW reads the clock.*_time"):
        Expression.of("t > NOW()", where="x")


@pytest.mark.parametrize("text", OPENS)
def test_no_file_is_opened(text: str, tmp_path: Path) -> None:
    # A folder cannot be read as CSV: had it been opened, the error would speak of it.
    with pytest.raises(ExpressionError) as refused:
        Expression.of(text.format(path=tmp_path), where="x")
    assert str(tmp_path) not in str(refused.value) or "unable to parse" in str(refused.value)
    assert "subquery" in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "  ", "a >", "a, b", "a; b", "*", "foo(a)", "a > 1 -- big", "a " * 3, "(" * 900 + "a"]
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression.of(text, where="x")


@pytest.mark.parametrize("text", [" OR ".join(["a = 1"] * 20_000), "+".join("a" * 30_000), "NOT " * 30_000 + "a"])
def test_a_text_that_would_end_the_process_is_not_parsed(text: str) -> None:
    with pytest.raises(ExpressionError, match="too long"):
        Expression.of(text, where="x")


def test_a_long_list_of_values_is_no_long_text() -> None:
    text = f"b IN ({', '.join(map(str, range(5_000)))})"
    assert evaluate(FRAME, {"x": Expression.of(text, where="x")})["x"].to_list() == [True, True, None, True]
