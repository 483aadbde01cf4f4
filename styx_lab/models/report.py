"""What training found, as plain numbers that can be kept beside the model.

Law: a report says which rows its figures were measured on; figures of the training rows are never passed off
as others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import polars as pl

from styx_lab.models.measures import CalibrationReport, ConfusionReport, ThresholdReport

__all__ = ["FeatureReport", "ImportanceBy", "ModelReport", "describe_features"]

ImportanceBy = Literal["coefficients", "splits", "permutation"]
"""Where a feature's importance is from: the sizes of its coefficients (numbers were scaled); the splits of trees; or
how much worse the model does on the measured rows (1,000 of them at most) with that column shuffled."""

_MOST_SHUFFLED: Final = 1_000


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """One input column, over all rows given.

    Attributes:
        name: of the column.
        kind: `number` or `text`.
        missing: rows without a value.
        distinct: different values.
        mean: of a number.
        importance: its share in the model, 0 to 1; `None` where none can be told. See the report's `importance_by`.
    """

    name: str
    kind: Literal["number", "text"]
    missing: int
    distinct: int
    mean: float | None
    importance: float | None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What training found; `to_json()` fits beside the model in the store.

    Attributes:
        name: of the model.
        model: the class of the estimator.
        target: the target column.
        rows: rows given.
        trained_on: rows the model was fitted on.
        measured_on: `held-out` rows, or the `training` rows where none were held out.
        measured_rows: their number.
        unknown_rows: rows held out that have a text which training never saw: a scorer gives them an error, so they are
            not measured.
        holdout_by: how rows were held out: the last by `time`, or at `random`; `None` where none were.
        held_out_from: the first time held out, as text, where they were held out by time.
        positive: the class that `auc`, `precision` and `recall` are about; `None` unless there are two classes.
        auc: area under the ROC curve.
        precision: of rows scored 0.5 or more, the share that is positive; `None` when there are none.
        recall: of positive rows, the share scored 0.5 or more.
        accuracy: of a classifier.
        log_loss: of a classifier that gives probabilities, in nats; less is better.
        brier_score: mean square of score less truth (1 or 0), with two classes; less is better.
        thresholds: what other thresholds than 0.5 would do, with two classes.
        calibration: scores against what was so, in ten bins, with two classes.
        confusion: how often each class was called what; `None` above 20 classes.
        r2: of a regressor.
        mean_absolute_error, root_mean_squared_error: of a regressor, in units of the target.
        importance_by: where the features' importance is from.
        features: one for each input column.
        versions: of the packages that trained it.
        seed: of all that is random.
    """

    name: str
    model: str
    target: str
    rows: int
    trained_on: int
    measured_on: Literal["held-out", "training"]
    measured_rows: int
    unknown_rows: int
    holdout_by: Literal["time", "random"] | None
    held_out_from: str | None
    features: tuple[FeatureReport, ...]
    versions: Mapping[str, str]
    seed: int
    importance_by: ImportanceBy | None = None
    positive: str | None = None
    auc: float | None = None
    precision: float | None = None
    recall: float | None = None
    accuracy: float | None = None
    log_loss: float | None = None
    brier_score: float | None = None
    r2: float | None = None
    mean_absolute_error: float | None = None
    root_mean_squared_error: float | None = None
    thresholds: tuple[ThresholdReport, ...] = ()
    calibration: tuple[CalibrationReport, ...] = ()
    confusion: ConfusionReport | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        told: dict[str, Any] = _lists(asdict(self))
        return told


def describe_features(
    pipeline: Any,
    frame: pl.DataFrame,
    numbers: Sequence[str],
    texts: Sequence[str],
    features: Sequence[str],
    *,
    measured: tuple[Any, Any],
    seed: int,
) -> tuple[tuple[FeatureReport, ...], ImportanceBy | None]:
    """One FeatureReport for each feature, in the order given, and where their importance is from.

    Args:
        pipeline: fitted.
        frame: all rows given.
        numbers, texts: the features by kind.
        features: all of them.
        measured: the rows and targets that the figures are of.
        seed: for the shuffling.
    """
    shares, by = _importances(pipeline, numbers, texts)
    if by is None:
        shares, by = _by_shuffling(pipeline, *measured, seed)
    reports = []
    for name in features:
        column = frame.get_column(name)
        kept = (column.fill_nan(None) if column.dtype.is_float() else column).drop_nulls()
        mean = kept.cast(pl.Float64).mean() if name in numbers else None
        reports.append(
            FeatureReport(
                name,
                "number" if name in numbers else "text",
                len(column) - len(kept),
                kept.n_unique(),
                mean if isinstance(mean, float) else None,
                shares.get(name) if shares else None,
            )
        )
    return tuple(reports), by if shares else None


def _importances(
    pipeline: Any, numbers: Sequence[str], texts: Sequence[str]
) -> tuple[dict[str, float], ImportanceBy | None]:
    import numpy as np

    model = pipeline.steps[-1][1]
    by: ImportanceBy
    if hasattr(model, "feature_importances_"):
        sizes, by = np.asarray(model.feature_importances_, dtype=np.float64), "splits"
    elif hasattr(model, "coef_"):
        sizes, by = np.abs(np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))).sum(axis=0), "coefficients"
    else:
        return {}, None
    owners = list(numbers)
    if texts:
        encoder = pipeline.steps[0][1].named_transformers_["texts"].steps[-1][1]
        for name, categories in zip(texts, encoder.categories_, strict=True):
            owners += [name] * len(categories)
    if len(owners) != len(sizes):
        return {}, None
    return _shares(owners, sizes), by


def _by_shuffling(pipeline: Any, x: Any, y: Any, seed: int) -> tuple[dict[str, float], ImportanceBy]:
    import numpy as np
    from sklearn.inspection import permutation_importance

    if len(x) > _MOST_SHUFFLED:
        some = np.sort(np.random.default_rng(seed).choice(len(x), _MOST_SHUFFLED, replace=False))
        x, y = x.iloc[some], y.iloc[some]
    if len(x) < 2:
        return {}, "permutation"
    both = hasattr(pipeline, "predict_proba") and len(pipeline.classes_) == 2 and y.nunique() == 2
    found = permutation_importance(pipeline, x, y, scoring="roc_auc" if both else None, n_repeats=3, random_state=seed)
    return _shares(list(x.columns), np.maximum(found.importances_mean, 0.0)), "permutation"


def _shares(owners: Sequence[str], sizes: Any) -> dict[str, float]:
    total = float(sizes.sum())
    if not total > 0.0:
        return {}
    shares = dict.fromkeys(owners, 0.0)
    for name, size in zip(owners, sizes, strict=True):
        shares[name] += float(size) / total
    return shares


def _lists(value: Any) -> Any:
    """The same with lists for tuples, as JSON gives them back."""
    if isinstance(value, dict):
        return {name: _lists(each) for name, each in value.items()}
    return [_lists(each) for each in value] if isinstance(value, list | tuple) else value
