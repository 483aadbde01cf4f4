"""Our scorers keep the public contract, and the contract refuses scorers that do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import polars.selectors as cs
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

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        if self._fault == "lacking":
            frame = frame.with_columns(pl.lit(1.0).alias("amount")) if "amount" not in frame.columns else frame
        if self._fault == "lenient":
            outputs = [name for name in outputs if name in self.outputs]
        scores = super().score(frame, outputs)
        values, errors, further, kinds = scores.values, scores.errors, scores.outputs, scores.kinds
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
                values, errors, further = values[place], errors[place], further[place]
                kinds = None if kinds is None else kinds[place]
            case "short":
                values = values[:-1]
            case "filled":
                further = further.with_columns(cs.float().fill_null(0.5))
            case "not a number":
                further = further.with_columns(pl.lit(float("nan")).alias(name) for name in further.columns[1:2])
            case "text":
                further = further.with_columns(pl.col(name).cast(pl.String) for name in further.columns)
            case "another order":
                further = further.select(sorted(further.columns))
            case "beside":
                further = further.with_columns(pl.col(pl.Int64).cum_sum())
            case "no kind":
                kinds = kinds.clear(len(kinds)) if kinds is not None else None
        return Scores(values, errors, further, kinds)


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
        ("filled", "null where the row has an error"),
        ("not a number", "finite number or null|null where"),
        ("text", "of the type it says"),
        ("another order", "order they are asked for"),
        ("beside", "rows beside it"),
        ("lenient", "not known is a ModelError"),
        ("no kind", "exactly where there is an error"),
    ],
)
def test_the_contract_refuses_a_broken_scorer(fault: str, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_scorer(lambda: _Broken(fault), FRAME)


def test_the_contract_refuses_another_error() -> None:
    class Wrong(TriesScorer):
        def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
            if "amount" not in frame.columns:
                raise ModelError("no idea", where="model 'risk@1'")
            return super().score(frame, outputs)

    with pytest.raises(AssertionError, match="names the column"):
        check_scorer(Wrong, FRAME)
