"""The figures of a fitted model over rows: of a classifier, and of a regressor.

Law: each figure is scikit-learn's, or its definition written out; where rows do not allow one it is None, not a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from styx_lab.models.summary import positive_class

__all__ = ["CalibrationReport", "ConfusionReport", "ThresholdReport", "measure"]

_THRESHOLDS: Final = tuple(tenth / 10 for tenth in range(1, 10))
_BINS: Final = 10
_MOST_CLASSES: Final = 20


@dataclass(frozen=True, slots=True)
class ThresholdReport:
    """What a binary classifier would do if rows scored `threshold` or more were called positive.

    Attributes:
        threshold: of the probability.
        true_positives, false_positives, false_negatives, true_negatives: rows.
        precision: of rows called positive, the share that is; None when there are none.
        recall: of positive rows, the share that is called so; None when there are none.
    """

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """Rows whose score lies between two bounds (the upper one excluded, but for 1): what was said, and what was so.

    Attributes:
        above, below: the bounds.
        rows: their number.
        predicted: mean of their scores.
        observed: share of them that is positive.
    """

    above: float
    below: float
    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class ConfusionReport:
    """How often each class was called what: `counts[true][predicted]`, in the order of `classes`."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def measure(pipeline: Any, x: Any, y: Any, *, classify: bool) -> dict[str, Any]:
    """The figures of a fitted pipeline over rows it is given, as ModelReport's fields."""
    from sklearn import metrics

    truth = np.asarray(y)
    predicted = np.asarray(pipeline.predict(x))
    if not classify:
        return {
            "r2": float(metrics.r2_score(truth, predicted)) if len(truth) > 1 else None,
            "mean_absolute_error": float(metrics.mean_absolute_error(truth, predicted)),
            "root_mean_squared_error": float(np.sqrt(np.mean((truth - predicted) ** 2))),
        }
    classes = list(pipeline.classes_)
    found: dict[str, Any] = {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "confusion": _confusion(truth, predicted, classes),
    }
    shares = np.asarray(pipeline.predict_proba(x)) if hasattr(pipeline, "predict_proba") else None
    if shares is not None:
        known = np.isin(truth, classes)  # of a class that was never fitted no probability is said
        found["log_loss"] = float(metrics.log_loss(truth, shares, labels=classes)) if known.all() else None
    if len(classes) == 2:
        found |= _binary(truth, predicted, classes, shares)
    return found


def _binary(truth: Any, predicted: Any, classes: Sequence[Any], shares: Any) -> dict[str, Any]:
    from sklearn import metrics

    names = [str(each) for each in classes]
    positive = positive_class(names)
    which = names.index(positive)
    is_so = truth == classes[which]
    found: dict[str, Any] = {"positive": positive}
    if shares is None:
        said = predicted == classes[which]
    else:
        score = shares[:, which]
        said = score >= 0.5
        found["auc"] = float(metrics.roc_auc_score(is_so, score)) if 0 < is_so.sum() < len(is_so) else None
        found["brier_score"] = float(np.mean((score - is_so) ** 2))
        found["thresholds"] = tuple(_at(threshold, is_so, score >= threshold) for threshold in _THRESHOLDS)
        found["calibration"] = _calibration(is_so, score)
    both = _at(0.5, is_so, said)
    return {**found, "precision": both.precision, "recall": both.recall}


def _at(threshold: float, is_so: Any, said: Any) -> ThresholdReport:
    hits, called, there = int((is_so & said).sum()), int(said.sum()), int(is_so.sum())
    return ThresholdReport(
        threshold,
        hits,
        called - hits,
        there - hits,
        len(is_so) - called - there + hits,
        hits / called if called else None,
        hits / there if there else None,
    )


def _calibration(is_so: Any, score: Any) -> tuple[CalibrationReport, ...]:
    place = np.minimum((score * _BINS).astype(np.int64), _BINS - 1)
    rows = np.bincount(place, minlength=_BINS)
    said, so = np.bincount(place, score, _BINS), np.bincount(place, is_so, _BINS)
    return tuple(
        CalibrationReport(
            each / _BINS,
            (each + 1) / _BINS,
            int(rows[each]),
            float(said[each] / rows[each]),
            float(so[each] / rows[each]),
        )
        for each in np.flatnonzero(rows).tolist()
    )


def _confusion(truth: Any, predicted: Any, classes: Sequence[Any]) -> ConfusionReport | None:
    if len(classes) > _MOST_CLASSES:
        return None
    counts = tuple(tuple(int(((truth == a) & (predicted == b)).sum()) for b in classes) for a in classes)
    return ConfusionReport(tuple(str(each) for each in classes), counts)
