"""What is chosen of groups of events: first and last by event time, different values, the greatest ones.

Law (re-chunking): each group is judged by its own events; of equal ones the order of arrival decides.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.compiled import njit
from styx_lab.core.events import TIME
from styx_lab.operators.window.gathered import lists
from styx_lab.operators.window.members import Members

__all__ = ["by_time", "chosen", "greatest", "unique_counts"]


def chosen(name: str, column: pl.Series, rows: Int64s) -> pl.Series:
    """The values at these rows, null where a row is -1."""
    if not len(column):
        return pl.Series(name, [None] * len(rows), dtype=column.dtype)
    column = column.gather(np.maximum(rows, 0)).alias(name)
    if (rows >= 0).all():
        return column
    return column.to_frame().select(pl.when(pl.Series(rows >= 0)).then(name)).to_series()


def by_time(name: str, column: str, last: bool, members: Members) -> pl.Series:
    """The value of the earliest or latest event, of those whose value is not null."""
    values = members.frame[column]
    times = np.array(members.frame[TIME].to_physical().to_numpy(), np.int64)
    rows = np.full(len(members), -1, np.int64)
    _earliest(members.starts, -times if last else times, np.array(values.is_not_null().to_numpy()), last, rows)
    return chosen(name, values, rows)


@njit(cache=True, nogil=True, error_model="numpy")
def _earliest(starts, times, valid, later, rows):  # type: ignore[no-untyped-def]
    """The row of the least time in each group; of several the first, or the last."""
    for group in range(len(starts) - 1):
        best = -1
        for row in range(starts[group], starts[group + 1]):
            if valid[row] and (best < 0 or times[row] < times[best] or (later and times[row] == times[best])):
                best = row
        rows[group] = best


def _plain(column: pl.Series) -> pl.Series:
    """The column with one nought: -0.0 and 0.0 are equal, and must not be told apart by their bits."""
    if not column.dtype.is_float():
        return column
    # Polars leaves `column + 0.0` as it is.
    return column.to_frame("value").select(pl.when(pl.col("value") == 0.0).then(0.0).otherwise("value")).to_series()


def unique_counts(name: str, column: str, nulls: bool, members: Members) -> pl.Series:
    """How many different values a column has; `nulls` tells whether null is one of them."""
    frame = pl.DataFrame([pl.Series("group", members.group), _plain(members.frame[column]).alias("value")])
    found = (frame if nulls else frame.drop_nulls("value")).unique()
    return pl.Series(name, np.bincount(found["group"].to_numpy(), minlength=len(members)).astype(np.int64))


def greatest(name: str, column: str, by: str, k: int, members: Members) -> pl.Series:
    """The values of the `k` events of each group that are greatest by a column, the greatest first."""
    order = _plain(members.frame[by])
    # Of a column that is its own order, equal values must be the same value.
    values = order if by == column else members.frame[column]
    frame = pl.DataFrame([pl.Series("group", members.group), order.alias("by"), values.alias("value")])
    frame = frame.drop_nulls(["by", "value"])
    frame = frame.sort("group", "by", descending=[False, True], maintain_order=True)
    group = frame["group"].to_numpy()
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    kept = np.flatnonzero(rank < k)
    return lists(name, frame["value"].gather(kept), group[kept], len(members))
