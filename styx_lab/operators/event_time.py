"""Event time out of a source's arrivals: epoch ms of each event, and why some have none.

Laws: an event's time depends on that event alone; what is no time between the years 100 and 9899 is refused with a
reason (nothing silent), never bent into one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.flow.event_time import FIRST_MS, LAST_MS, TimeForm
from styx_lab.operators.iso_text import iso_times

__all__ = ["NO_TIME", "column_times", "source_times"]

NO_TIME: Final = MIN_WATERMARK
"""What stands for the time of an event that has none."""
_SHOWN: Final = 40
_PER_MS: Final = {"us": 1_000, "ns": 1_000_000}

Found = tuple[Int64s, dict[int, str]]
"""Epoch ms of each row (`NO_TIME` where there is none), and why not."""


def source_times(timestamps: Int64s | None, count: int) -> Found:
    """The times that the source itself gave; a negative one is none."""
    times = np.full(count, NO_TIME, np.int64) if timestamps is None else timestamps.astype(np.int64)
    missing = times < 0
    times[missing] = NO_TIME
    refused = dict.fromkeys(np.flatnonzero(missing).tolist(), "no_time: the source gave no timestamp")
    _check_range(times, times, "ms", refused)
    return times, refused


def column_times(column: pl.Series, form: TimeForm) -> Found:
    """The times of a column.

    >>> column_times(pl.Series([1, None]), TimeForm("s"))
    (array([                1000, -9223372036854775808]), {1: 'no_time: the event time is null'})

    Args:
        column: whole numbers, floats, text or datetimes.
        form: what they mean.
    """
    refused: dict[int, str] = {}
    if column.null_count():
        rows = np.flatnonzero(column.is_null().to_numpy()).tolist()
        refused.update(dict.fromkeys(rows, "no_time: the event time is null"))
    if column.dtype == pl.String:
        times = _text_times(column, form, refused)
    elif column.dtype.is_float():
        times = _float_seconds(column, refused)
    else:
        if column.dtype.is_temporal():
            column = column.cast(TIME_DTYPE).to_physical()
        column = column.fill_null(0) if column.null_count() else column
        times = _whole_times(column.to_numpy().astype(np.int64), form, refused)
    if refused:
        times[list(refused)] = NO_TIME
    return times, refused


def _whole_times(values: Int64s, form: TimeForm, refused: dict[int, str]) -> Int64s:
    if form.unit in _PER_MS:
        # Floor: what is finer than a millisecond is cut off, before 1970 as well.
        times = values // _PER_MS[form.unit]
    elif form.unit == "s":
        # An int64 of seconds times 1,000 need not fit.
        times = np.clip(values, FIRST_MS // 1_000 - 1, LAST_MS // 1_000 + 1) * 1_000
    else:
        times = values.copy()
    _check_range(times, values, form.unit, refused)
    return times


def _float_seconds(column: pl.Series, refused: dict[int, str]) -> Int64s:
    values = column.fill_null(0.0).to_numpy().astype(np.float64)
    with np.errstate(over="ignore"):
        # The nearest millisecond: 0.123 s is none exactly, and flooring would make 122 of some.
        nearest = np.rint(values * 1_000)
    for row in np.flatnonzero(np.isnan(values)).tolist():
        refused.setdefault(row, "bad_time: NaN is no time")
    inside = (nearest >= FIRST_MS) & (nearest <= LAST_MS)
    for row in np.flatnonzero(~inside & ~np.isnan(values)).tolist():
        refused.setdefault(row, f"bad_time: {values[row]} s is {_side(nearest[row])}")
    return np.where(inside, nearest, 0).astype(np.int64)


def _text_times(column: pl.Series, form: TimeForm, refused: dict[int, str]) -> Int64s:
    text = column.fill_null("1970-01-01") if form.format is None else column
    what = "ISO 8601 time" if form.format is None else f"time of the form {form.format!r}"
    if form.format is None:
        times, local, wrong = iso_times(text)
    else:
        found = text.str.strptime(pl.Datetime("us"), form.format, strict=False)
        wrong = (found.is_null() & column.is_not_null()).arg_true().to_list()
        times = found.to_physical().fill_null(0).to_numpy().astype(np.int64) // 1_000
        local = np.full(len(times), not form.has_offset)
    for row in wrong:
        refused.setdefault(row, f"bad_time: {_shown(column[row])} is no {what}")
    if form.zone is not None and local.any():
        times = _in_zone(times, local, column, form.zone, refused)
    _check_range(times, times, "ms", refused)
    return times


def _in_zone(times: Int64s, local: np.ndarray, column: pl.Series, zone: str, refused: dict[int, str]) -> Int64s:
    """Instants of what clocks in a zone showed: the earlier one where they showed it twice."""
    rows = np.flatnonzero(local)
    clocks = pl.Series(times[rows]).cast(pl.Datetime("ms"))
    found = clocks.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").to_physical()
    for place in found.is_null().arg_true().to_list():
        row = int(rows[place])
        refused.setdefault(row, f"bad_time: {_shown(column[row])} does not exist in {zone}")
    times = times.copy()
    times[rows] = found.fill_null(0).to_numpy()
    return times


def _check_range(times: Int64s, values: Int64s, unit: str, refused: dict[int, str]) -> None:
    # Two passes, which most batches end with: the rows are looked for only where there is one.
    if times.max(initial=FIRST_MS) > LAST_MS or times.min(initial=LAST_MS) < FIRST_MS:
        for row in np.flatnonzero((times > LAST_MS) | (times < FIRST_MS)).tolist():
            refused.setdefault(row, f"bad_time: {values[row]} {unit} is {_side(times[row])}")
    if refused:
        times[list(refused)] = NO_TIME


def _side(time: float) -> str:
    return "beyond the year 9899" if time > 0 else "before the year 100"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
