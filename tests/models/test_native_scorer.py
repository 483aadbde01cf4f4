"""The native scorer keeps the contract, gives scikit-learn's figures, and says why it does not score a row."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.ports import ModelRecord
from styx_lab.errors import ModelError
from styx_lab.models import NativeScorer, TrainedModel, open_scorer, train
from styx_lab.models.preparation import feature_columns
from styx_lab.testing import check_scorer

from .conftest import FEATURES, case_model

ROWS = pl.DataFrame(
    {
        "amount": [10.0, 900.0, None, 5.0, float("nan")],
        "country": ["DE", "US", "FR", None, "DE"],
        "night": [True, False, None, True, False],
        "tries": [0, 5, 2, None, 1],
    }
)


def test_it_keeps_the_contract_of_a_scorer(pmml: bytes) -> None:
    check_scorer(lambda: NativeScorer("fraud@3", pmml), ROWS)


def test_the_scores_are_scikit_learns(pmml: bytes, trained: TrainedModel, payments: pl.DataFrame) -> None:
    x, _, _ = feature_columns(payments, FEATURES, where="test")
    scores = NativeScorer("fraud@3", pmml).score(payments)
    assert scores.errors.null_count() == payments.height
    np.testing.assert_allclose(scores.values.to_numpy(), trained.pipeline.predict_proba(x)[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["forest", "boosting"])
def test_ensembles_are_scikit_learns_too(payments: pl.DataFrame, kind: str) -> None:
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

    model: Any = {
        "forest": RandomForestClassifier(n_estimators=20, max_depth=6, random_state=1),
        "boosting": GradientBoostingClassifier(n_estimators=20, random_state=1),
    }[kind]
    rows = payments.drop_nulls()
    trained = train(rows, target="fraud", features=FEATURES, model=model, name=kind)
    scores = NativeScorer(f"{kind}@1", trained.export()).score(rows)
    x, _, _ = feature_columns(rows, FEATURES, where="test")
    np.testing.assert_allclose(scores.values.to_numpy(), trained.pipeline.predict_proba(x)[:, 1], rtol=0, atol=1e-12)


def test_a_row_that_cannot_be_scored_says_why(pmml: bytes) -> None:
    frame = pl.DataFrame({"amount": ["12", "abc"], "country": ["US", "US"], "night": [True, True], "tries": [1, 1]})
    scores = NativeScorer("fraud@3", pmml).score(frame)
    assert scores.values.is_null().to_list() == [False, True]
    assert scores.errors.to_list() == [None, "model 'fraud@3': field 'amount': the model cannot take the value 'abc'"]


def test_an_answer_without_a_target_is_an_error_that_says_so() -> None:
    scorer = NativeScorer("trees@1", case_model("whole_number_input"))
    empty = pl.DataFrame({name: pl.Series([None], dtype=dtype) for name, dtype in scorer.inputs.items()})
    scores = scorer.score(empty)
    assert scores.values.to_list() == [None]
    assert scores.errors[0] is not None


def test_a_closed_scorer_and_a_lacking_column_are_errors(pmml: bytes) -> None:
    scorer = NativeScorer("fraud@3", pmml)
    with pytest.raises(ModelError, match="lack the model's input 'night', 'tries'"):
        scorer.score(ROWS.select("amount", "country"))
    scorer.close()
    scorer.close()
    with pytest.raises(ModelError, match="closed"):
        scorer.score(ROWS)


def test_it_is_opened_by_its_name(pmml: bytes) -> None:
    record = ModelRecord("fraud", 3, pmml, sha256="", created="", meta={})
    assert isinstance(open_scorer(record), NativeScorer)
    assert isinstance(open_scorer(record, engine="native"), NativeScorer)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 60), max_size=5),
    holes=st.lists(st.tuples(st.integers(0, 59), st.sampled_from(FEATURES)), max_size=20),
)
def test_a_batch_is_only_a_faster_way_to_ask_for_its_rows(
    cuts: list[int], holes: list[tuple[int, str]], payments: pl.DataFrame, native: NativeScorer
) -> None:
    frame = payments.head(60).select(FEATURES)
    for row, name in holes:
        frame = frame.with_columns(pl.when(pl.int_range(60) == row).then(None).otherwise(pl.col(name)).alias(name))
    whole = native.score(frame)
    edges = [0, *sorted(cuts), 60]
    parts = [native.score(frame[start:end]) for start, end in itertools.pairwise(edges)]
    assert pl.concat([part.values for part in parts]).equals(whole.values, null_equal=True)
    assert pl.concat([part.errors for part in parts]).equals(whole.errors, null_equal=True)


@pytest.fixture(scope="module")
def native(pmml: bytes) -> NativeScorer:
    return NativeScorer("fraud@3", pmml)
