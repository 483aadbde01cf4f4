"""Entries: what is kept of each key in each pane, as flat arrays that compiled code finds its way in.

Laws: an entry is found by its key's slot and its pane, both compared; what is let go can be used again at once.

A *pane* is the stretch of event time that no window's edge divides: gcd(size, slide) long. An *entry* is a row of
`entries`, with its partial in `real` and `whole`. Entries are found through a hash table (open addressing) and hang in
their pane's list in order of their first event.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from styx_lab.core.batch import Int64s
from styx_lab.core.compiled import njit_uncounted
from styx_lab.operators.window.partial import NARROW, OP_REAL_SUM, Array

__all__ = [
    "AHEAD",
    "EntryArrays",
    "drop_pane",
    "find",
    "new_entry",
    "rehash",
    "remove",
    "take_entries",
    "touch_events",
    "touch_keys",
]

# Columns of `entries`.
KEY, PANE, RANK, ORDER, PLACE, EVENTS, NEXT = range(7)
ENTRY_COLUMNS: Final = 8  # one cache line
# Columns of `panes`, whose live rows are sorted by number.
NUMBER, HEAD, TAIL, SIZE = range(4)
PANE_COLUMNS: Final = 4
# Columns of `keys`, by slot.
HELD, STAMP, ROW, KNOWN = range(4)
KEY_COLUMNS: Final = 4
# Words of `control`.
FREE, FIRST, LAST, NEXT_RANK, WIDE_FREE, STAMPS, NEXT_END, KEYS, AT_ROW, AT_STEP = range(10)
FIRED, FIRED_WINDOWS, NEEDED, TOUCHED = range(10, 14)
CONTROL_WORDS: Final = 14
AHEAD: Final = 64
"""How many entries or events are looked at ahead (see `touch_keys`)."""


class EntryArrays(NamedTuple):
    """The whole state, as flat arrays (see the columns' names above)."""

    control: Int64s
    table: Int64s
    """An entry's number and 1, or 0; a power of two long, at most half full."""
    entries: Array
    real: Array
    whole: Array
    free: Int64s
    """A stack of free entries."""
    panes: Array
    heap: Int64s
    keys: Array
    wide: Array
    wide_free: Int64s
    """A stack of free wide sums."""
    scratch: Int64s
    """Room for the wide sum of a window."""


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _home(slot, pane, mask):  # type: ignore[no-untyped-def]
    # Unsigned: a signed product that overflows is undefined, and compiled differently for different callers.
    mixed = np.uint64(slot) * np.uint64(0x1E3779B97F4A7C15) + np.uint64(pane) * np.uint64(0x632BE59BD9B4E019)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0x2545F4914F6CDD1D)
    return np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(mask))


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def find(table, entries, slot, pane):  # type: ignore[no-untyped-def]
    """The place in the table of a key's pane, or of the gap where it would go."""
    mask = len(table) - 1
    place = _home(slot, pane, mask)
    while True:
        entry = table[place] - 1
        if entry < 0 or (entries[entry, KEY] == slot and entries[entry, PANE] == pane):
            return place
        place = (place + 1) & mask


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def remove(table, entries, place):  # type: ignore[no-untyped-def]
    """Close the gap that an entry leaves, so that no search ends early."""
    mask = len(table) - 1
    gap = place
    while True:
        place = (place + 1) & mask
        entry = table[place] - 1
        if entry < 0:
            break
        home = _home(entries[entry, KEY], entries[entry, PANE], mask)
        if (place - home) & mask >= (place - gap) & mask:
            table[gap] = table[place]
            gap = place
    table[gap] = 0


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def rehash(old, table, entries):  # type: ignore[no-untyped-def]
    """Fill an empty table with the entries of a smaller one."""
    for known in old:
        if known:
            table[find(table, entries, entries[known - 1, KEY], entries[known - 1, PANE])] = known


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _pane_row(control, panes, number):  # type: ignore[no-untyped-def]
    """The row of a pane; a new one is put in where it belongs."""
    low = control[FIRST]
    high = control[LAST]
    if low < high and panes[high - 1, NUMBER] == number:
        return high - 1
    while low < high:
        middle = (low + high) // 2
        if panes[middle, NUMBER] < number:
            low = middle + 1
        else:
            high = middle
    if low < control[LAST] and panes[low, NUMBER] == number:
        return low
    for row in range(control[LAST], low, -1):
        for column in range(PANE_COLUMNS):
            panes[row, column] = panes[row - 1, column]
    control[LAST] += 1
    panes[low, NUMBER] = number
    panes[low, HEAD] = -1
    panes[low, TAIL] = -1
    panes[low, SIZE] = 0
    return low


@njit_uncounted(cache=True, nogil=True, error_model="numpy", inline="always")
def new_entry(  # type: ignore[no-untyped-def]  # noqa: PLR0913 - an array taken out of a tuple costs 10 ns
    control, table, entries, real, whole, free, panes, keys, real_start, whole_start, place, slot, pane
):
    """A new entry of a key's pane, which has none, at its place in the table. There must be a free one."""
    control[FREE] -= 1
    entry = free[control[FREE]]
    table[place] = entry + 1
    entries[entry, KEY] = slot
    entries[entry, PANE] = pane
    entries[entry, RANK] = control[NEXT_RANK]
    entries[entry, EVENTS] = 0
    entries[entry, NEXT] = -1
    control[NEXT_RANK] += 1
    for word in range(len(real_start)):
        real[entry, word] = real_start[word]
    for word in range(len(whole_start)):
        whole[entry, word] = whole_start[word]
    pane_row = _pane_row(control, panes, pane)
    if panes[pane_row, SIZE]:
        entries[panes[pane_row, TAIL], NEXT] = entry
    else:
        panes[pane_row, HEAD] = entry
    panes[pane_row, TAIL] = entry
    panes[pane_row, SIZE] += 1
    if keys[slot, HELD] == 0:
        keys[slot, KNOWN] = 1
        control[KEYS] += 1
    keys[slot, HELD] += 1
    return entry


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def take_entries(state, operations, slots, panes, taken):  # type: ignore[no-untyped-def]
    """The entries of many keys' panes, in order of their first events."""
    table, entries = state.table, state.entries
    for row in range(len(slots)):
        taken[row] = new_entry(
            state.control,
            table,
            entries,
            state.real,
            state.whole,
            state.free,
            state.panes,
            state.keys,
            operations.real_start,
            operations.whole_start,
            find(table, entries, slots[row], panes[row]),
            slots[row],
            panes[row],
        )


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def touch_keys(control, entries, keys, entry):  # type: ignore[no-untyped-def]
    """Read the keys of a pane's next entries.

    A million keys are in no cache. One after another, each would be waited for; asked for at once, they come together,
    and are there when they are needed.
    """
    touched = 0
    for _ in range(AHEAD):
        if entry < 0:
            break
        touched ^= keys[entries[entry, KEY], STAMP]
        entry = entries[entry, NEXT]
    control[TOUCHED] ^= touched


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def touch_events(control, table, keys, slots, times, pane, row):  # type: ignore[no-untyped-def]
    """Read what the next events need: their places in the table, and their keys."""
    mask = len(table) - 1
    touched = 0
    for ahead in range(row, min(row + AHEAD, len(times))):
        touched ^= table[_home(slots[ahead], times[ahead] // pane, mask)] ^ keys[slots[ahead], HELD]
    control[TOUCHED] ^= touched


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _touch_places(control, table, entries, keys, entry):  # type: ignore[no-untyped-def]
    """Read what a pane's next entries need to be let go."""
    mask = len(table) - 1
    touched = 0
    for _ in range(AHEAD):
        if entry < 0:
            break
        slot = entries[entry, KEY]
        touched ^= table[_home(slot, entries[entry, PANE], mask)] ^ keys[slot, HELD]
        entry = entries[entry, NEXT]
    control[TOUCHED] ^= touched


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def drop_pane(state, operations, row):  # type: ignore[no-untyped-def]
    """Let go of a pane's entries."""
    control, table, entries, keys, whole = state.control, state.table, state.entries, state.keys, state.whole
    free, wide_free, codes = state.free, state.wide_free, operations.table
    entry = state.panes[row, HEAD]
    done = 0
    while entry >= 0:
        if done % AHEAD == 0:
            _touch_places(control, table, entries, keys, entry)
        done += 1
        slot = entries[entry, KEY]
        remove(table, entries, find(table, entries, slot, entries[entry, PANE]))
        for index in range(codes.shape[0]):
            if codes[index, 0] == OP_REAL_SUM and whole[entry, codes[index, 3]] != NARROW:
                wide_free[control[WIDE_FREE]] = whole[entry, codes[index, 3]]
                control[WIDE_FREE] += 1
        free[control[FREE]] = entry
        control[FREE] += 1
        keys[slot, HELD] -= 1
        if keys[slot, HELD] == 0:
            control[KEYS] -= 1
        entry = entries[entry, NEXT]
