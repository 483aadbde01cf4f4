"""A column of times as numbers.

Law: a time is a whole number of milliseconds since 1970, UTC.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s

__all__ = ["epoch_ms"]


def epoch_ms(column: pl.Series) -> Int64s:
    """The epoch ms of a column of `TIME_DTYPE`, where they lie if they are in one piece: not to be written to.

    >>> from styx_lab.core.schema import TIME_DTYPE
    >>> epoch_ms(pl.Series([5, 7]).cast(TIME_DTYPE)).tolist()
    [5, 7]
    """
    # To ask Polars for its numbers is a query.
    return column.to_numpy().view(np.int64)
