"""Small models written by hand, and what the evaluator answers to rows of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl

from styx_lab.models.native import load
from styx_lab.models.native.table import tabulate

__all__ = ["CASES", "answer", "evaluate", "pmml", "read_cases"]

CASES = Path(__file__).parent / "cases"
Row = dict[str, Any]


def pmml(fields: str, model: str) -> str:
    """A PMML file of some DataFields and a model."""
    return (
        '<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>'
        f"<DataDictionary>{fields}</DataDictionary>{model}</PMML>"
    )


def evaluate(text: str, rows: list[Row]) -> list[Row | None]:
    """The answers to rows that are scored together; `None` for a row with an error."""
    document = load(text.encode())
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [pl.Series(name, [row.get(name) for row in rows]) for name in names]
    answer, batch = document.evaluate(pl.DataFrame(columns))
    table, errors = tabulate(answer, batch, document.model.target_name or "_target")
    return [row if error is None else None for row, error in zip(table.to_dicts(), errors.to_list(), strict=True)]


def answer(text: str, **row: Any) -> Row | None:
    """The answer to one row."""
    return evaluate(text, [row])[0]


def read_cases(kind: str) -> list[dict[str, Any]]:
    """Small models of a kind with rows and the reference evaluator's answers (`None` for an error)."""
    with gzip.open(CASES / f"{kind}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]
