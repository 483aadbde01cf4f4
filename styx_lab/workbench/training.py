"""Train: a model from examples, or from what a flow makes of a recording, exported to PMML and kept in the store.

Law: what was trained on is kept beside the model: how many rows, their hash, their types, and some of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from styx_lab.flow.table import read_rows
from styx_lab.stores import SqliteStore
from styx_lab.workbench.feature_rows import TrainingRows

if TYPE_CHECKING:
    from styx_lab.models.holdout import HoldoutBy

__all__ = ["Training", "train"]


_FEW: Final = 50


@dataclass(frozen=True, slots=True)
class Training:
    """What a training gave.

    Attributes:
        model: the model with its version, as `fraud@1`.
        sha256: hash of its PMML.
        report: rows, AUC, precision, recall and more, as JSON.
        flow: of a model trained on a flow's events, which flow and step, what was counted, and which columns were left
            out and why, as JSON; else None.
    """

    model: str
    sha256: str
    report: dict[str, Any]
    flow: dict[str, Any] | None = None


def train(  # noqa: PLR0913 - each is a word of its own, by name
    name: str,
    examples: str | Path | pl.DataFrame | TrainingRows,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    model: Any = None,
    holdout: float = 0.25,
    holdout_by: HoldoutBy | None = None,
    time: str | None = None,
    unknown: Literal["error", "ignore"] = "error",
    seed: int = 0,
    sample_rows: int | None = None,
    parity: Literal["refuse", "report"] = "refuse",
    store: str | Path | None = None,
    alias: str | None = None,
) -> Training:
    """Train a model, export it to PMML with verification rows, keep it in the store.

    Args:
        name: what the store calls it; each training that changes it is a new version.
        examples: a file (`.parquet`, `.csv`, `.jsonl`) or frame, one row an example, such as `flow.features(...)`
            gives; or what `training_rows(flow, ...)` gives, and then what it says is kept with the model.
        target: the column to predict; the label of `training_rows` where it is left out.
        features: the columns to predict it from. All others where none are named, but for the time and columns that
            begin with `_`; of `training_rows` also not the key, ids, nor what is no number, boolean or text: the
            answer's `flow` says which and why.
        model: `logistic`, `linear`, `tree`, `forest`, `boosting`, or an unfitted scikit-learn estimator; logistic
            regression where none is given.
        holdout, holdout_by, time, unknown, seed: as in `styx_lab.models.train`.
        sample_rows: how many training rows to keep beside the model, to check it with later: 200 where it is not said,
            0 for none.
        parity: what becomes of a model whose PMML answers otherwise than scikit-learn: `refuse` it, or keep it and only
            `report` it. What the check found is kept beside the model either way.
        store: the store; the default one where none is named.
        alias: a name such as `champion` to give the new version.

    Raises:
        InputMissingError, DataError: when the examples cannot be read.
        ModelError: when it cannot be trained or exported.
        MissingDependencyError: when the extra `train` is not installed.
    """
    from styx_lab.errors import ModelError
    from styx_lab.models import train as fit
    from styx_lab.models.training import SAMPLE_ROWS

    where = f"model {name!r}"
    flow: dict[str, Any] | None = None
    if isinstance(examples, TrainingRows):
        rows, target = examples.frame, target or examples.label
        left_out = {} if features is not None else _no_features(examples)
        features = features or [column for column in examples.columns if column not in (*left_out, target)]
        flow = {
            "name": examples.flow,
            "hash": examples.flow_hash,
            "step": examples.step,
            "counts": dict(examples.counts),
            "dead": dict(examples.dead),
            "left_out": left_out,
        }
    elif isinstance(examples, pl.DataFrame):
        rows = examples
    else:
        rows = read_rows(examples, where=f"{where}, examples")
    if target is None:
        raise ModelError("say which column to predict", where=where, hint=f"target= one of {', '.join(rows.columns)}")
    trained = fit(
        rows,
        target=target,
        features=features,
        model=model,
        name=name,
        holdout=holdout,
        holdout_by=holdout_by,
        time=time,
        unknown=unknown,
        seed=seed,
    )
    pmml = trained.export(parity=parity)
    meta = trained.meta(sample_rows=SAMPLE_ROWS if sample_rows is None else sample_rows)
    if flow is not None:
        meta["flow"] = flow
    with SqliteStore(store) as kept:
        record = kept.put_model(name, pmml, meta=meta)
        if alias is not None:
            kept.set_alias("model", name, alias, record.version)
    return Training(f"{record.name}@{record.version}", record.sha256, meta["report"], flow)


def _no_features(rows: TrainingRows) -> dict[str, str]:
    """Which of an event's columns tell a model nothing, or cannot be told it, and why."""
    found = {}
    for column in rows.columns:
        dtype = rows.frame.schema[column]
        if column in rows.key:
            found[column] = "the key"
        elif not (dtype.is_numeric() or dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum)):
            found[column] = f"of type {dtype.base_type()}"
        elif rows.frame.get_column(column).null_count() == rows.frame.height:
            found[column] = "empty in every row"
        elif dtype in (pl.String, pl.Categorical, pl.Enum):
            different = rows.frame.get_column(column).n_unique()
            if different > max(_FEW, rows.frame.height // 5):
                found[column] = f"text with {different:,} different values in {rows.frame.height:,} rows, as an id has"
    return found
