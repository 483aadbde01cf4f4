"""A bad row among good ones changes nothing of its neighbours, whatever it is that is wrong with it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

from styx_lab.models import NativeScorer, train
from styx_lab.models.native import load

from .conftest import FEATURES
from .reference_cases import CASES, answers, read_case


def fits(column: pl.Series, value: Any) -> bool:
    """Whether a value can stand in a column of good values."""
    if value is None:
        return True
    if column.dtype == pl.String:
        return isinstance(value, str)
    if column.dtype == pl.Boolean:
        return isinstance(value, bool)
    return isinstance(value, float | int) and not isinstance(value, bool) and column.dtype == pl.Float64


def given(rows: list[dict[str, Any]]) -> str:
    """What the rows have; a column that is null in all of them may be left out of a table."""
    return repr([{name: row[name] for name in sorted(row) if row[name] is not None} for row in rows])


@pytest.mark.parametrize("name", CASES)
def test_bad_rows_among_good_ones(name: str) -> None:
    case = read_case(name)
    document = load(case.pmml, name=name)
    good = case.rows[:5]
    whole, errors = answers(document, good)
    for bad in case.bad:
        row = {column: bad["row"].get(column) for column in good.columns}
        if not all(fits(good[column], value) for column, value in row.items()):
            continue
        one = pl.DataFrame([pl.Series(column, [value], dtype=good[column].dtype) for column, value in row.items()])
        (alone,), (error,) = answers(document, one)
        together, found = answers(document, pl.concat([good[:2], one, good[2:]]))
        assert given(together) == given([*whole[:2], alone, *whole[2:]]), bad["tag"]
        assert found == [*errors[:2], error, *errors[2:]], bad["tag"]


@pytest.mark.parametrize(
    "model", [GradientBoostingClassifier(n_estimators=3), HistGradientBoostingClassifier(max_iter=3)]
)
def test_a_category_that_a_boosted_model_does_not_know_is_its_own_rows_error(
    payments: pl.DataFrame, model: Any
) -> None:
    scorer = NativeScorer("fraud@1", train(payments, target="fraud", features=FEATURES, model=model).export())
    good = payments.drop_nulls()[:3]
    bad = good.with_columns(country=pl.Series(["DE", "nowhere", "US"]).alias("country"), amount=pl.lit(300.0))
    alone = [scorer.score(bad[at : at + 1]) for at in range(3)]
    together = scorer.score(bad)
    assert together.values.to_list() == [each.values[0] for each in alone]
    assert together.errors.to_list() == [each.errors[0] for each in alone]


def test_infinity_is_at_most_infinity_in_trees_taken_together() -> None:
    """Thresholds of infinity tell rows with a value from those without one; an infinite value is a value."""
    case = read_case("rf_survey_passthrough_missing")
    document = load(case.pmml)
    good = case.rows.drop_nulls()[:1]
    row = good.with_columns(Age=pl.lit(17.25), Pulse=pl.lit(76.0), **{"Wr.Hnd": pl.lit(17.7), "NW.Hnd": pl.lit(17.0)})
    row = row.with_columns(Fold=pl.lit("R on L"), Clap=pl.lit("Right"), Exer=pl.lit("Some"), Smoke=pl.lit("Never"))
    told = [answers(document, row.with_columns(Height=pl.lit(height)))[0][0] for height in (200.0, float("inf"))]
    assert told[0]["probability(Male)"] == 0.7126483626483626  # JPMML's
    assert told[1] == told[0]


@pytest.mark.parametrize(("text", "number"), [("true", 1.0), ("TRUE", 1.0), ("false", 0.0), ("False", 0.0)])
def test_the_text_of_a_boolean_is_a_number_as_it_is_to_jpmml(text: str, number: float) -> None:
    document = load(read_case("hand_reg_none").pmml)
    (told,), (error,) = answers(document, pl.DataFrame({"x": [text]}))
    (wanted,), _ = answers(document, pl.DataFrame({"x": [number]}))
    assert error is None
    assert told == wanted
    assert answers(document, pl.DataFrame({"x": [f" {text}"]}))[1][0] is not None
