"""ISO 8601 text as epoch ms: the usual forms in one compiled pass over the bytes, the others one by one.

Law: the answer is that of `datetime.fromisoformat` (floored to ms) for every text; the compiled pass takes only forms
that it is sure of and leaves the rest.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.compiled import njit

__all__ = ["iso_times"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


@njit(cache=True, nogil=True)
def _number(text, start, digits):  # type: ignore[no-untyped-def]
    """The number that so many digits are, or -1."""
    value = 0
    for i in range(start, start + digits):
        digit = text[i] - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@njit(cache=True, nogil=True)
def _offset(text, start, stop):  # type: ignore[no-untyped-def]
    """Ms east of UTC of `Z` or `+HH:MM`, else None as a number that no offset is."""
    nothing = 1 << 40
    if stop - start == 1:
        return 0 if text[start] == 90 else nothing
    if stop - start != 6 or (text[start] != 43 and text[start] != 45) or text[start + 3] != 58:
        return nothing
    hours, minutes = _number(text, start + 1, 2), _number(text, start + 4, 2)
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return nothing
    ms = (hours * 60 + minutes) * 60_000
    return ms if text[start] == 43 else -ms


@njit(cache=True, nogil=True)
def _iso(text, starts, stops, times, local, done):  # type: ignore[no-untyped-def]
    """YYYY-MM-DD, then nothing or [T ]HH:MM, then [:SS[.digits]], then nothing or an offset; the others stay undone."""
    for i in range(len(starts)):
        at, stop = starts[i], stops[i]
        if stop - at < 10 or text[at + 4] != 45 or text[at + 7] != 45:
            continue
        year, month, day = _number(text, at, 4), _number(text, at + 5, 2), _number(text, at + 8, 2)
        if year < 1 or month < 1 or month > 12 or day < 1:
            continue
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        longest = (29 if leap else 28) if month == 2 else 30 if month in (4, 6, 9, 11) else 31
        if day > longest:
            continue
        # Days since 1970 of the proleptic Gregorian calendar, counted in years that begin in March.
        y = year - 1 if month <= 2 else year
        days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1 - 719_468
        ms = days * 86_400_000
        at += 10
        east = 1 << 40
        if at < stop:
            # A date with an offset and no time, or with another sign between them, is left to Python.
            if (text[at] != 84 and text[at] != 32) or stop - at < 6 or text[at + 3] != 58:
                continue
            hour, minute = _number(text, at + 1, 2), _number(text, at + 4, 2)
            if hour < 0 or hour > 23 or minute < 0 or minute > 59:
                continue
            ms += (hour * 60 + minute) * 60_000
            at += 6
            if stop - at >= 3 and text[at] == 58:
                second = _number(text, at + 1, 2)
                if second < 0 or second > 59:
                    continue
                ms += second * 1_000
                at += 3
                if at < stop and text[at] == 46:
                    at += 1
                    digits, scale = 0, 100
                    while at < stop and 48 <= text[at] <= 57:
                        ms += (text[at] - 48) * scale
                        scale //= 10
                        digits += 1
                        at += 1
                    if digits == 0 or digits > 9:
                        continue
            if at < stop:
                east = _offset(text, at, stop)
                if east == 1 << 40:
                    continue
                ms -= east
        times[i] = ms
        local[i] = east == 1 << 40
        done[i] = True


def iso_times(column: pl.Series) -> tuple[Int64s, np.ndarray, list[int]]:
    """Epoch ms of each text, whether it has no offset (then as if it were UTC), and the rows that are no times.

    >>> times, local, wrong = iso_times(pl.Series(["1970-01-01T00:00:01Z", "1970-01-02", "soon"]))
    >>> times[:2].tolist(), local.tolist(), wrong
    ([1000, 86400000], [False, True, False], [2])

    Args:
        column: text without nulls.
    """
    count = len(column)
    lengths = column.str.len_bytes().to_numpy().astype(np.int64)
    stops = np.cumsum(lengths)
    # An empty byte string is read-only and of no use to the kernel.
    text = np.frombuffer(("".join(column.to_list()) + " ").encode(), np.uint8).astype(np.int64)
    times, local, done = np.zeros(count, np.int64), np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    _iso(text, stops - lengths, stops, times, local, done)
    wrong: list[int] = []
    for row in np.flatnonzero(~done).tolist():
        try:
            moment = datetime.fromisoformat(column[row])
        except ValueError:
            wrong.append(row)
            continue
        local[row] = moment.tzinfo is None
        times[row] = ((moment.replace(tzinfo=UTC) if local[row] else moment) - _EPOCH) // _MS
    return times, local, wrong
