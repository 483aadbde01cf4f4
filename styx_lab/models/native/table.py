"""An answer as a table: the columns of targets and outputs, and each row's error."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from styx_lab.models.native.column import Column, Rows
from styx_lab.models.native.model import Answer

__all__ = ["series_of", "tabulate"]

_MOMENTS: dict[str, Any] = {"date": pl.Date(), "dateTime": pl.Datetime("ms")}


def series_of(name: str, column: Column, height: int) -> pl.Series:
    """A column as a Polars series; what is missing is null."""
    full = column.full(height)
    if column.type == "string":
        # A word that no row has is in the list all the same.
        words = pl.Series(list(column.words), dtype=pl.String)
        series = words.gather(np.ascontiguousarray(full.values)) if height else pl.Series([], dtype=pl.String)
        series = series.alias(name)
    else:
        series = pl.Series(name, np.ascontiguousarray(full.values))
        if column.type in _MOMENTS:
            series = series.cast(pl.Int32 if column.type == "date" else pl.Int64).cast(_MOMENTS[column.type])
        elif column.type == "time":
            series = (series * 1_000_000).cast(pl.Time)
    if full.missing is not None and full.missing.any():
        series = series.set(pl.Series(np.ascontiguousarray(full.missing)), None)
    return series


def tabulate(answer: Answer, rows: Rows, target: str) -> tuple[pl.DataFrame, pl.Series]:
    """The columns of an answer, null in rows with errors, and the errors (null where there are none)."""
    height = rows.height
    columns = {target: answer.prediction.target, **answer.others}
    columns |= answer.outputs
    codes = answer.errors()
    table = [series_of(name, column, height) for name, column in columns.items()]
    if codes is None or not codes.any():
        return pl.DataFrame(table), pl.Series("error", [None], dtype=pl.String).new_from_index(0, height)
    codes = np.broadcast_to(codes, (height,))
    bad = pl.Series(np.ascontiguousarray(codes != 0))
    texts = pl.Series("error", [None, *rows.texts[1:]], dtype=pl.String).gather(np.ascontiguousarray(codes))
    return pl.DataFrame([series.set(bad, None) for series in table]), texts.alias("error")
