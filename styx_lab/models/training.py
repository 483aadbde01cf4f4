"""A table of rows and a target becomes a model that can be exported: one call, the same model each time.

Law: what would refuse the export (versions, an estimator of the wrong kind) refuses before the first row is fitted.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from styx_lab.core.events import canonical_lines
from styx_lab.core.schema import RESERVED_PREFIX
from styx_lab.errors import ModelError
from styx_lab.models.card import METRICS, ModelCard
from styx_lab.models.estimators import make_estimator
from styx_lab.models.export import export_pipeline
from styx_lab.models.holdout import HoldoutBy, held_out, time_column
from styx_lab.models.measures import measure
from styx_lab.models.preparation import (
    UnknownPolicy,
    as_polars,
    build_pipeline,
    check_columns,
    feature_columns,
    pandas_columns,
    target_column,
)
from styx_lab.models.profile import PROFILE, profile_rows
from styx_lab.models.report import ModelReport, describe_features
from styx_lab.models.versions import check_training_versions

if TYPE_CHECKING:
    from styx_lab.models.parity import ParityReport

__all__ = ["SAMPLE_ROWS", "TrainedModel", "train"]

SAMPLE_ROWS: Final = 200
"""How many training rows are kept beside a model."""
_ROWS_A_HASH: Final = 10_000
_ROWS_FOR_THREADS: Final = 100_000


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted model, what was measured, and the way out of Python.

    Attributes:
        name: of the model.
        pipeline: the fitted `sklearn2pmml` PMMLPipeline.
        report: what was measured.
        rows: the rows that it was fitted on: the features in order, and the target.
        sha256: of all rows given, those held out among them: names, types and canonical JSON, in order.
        seed: of all that was random.
    """

    name: str
    pipeline: Any
    report: ModelReport
    rows: pl.DataFrame = field(repr=False)
    sha256: str
    seed: int = 0
    _parity: list[ParityReport] = field(default_factory=list, repr=False, compare=False)

    @property
    def parity(self) -> ParityReport | None:
        """What the check found when it was last exported; None before that."""
        return self._parity[-1] if self._parity else None

    @property
    def features(self) -> list[str]:
        """The columns it predicts from."""
        return [each.name for each in self.report.features]

    def inputs(self, rows: pl.DataFrame) -> Any:
        """Rows as the pipeline takes them: a pandas frame, `model.pipeline.predict(model.inputs(rows))`."""
        texts = [each.name for each in self.report.features if each.kind == "text"]
        return pandas_columns(rows, self.features, texts)

    def sample(self, most: int = SAMPLE_ROWS) -> pl.DataFrame:
        """Some of the rows that it was fitted on, drawn with the seed, in their order.

        Raises:
            ModelError: when `most` is negative.
        """
        if most < 0:
            raise ModelError("a sample has no fewer rows than none", where=f"model {self.name!r}", got=most)
        import numpy as np

        height = self.rows.height
        chosen = np.random.default_rng(self.seed).choice(height, min(most, height), replace=False)
        return self.rows[np.sort(chosen)]

    def card(self) -> ModelCard:
        """What a notebook shows of it."""
        report = self.report
        return ModelCard(
            self.name,
            f"{report.model} of {report.target}",
            inputs={each.name: str(self.rows.schema[each.name]) for each in report.features},
            importance={each.name: each.importance for each in report.features},
            importance_by=report.importance_by or "",
            metrics={metric: value for metric in METRICS if (value := getattr(report, metric)) is not None},
            measured_on=report.measured_on,
            facts={
                "trained on": f"{report.trained_on:,} of {report.rows:,} rows",
                "data sha256": self.sha256[:16],
                "parity": "not exported yet" if self.parity is None else self.parity.verdict,
            },
        )

    def __repr__(self) -> str:
        return str(self.card())

    def _repr_html_(self) -> str:
        return self.card()._repr_html_()

    def meta(self, *, sample_rows: int = SAMPLE_ROWS) -> dict[str, Any]:
        """What a store should keep beside the PMML, as JSON.

        `report` is what was measured; `training` says of the rows given their number, hash and types, and how they were
        parted, with the versions and the seed; `profile` says how the rows fitted on are distributed, so that drift can
        be told; `sample` has some of the rows fitted on as Parquet in Base64 (see
        `sample`), to check the model with later.

        Args:
            sample_rows: how many; 0 for none. They can be read by who can read the store.

        After an export `parity` has what its check found, without the rows that differ.
        """
        types = {name: str(dtype) for name, dtype in self.rows.schema.items()}
        report = self.report
        kept: dict[str, Any] = {
            "report": report.to_json(),
            "training": {
                "sha256": self.sha256,
                "rows": report.rows,
                "trained_on": report.trained_on,
                "holdout_by": report.holdout_by,
                "features": self.features,
                "target": report.target,
                "types": types,
                "model": report.model,
                "versions": dict(report.versions),
                "seed": report.seed,
            },
        }
        kept[PROFILE] = profile_rows(self.rows.select(self.features))
        if sample_rows:
            file = io.BytesIO()
            self.sample(sample_rows).write_parquet(file)
            kept["sample"] = base64.b64encode(file.getvalue()).decode()
        if self.parity is not None:
            kept["parity"] = self.parity.to_json(examples=False)
        return kept

    def check(
        self,
        pmml: bytes | None = None,
        *,
        reference: str | None = "auto",
        precision: float | None = None,
        most_rows: int = 2_000,
    ) -> ParityReport:
        """Compare scikit-learn, the native evaluator and a reference on the same rows: see `check_parity`.

        Args:
            pmml: a file of this model; it is exported where none is given.
            reference: `jpmml`, `pypmml`, `None` for none; `auto` for the first of those that is installed.
            precision: how far apart two numbers may be, as a share.
            most_rows: how many training rows to ask about.

        Raises:
            ModelError: when it cannot be exported, or an evaluator refuses it.
        """
        from styx_lab.models.parity import check_parity

        return check_parity(
            self.export(parity="report") if pmml is None else pmml,
            name=self.name,
            pipeline=self.pipeline,
            rows=self.inputs(self.rows),
            reference=reference,
            precision=precision,
            seed=self.seed,
            most_rows=most_rows,
        )

    def export(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        verify_rows: int = 10,
        precision: float | None = None,
        parity: Literal["refuse", "report"] = "refuse",
    ) -> bytes:
        """The model as PMML bytes, with rows embedded that every scorer verifies when it loads them.

        What it answers as PMML is compared with what scikit-learn answers (`check`); `model.parity` has the report.

        Args:
            path: where to write it as well.
            verify_rows: how many training rows to embed, evenly spread; 0 for none. They are readable in the file.
            precision: how near an answer must come to the embedded one, and to scikit-learn's, as a share of it: 1e-9
                where it is not said, 1e-6 where the file hangs on 32 bits.
            parity: what becomes of a model whose PMML answers otherwise: `refuse` it, or only `report` it.

        Raises:
            ModelError: when it cannot be exported, or answers otherwise as PMML.
            MissingDependencyError: when Java or a package is missing.
            OutputError, InputMissingError: when the file cannot be written.
        """
        where = f"model {self.name!r}"
        if parity not in ("refuse", "report"):
            raise ModelError("unknown word for parity", where=where, got=parity, hint="'refuse' or 'report'")
        if verify_rows < 0:
            raise ModelError("verify_rows must not be negative", where=f"model {self.name!r}", got=verify_rows)
        count = min(verify_rows, self.rows.height)
        chosen = [index * self.rows.height // count for index in range(count)]
        verify = self.inputs(self.rows[chosen]) if count else None

        def compare(pmml: bytes) -> None:
            found = self.check(pmml, precision=precision)
            self._parity[:] = [found]
            if parity == "refuse" and not found.passed:
                raise ModelError(
                    f"as PMML it does not answer as scikit-learn does: {found.verdict}",
                    where=where,
                    hint='see model.parity; parity="report" exports it all the same',
                )

        return export_pipeline(self.pipeline, path, name=self.name, verify=verify, precision=precision, check=compare)


def train(  # noqa: PLR0913 - each is a word of its own, by name
    frame: Any,
    *,
    target: str,
    features: Sequence[str] | None = None,
    model: Any = None,
    name: str = "model",
    holdout: float = 0.25,
    holdout_by: HoldoutBy | None = None,
    time: str | None = None,
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
        frame: a Polars or pandas DataFrame; one row an example. What `flow.features(...)` gives is one.
        target: the column to predict.
        features: the columns to predict it from: numbers, booleans or text. All others but the time and those that
            begin with `_` where none are named.
        model: `logistic`, `linear`, `tree`, `forest` or `boosting`; or an unfitted scikit-learn classifier or
            regressor, which is copied. A logistic regression when left out.
        name: what to call it.
        holdout: the share of rows kept from the fitting, to measure on; 0 to fit on all and measure on the same.
        holdout_by: `time` holds out the last rows by time, as a stream will bring them; `random` any. By time where
            there is a time, when left out.
        time: the column to part by; `_time`, which `flow.features` gives, where none is named.
        unknown: what a scorer does with a text that training never saw: give the row an `error`, or `ignore` it.
        seed: for the choice of rows and for the model, where it has none of its own.

    Raises:
        ModelError: when the columns or the model will not do.
        MissingDependencyError: when scikit-learn or sklearn2pmml is missing or of a version that cannot export.
    """
    versions = check_training_versions()
    where = f"model {name!r}"
    from sklearn.base import is_classifier

    rows = as_polars(frame, where=where)
    parted_by = time_column(rows, holdout_by, time, where=where)
    if features is None:
        features = [
            each for each in rows.columns if each not in (target, parted_by) and not each.startswith(RESERVED_PREFIX)
        ]
    check_columns(rows, target, features, where=where)
    if isinstance(holdout, bool) or not 0 <= holdout < 1:
        raise ModelError("holdout is a share of the rows, from 0 to below 1", where=where, got=holdout)
    if unknown not in ("error", "ignore"):
        raise ModelError("unknown policy for unknown text", where=where, got=unknown, hint="'error' or 'ignore'")
    estimator = make_estimator(model, rows.get_column(target), where=where)
    classify = bool(is_classifier(estimator))
    if estimator.get_params().get("random_state", 0) is None:
        estimator.set_params(random_state=seed)
    x, numbers, texts = feature_columns(rows, features, where=where)
    y = target_column(rows, target, classify=classify, where=where)
    pipeline = build_pipeline(estimator, numbers, texts, unknown=unknown)
    try:
        fit, test, first = held_out(rows, y, share=holdout, time=parted_by, classify=classify, seed=seed, where=where)
        with _threads(rows.height):
            pipeline.fit(x.iloc[fit], y.iloc[fit])
        # A rare text may stand in held-out rows only; a scorer gives those an error, so they are not measured.
        x_test, y_test = x.iloc[test], y.iloc[test]
        x_test, y_test = _known(pipeline, x_test, y_test, texts) if unknown == "error" else (x_test, y_test)
        if not len(x_test):
            raise ModelError(
                "no held-out row can be measured: each has a text that training never saw",
                where=where,
                hint="hold out at random, leave that column out, or unknown='ignore'",
            )
        with _threads(rows.height):
            found = measure(pipeline, x_test, y_test, classify=classify)
            told, importance_by = describe_features(
                pipeline, rows, numbers, texts, features, measured=(x_test, y_test), seed=seed
            )
    except ValueError as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"scikit-learn cannot train it: {str(error).splitlines()[0]}", where=where, hint="give it more rows"
        ) from error
    by: HoldoutBy = "random" if parted_by is None else "time"
    report = ModelReport(
        name=name,
        model=type(estimator).__name__,
        target=target,
        rows=rows.height,
        trained_on=len(fit),
        measured_on="held-out" if holdout else "training",
        measured_rows=len(x_test),
        unknown_rows=len(test) - len(x_test),
        holdout_by=by if holdout else None,
        held_out_from=None if first is None else str(first),
        features=told,
        importance_by=importance_by,
        versions=versions,
        seed=seed,
        **found,
    )
    used = rows.select(*features, target)
    return TrainedModel(name, pipeline, report, used[fit] if holdout else used, _digest(used), seed)


def _threads(rows: int) -> AbstractContextManager[Any]:
    """One thread for scikit-learn's boosting where the rows are few: there its threads wait longer than they work."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1 if rows < _ROWS_FOR_THREADS else None, user_api="openmp")
    return limits


def _digest(rows: pl.DataFrame) -> str:
    digest = sha256(repr([(name, str(dtype)) for name, dtype in rows.schema.items()]).encode())
    for part in rows.iter_slices(_ROWS_A_HASH):
        for line in canonical_lines(part):
            digest.update(line + b"\n")
    return digest.hexdigest()


def _known(pipeline: Any, x: Any, y: Any, texts: Sequence[str]) -> tuple[Any, Any]:
    if not texts:
        return x, y
    encoder = pipeline.steps[0][1].named_transformers_["texts"].steps[-1][1]
    keep = x[texts[0]].notna() | True
    for name, categories in zip(texts, encoder.categories_, strict=True):
        keep &= x[name].isna() | x[name].isin(list(categories))
    return x[keep], y[keep]
