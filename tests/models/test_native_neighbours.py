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
