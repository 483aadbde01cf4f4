"""A table of rows and a target becomes a model that can be exported: one call, the same model each time.

Law: what would refuse the export (versions, an estimator of the wrong kind) refuses before the first row is fitted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from styx_lab.errors import ModelError
from styx_lab.models.export import VERIFY_PRECISION, export_pipeline
from styx_lab.models.preparation import (
    UnknownPolicy,
    as_polars,
    build_pipeline,
    check_columns,
    feature_columns,
    target_column,
)
from styx_lab.models.report import ModelReport, describe_features, measure
from styx_lab.models.versions import check_training_versions

__all__ = ["TrainedModel", "train"]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted model, what was measured, and the way out of Python.

    Attributes:
        name: of the model.
        pipeline: the fitted `sklearn2pmml` PMMLPipeline.
        report: what was measured.
    """

    name: str
    pipeline: Any
    report: ModelReport
    _rows: Any = field(repr=False)

    def export(
        self, path: str | os.PathLike[str] | None = None, *, verify_rows: int = 10, precision: float = VERIFY_PRECISION
    ) -> bytes:
        """The model as PMML bytes, with rows embedded that every scorer verifies when it loads them.

        Args:
            path: where to write it as well.
            verify_rows: how many training rows to embed, evenly spread; 0 for none. They are readable in the file.
            precision: how near an answer must come to the embedded one, as a share of it.

        Raises:
            ModelError: when it cannot be exported.
            MissingDependencyError: when Java or a package is missing.
            OutputError, InputMissingError: when the file cannot be written.
        """
        if verify_rows < 0:
            raise ModelError("verify_rows must not be negative", where=f"model {self.name!r}", got=verify_rows)
        count = min(verify_rows, len(self._rows))
        chosen = [index * len(self._rows) // count for index in range(count)]
        verify = self._rows.iloc[chosen] if count else None
        return export_pipeline(self.pipeline, path, name=self.name, verify=verify, precision=precision)


def train(
    frame: Any,
    *,
    target: str,
    features: Sequence[str],
    model: Any = None,
    name: str = "model",
    holdout: float = 0.25,
    unknown: UnknownPolicy = "error",
    seed: int = 0,
) -> TrainedModel:
    """Train a model on a frame; text becomes one column a category, numbers are scaled, gaps are filled.

    >>> import polars as pl
    >>> rows = pl.DataFrame({"amount": [10.0, 900.0, 20.0, 800.0] * 10, "fraud": [0, 1, 0, 1] * 10})
    >>> model = train(rows, target="fraud", features=["amount"], name="fraud")
    >>> model.report.auc, model.report.measured_on, model.report.measured_rows
    (1.0, 'held-out', 10)

    A gap in a number is filled with the median of its column, a gap in text with its most frequent value; PMML carries
    both. Models of trees take numbers unscaled.

    Args:
        frame: a Polars or pandas DataFrame; one row an example.
        target: the column to predict.
        features: the columns to predict it from: numbers, booleans or text.
        model: an unfitted scikit-learn classifier or regressor; a logistic regression when left out. It is copied.
        name: what to call it.
        holdout: the share of rows kept from the fitting, to measure on; 0 to fit on all and measure on the same.
        unknown: what a scorer does with a text that training never saw: give the row an `error`, or `ignore` it.
        seed: for the choice of rows and for the model, where it has none of its own.

    Raises:
        ModelError: when the columns or the model will not do.
        MissingDependencyError: when scikit-learn or sklearn2pmml is missing or of a version that cannot export.
    """
    versions = check_training_versions()
    where = f"model {name!r}"
    from sklearn.base import is_classifier, is_regressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    rows = as_polars(frame, where=where)
    check_columns(rows, target, features, where=where)
    if not 0 <= holdout < 1:
        raise ModelError("holdout is a share of the rows, from 0 to below 1", where=where, got=holdout)
    if unknown not in ("error", "ignore"):
        raise ModelError("unknown policy for unknown text", where=where, got=unknown, hint="'error' or 'ignore'")
    estimator = LogisticRegression(max_iter=1_000) if model is None else _copy(model, where)
    classify = bool(is_classifier(estimator))
    if not classify and not is_regressor(estimator):
        raise ModelError(
            "the model must be a scikit-learn classifier or regressor", where=where, got=type(model).__name__
        )
    if estimator.get_params().get("random_state", 0) is None:
        estimator.set_params(random_state=seed)
    x, numbers, texts = feature_columns(rows, features, where=where)
    y = target_column(rows, target, classify=classify, where=where)
    pipeline = build_pipeline(estimator, numbers, texts, unknown=unknown)
    try:
        if holdout:
            x_fit, x_test, y_fit, y_test = train_test_split(
                x, y, test_size=holdout, random_state=seed, stratify=y if classify else None
            )
        else:
            x_fit, x_test, y_fit, y_test = x, x, y, y
        pipeline.fit(x_fit, y_fit)
        # A rare text may stand in held-out rows only; a scorer gives those an error, so they are not measured.
        x_test, y_test = _known(pipeline, x_test, y_test, texts) if unknown == "error" else (x_test, y_test)
        found = measure(pipeline, x_test, y_test, classify=classify)
    except ValueError as error:
        raise ModelError(
            f"scikit-learn cannot train it: {str(error).splitlines()[0]}", where=where, hint="give it more rows"
        ) from error
    report = ModelReport(
        name=name,
        model=type(estimator).__name__,
        target=target,
        rows=rows.height,
        trained_on=len(x_fit),
        measured_on="held-out" if holdout else "training",
        measured_rows=len(x_test),
        **found,
        features=describe_features(pipeline, rows, numbers, texts, features),
        versions=versions,
        seed=seed,
    )
    return TrainedModel(name, pipeline, report, x_fit.reset_index(drop=True))


def _copy(model: Any, where: str) -> Any:
    from sklearn.base import clone

    try:
        return clone(model)
    except TypeError as error:
        raise ModelError(
            "the model must be a scikit-learn classifier or regressor", where=where, got=type(model).__name__
        ) from error


def _known(pipeline: Any, x: Any, y: Any, texts: Sequence[str]) -> tuple[Any, Any]:
    if not texts:
        return x, y
    encoder = pipeline.steps[0][1].named_transformers_["texts"].steps[-1][1]
    keep = x[texts[0]].notna() | True
    for name, categories in zip(texts, encoder.categories_, strict=True):
        keep &= x[name].isna() | x[name].isin(list(categories))
    return x[keep], y[keep]
