"""Compiled loops over flat arrays: the limit that W2 and W3 can be held against.

Law: the same rows give the same outputs however they are cut into calls. Whatever a call leaves unfinished is in the
arrays that it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numpy as np

from styx_lab.core.compiled import njit

__all__ = ["LATEST", "NEXT_END", "PANES", "find_slots", "match_rows", "window_rows"]

_F = TypeVar("_F", bound=Callable[..., Any])
_compiled = cast(Callable[[_F], _F], njit(cache=True, nogil=True))

PANES: Final = 8
"""Minutes held for a card: the five of a window and those that can be open beyond them; a power of two."""
LATEST: Final = 0
NEXT_END: Final = 1
"""Places in the `clock` array: the latest event time so far, the end of the next window to fire."""
_PLACE_BITS: Final = 22


@_compiled
def find_slots(
    hashes: np.ndarray,
    table_hash: np.ndarray,
    table_slot: np.ndarray,
    slots: np.ndarray,
    first_rows: np.ndarray,
    known: int,
) -> int:
    """Slots by hash, linear probing; gives how many are new and the row at which each of them came first."""
    mask = np.uint64(table_slot.size - 1)
    new = 0
    for row in range(hashes.size):
        wanted = hashes[row]
        place = wanted & mask
        while table_slot[place] >= 0 and table_hash[place] != wanted:
            place = (place + np.uint64(1)) & mask
        if table_slot[place] < 0:
            table_slot[place] = known + new
            table_hash[place] = wanted
            first_rows[new] = row
            new += 1
        slots[row] = table_slot[place]
    return new


@_compiled
def _fire(
    end: int,
    panes_in_window: int,
    slide: int,
    panes: tuple[np.ndarray, np.ndarray, np.ndarray],
    cards: tuple[np.ndarray, np.ndarray],
    active_count: int,
    outputs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    used: int,
) -> tuple[int, int]:
    """Fire one window of all cards and forget its first pane."""
    counts, highs, lows = panes
    live, active = cards
    out_slot, out_end, out_count, out_sum = outputs
    first_pane = end // slide - panes_in_window
    place = 0
    while place < active_count:
        slot = active[place]
        base = slot * PANES
        count, high, low = 0, 0.0, 0.0
        for pane in range(first_pane, first_pane + panes_in_window):
            at = base + (pane & (PANES - 1))
            if counts[at]:
                count += counts[at]
                # The error of an addition is itself a double: high + low is the exact sum, rounded once at the end.
                total = high + highs[at]
                part = total - high
                low += (high - (total - part)) + (highs[at] - part) + lows[at]
                high = total
        if count:
            out_slot[used] = slot
            out_end[used] = end
            out_count[used] = count
            out_sum[used] = high + low
            used += 1
        at = base + (first_pane & (PANES - 1))
        live[slot] -= counts[at]
        counts[at], highs[at], lows[at] = 0, 0.0, 0.0
        if live[slot]:
            place += 1
        else:
            active_count -= 1
            active[place] = active[active_count]
    return used, active_count


@_compiled
def window_rows(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    start: int,
    ending: bool,
    window: tuple[int, int, int],
    clock: np.ndarray,
    panes: tuple[np.ndarray, np.ndarray, np.ndarray],
    cards: tuple[np.ndarray, np.ndarray],
    active_count: int,
    outputs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> tuple[int, int, int]:
    """Take rows from `start` on until the outputs are full; gives the next row, the outputs used, the active cards.

    Rows are slot, time, amount; a window is its size, slide and delay in ms. A row's watermark moves before the row is
    added: the windows that it closes end before it, so that changes nothing.
    """
    slots, times, amounts = rows
    size, slide, delay = window
    counts, highs, lows = panes
    live, active = cards
    used = 0
    room = outputs[0].size
    panes_in_window = size // slide
    for row in range(start, slots.size):
        time = times[row]
        if time > clock[LATEST]:
            while clock[NEXT_END] <= time - delay:
                if active_count == 0:
                    clock[NEXT_END] = (time - delay) // slide * slide + slide
                    break
                if room - used < active_count:
                    return row, used, active_count
                used, active_count = _fire(
                    clock[NEXT_END], panes_in_window, slide, panes, cards, active_count, outputs, used
                )
                clock[NEXT_END] += slide
            clock[LATEST] = time
        slot = slots[row]
        if live[slot] == 0:
            active[active_count] = slot
            active_count += 1
        live[slot] += 1
        at = slot * PANES + ((time // slide) & (PANES - 1))
        counts[at] += 1
        high = highs[at]
        total = high + amounts[row]
        part = total - high
        lows[at] += (high - (total - part)) + (amounts[row] - part)
        highs[at] = total
    while ending and active_count:
        if room - used < active_count:
            return slots.size, used, active_count
        used, active_count = _fire(clock[NEXT_END], panes_in_window, slide, panes, cards, active_count, outputs, used)
        clock[NEXT_END] += slide
    return slots.size, used, active_count


@_compiled
def _step_due(
    order: np.ndarray,
    waiting: tuple[int, int],
    base: int,
    watermark: int,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    within: int,
    cards: tuple[np.ndarray, np.ndarray, np.ndarray],
    found: np.ndarray,
    matches: int,
) -> tuple[int, int]:
    """Step the pattern with the waiting rows that the watermark has passed."""
    head, tail = waiting
    slots, times, fails, drains, ids = rows
    run, fail_times, fail_ids = cards
    while head < tail and (order[head] >> _PLACE_BITS) + base <= watermark:
        row = order[head] & ((1 << _PLACE_BITS) - 1)
        head += 1
        slot = slots[row]
        if fails[row]:
            fail_times[slot, 0], fail_ids[slot, 0] = fail_times[slot, 1], fail_ids[slot, 1]
            fail_times[slot, 1], fail_ids[slot, 1] = times[row], ids[row]
            run[slot] = min(run[slot] + 1, 2)
            continue
        if run[slot] == 2 and drains[row] and times[row] - fail_times[slot, 0] < within:
            found[matches, 0], found[matches, 1] = fail_ids[slot, 0], fail_ids[slot, 1]
            found[matches, 2], found[matches, 3] = ids[row], row
            matches += 1
        run[slot] = 0
    return head, matches


@_compiled
def match_rows(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    pending: int,
    ending: bool,
    within: int,
    delay: int,
    clock: np.ndarray,
    order: np.ndarray,
    cards: tuple[np.ndarray, np.ndarray, np.ndarray],
    found: np.ndarray,
) -> tuple[int, int]:
    """Take rows in order of event time as the watermark passes them; gives the matches found and how many rows wait.

    The first `pending` of the rows (slot, time, is it a fail, is it a drain, id) are those that the last call left, by
    time. `order` receives the places of the rows that wait now, by time and then arrival. `found` receives three event
    ids and the row of the last one.
    """
    times = rows[1]
    head, tail, matches = 0, 0, 0
    base = times[0] if times.size else 0
    for row in range(times.size):
        # Time and place in one number: few rows wait at a time, so insertion is the quickest sort.
        key = (times[row] - base) << _PLACE_BITS | row
        at = tail
        while at > head and order[at - 1] > key:
            order[at] = order[at - 1]
            at -= 1
        order[at] = key
        tail += 1
        if row >= pending and times[row] > clock[LATEST]:
            clock[LATEST] = times[row]
            head, matches = _step_due(
                order, (head, tail), base, clock[LATEST] - delay - 1, rows, within, cards, found, matches
            )
    if ending:
        head, matches = _step_due(
            order, (head, tail), base, np.iinfo(np.int64).max, rows, within, cards, found, matches
        )
    for place in range(head, tail):
        order[place - head] = order[place] & ((1 << _PLACE_BITS) - 1)
    return matches, tail - head
