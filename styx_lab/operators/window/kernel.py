"""The compiled pass over events, watermark steps and panes.

Laws: rows and steps are taken in the one order they have in the sequence, so the cut cannot show; a window fires at the
first step that reaches its end, exactly once, and its panes go when no window needs them any more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from styx_lab.operators.window.entries import (
    AT_ROW,
    AT_STEP,
    EVENTS,
    FIRED,
    FIRST,
    HEAD,
    KEY,
    LAST,
    NEXT,
    NEXT_END,
    NUMBER,
    ORDER,
    PLACE,
    RANK,
    ROW,
    SIZE,
    STAMP,
    STAMPS,
    WIDE_FREE,
    drop_pane,
    find,
    take_entry,
)
from styx_lab.operators.window.exact_sum import add_wide, merge_wide, round_wide
from styx_lab.operators.window.layout import Array
from styx_lab.operators.window.partial import DIRTY, NARROW, OP_REAL_SUM, add_values, merge_partial

__all__ = [
    "DONE",
    "LATE_EVENT",
    "NO_WINDOW",
    "OUT_FULL",
    "OUT_ROWS",
    "TAKEN",
    "UNKNOWN",
    "WIDE_FULL",
    "Fired",
    "judge",
    "run",
]

# Rows of what was fired.
OUT_KEY, OUT_END, OUT_ORDER, OUT_CLOCK, OUT_EVENTS = range(5)
OUT_ROWS: Final = 5
# Verdicts on an event.
TAKEN, LATE_EVENT, NO_WINDOW = range(3)
# Answers of `run`.
DONE, OUT_FULL, WIDE_FULL = range(3)
UNKNOWN: Final = -(2**63)
_NEVER: Final = 2**63 - 1


class Fired(NamedTuple):
    """Room for the windows that fire: a column each."""

    rows: Array
    real: Array
    whole: Array


@njit(cache=True, nogil=True, error_model="numpy")
def judge(times, orders, step_orders, step_marks, before, size, slide, last_order, last_place, verdicts, places):  # type: ignore[no-untyped-def]
    """Whether each event is taken by a window, late, or in none; against the watermark before it.

    Gives how many are late and how many in none. `places` gets each event's place among those of its order.
    """
    mark = before
    step = 0
    late = 0
    outside = 0
    for row in range(len(times)):
        while step < len(step_orders) and step_orders[step] < orders[row]:
            mark = step_marks[step]
            step += 1
        last_end = times[row] // slide * slide + size
        if last_end > times[row] and last_end - 1 > mark:
            verdicts[row] = TAKEN
        elif times[row] <= mark:
            # Every window that could hold it is late; so it is, also in a gap between windows.
            verdicts[row] = LATE_EVENT
            late += 1
        else:
            verdicts[row] = NO_WINDOW
            outside += 1
        last_place = last_place + 1 if orders[row] == last_order else 0
        last_order = orders[row]
        places[row] = last_place
    return late, outside


@njit(cache=True, nogil=True, error_model="numpy")
def _first_end(pane, length, size, slide):  # type: ignore[no-untyped-def]
    """The end of the first window that holds a pane."""
    return -((size - (pane + 1) * length) // slide) * slide + size


@njit(cache=True, nogil=True, error_model="numpy")
def _next_end(pane, mark, length, size, slide):  # type: ignore[no-untyped-def]
    """The end of the first window that holds a pane and has not fired at a watermark."""
    end = _first_end(pane, length, size, slide)
    return end if end - 1 > mark else max(end, ((mark + 1 - size) // slide + 1) * slide + size)


@njit(cache=True, nogil=True, error_model="numpy")
def _sift(heap, length, entries):  # type: ignore[no-untyped-def]
    """Let the heap's top sink to where its rank belongs."""
    place = 0
    entry = heap[0]
    while 2 * place + 1 < length:
        child = 2 * place + 1
        if child + 1 < length and entries[heap[child + 1], RANK] < entries[heap[child], RANK]:
            child += 1
        if entries[entry, RANK] <= entries[heap[child], RANK]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = entry


@njit(cache=True, nogil=True, error_model="numpy")
def _exact_sum(state, operations, index, slot, first, last, scratch):  # type: ignore[no-untyped-def]
    """A key's float sum over panes, in wide form."""
    at = operations[index, 2]
    word = operations[index, 3]
    scratch[:] = 0
    for row in range(first, last):
        entry = state.table[find(state.table, state.entries, slot, state.panes[row, NUMBER])] - 1
        if entry >= 0:
            if state.whole[entry, word] == NARROW:
                add_wide(scratch, state.real[entry, at])
                add_wide(scratch, state.real[entry, at + 1])
            else:
                merge_wide(scratch, state.wide[state.whole[entry, word]])
    return round_wide(scratch)


@njit(cache=True, nogil=True, error_model="numpy")
def _fire(state, operations, real_start, whole_start, out, end, order, clock, last):  # type: ignore[no-untyped-def]
    """Emit one window: the keys of the panes up to row `last`, in order of their first event in it."""
    control, entries, panes, heap = state.control, state.entries, state.panes, state.heap
    first = control[FIRST]
    length = 0
    # Fill from the back of the heap, so that each sift works on a heap below it.
    for row in range(first, last):
        place = length
        entry = panes[row, HEAD]
        length += 1
        while place > 0 and entries[heap[(place - 1) // 2], RANK] > entries[entry, RANK]:
            heap[place] = heap[(place - 1) // 2]
            place = (place - 1) // 2
        heap[place] = entry
    control[STAMPS] += 1
    stamp = control[STAMPS]
    start = control[FIRED]
    fired = start
    dirty = False
    while length:
        entry = heap[0]
        bound = _NEVER
        if length > 1:
            bound = entries[heap[1], RANK]
        if length > 2:
            bound = min(bound, entries[heap[2], RANK])
        while entry >= 0 and entries[entry, RANK] <= bound:
            slot = entries[entry, KEY]
            if state.keys[slot, STAMP] != stamp:
                state.keys[slot, STAMP] = stamp
                state.keys[slot, ROW] = fired
                out.rows[OUT_KEY, fired] = slot
                out.rows[OUT_END, fired] = end
                out.rows[OUT_ORDER, fired] = order
                out.rows[OUT_CLOCK, fired] = clock
                out.rows[OUT_EVENTS, fired] = 0
                for word in range(len(real_start)):
                    out.real[word, fired] = real_start[word]
                for word in range(len(whole_start)):
                    out.whole[word, fired] = whole_start[word]
                fired += 1
            row = state.keys[slot, ROW]
            out.rows[OUT_EVENTS, row] += entries[entry, EVENTS]
            dirty |= merge_partial(operations, state.real, state.whole, entry, out.real, out.whole, row)
            entry = entries[entry, NEXT]
        if entry < 0:
            length -= 1
            heap[0] = heap[length]
        else:
            heap[0] = entry
        if length:
            _sift(heap, length, entries)
    control[FIRED] = fired
    scratch = np.empty(state.wide.shape[1], np.int64)
    for index in range(operations.shape[0]):
        if operations[index, 0] == OP_REAL_SUM:
            at = operations[index, 2]
            word = operations[index, 3]
            for row in range(start, fired):
                if dirty and out.whole[word, row] == DIRTY:
                    out.real[at, row] = _exact_sum(
                        state, operations, index, out.rows[OUT_KEY, row], first, last, scratch
                    )
                else:
                    out.real[at, row] += out.real[at + 1, row]


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(state, operations, real_start, whole_start, out, length, size, slide, mark, order, clock):  # type: ignore[no-untyped-def]
    """Fire every window that a step makes due; False where there is no room for the next one."""
    control, panes = state.control, state.panes
    while control[FIRST] < control[LAST] and control[NEXT_END] - 1 <= mark:
        end = control[NEXT_END]
        last = control[FIRST]
        most = 0
        while last < control[LAST] and panes[last, NUMBER] * length < end:
            most += panes[last, SIZE]
            last += 1
        if control[FIRED] + most > out.rows.shape[1]:
            return False
        _fire(state, operations, real_start, whole_start, out, end, order, clock, last)
        first = control[FIRST]
        while first < control[LAST] and panes[first, NUMBER] * length // slide * slide + size <= end:
            drop_pane(state, operations, first)
            first += 1
        control[FIRST] = first
        if first < control[LAST]:
            control[NEXT_END] = max(end + slide, _first_end(panes[first, NUMBER], length, size, slide))
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def run(  # type: ignore[no-untyped-def]
    state,
    operations,
    real_start,
    whole_start,
    out,
    length,
    size,
    slide,
    before,
    times,
    slots,
    orders,
    places,
    reals,
    wholes,
    valid,
    step_orders,
    step_marks,
    step_clocks,
):
    """Take rows and steps in their order from where the last call stopped.

    Gives DONE, or what there is no room for: the caller makes room and calls again.
    """
    control, entries = state.control, state.entries
    row = control[AT_ROW]
    step = control[AT_STEP]
    mark = before if step == 0 else step_marks[step - 1]
    sums = 0
    for index in range(operations.shape[0]):
        if operations[index, 0] == OP_REAL_SUM:
            sums += 1
    if control[NEXT_END] == UNKNOWN and control[FIRST] < control[LAST]:
        control[NEXT_END] = _next_end(state.panes[control[FIRST], NUMBER], mark, length, size, slide)
    while True:
        while step < len(step_orders) and (row == len(times) or step_orders[step] < orders[row]):
            if not _advance(
                state,
                operations,
                real_start,
                whole_start,
                out,
                length,
                size,
                slide,
                step_marks[step],
                step_orders[step],
                step_clocks[step],
            ):
                control[AT_ROW] = row
                control[AT_STEP] = step
                return OUT_FULL
            mark = step_marks[step]
            step += 1
        if row == len(times):
            break
        if control[WIDE_FREE] < sums:
            control[AT_ROW] = row
            control[AT_STEP] = step
            return WIDE_FULL
        pane = times[row] // length
        alone = control[FIRST] == control[LAST]
        entry, new = take_entry(state, slots[row], pane, real_start, whole_start)
        if new:
            entries[entry, ORDER] = orders[row]
            entries[entry, PLACE] = places[row]
            end = _next_end(pane, mark, length, size, slide)
            if alone or end < control[NEXT_END]:
                control[NEXT_END] = end
        entries[entry, EVENTS] += 1
        control[WIDE_FREE] = add_values(
            operations,
            state.real,
            state.whole,
            entry,
            state.wide,
            state.wide_free,
            control[WIDE_FREE],
            reals,
            wholes,
            valid,
            row,
        )
        row += 1
    control[AT_ROW] = 0
    control[AT_STEP] = 0
    return DONE
