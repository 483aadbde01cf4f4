"""Check a model: what the native evaluator and a reference make of it, row by row."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from styx_lab.errors import OutputError, StoreError
from styx_lab.flow.table import read_rows
from styx_lab.models.guard import read_pmml
from styx_lab.models.parity import ParityReport, check_parity
from styx_lab.stores import SqliteStore

if TYPE_CHECKING:
    from styx_lab.core.ports import ModelRecord

__all__ = ["check_model", "write_plot"]


def check_model(
    model: str | Path,
    *,
    examples: str | Path | pl.DataFrame | None = None,
    store: str | Path | None = None,
    reference: str | None = "auto",
    precision: float | None = None,
    seed: int = 0,
    most_rows: int = 2_000,
) -> ParityReport:
    """Compare the evaluators' answers for a model of the store, or in a file.

    The fitted pipeline is gone when a model is in the store, so scikit-learn is not asked again: its answers are those
    that are embedded in the file, and what training found is kept beside the model (see `TrainedModel.check`).

    Args:
        model: `fraud`, `fraud@3`, `fraud@champion`, or the path of a `.pmml` file.
        examples: rows to ask about: a `.parquet`, `.csv` or `.jsonl` file, or a frame. Those that training kept beside
            the model, where none are given; else they are made from the file.
        store: the store; the default one where none is named.
        reference: `jpmml` or `pypmml`, `None` for none; `auto` for the first that is installed.
        precision: how far apart two numbers may be, as a share; see `check_parity`.
        seed: of the generated rows.
        most_rows: how many of the examples to ask about.

    Raises:
        InputMissingError, DataError: when a file is not there or cannot be read.
        NotFoundError: when the store has no such model.
        ModelError: when the model is refused.
    """
    name, pmml, kept = _find(str(model), store)
    where = f"model {name!r}, examples"
    if examples is None:
        rows = kept
    elif isinstance(examples, pl.DataFrame):
        rows = examples
    else:
        rows = read_rows(examples, where=where)
    return check_parity(
        pmml,
        name=name,
        rows=rows,
        rows_are="training" if examples is None else "examples",
        reference=reference,
        precision=precision,
        seed=seed,
        most_rows=most_rows,
    )


def write_plot(report: ParityReport, path: Path) -> None:
    """Write the picture of a report to a file.

    Raises:
        OutputError: when it cannot be written.
    """
    try:
        path.write_text(report.plot(), encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"the picture cannot be written: {error.strerror or error}", where=str(path), hint="name another file"
        ) from error


def _find(model: str, store: str | Path | None) -> tuple[str, bytes, pl.DataFrame | None]:
    """A model's name, its bytes, and the training rows that were kept with it."""
    path = Path(model)
    if path.suffix == ".pmml" or path.exists():
        return path.stem, read_pmml(path), None
    with SqliteStore(store) as kept:
        record = kept.get_model(model)
    return f"{record.name}@{record.version}", record.pmml, _kept_rows(record)


def _kept_rows(record: ModelRecord) -> pl.DataFrame | None:
    sample = record.meta.get("sample")
    if not isinstance(sample, str):
        return None
    try:
        return pl.read_parquet(io.BytesIO(base64.b64decode(sample, validate=True)))
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            "the training rows kept with the model cannot be read",
            where=f"model {record.name}@{record.version}",
            hint="give --examples, or train it again",
        ) from error
