"""What training found, as plain numbers that can be kept beside the model.

Law: a report says which rows its figures were measured on; figures of the training rows are never passed off
as others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from styx_lab.models.summary import positive_class

__all__ = ["FeatureReport", "ModelReport", "describe_features", "measure"]


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """One input column, over all rows given.

    Attributes:
        name: of the column.
        kind: `number` or `text`.
        missing: rows without a value.
        distinct: different values.
        mean: of a number.
        importance: its share in the model, 0 to 1 (sizes of coefficients, or the trees' importances); `None` where the
            model has neither.
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
        positive: the class that `auc`, `precision` and `recall` are about; `None` unless there are two classes.
        auc: area under the ROC curve.
        precision: of rows scored 0.5 or more, the share that is positive; `None` when there are none.
        recall: of positive rows, the share scored 0.5 or more.
        accuracy: of a classifier.
        r2: of a regressor.
        mean_absolute_error: of a regressor, in units of the target.
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
    positive: str | None
    auc: float | None
    precision: float | None
    recall: float | None
    accuracy: float | None
    r2: float | None
    mean_absolute_error: float | None
    features: tuple[FeatureReport, ...]
    versions: Mapping[str, str]
    seed: int

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {**asdict(self), "features": [asdict(each) for each in self.features]}


def measure(pipeline: Any, x: Any, y: Any, *, classify: bool) -> dict[str, Any]:
    """The figures of a fitted pipeline over rows it is given, as ModelReport's fields."""
    from sklearn import metrics

    found: dict[str, Any] = dict.fromkeys(
        ("positive", "auc", "precision", "recall", "accuracy", "r2", "mean_absolute_error")
    )
    predicted = pipeline.predict(x)
    if not classify:
        found["r2"] = float(metrics.r2_score(y, predicted)) if len(y) > 1 else None
        found["mean_absolute_error"] = float(metrics.mean_absolute_error(y, predicted))
        return found
    found["accuracy"] = float(metrics.accuracy_score(y, predicted))
    classes = list(pipeline.classes_)
    if len(classes) != 2:
        return found
    names = [str(each) for each in classes]
    found["positive"] = positive_class(names)
    which = names.index(found["positive"])
    truth = [bool(each == classes[which]) for each in y]
    if hasattr(pipeline, "predict_proba"):
        score = pipeline.predict_proba(x)[:, which]
        chosen = [bool(value >= 0.5) for value in score]
        found["auc"] = float(metrics.roc_auc_score(truth, score)) if 0 < sum(truth) < len(truth) else None
    else:
        chosen = [bool(each == classes[which]) for each in predicted]
    both = sum(a and b for a, b in zip(truth, chosen, strict=True))
    found["precision"] = both / sum(chosen) if any(chosen) else None
    found["recall"] = both / sum(truth) if any(truth) else None
    return found


def describe_features(
    pipeline: Any, frame: pl.DataFrame, numbers: Sequence[str], texts: Sequence[str], features: Sequence[str]
) -> tuple[FeatureReport, ...]:
    """One FeatureReport for each feature, in the order given."""
    shares = _importances(pipeline, numbers, texts)
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
    return tuple(reports)


def _importances(pipeline: Any, numbers: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    import numpy as np

    model = pipeline.steps[-1][1]
    if hasattr(model, "feature_importances_"):
        sizes = np.asarray(model.feature_importances_, dtype=np.float64)
    elif hasattr(model, "coef_"):
        sizes = np.abs(np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))).sum(axis=0)
    else:
        return {}
    owners = list(numbers)
    if texts:
        encoder = pipeline.steps[0][1].named_transformers_["texts"].steps[-1][1]
        for name, categories in zip(texts, encoder.categories_, strict=True):
            owners += [name] * len(categories)
    total = float(sizes.sum())
    if len(owners) != len(sizes) or total == 0.0:
        return {}
    shares = dict.fromkeys(owners, 0.0)
    for name, size in zip(owners, sizes, strict=True):
        shares[name] += float(size) / total
    return shares
