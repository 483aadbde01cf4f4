"""Train: a model from examples, exported to PMML and kept in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from styx_lab.flow.table import read_rows
from styx_lab.stores import SqliteStore

__all__ = ["Training", "train"]


@dataclass(frozen=True, slots=True)
class Training:
    """What a training gave.

    Attributes:
        model: the model with its version, as `fraud@1`.
        sha256: hash of its PMML.
        report: rows, AUC, precision, recall and more, as JSON.
    """

    model: str
    sha256: str
    report: dict[str, Any]


def train(
    name: str,
    examples: str | Path | pl.DataFrame,
    *,
    target: str,
    features: Sequence[str] | None = None,
    model: Any = None,
    store: str | Path | None = None,
    alias: str | None = None,
) -> Training:
    """Train a model, export it to PMML with verification rows, keep it in the store.

    Args:
        name: what the store calls it; each training that changes it is a new version.
        examples: a file (`.parquet`, `.csv`, `.jsonl`) or frame, one row an example.
        target: the column to predict.
        features: the columns to predict it from; all others where none are named.
        model: an unfitted scikit-learn estimator; logistic regression where none is given.
        store: the store; the default one where none is named.
        alias: a name such as `champion` to give the new version.

    Raises:
        InputMissingError, DataError: when the examples cannot be read.
        ModelError: when it cannot be trained or exported.
        MissingDependencyError: when the extra `train` is not installed.
    """
    from styx_lab.models import train as fit

    rows = examples if isinstance(examples, pl.DataFrame) else read_rows(examples, where=f"model {name!r}, examples")
    chosen = list(features) if features else [column for column in rows.columns if column != target]
    trained = fit(rows, target=target, features=chosen, model=model, name=name)
    report = trained.report.to_json()
    with SqliteStore(store) as kept:
        record = kept.put_model(name, trained.export(), meta={"report": report})
        if alias is not None:
            kept.set_alias("model", name, alias, record.version)
    return Training(f"{record.name}@{record.version}", record.sha256, report)
