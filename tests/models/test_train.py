"""Training: what cannot be exported is refused before it starts, and the same rows give the same model."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from styx_lab.errors import MissingDependencyError, ModelError
from styx_lab.models import NativeScorer, TrainedModel, train
from styx_lab.models.profile import profile_rows
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
    score = everything.pipeline.predict_proba(everything.inputs(everything.rows))[:, 1]
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
        ({"model": "wood"}, "no such model; got 'wood'.*logistic, linear"),
        ({"model": LogisticRegression}, "classifier or regressor"),
        ({"model": LinearRegression(), "target": "country", "features": ["amount"]}, "target"),
        ({"target": "amount", "features": ["tries"]}, "missing in some rows"),
        ({"holdout": 1.0}, "holdout"),
        ({"holdout": True}, "holdout"),
        ({"holdout_by": "size"}, "by time or at random; got 'size'"),
        ({"holdout_by": "time"}, "say which column is the time"),
        ({"time": "tme"}, "time: no such column; got 'tme'"),
        ({"time": "country"}, "a text that is no time"),
        ({"time": "amount"}, "rows without a time"),
        ({"time": "night"}, "not a column of times"),
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
        (pl.DataFrame({"x": [[1], [2]], "y": [0, 1]}), "numbers, booleans or text.*List"),
        (pl.DataFrame({"x": [str(n) for n in range(1_001)], "y": [0] * 1_000 + [1]}), "1,000 different values"),
        (
            pl.DataFrame({"x": [1.0, 2.0], "y": [None, None]}, schema={"x": pl.Float64, "y": pl.Int64}),
            "missing in some",
        ),
        (pl.DataFrame({"x": [1.0] * 8, "y": [0] * 6 + [1] * 2, "_time": list(range(8))}), "older than those held out"),
        (pl.DataFrame({"x": [1.0] * 8, "y": [0, 1] * 4, "_time": [5] * 8}), "no row is older than those held out"),
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


def test_the_last_rows_by_time_are_held_out(payments: pl.DataFrame) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=place // 3) for place in range(payments.height)]
    timed = payments.with_columns(_time=pl.Series(times, dtype=pl.Datetime("ms", "UTC")))
    model = train(timed, target="fraud", model="tree")
    # 150 of 600 rows are a quarter; three share each minute, and none of them is parted.
    assert (model.report.holdout_by, model.report.trained_on, model.report.measured_rows) == ("time", 450, 150)
    assert model.report.held_out_from == "2026-01-01 02:30:00+00:00"
    assert model.features == ["amount", "country", "night", "tries"]
    assert model.rows.equals(payments[:450])
    # Their order in the frame does not matter, nor how their time is written.
    turned = timed.reverse().with_columns(_time=pl.col("_time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert train(turned, target="fraud", model="tree").rows.reverse().equals(payments[:450])
    named = timed.rename({"_time": "at"})
    assert train(named, target="fraud", time="at", model="tree").rows.equals(payments[:450])
    other = train(timed, target="fraud", model="tree", holdout_by="random").report
    assert (other.holdout_by, other.held_out_from, other.trained_on) == ("random", None, 450)
    # A share that falls within a minute holds out the whole minute.
    assert train(timed, target="fraud", model="tree", holdout=0.004).report.measured_rows == 3
    assert train(timed, target="fraud", model="tree", holdout=0).report.holdout_by is None


def test_the_further_figures_are_scikit_learns(payments: pl.DataFrame) -> None:
    model = train(payments, target="fraud", features=FEATURES, holdout=0)
    report, truth = model.report, payments["fraud"].to_numpy()
    score = model.pipeline.predict_proba(model.inputs(model.rows))[:, 1]
    assert report.log_loss == pytest.approx(metrics.log_loss(truth, score))
    assert report.brier_score == pytest.approx(metrics.brier_score_loss(truth, score))
    assert [each.threshold for each in report.thresholds] == pytest.approx([0.1 * n for n in range(1, 10)])
    for each in report.thresholds:
        (tn, fp), (fn, tp) = metrics.confusion_matrix(truth, score >= each.threshold)
        assert (each.true_positives, each.false_positives) == (tp, fp)
        assert (each.false_negatives, each.true_negatives) == (fn, tn)
    assert sum(each.rows for each in report.calibration) == len(truth)
    for each in report.calibration:
        inside = (score >= each.above) & (score < each.below)
        assert each.predicted == pytest.approx(score[inside].mean())
        assert each.observed == pytest.approx(truth[inside].mean())
    assert report.confusion is not None
    assert report.confusion.counts == tuple(map(tuple, metrics.confusion_matrix(truth, score > 0.5).tolist()))
    assert report.importance_by == "coefficients"


def test_the_figures_of_numbers_and_of_many_classes(payments: pl.DataFrame) -> None:
    rows = payments.drop_nulls()
    model = train(rows, target="amount", features=["tries", "night"], model="linear", holdout=0)
    said, truth = model.pipeline.predict(model.inputs(model.rows)), rows["amount"].to_numpy()
    assert model.report.root_mean_squared_error == pytest.approx(metrics.root_mean_squared_error(truth, said))
    assert model.report.r2 == pytest.approx(metrics.r2_score(truth, said))
    many = train(rows, target="country", features=["tries", "amount"], model="tree").report
    assert (many.auc, many.thresholds, many.positive) == (None, (), None)
    assert many.log_loss is not None
    assert many.confusion is not None
    assert many.confusion.classes == ("DE", "FR", "US")
    assert sum(map(sum, many.confusion.counts)) == many.measured_rows
    neighbours = train(rows, target="fraud", features=["amount", "tries"], model=KNeighborsClassifier()).report
    assert neighbours.importance_by == "permutation"
    assert sum(each.importance or 0 for each in neighbours.features) == pytest.approx(1)


@pytest.mark.parametrize("word", ["logistic", "tree", "forest", "boosting"])
def test_a_model_by_word_is_scored_as_scikit_learn_scores_it(word: str, payments: pl.DataFrame) -> None:
    rows = payments.drop_nulls()
    model = train(rows, target="fraud", features=FEATURES, model=word)
    assert model.report.auc is not None
    assert model.report.auc > 0.65
    assert model.report.importance_by is not None
    scorer = NativeScorer("fraud@1", model.export())
    scores = scorer.score(rows.select(FEATURES))
    assert scores.errors.null_count() == rows.height
    expected = model.pipeline.predict_proba(model.inputs(rows))[:, 1]
    assert scores.values.to_numpy() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("word", ["linear", "tree", "forest", "boosting"])
def test_a_model_of_numbers_by_word(word: str, payments: pl.DataFrame) -> None:
    rows = payments.drop_nulls()
    model = train(rows, target="amount", features=["tries", "night", "country"], model=word)
    assert model.report.root_mean_squared_error is not None
    scores = NativeScorer("amount@1", model.export()).score(rows)
    assert scores.values.to_numpy() == pytest.approx(model.pipeline.predict(model.inputs(rows)), rel=1e-6)


def test_what_is_kept_beside_a_model(trained: TrainedModel, payments: pl.DataFrame) -> None:
    meta = json.loads(json.dumps(trained.meta()))
    assert meta["report"] == trained.report.to_json()
    training = meta["training"]
    assert (training["rows"], training["trained_on"], training["seed"]) == (600, 450, 0)
    assert (training["features"], training["target"]) == (FEATURES, "fraud")
    assert training["types"]["amount"] == "Float64"
    assert training["types"]["fraud"] == "Boolean"
    sample = pl.read_parquet(io.BytesIO(base64.b64decode(meta["sample"])))
    assert sample.height == 200
    assert sample.equals(trained.sample())
    assert sample.join(trained.rows, on=sample.columns, how="anti", nulls_equal=True).height == 0
    assert trained.sample(10_000).equals(trained.rows)
    assert "sample" not in trained.meta(sample_rows=0)
    assert meta["profile"] == profile_rows(trained.rows.select(FEATURES))
    with pytest.raises(ModelError, match="no fewer rows than none"):
        trained.sample(-1)
    # The hash is of the rows given: their values, order, names and types.
    assert training["sha256"] == train(payments, target="fraud", features=FEATURES, name="other", seed=7).sha256
    for other in (
        payments.reverse(),
        payments[:-1],
        payments.with_columns(pl.col("tries") + 1),
        payments.with_columns(pl.col("tries").cast(pl.Int32)),
    ):
        assert train(other, target="fraud", features=FEATURES).sha256 != trained.sha256


class Unfitted(LogisticRegression):
    """Fails the test when it is fitted."""

    def fit(self, *_: Any) -> Any:
        raise AssertionError("fitted before the versions were checked")


def test_no_row_is_fitted_where_the_export_would_be_refused(
    payments: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "scikit_learn-1.9.1.dist-info"
    newer.mkdir()
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: scikit-learn\nVersion: 1.9.1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"sklearn2pmml 0\.133\.1 exports .*1\.9\.0; got '1\.9\.1'"):
        train(payments, target="fraud", features=FEATURES, model=Unfitted())
