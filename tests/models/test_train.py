"""Training: what cannot be exported is refused before it starts, and the same rows give the same model."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

from styx_lab.errors import MissingDependencyError, ModelError
from styx_lab.models import TrainedModel, train
from styx_lab.models.versions import check_expiry, check_versions

from .conftest import FEATURES


def test_the_report(trained: TrainedModel, payments: pl.DataFrame) -> None:
    report = trained.report
    assert (report.rows, report.trained_on, report.measured_on, report.measured_rows) == (600, 450, "held-out", 150)
    assert report.positive == "1"
    assert report.auc is not None
    assert 0.85 < report.auc < 1
    assert report.precision is not None
    assert report.recall is not None
    amount = report.features[0]
    assert (amount.name, amount.kind, amount.missing) == ("amount", "number", payments["amount"].null_count())
    assert sum(each.importance or 0 for each in report.features) == pytest.approx(1)
    assert json.loads(json.dumps(report.to_json()))["features"][1]["name"] == "country"


def test_the_figures_are_scikit_learns(trained: TrainedModel, payments: pl.DataFrame) -> None:
    from sklearn.metrics import precision_score, recall_score, roc_auc_score

    everything = train(payments, target="fraud", features=FEATURES, name="fraud", holdout=0)
    score = everything.pipeline.predict_proba(everything._rows)[:, 1]
    truth = payments["fraud"].to_numpy()
    assert everything.report.measured_on == "training"
    assert everything.report.auc == pytest.approx(roc_auc_score(truth, score))
    assert everything.report.precision == pytest.approx(precision_score(truth, score >= 0.5))
    assert everything.report.recall == pytest.approx(recall_score(truth, score >= 0.5))


def test_pandas_trains_the_same_model(trained: TrainedModel, payments: pl.DataFrame) -> None:
    frame = pd.DataFrame(payments.to_dict(as_series=False))
    assert train(frame, target="fraud", features=FEATURES, name="fraud").report == trained.report


def test_a_random_model_is_the_same_twice(payments: pl.DataFrame) -> None:
    forest = RandomForestClassifier(n_estimators=5)
    reports = [train(payments, target="fraud", features=FEATURES, model=forest).report for _ in range(2)]
    assert reports[0] == reports[1]
    assert forest.random_state is None
    assert train(payments, target="fraud", features=FEATURES, model=forest, seed=1).report != reports[0]


def test_a_regressor_is_measured_as_one(payments: pl.DataFrame) -> None:
    rows = payments.drop_nulls()
    report = train(rows, target="amount", features=["tries", "night"], model=LinearRegression()).report
    assert report.auc is None
    assert report.mean_absolute_error is not None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "frod"}, "no such column; got 'frod'"),
        ({"features": ["amount", "amounts"]}, "no such column; got 'amounts'"),
        ({"features": []}, "features must be a list"),
        ({"features": ["amount", "amount"]}, "named twice"),
        ({"features": ["amount", "fraud"]}, "must not be a feature"),
        ({"model": KMeans()}, "classifier or regressor"),
        ({"model": "forest"}, "classifier or regressor"),
        ({"model": LinearRegression(), "target": "country", "features": ["amount"]}, "target"),
        ({"target": "amount", "features": ["tries"]}, "missing in some rows"),
        ({"holdout": 1.0}, "holdout"),
        ({"unknown": "perhaps"}, "unknown policy"),
        ({"frame": [1, 2]}, "Polars or pandas"),
    ],
)
def test_bad_arguments(payments: pl.DataFrame, change: dict[str, Any], says: str) -> None:
    arguments: dict[str, Any] = {"frame": payments, "target": "fraud", "features": FEATURES, "name": "fraud", **change}
    with pytest.raises(ModelError, match=says):
        train(arguments.pop("frame"), **arguments)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pl.DataFrame({"x": [1.0, 2.0], "y": [1, 1]}), "all rows are of one class"),
        (pl.DataFrame({"x": [None, None], "y": [0, 1]}, schema={"x": pl.Float64, "y": pl.Int64}), "empty in every row"),
        (pl.DataFrame({"x": [float("inf"), 1.0], "y": [0, 1]}), "infinity"),
        (pl.DataFrame({"x": [datetime(2024, 1, 1, tzinfo=UTC)] * 2, "y": [0, 1]}), "numbers, booleans or text"),
        (pl.DataFrame({"x": [1.0, 2.0], "y": [0.5, 1.0]}), "fractions"),
        (pl.DataFrame({"x": [1.0, 2.0], "y": [0, 1]}), "scikit-learn cannot train it"),
        (pl.DataFrame({"x": [], "y": []}), "no rows"),
    ],
)
def test_bad_rows(frame: pl.DataFrame, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        train(frame, target="y", features=["x"], name="m")


def test_versions_that_do_not_go_together_are_refused() -> None:
    check_versions(scikit_learn="1.9.0", sklearn2pmml="0.133.1")
    with pytest.raises(
        MissingDependencyError, match=r"scikit-learn.*got '1\.9\.1'.*pip install 'scikit-learn==1\.9\.0'"
    ):
        check_versions(scikit_learn="1.9.1", sklearn2pmml="0.133.1")
    with pytest.raises(MissingDependencyError, match="sklearn2pmml"):
        check_versions(scikit_learn="1.9.0", sklearn2pmml="0.120.0")
    check_versions(scikit_learn="1.10.0", sklearn2pmml="0.140.0")


def test_an_expired_sklearn2pmml_is_refused() -> None:
    built = datetime(2026, 1, 1, tzinfo=UTC)
    check_expiry(built, datetime(2026, 12, 26, tzinfo=UTC))
    with pytest.raises(MissingDependencyError, match="2026-12-27"):
        check_expiry(built, datetime(2026, 12, 28, tzinfo=UTC))
