"""Count, sum, mean, min and max of groups of events.

Law (order): the same operations on the same words as over panes (`partial.py`), so that a window gives the same bits
whichever of the two ways it is reckoned in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from styx_lab.core.compiled import njit
from styx_lab.flow.aggregate import Aggregate, AggregateName
from styx_lab.flow.expression import Expression
from styx_lab.flow.types import raw_type
from styx_lab.operators.window.exact_sum import WIDE_WORDS, round_wide
from styx_lab.operators.window.layout import Layout
from styx_lab.operators.window.members import Members, whole
from styx_lab.operators.window.partial import NARROW, OP_REAL_SUM, add_values

__all__ = ["Folding"]


class Folding:
    """The five of some columns.

    Args:
        wanted: name of the result, function, and the column it is of (None for a count of events).
        schema: the types of the columns.
        where: the step, for errors.
    """

    def __init__(
        self, wanted: Sequence[tuple[str, AggregateName, str | None]], schema: dict[str, pl.DataType], where: str
    ) -> None:
        self._where = where
        columns = dict.fromkeys(column for _, _, column in wanted if column is not None)
        self._dtypes = {column: _carrier(schema[column]) for column in columns}
        aggregates = tuple(
            (name, Aggregate(function, None if column is None else Expression.of(pl.col(column), where=where)))
            for name, function, column in wanted
        )
        self._layout = Layout(aggregates, raw_type(self._dtypes.items(), ()), where)

    def compute(self, members: Members) -> list[pl.Series]:
        """The values, one Series for each that is wanted.

        Raises:
            DataError: when a whole number, or a sum of whole numbers, is beyond 64 bits.
        """
        columns = [self._column(members.frame[name], dtype) for name, dtype in self._dtypes.items()]
        frame = pl.DataFrame(columns)
        reals, wholes, valid = self._layout.values(frame, frame)
        operations = self._layout.compiled()
        groups = len(members)
        real = np.repeat(operations.real_start[None, :], groups, axis=0)
        whole_words = np.repeat(operations.whole_start[None, :], groups, axis=0)
        _fold(operations.table, members.starts, reals, wholes, valid, real, whole_words)
        return self._layout.columns(
            members.counts, np.ascontiguousarray(real.T), np.ascontiguousarray(whole_words.T), members.name_row
        )

    def _column(self, column: pl.Series, dtype: pl.DataType) -> pl.Series:
        if dtype == pl.Int64():
            return whole(column, self._where)
        if dtype == pl.Float64():
            return column.cast(pl.Float64)
        return (
            column.to_frame().select(pl.when(pl.first().is_not_null()).then(pl.lit(1)).alias(column.name)).to_series()
        )


def _carrier(dtype: pl.DataType) -> pl.DataType:
    """What a value is reckoned as; of others than numbers it only counts whether they are null."""
    if dtype.is_float():
        return pl.Float64()
    return pl.Int64() if dtype.is_numeric() or dtype == pl.Boolean() else pl.Boolean()


@njit(cache=True, nogil=True, error_model="numpy")
def _fold(table, starts, reals, wholes, valid, real, whole_words):  # type: ignore[no-untyped-def]
    """Add the events of each group to its words, and round its sums."""
    most = table.shape[0]
    wide = np.zeros((most, WIDE_WORDS), np.int64)
    free = np.arange(most)
    for group in range(len(starts) - 1):
        left = most
        for row in range(starts[group], starts[group + 1]):
            left = add_values(table, real, whole_words, wide, free, left, group, reals, wholes, valid, row)
        for index in range(most):
            if table[index, 0] == OP_REAL_SUM:
                at = table[index, 2]
                place = whole_words[group, table[index, 3]]
                if place == NARROW:
                    real[group, at] += real[group, at + 1]
                else:
                    real[group, at] = round_wide(wide[place])
