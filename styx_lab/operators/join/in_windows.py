"""Window joins and co-groups: what a firing of a window over two inputs gives.

Law (oracle): a join gives left x right, left by left, in order of arrival; a co-group the two lists. Each firing gives
all of it again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import ORIGIN, TIME, canonical_json, origins
from styx_lab.flow.steps.co_group import CoGroup, listed
from styx_lab.flow.steps.joined import right_names
from styx_lab.flow.steps.window_join import WindowJoin
from styx_lab.flow.types import StreamType
from styx_lab.operators.window.by_window.sided import Firings, SidedOperator

__all__ = ["CoGroupOperator", "WindowJoinOperator"]

_NOBODY = -1


class WindowJoinOperator(SidedOperator):
    """Runs a `WindowJoin`."""

    def __init__(self, step: WindowJoin, streams: Sequence[StreamType]) -> None:
        super().__init__(step, streams)
        left, right = streams
        self._how = step.how
        self._left_names = [name for name in left.names if name not in left.key]
        self._right_names = right_names(left, right, step.suffix)

    def _rows_of(self, firings: Firings) -> tuple[pl.DataFrame, Int64s]:
        firing, left, right = self._pairs(firings)
        frame = firings.frame[firing]
        lefts, rights = (_gather(rows, picked) for rows, picked in zip(firings.rows, (left, right), strict=True))
        ours = lefts.select(self._left_names)
        theirs = rights.select(pl.col(name).alias(new) for name, new in self._right_names.items())
        texts = [_origin_texts(rows, picked) for rows, picked in zip(firings.rows, (left, right), strict=True)]
        # The origin of a firing, with those of the pair before its closing bracket.
        begun = frame[ORIGIN].str.head(-1)
        made = pl.select(pl.format("{},{},{}]", pl.lit(begun), *(pl.lit(text) for text in texts)).alias(ORIGIN))
        frame = frame.with_columns(made.to_series())
        return pl.concat([frame, ours, theirs], how="horizontal"), firings.order[firing]

    def _pairs(self, firings: Firings) -> tuple[Int64s, Int64s, Int64s]:
        """Of each pair the firing, and the places of the left and the right event; `_NOBODY` where there is none."""
        count = len(firings)
        lefts, rights = (np.bincount(of, minlength=count) for of in firings.of)
        left_at, right_at = (np.concatenate([[0], np.cumsum(each)[:-1]]) for each in (lefts, rights))
        # An outer join gives an event without partners one row.
        wide = np.maximum(rights, 1) if self._how in ("left", "full") else rights
        tall = np.where(lefts == 0, 1, lefts) if self._how == "full" else lefts
        sizes = tall * wide
        firing = np.repeat(np.arange(count), sizes)
        place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        left = left_at[firing] + place // np.maximum(wide[firing], 1)
        right = right_at[firing] + place % np.maximum(wide[firing], 1)
        left[lefts[firing] == 0] = _NOBODY
        right[rights[firing] == 0] = _NOBODY
        return firing, left, right


class CoGroupOperator(SidedOperator):
    """Runs a `CoGroup`."""

    def __init__(self, step: CoGroup, streams: Sequence[StreamType]) -> None:
        super().__init__(step, streams)
        self._lists = [
            (name, listed(stream), [*stream.names, TIME])
            for name, stream in zip((step.left, step.right), streams, strict=True)
        ]

    def _rows_of(self, firings: Firings) -> tuple[pl.DataFrame, Int64s]:
        made = []
        for (name, dtype, columns), rows, of in zip(self._lists, firings.rows, firings.of, strict=True):
            events = rows.select(pl.struct(columns).alias(name)).with_columns(pl.Series("_firing", of))
            lists = events.group_by("_firing", maintain_order=True).agg(pl.col(name))
            every = pl.DataFrame({"_firing": np.arange(len(firings))})
            joined = every.join(lists, on="_firing", how="left", maintain_order="left")
            made.append(joined.select(pl.col(name).cast(dtype).fill_null(pl.lit([], dtype=dtype))))
        return pl.concat([firings.frame, *made], how="horizontal"), firings.order


def _gather(rows: pl.DataFrame, picked: Int64s) -> pl.DataFrame:
    """Rows by their places, nulls for `_NOBODY`."""
    if (picked != _NOBODY).all():
        return rows[picked]
    place = pl.DataFrame({"_place": picked})
    return place.join(
        rows.with_row_index("_place").cast({"_place": pl.Int64}), on="_place", how="left", maintain_order="left"
    )


def _origin_texts(rows: pl.DataFrame, picked: Int64s) -> pl.Series:
    """The origin of each row, as canonical JSON; null for `_NOBODY`."""
    texts = pl.Series([canonical_json(origin).decode() for origin in origins(rows)] + ["null"], dtype=pl.String)
    return texts.gather(np.where(picked == _NOBODY, len(rows), picked))
