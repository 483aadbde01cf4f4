"""Rows that wait for the watermark, and are released by its steps in order of time.

Laws: a row is released by the first step that reaches its time, and stands before that step; rows of one step come in
order of time, at one time of arrival; so neither the cut nor the order of arrival within the bound can show. A row at
or behind the watermark when it comes is late.

A row that a step made (a match, a window's result) stands before that step and is after the watermark until then, so
it is not late, and the same step releases it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import TIME
from styx_lab.core.keys import KeyIndex, key_json
from styx_lab.core.state import GROUP, key_group

__all__ = ["Released", "WaitingRows", "own", "times_of"]

_FEW: Final = 4_096
_AT: Final = "_at"
_NUMBER: Final = "_number"


@dataclass(frozen=True, slots=True, eq=False)
class Released:
    """Rows that steps released, in order.

    Attributes:
        frame: the rows.
        times: the time each waited for, epoch ms.
        due: for each the index of the step that released it; weakly rising.
    """

    frame: pl.DataFrame
    times: Int64s
    due: Int64s

    def batch(self, batch: Batch, frame: pl.DataFrame | None = None, rows: np.ndarray | None = None) -> Batch:
        """What was released of a batch, at its steps' places.

        Args:
            batch: whose steps released it.
            frame: other columns, one row for each row.
            rows: just these rows: a mask or places, in order.
        """
        frame = self.frame if frame is None else frame
        due = self.due if rows is None else self.due[rows]
        return Batch(frame, batch.steps.order[due], batch.before, batch.steps)


class WaitingRows:
    """What waits: rows in runs of frames, each some times longer than the next, so that no row is copied often.

    >>> from styx_lab.core.batch import Steps
    >>> waiting = WaitingRows({"a": pl.String()})
    >>> waiting.add(pl.DataFrame({"a": ["x", "y", "z"]}), np.array([7, 5, 9]))
    >>> steps = Steps(np.array([1]), np.array([8]), np.array([0]))
    >>> waiting.release(Batch(pl.DataFrame(), np.array([]), 0, steps)).frame["a"].to_list(), len(waiting)
    (['y', 'x'], 1)

    Args:
        schema: the columns of the rows.
        key: the columns by which a snapshot is parted; of no key, all rows are of one key group.
    """

    def __init__(self, schema: dict[str, pl.DataType], key: Sequence[str] = ()) -> None:
        self._schema = schema
        self._key = tuple(key)
        self._empty = pl.DataFrame(schema=schema)
        self._clear()

    def _clear(self) -> None:
        self._next_number = 0
        # Of each row that waits, in order of arrival: until when, and its number.
        self._times, self._numbers = np.empty(0, np.int64), np.empty(0, np.int64)
        # The rows themselves by rising number; rows that went are there until their run is swept.
        self._runs: list[tuple[pl.DataFrame, Int64s]] = []

    def __len__(self) -> int:
        return len(self._times)

    def take(self, batch: Batch, times: Int64s) -> np.ndarray:
        """Take a batch's rows, each to wait until its time; gives which are late, and were not taken."""
        late: np.ndarray = times <= batch.watermarks()
        if late.any():
            self.add(batch.frame.filter(pl.Series(~late)), times[~late])
        else:
            self.add(batch.frame, times)
        return late

    def add(self, frame: pl.DataFrame, times: Int64s) -> None:
        """Take rows that are not late."""
        if not frame.height:
            return
        numbers = np.arange(self._next_number, self._next_number + frame.height)
        self._next_number += frame.height
        self._times = np.concatenate([self._times, times])
        self._numbers = np.concatenate([self._numbers, numbers])
        self._runs.append((frame, numbers))
        while len(self._runs) > 1 and len(self._runs[-2][1]) <= 2 * len(self._runs[-1][1]):
            last = self._runs.pop()
            before = self._living(*self._runs.pop())
            merged = pl.concat([before[0], last[0]], rechunk=True)
            self._runs.append((merged, np.concatenate([before[1], last[1]])))

    def release(self, batch: Batch) -> Released:
        """The rows that a batch's steps release."""
        ripe = self._times <= batch.after
        if not len(batch.steps) or not ripe.any():
            return Released(self._empty, np.empty(0, np.int64), np.empty(0, np.int64))
        places = np.flatnonzero(ripe)
        places = places[np.argsort(self._times[places], kind="stable")]
        times = self._times[places]
        frame = self._find(self._numbers[places])
        self._times, self._numbers = self._times[~ripe], self._numbers[~ripe]
        self._sweep()
        return Released(frame, times, batch.steps.due(times))

    def _find(self, numbers: Int64s) -> pl.DataFrame:
        """The rows of these numbers, in that order."""
        starts = np.array([held[0] for _, held in self._runs], np.int64)
        owners = np.searchsorted(starts, numbers, side="right") - 1
        pieces, rows = [], []
        for place, (frame, held) in enumerate(self._runs):
            mine = np.flatnonzero(owners == place)
            if len(mine):
                pieces.append(frame[np.searchsorted(held, numbers[mine])])
                rows.append(mine)
        return pieces[0] if len(pieces) == 1 else pl.concat(pieces)[np.argsort(np.concatenate(rows))]

    def _living(self, frame: pl.DataFrame, held: Int64s) -> tuple[pl.DataFrame, Int64s]:
        """A run without the rows that went."""
        known = self._numbers[np.searchsorted(self._numbers, held[0]) : np.searchsorted(self._numbers, held[-1] + 1)]
        if len(known) == len(held):
            return frame, held
        return frame[np.searchsorted(held, known)], known.copy()

    def _sweep(self) -> None:
        """Let go of rows that went, where they are more than half of a run: what came pays for what goes."""
        runs = []
        for frame, held in self._runs:
            first, last = np.searchsorted(self._numbers, [held[0], held[-1] + 1])
            if first == last:
                continue
            worth = 2 * (last - first) < len(held) and len(held) > _FEW
            runs.append(self._living(frame, held) if worth else (frame, held))
        self._runs = runs

    def snapshot(self) -> tuple[pl.DataFrame, int]:
        """The rows that wait, with their times and key groups, and the number of the next row to come."""
        living = [frame for frame, held in (self._living(*run) for run in self._runs) if len(held)]
        frame = pl.concat(living) if living else self._empty
        if self._key:
            index = KeyIndex(self._key)
            slots = index.slots(frame)
            groups = index.groups[slots]
        else:
            groups = np.full(frame.height, key_group(key_json(())), np.uint8)
        marked = frame.with_columns(
            pl.Series(_AT, self._times, pl.Int64),
            pl.Series(_NUMBER, self._numbers, pl.Int64),
            pl.Series(GROUP, groups, pl.UInt8),
        )
        return marked, self._next_number

    def restore(self, table: pl.DataFrame, next_number: int) -> None:
        """Go on from a snapshot's rows, in any order of rows."""
        self._clear()
        table = table.sort(_NUMBER)
        self._next_number = next_number
        if table.height:
            self._times, self._numbers = own(table[_AT].to_numpy()), own(table[_NUMBER].to_numpy())
            self._runs = [(table.select(list(self._schema)), self._numbers)]


def own(array: np.ndarray) -> Int64s:
    """An array of int64 that is writable and in one piece, as compiled kernels take it."""
    return np.array(array, np.int64)


def times_of(frame: pl.DataFrame) -> Int64s:
    """The event times of rows, epoch ms."""
    return own(frame[TIME].to_physical().to_numpy())
