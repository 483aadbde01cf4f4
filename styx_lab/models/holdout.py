"""Which rows a model is fitted on, and which it is measured on.

Law: no row is both. By time, no held-out row is older than one that was fitted, and rows of one time stay together:
what came later is what a stream will bring.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import polars as pl

from styx_lab.core.events import TIME
from styx_lab.errors import ModelError

__all__ = ["HoldoutBy", "Split", "held_out", "time_column"]

HoldoutBy = Literal["time", "random"]
_HINT: Final = "holdout_by='random', or another share"

Split = tuple[Any, Any, Any]
"""Places of the rows to fit and of those held out, and the first time held out (a datetime or number), if by time."""


def time_column(frame: pl.DataFrame, by: HoldoutBy | None, time: str | None, *, where: str) -> str | None:
    """The column to part by, or None to part at random.

    Raises:
        ModelError: when there is no such column, or the word is unknown.
    """
    if by not in (None, "time", "random"):
        raise ModelError("rows are held out by time or at random", where=where, got=by, hint="'time' or 'random'")
    if time is not None and time not in frame.columns:
        raise ModelError("no such column", where=f"{where}, time", got=time, hint=f"one of {', '.join(frame.columns)}")
    if by == "random":
        return None
    name = time or (TIME if TIME in frame.columns else None)
    if name is None and by == "time":
        raise ModelError(
            "to hold out by time, say which column is the time", where=where, hint=f"time='ts', or a column {TIME!r}"
        )
    return name


def held_out(
    frame: pl.DataFrame, y: Any, *, share: float, time: str | None, classify: bool, seed: int, where: str
) -> Split:
    """Part the rows.

    Args:
        frame: the rows.
        y: the target, for a random share that has each class in the same proportion.
        share: of the rows, to hold out; 0 for none: then all are fitted, and measured on.
        time: the column to part by, or None.
        classify: whether the target is a class.
        seed: for a random share.
        where: what to name in errors.

    Raises:
        ModelError: when they cannot be parted so.
        ValueError: when scikit-learn cannot part them at random.
    """
    places = np.arange(frame.height)
    if not share:
        return places, places, None
    if time is None:
        from sklearn.model_selection import train_test_split

        fit, test = train_test_split(places, test_size=share, random_state=seed, stratify=y if classify else None)
        return fit, test, None
    times = _times(frame.get_column(time), f"{where}, time {time!r}")
    first = times.sort()[frame.height - max(1, round(frame.height * share))]
    later = (times >= first).to_numpy()
    if later.all():
        raise ModelError(
            "no row is older than those held out", where=f"{where}, time {time!r}", got=str(first), hint=_HINT
        )
    fit = places[~later]
    if classify and len(set(np.asarray(y)[fit].tolist())) < 2:
        raise ModelError(
            "all rows older than those held out are of one class",
            where=f"{where}, time {time!r}",
            got=np.asarray(y)[fit][0],
            hint=_HINT,
        )
    return fit, places[later], first


def _times(column: pl.Series, where: str) -> pl.Series:
    if column.dtype == pl.String():
        try:
            column = column.str.to_datetime(time_zone="UTC")
        except pl.exceptions.PolarsError as error:
            raise ModelError("a text that is no time", where=where, hint="ISO 8601 text, or a datetime") from error
    if not (column.dtype.is_temporal() or column.dtype.is_numeric()):
        raise ModelError("not a column of times", where=where, got=str(column.dtype), hint="a datetime or a number")
    column = column.fill_nan(None) if column.dtype.is_float() else column
    if column.null_count():
        raise ModelError("rows without a time", where=where, got=column.null_count(), hint="drop them, or " + _HINT)
    return column
