"""Open windows: the state of windows that are each kept by themselves, its room, and its form in a snapshot.

Laws: memory follows the windows, keys and events that live, and the greatest batch; a snapshot names keys by their
values, so it can be parted by key group and put together in any way; put back, it goes on as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.operators.window.by_window import arrays as a
from styx_lab.operators.window.by_window import forms as k
from styx_lab.operators.window.by_window.contents import append
from styx_lab.operators.window.by_window.kernel import run
from styx_lab.operators.window.by_window.opening import new_window
from styx_lab.operators.window.by_window.triggers import schedule
from styx_lab.operators.window.entries import rehash
from styx_lab.operators.window.exact_sum import WIDE_WORDS
from styx_lab.operators.window.kernel import StepArrays
from styx_lab.operators.window.layout import Layout
from styx_lab.operators.window.partial import NARROW, OP_REAL_SUM, Array, Operations
from styx_lab.operators.window.room import longer, more_free, room_for

__all__ = ["OpenWindows"]

_FEW_EACH: Final = 8


class OpenWindows:
    """What is kept of each window of each key.

    Args:
        operations: what a partial is made of.
        sums: the words that say which wide sum a float sum has.
        rule: what the step says.
    """

    def __init__(self, layout: Layout, rule: k.Rule) -> None:
        self._operations: Operations = layout.compiled()
        self._sums = [
            word for (code, _), word in zip(layout.operations, layout.whole_at, strict=True) if code == OP_REAL_SUM
        ]
        self.rule = rule
        # How many windows an event can be in at once.
        self._each = 1
        if rule.assign in (k.FIXED, k.CUMULATING):
            self._each = -(-rule.size // rule.slide)
        self._room, self._members = 1024, 1024
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        operations = self._operations
        self._arrays = a.empty(len(operations.real_start), len(operations.whole_start), WIDE_WORDS)

    @property
    def live(self) -> int:
        """How many windows are open."""
        return len(self._arrays.free) - int(self._arrays.control[a.FREE])

    @property
    def keys(self) -> int:
        """How many keys have an open window."""
        return int(self._arrays.control[a.KEYS])

    @property
    def events(self) -> int:
        """How many events are kept, one for each window that it is in."""
        return len(self._arrays.node_free) - int(self._arrays.control[a.NODE_FREE])

    @property
    def next_number(self) -> int:
        """The number of the next event; its events' numbers are twice that, plus one on the second input."""
        return int(self._arrays.control[a.NUMBERS])

    def numbers(self) -> Int64s:
        """The numbers of all events that are kept, each once for every window that holds it."""
        arrays = self._arrays
        held = np.ones(len(arrays.nodes), np.bool_)
        held[arrays.node_free[: arrays.control[a.NODE_FREE]]] = False
        numbers: Int64s = arrays.nodes[held, a.NUMBER]
        return numbers

    def no_values(self, count: int) -> tuple[Array, Array, Array]:
        """The values of events whose windows have no partials."""
        return np.empty((0, count)), np.empty((0, count), np.int64), np.empty((0, count), np.bool_)

    def run(self, rows: k.Arrivals, before: int, steps: StepArrays) -> tuple[k.Fired, np.ndarray]:
        """Take rows and all steps; gives what fired, in order, and a verdict on each row."""
        count = len(rows.times)
        # Events of a key share their windows, so there is no room beforehand for as many as each could open alone.
        self._make_room(count * min(self._each, _FEW_EACH), int(rows.slots.max(initial=-1)) + 1)
        verdicts = np.empty(count, np.uint8)
        control = self._arrays.control
        control[a.FIRED] = control[a.MEMBERS] = 0
        out = self._fresh()
        while True:
            answer = run(self._arrays, self._operations, self.rule, out, before, rows, steps, verdicts)
            if answer == k.DONE:
                break
            if answer == k.WIDE_FULL:
                self._widen(len(self._arrays.wide) + 2 * len(self._sums) + 16)
                continue
            if answer == k.WINDOWS_FULL:
                self._make_room(max(count, self._each), 0)
                continue
            if answer == k.OUT_FULL:
                self._room = 2 * self._room
            else:
                self._members = 2 * max(self._members, int(control[a.NEEDED]))
            wider = self._fresh()
            fired, members = int(control[a.FIRED]), int(control[a.MEMBERS])
            for new, old in zip(wider[:3], out[:3], strict=True):
                new[:, :fired] = old[:, :fired]
            wider.members[:members] = out.members[:members]
            out = wider
        fired, members = int(control[a.FIRED]), int(control[a.MEMBERS])
        # Room for half as much again saves most copies, and gives back what one great firing took.
        self._room = max(1024, min(self._room, fired + fired // 2))
        self._members = max(1024, min(self._members, members + members // 2))
        return k.Fired(out.rows[:, :fired], out.real[:, :fired], out.whole[:, :fired], out.members[:members]), verdicts

    def forget_idle(self) -> Int64s:
        """The slots of the keys that had windows, and have none now, since this was asked last."""
        keys = self._arrays.keys
        slots = np.flatnonzero((keys[:, a.KNOWN] == 1) & (keys[:, a.HELD] == 0))
        keys[slots, a.KNOWN] = 0
        return slots

    def _fresh(self) -> k.Fired:
        operations = self._operations
        return k.Fired(
            np.empty((k.OUT_ROWS, self._room), np.int64),
            np.empty((len(operations.real_start), self._room)),
            np.empty((len(operations.whole_start), self._room), np.int64),
            np.empty(self._members if self.rule.keeps else 0, np.int64),
        )

    def _make_room(self, wanted: int, slots: int) -> None:
        """Room for so many new windows, nodes and entries of the heap, and so many slots in all."""
        arrays, control = self._arrays, self._arrays.control
        if control[a.FREE] < wanted:
            before, after = len(arrays.windows), room_for(self.live + wanted)
            windows = longer(arrays.windows, after)
            table = np.zeros(2 * after, np.int64)
            rehash(arrays.table, table, windows)
            arrays = arrays._replace(
                table=table,
                windows=windows,
                real=longer(arrays.real, after),
                whole=longer(arrays.whole, after),
                free=more_free(arrays.free, int(control[a.FREE]), before, after),
            )
            control[a.FREE] += after - before
        if self.rule.keeps and control[a.NODE_FREE] < wanted:
            before, after = len(arrays.nodes), room_for(self.events + wanted)
            free = more_free(arrays.node_free, int(control[a.NODE_FREE]), before, after)
            arrays = arrays._replace(nodes=longer(arrays.nodes, after), node_free=free)
            control[a.NODE_FREE] += after - before
        if control[a.HEAP] + wanted + 1 > len(arrays.heap):
            arrays = arrays._replace(heap=longer(arrays.heap, room_for(int(control[a.HEAP]) + wanted + 1)))
        if slots > len(arrays.keys):
            arrays = arrays._replace(keys=longer(arrays.keys, room_for(slots)))
        self._arrays = arrays

    def _widen(self, count: int) -> None:
        arrays, control = self._arrays, self._arrays.control
        before, after = len(arrays.wide), room_for(count)
        free = more_free(arrays.wide_free, int(control[a.WIDE_FREE]), before, after)
        self._arrays = arrays._replace(wide=longer(arrays.wide, after), wide_free=free)
        control[a.WIDE_FREE] += after - before

    def place(self) -> pl.DataFrame:
        """What belongs to no key: the last event's place, the clock, the next number."""
        control = self._arrays.control
        words = {"order": a.LAST_ORDER, "place": a.LAST_PLACE, "clock": a.CLOCK, "number": a.NUMBERS}
        return pl.DataFrame({name: [int(control[word])] for name, word in words.items()})

    def snapshot(self) -> tuple[Int64s, dict[str, pl.Series]]:
        """The slot of each window, and its columns; in order of first event."""
        arrays = self._arrays
        open_ = np.ones(len(arrays.windows), np.bool_)
        open_[arrays.free[: arrays.control[a.FREE]]] = False
        living = np.flatnonzero(open_)
        living = living[np.argsort(arrays.windows[living, a.RANK])]
        lines, real, whole = arrays.windows[living], arrays.real[living], arrays.whole[living]
        columns = {f"_{name}": pl.Series(lines[:, column]) for name, column in _KEPT.items()}
        members = []
        for line in lines:
            found, node = [], int(line[a.HEAD])
            while node >= 0:
                found.append(int(arrays.nodes[node, a.NUMBER]))
                node = int(arrays.nodes[node, a.AFTER])
            members.append(found)
        columns["_members"] = pl.Series(members, dtype=pl.List(pl.Int64))
        for word in range(real.shape[1]):
            columns[f"_real_{word}"] = pl.Series(real[:, word])
        for word in range(whole.shape[1]):
            if word in self._sums:
                wide = [None if place == NARROW else arrays.wide[place].tolist() for place in whole[:, word].tolist()]
                columns[f"_wide_{word}"] = pl.Series(wide, dtype=pl.List(pl.Int64))
            else:
                columns[f"_whole_{word}"] = pl.Series(whole[:, word])
        return lines[:, a.KEY], columns

    def restore(self, table: pl.DataFrame, place: pl.DataFrame, slots_of: Callable[[pl.DataFrame], Int64s]) -> None:
        """Replace everything by the rows of a snapshot, in any order of rows; keys get slots as they come."""
        self.clear()
        table = table.sort("_order", "_place", "_nth")
        slots = slots_of(table)
        self._make_room(max(table.height, int(table["_members"].list.len().sum())), int(slots.max(initial=-1)) + 1)
        arrays, control = self._arrays, self._arrays.control
        for name, word in (("order", a.LAST_ORDER), ("place", a.LAST_PLACE), ("clock", a.CLOCK), ("number", a.NUMBERS)):
            control[word] = place[name][0]
        starts, ends = table["_start"].to_numpy(), table["_end"].to_numpy()
        for row, members in enumerate(table["_members"].to_list()):
            window = new_window(self._arrays, self._operations, self.rule, slots[row], starts[row], ends[row])
            for name, column in _KEPT.items():
                self._arrays.windows[window, column] = table[f"_{name}"][row]
            for number in members:
                append(control, arrays.windows, arrays.nodes, arrays.node_free, window, number)
            self._restore_words(table, row, window)
            schedule(control, arrays.heap, arrays.windows, self.rule, window)

    def _restore_words(self, table: pl.DataFrame, row: int, window: int) -> None:
        for word in range(self._arrays.real.shape[1]):
            self._arrays.real[window, word] = table[f"_real_{word}"][row]
        for word in range(self._arrays.whole.shape[1]):
            if word not in self._sums:
                self._arrays.whole[window, word] = table[f"_whole_{word}"][row]
                continue
            wide = table[f"_wide_{word}"][row]
            if wide is not None:
                if self._arrays.control[a.WIDE_FREE] < 1:
                    self._widen(len(self._arrays.wide) + 16)
                self._arrays.control[a.WIDE_FREE] -= 1
                place = self._arrays.wide_free[self._arrays.control[a.WIDE_FREE]]
                self._arrays.wide[place] = wide.to_numpy()
                self._arrays.whole[window, word] = place


_KEPT = {
    "start": a.START,
    "end": a.END,
    "order": a.ORDER,
    "place": a.PLACE,
    "nth": a.NTH,
    "events": a.EVENTS,
    "count": a.COUNT,
    "next": a.NEXT,
    "firings": a.FIRINGS,
    "greatest": a.GREATEST,
    "pending": a.PENDING,
}
"""The columns of a window that a snapshot has, by their names in it."""
