"""Events that wait for the watermark, as the matcher will see them.

Law (re-chunking): they are given out in order of time, then of the step's own order, then of arrival.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.operators.cep.compiled.program import Events

__all__ = ["Waiting"]


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """Events in order of arrival.

    Attributes:
        events: what the matcher reads of them.
        can_start: bool, which of them a match can start with.
        by: the values that order events of one time; None without.
    """

    events: Events
    can_start: np.ndarray
    by: pl.Series | None = None

    def __len__(self) -> int:
        return len(self.can_start)

    @staticmethod
    def none(words: int, floats: int, ints: int, by: pl.DataType | None) -> Waiting:
        """No events, with so many columns."""
        none = np.empty(0, np.int64)
        events = Events(
            none, none, none, np.empty((0, words), np.int64), np.empty((0, floats)), np.empty((0, ints), np.int64),
            np.empty((0, floats + ints), np.bool_), none,
        )  # fmt: skip
        return Waiting(events, np.empty(0, np.bool_), None if by is None else pl.Series(dtype=by))

    def and_these(self, more: Waiting) -> Waiting:
        """These, and more that came later."""
        if not len(self):
            return more
        if not len(more):
            return self
        columns = [np.concatenate([ours, theirs]) for ours, theirs in zip(self.events, more.events, strict=True)]
        by = None if self.by is None or more.by is None else pl.concat([self.by, more.by])
        return Waiting(Events(*columns), np.concatenate([self.can_start, more.can_start]), by)

    def at(self, places: np.ndarray) -> Waiting:
        """Some of them."""
        columns = [column[places] for column in self.events[:-1]]
        events = Events._make([*columns, self.events.ranks])
        return Waiting(events, self.can_start[places], None if self.by is None else self.by[places])

    def until(self, watermark: int, *, descending: bool) -> tuple[Waiting, Waiting]:
        """Those that a watermark has passed, in order, and the others."""
        ripe = self.events.times <= watermark
        places = np.flatnonzero(ripe)
        times = self.events.times[places]
        if self.by is None:
            order = np.argsort(times, kind="stable")
        else:
            rank = _rank(self.by[places], descending)
            order = np.lexsort((np.arange(len(places)), rank, times))
        if len(places) == len(self):
            return self.at(order), self.at(np.empty(0, np.int64))
        return self.at(places[order]), self.at(np.flatnonzero(~ripe))


def _rank(values: pl.Series, descending: bool) -> Int64s:
    """The place of each value; equal ones have one place, and nulls come last."""
    ranks = values.rank("dense", descending=descending)
    return ranks.fill_null(len(values) + 1).cast(pl.Int64).to_numpy()
