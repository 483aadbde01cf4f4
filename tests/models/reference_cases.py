"""The reference evaluator's answers to 60 models: good rows, rows that it refuses, and bad rows, and how ours compare.

`evaluate(model_path, dataframe)` is the form in which another checker calls the evaluator.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from styx_lab.models.native import load
from styx_lab.models.native.document import Document
from styx_lab.models.native.table import tabulate

__all__ = ["CASES", "Case", "answers", "differs", "evaluate", "read_case"]

FOLDER = Path(__file__).parent / "cases" / "reference"
CASES = sorted(each.name for each in FOLDER.iterdir())
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Case:
    """One model with rows and the reference's answers; an error is the text after `#error`."""

    name: str
    pmml: bytes
    rows: pl.DataFrame
    expected: list[dict[str, str]]
    bad: list[dict[str, Any]]
    kinds: dict[str, str]


def read_case(name: str) -> Case:
    """Read a case."""
    folder = FOLDER / name
    meta = json.loads((folder / "meta.json").read_text())
    given = _table(folder / "input.csv")
    columns = []
    for column, kind in meta["dtypes"].items():
        texts = [row[column] or None for row in given]
        if kind == "str":
            columns.append(pl.Series(column, texts, dtype=pl.String))
        elif kind == "bool":
            columns.append(pl.Series(column, [text == "True" for text in texts], dtype=pl.Boolean))
        else:
            numbers = [None if text is None else float(text) for text in texts]
            series = pl.Series(column, numbers, dtype=pl.Float64)
            columns.append(series.cast(pl.Int64) if kind == "int64" and None not in numbers else series)
    bad = [json.loads(line) for line in (folder / "bad.jsonl").read_text().splitlines()]
    pmml = gzip.decompress((folder / "model.pmml.gz").read_bytes())
    return Case(name, pmml, pl.DataFrame(columns), _table(folder / "expected.csv"), bad, meta["out_kind"])


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = list(csv.reader(lines))
    return [dict(zip(header, row or [""], strict=True)) for row in rows]


def answers(document: Document, frame: pl.DataFrame) -> tuple[list[dict[str, Any]], list[str | None]]:
    """The answer to each row, and its error."""
    told, rows = document.evaluate(frame)
    table, errors = tabulate(told, rows, document.model.target_name or "_target")
    return table.to_dicts(), errors.to_list()


def bad_frame(row: dict[str, Any]) -> pl.DataFrame:
    """One row of values of any type."""
    return pl.DataFrame([pl.Series(name, [value]) for name, value in row.items()] or [pl.Series("nothing", [None])])


def differs(wanted: Any, got: Any, kind: str) -> bool:
    """Whether two values are not the same; numbers may differ by a billionth (of the wanted, when that is above 1)."""
    if _missing(wanted) or _missing(got):
        return _missing(wanted) != _missing(got)
    if kind == "num":
        a, b = float(wanted), float(got)
        return a != b and not abs(a - b) <= TOLERANCE * max(1.0, abs(a))
    if kind == "bool":
        return str(wanted).lower() != str(got).lower()
    if str(wanted) == str(got):
        return False
    try:
        return float(wanted) != float(got)
    except ValueError:
        return True


def _missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


_LOADED: dict[bytes, Document] = {}


def evaluate(model_path: str, dataframe: Any) -> Any:
    """A pandas frame in, a pandas frame out; raises the first row's error."""
    import pandas as pd

    pmml = Path(model_path).read_bytes()
    if pmml not in _LOADED:
        _LOADED.clear()
        _LOADED[pmml] = load(pmml)
    columns = [_series(str(name), dataframe[name]) for name in dataframe.columns]
    frame = pl.DataFrame(columns or [pl.Series("nothing", [None] * len(dataframe))])
    document = _LOADED[pmml]
    told, rows = document.evaluate(frame)
    table, errors = tabulate(told, rows, document.model.target_name or "_target")
    for error in errors.drop_nulls():
        raise ValueError(error)
    return pd.DataFrame({name: pd.Series(table[name].to_list(), dtype=object) for name in table.columns})


def _series(name: str, values: Any) -> pl.Series:
    if values.dtype != object:
        return pl.Series(name, values.to_numpy())
    return pl.Series(name, [None if _missing(value) and value != "" else value for value in values])
