"""Our scorers keep the public contract, and the contract refuses scorers that do not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from styx_lab.core.ports import Scores
from styx_lab.errors import ModelError
from styx_lab.models import PypmmlScorer, train
from styx_lab.testing import check_scorer
from tests.laws.verbs import TriesScorer

FRAME = pl.DataFrame({"amount": [1.0, None, 3.0, 900.0, 0.1], "tries": pl.Series([1, 2, None, 4, 0], dtype=pl.Int64)})


@pytest.fixture(scope="module")
def pmml() -> bytes:
    random = np.random.default_rng(3)
    rows = pl.DataFrame({"amount": random.gamma(2, 100, 200), "tries": random.integers(0, 6, 200)})
    rows = rows.with_columns(fraud=(pl.col("amount") + 50 * pl.col("tries") > 300).cast(pl.Int8))
    return train(rows, target="fraud", features=["amount", "tries"], name="fraud").export()


@pytest.mark.slow
def test_pypmml_keeps_the_contract(pmml: bytes) -> None:
    frame = FRAME.with_columns(pl.col("amount").fill_null(float("nan")))
    for rows in (FRAME, frame):
        check_scorer(lambda: PypmmlScorer("fraud@3", pmml), rows)


def test_the_scorer_of_the_laws_keeps_the_contract() -> None:
    check_scorer(TriesScorer, FRAME)


class _Broken(TriesScorer):
    """A scorer with one thing wrong."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._scored = 0

    def score(self, frame: pl.DataFrame) -> Scores:
        if self._fault == "lacking":
            frame = frame.with_columns(pl.lit(1.0).alias("amount")) if "amount" not in frame.columns else frame
        scores = super().score(frame)
        values, errors = scores.values, scores.errors
        self._scored += len(values)
        match self._fault:
            case "state":
                values = values + self._scored
            case "mean":
                values = values - (values.mean() or 0.0)
            case "neither":
                errors = errors.clear(len(errors))
            case "nan":
                values, errors = values.fill_null(float("nan")), errors.clear(len(errors))
            case "type":
                values = values.cast(pl.Float32)
            case "sorted":
                place = values.arg_sort(nulls_last=True)
                values, errors = values[place], errors[place]
            case "short":
                values = values[:-1]
        return Scores(values, errors)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("state", "keeps no state"),
        ("mean", "rows beside it"),
        ("neither", "exactly one is null"),
        ("nan", "NaN is an error"),
        ("type", "type `output`"),
        ("sorted", "rows beside it|order of the rows"),
        ("short", "one value a row"),
        ("lacking", "without 'amount' it scored"),
    ],
)
def test_the_contract_refuses_a_broken_scorer(fault: str, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_scorer(lambda: _Broken(fault), FRAME)


def test_the_contract_refuses_another_error() -> None:
    class Wrong(TriesScorer):
        def score(self, frame: pl.DataFrame) -> Scores:
            if "amount" not in frame.columns:
                raise ModelError("no idea", where="model 'risk@1'")
            return super().score(frame)

    with pytest.raises(AssertionError, match="names the column"):
        check_scorer(Wrong, FRAME)
