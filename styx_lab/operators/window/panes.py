"""Panes: the window operator's state, its room, and its form in a snapshot.

Laws: memory follows the entries and keys that live, and the greatest batch; a snapshot names keys by their values, so
it can be parted by key group and put together in any way; put back, it goes on as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.operators.window import entries as e
from styx_lab.operators.window.exact_sum import WIDE_WORDS
from styx_lab.operators.window.kernel import (
    DONE,
    OUT_FULL,
    OUT_ROWS,
    OUT_WINDOWS,
    UNKNOWN,
    Fired,
    Shape,
    StepArrays,
    run,
)
from styx_lab.operators.window.layout import Layout
from styx_lab.operators.window.partial import NARROW, OP_REAL_SUM, Rows
from styx_lab.operators.window.room import longer, more_free, room_for

__all__ = ["Panes"]

_WINDOWS: Final = 64


class Panes:
    """What is kept of each key and pane, and the windows that come of it.

    Args:
        layout: of the partials.
        size: of a window, ms.
        slide: the distance of two windows' starts, ms.
    """

    def __init__(self, layout: Layout, size: int, slide: int) -> None:
        self.shape = Shape(gcd(size, slide), size, slide)
        self._operations = layout.compiled()
        self._sums = [
            word for (code, _), word in zip(layout.operations, layout.whole_at, strict=True) if code == OP_REAL_SUM
        ]
        self._room = 1024
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        control = np.zeros(e.CONTROL_WORDS, np.int64)
        control[e.NEXT_END] = UNKNOWN
        self._arrays = e.EntryArrays(
            control,
            table=np.zeros(0, np.int64),
            entries=np.zeros((0, e.ENTRY_COLUMNS), np.int64),
            real=np.zeros((0, len(self._operations.real_start))),
            whole=np.zeros((0, len(self._operations.whole_start)), np.int64),
            free=np.zeros(0, np.int64),
            panes=np.zeros((0, e.PANE_COLUMNS), np.int64),
            heap=np.zeros(0, np.int64),
            keys=np.zeros((0, e.KEY_COLUMNS), np.int64),
            wide=np.zeros((0, WIDE_WORDS), np.int64),
            wide_free=np.zeros(0, np.int64),
            scratch=np.zeros(WIDE_WORDS, np.int64),
        )

    @property
    def live(self) -> int:
        """How many entries there are now."""
        return len(self._arrays.free) - int(self._arrays.control[e.FREE])

    def run(self, rows: Rows, before: int, steps: StepArrays) -> Fired:
        """Take rows and all steps; gives what fired, in order.

        Args:
            rows: the rows that windows take.
            before: the watermark before them, epoch ms.
            steps: the watermark steps.
        """
        self._make_room(len(rows.times), int(rows.slots.max(initial=-1)) + 1)
        control = self._arrays.control
        control[e.FIRED] = control[e.FIRED_WINDOWS] = 0
        out = self._fresh(self._room, _WINDOWS)
        while True:
            answer = run(self._arrays, self._operations, out, self.shape, before, rows, steps)
            if answer == DONE:
                break
            if answer == OUT_FULL:
                # What is needed is known; somewhat more is for the windows that follow, if many fire at once.
                self._room = max(self._room, int(control[e.NEEDED]) + int(control[e.FIRED]) // 4)
                wider = self._fresh(self._room, 2 * out.windows.shape[1])
                for new, old in zip(wider, self._used(out), strict=True):
                    new[:, : old.shape[1]] = old
                out = wider
            else:
                self._widen(len(self._arrays.wide) + len(self._sums) + 16)
        fired = int(control[e.FIRED])
        # Room for half as much again saves most copies, and gives back what one great firing took.
        self._room = max(1024, min(self._room, fired + fired // 2))
        return self._used(out)

    @property
    def keys(self) -> int:
        """How many keys have an entry now."""
        return int(self._arrays.control[e.KEYS])

    def forget_idle(self) -> Int64s:
        """The slots of the keys that had entries, and have none now, since this was asked last."""
        keys = self._arrays.keys
        slots = np.flatnonzero((keys[:, e.KNOWN] == 1) & (keys[:, e.HELD] == 0))
        keys[slots, e.KNOWN] = 0
        return slots

    def _used(self, out: Fired) -> Fired:
        fired, windows = int(self._arrays.control[e.FIRED]), int(self._arrays.control[e.FIRED_WINDOWS])
        return Fired(out.rows[:, :fired], out.real[:, :fired], out.whole[:, :fired], out.windows[:, :windows])

    def _fresh(self, room: int, windows: int) -> Fired:
        return Fired(
            np.empty((OUT_ROWS, room), np.int64),
            np.empty((len(self._operations.real_start), room)),
            np.empty((len(self._operations.whole_start), room), np.int64),
            np.empty((OUT_WINDOWS, windows), np.int64),
        )

    def _make_room(self, rows: int, slots: int) -> None:
        """Room for as many new entries and panes as rows may need."""
        arrays = self._arrays
        control = arrays.control
        if control[e.FREE] < rows:
            before = len(arrays.entries)
            after = self.live + rows
            after += after // 4
            table = arrays.table
            if len(table) < 2 * after:
                table = np.zeros(2 * room_for(after), np.int64)
                e.rehash(arrays.table, table, arrays.entries)
            arrays = arrays._replace(
                table=table,
                entries=longer(arrays.entries, after),
                real=longer(arrays.real, after),
                whole=longer(arrays.whole, after),
                free=more_free(arrays.free, int(control[e.FREE]), before, after),
            )
            control[e.FREE] += after - before
        first, last = int(control[e.FIRST]), int(control[e.LAST])
        if last + rows > len(arrays.panes):
            panes = np.zeros((room_for(last - first + rows), e.PANE_COLUMNS), np.int64)
            panes[: last - first] = arrays.panes[first:last]
            control[e.FIRST], control[e.LAST] = 0, last - first
            arrays = arrays._replace(panes=panes, heap=np.zeros(len(panes), np.int64))
        if slots > len(arrays.keys):
            arrays = arrays._replace(keys=longer(arrays.keys, room_for(slots)))
        self._arrays = arrays

    def _widen(self, count: int) -> None:
        arrays, before = self._arrays, len(self._arrays.wide)
        after = room_for(count)
        free = int(arrays.control[e.WIDE_FREE])
        wide_free = more_free(arrays.wide_free, free, before, after)
        self._arrays = arrays._replace(wide=longer(arrays.wide, after), wide_free=wide_free)
        self._arrays.control[e.WIDE_FREE] += after - before

    def snapshot(self) -> tuple[Int64s, dict[str, pl.Series]]:
        """The slot of each entry, and its columns; in order of first event."""
        arrays = self._arrays
        living = arrays.table[arrays.table > 0] - 1
        living = living[np.argsort(arrays.entries[living, e.RANK])]
        lines, real, whole = arrays.entries[living], arrays.real[living], arrays.whole[living]
        columns = {
            "_pane_ms": pl.Series(lines[:, e.PANE] * self.shape.pane),
            "_events": pl.Series(lines[:, e.EVENTS]),
            "_first_order": pl.Series(lines[:, e.ORDER]),
            "_first_place": pl.Series(lines[:, e.PLACE]),
        }
        for word in range(real.shape[1]):
            columns[f"_real_{word}"] = pl.Series(real[:, word])
        for word in range(whole.shape[1]):
            if word in self._sums:
                wide = [None if place == NARROW else arrays.wide[place].tolist() for place in whole[:, word].tolist()]
                columns[f"_wide_{word}"] = pl.Series(wide, dtype=pl.List(pl.Int64))
            else:
                columns[f"_whole_{word}"] = pl.Series(whole[:, word])
        return lines[:, e.KEY], columns

    def restore(self, table: pl.DataFrame, slots_of: Callable[[pl.DataFrame], Int64s]) -> None:
        """Replace everything by the rows of a snapshot, in any order of rows; keys get slots as they come."""
        self.clear()
        table = table.sort("_first_order", "_first_place")
        slots = slots_of(table)
        self._make_room(table.height, int(slots.max(initial=-1)) + 1)
        panes = table["_pane_ms"].to_numpy() // self.shape.pane
        entries = np.empty(table.height, np.int64)
        e.take_entries(self._arrays, self._operations, slots, panes, entries)
        arrays = self._arrays
        for column, name in ((e.EVENTS, "_events"), (e.ORDER, "_first_order"), (e.PLACE, "_first_place")):
            arrays.entries[entries, column] = table[name].to_numpy()
        for word in range(arrays.real.shape[1]):
            arrays.real[entries, word] = table[f"_real_{word}"].to_numpy()
        for word in range(arrays.whole.shape[1]):
            if word not in self._sums:
                arrays.whole[entries, word] = table[f"_whole_{word}"].to_numpy()
                continue
            sums = table[f"_wide_{word}"]
            rows = np.flatnonzero(sums.is_not_null().to_numpy())
            self._widen(len(self._arrays.wide) + len(rows))
            control = self._arrays.control
            for row in rows.tolist():
                control[e.WIDE_FREE] -= 1
                place = self._arrays.wide_free[control[e.WIDE_FREE]]
                self._arrays.wide[place] = sums[row].to_numpy()
                arrays.whole[entries[row], word] = place
