"""The compiled pass over events, watermark steps and panes.

Laws: rows and steps are taken in the one order they have in the sequence, so the cut cannot show; a window fires at the
first step that reaches its end, exactly once, and its panes go when no window needs them any more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from styx_lab.core.compiled import njit_uncounted
from styx_lab.operators.window.entries import (
    AHEAD,
    AT_ROW,
    AT_STEP,
    EVENTS,
    FIRED,
    FIRED_WINDOWS,
    FIRST,
    HEAD,
    KEY,
    LAST,
    NEEDED,
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
    new_entry,
    touch_events,
    touch_keys,
)
from styx_lab.operators.window.exact_sum import add_wide, merge_wide, round_wide
from styx_lab.operators.window.partial import DIRTY, NARROW, OP_REAL_SUM, Array, add_values, merge_partial

__all__ = [
    "DONE",
    "LATE_EVENT",
    "NO_WINDOW",
    "OUT_CLOCK",
    "OUT_COUNT",
    "OUT_END",
    "OUT_FULL",
    "OUT_ORDER",
    "OUT_ROWS",
    "OUT_WINDOWS",
    "TAKEN",
    "UNKNOWN",
    "WIDE_FULL",
    "Fired",
    "Shape",
    "StepArrays",
    "judge",
    "run",
]

# Rows of what was fired: of results, and of windows.
OUT_KEY, OUT_EVENTS = range(2)
OUT_ROWS: Final = 2
OUT_END, OUT_ORDER, OUT_CLOCK, OUT_COUNT = range(4)
OUT_WINDOWS: Final = 4
# Verdicts on an event.
TAKEN, LATE_EVENT, NO_WINDOW = range(3)
# Answers of `run`.
DONE, OUT_FULL, WIDE_FULL = range(3)
UNKNOWN: Final = -(2**63)
_NEVER: Final = 2**63 - 1


class Fired(NamedTuple):
    """Room for what fires: a column each for a result, and in `windows` for the results of one window."""

    rows: Array
    real: Array
    whole: Array
    windows: Array


class StepArrays(NamedTuple):
    """The watermark steps, as `core.batch.Steps` has them."""

    order: Array
    mark: Array
    clock: Array


class Shape(NamedTuple):
    """Lengths of a pane and of a window, and the distance of two windows' starts, all in ms."""

    pane: int
    size: int
    slide: int


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def judge(times, orders, steps, before, shape, last, verdicts, places):  # type: ignore[no-untyped-def]
    """Whether each event is taken by a window, late, or in none; against the watermark before it.

    Gives how many are late and how many in none. `places` gets each event's place among those of its order.
    """
    last_order, last_place = last
    mark = before
    step = 0
    late = 0
    outside = 0
    for row in range(len(times)):
        while step < len(steps.order) and steps.order[step] < orders[row]:
            mark = steps.mark[step]
            step += 1
        last_end = times[row] // shape.slide * shape.slide + shape.size
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


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _first_end(pane, shape):  # type: ignore[no-untyped-def]
    """The end of the first window that holds a pane."""
    return -((shape.size - (pane + 1) * shape.pane) // shape.slide) * shape.slide + shape.size


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _next_end(pane, mark, shape):  # type: ignore[no-untyped-def]
    """The end of the first window that holds a pane and has not fired at a watermark."""
    end = _first_end(pane, shape)
    if end - 1 > mark:
        return end
    return max(end, ((mark + 1 - shape.size) // shape.slide + 1) * shape.slide + shape.size)


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
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


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _heap_of(heap, panes, first, last, entries):  # type: ignore[no-untyped-def]
    """A heap of the panes' first entries, by rank."""
    length = 0
    for row in range(first, last):
        place = length
        entry = panes[row, HEAD]
        length += 1
        while place > 0 and entries[heap[(place - 1) // 2], RANK] > entries[entry, RANK]:
            heap[place] = heap[(place - 1) // 2]
            place = (place - 1) // 2
        heap[place] = entry
    return length


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _exact_sum(state, operations, index, slot, first, last, scratch):  # type: ignore[no-untyped-def]
    """A key's float sum over panes, in wide form."""
    at = operations.table[index, 2]
    word = operations.table[index, 3]
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


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _fire(state, operations, out, end, order, clock, last):  # type: ignore[no-untyped-def]
    """Emit one window: the keys of the panes up to row `last`, in order of their first event in it."""
    control, entries, panes, heap = state.control, state.entries, state.panes, state.heap
    keys, real, whole, codes = state.keys, state.real, state.whole, operations.table
    real_start, whole_start = operations.real_start, operations.whole_start
    out_rows, out_real, out_whole = out.rows, out.real, out.whole
    first = control[FIRST]
    length = _heap_of(heap, panes, first, last, entries)
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
        ahead = 0
        while entry >= 0 and entries[entry, RANK] <= bound:
            # Runs are short where panes take turns; there a look ahead would be for nothing.
            if ahead % AHEAD == 8:
                touch_keys(control, entries, keys, entry)
            ahead += 1
            slot = entries[entry, KEY]
            if keys[slot, STAMP] != stamp:
                keys[slot, STAMP] = stamp
                keys[slot, ROW] = fired
                out_rows[OUT_KEY, fired] = slot
                out_rows[OUT_EVENTS, fired] = 0
                for word in range(len(real_start)):
                    out_real[word, fired] = real_start[word]
                for word in range(len(whole_start)):
                    out_whole[word, fired] = whole_start[word]
                fired += 1
            row = keys[slot, ROW]
            out_rows[OUT_EVENTS, row] += entries[entry, EVENTS]
            dirty |= merge_partial(codes, real, whole, entry, out_real, out_whole, row)
            entry = entries[entry, NEXT]
        if entry < 0:
            length -= 1
            heap[0] = heap[length]
        else:
            heap[0] = entry
        if length:
            _sift(heap, length, entries)
    control[FIRED] = fired
    window = control[FIRED_WINDOWS]
    out.windows[OUT_END, window] = end
    out.windows[OUT_ORDER, window] = order
    out.windows[OUT_CLOCK, window] = clock
    out.windows[OUT_COUNT, window] = fired - start
    control[FIRED_WINDOWS] = window + 1
    scratch = state.scratch
    for index in range(codes.shape[0]):
        if codes[index, 0] == OP_REAL_SUM:
            at = codes[index, 2]
            word = codes[index, 3]
            for row in range(start, fired):
                if dirty and out_whole[word, row] == DIRTY:
                    out_real[at, row] = _exact_sum(
                        state, operations, index, out_rows[OUT_KEY, row], first, last, scratch
                    )
                else:
                    out_real[at, row] += out_real[at + 1, row]


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _advance(state, operations, out, shape, mark, order, clock):  # type: ignore[no-untyped-def]
    """Fire every window that a step makes due; False where there is no room for the next one."""
    control, panes = state.control, state.panes
    while control[FIRST] < control[LAST] and control[NEXT_END] - 1 <= mark:
        end = control[NEXT_END]
        last = control[FIRST]
        most = 0
        while last < control[LAST] and panes[last, NUMBER] * shape.pane < end:
            most += panes[last, SIZE]
            last += 1
        if control[FIRED] + most > out.rows.shape[1] or control[FIRED_WINDOWS] == out.windows.shape[1]:
            control[NEEDED] = control[FIRED] + most
            return False
        _fire(state, operations, out, end, order, clock, last)
        first = control[FIRST]
        while first < last and panes[first, NUMBER] * shape.pane // shape.slide * shape.slide + shape.size <= end:
            drop_pane(state, operations, first)
            first += 1
        control[FIRST] = first
        if first < control[LAST]:
            control[NEXT_END] = max(end + shape.slide, _first_end(panes[first, NUMBER], shape))
    return True


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def run(state, operations, out, shape, before, rows, steps):  # type: ignore[no-untyped-def]
    """Take rows and steps in their order from where the last call stopped.

    Gives DONE, or what there is no room for: the caller makes room and calls again.
    """
    # An array taken out of a tuple is counted, at 10 ns: so all are taken out before the loop.
    control, table, entries, real, whole = state.control, state.table, state.entries, state.real, state.whole
    wide, wide_free, codes = state.wide, state.wide_free, operations.table
    times, slots, orders, reals, wholes, valid = (
        rows.times,
        rows.slots,
        rows.orders,
        rows.reals,
        rows.wholes,
        rows.valid,
    )
    pane_ms = shape.pane
    step_order, step_mark, places = steps.order, steps.mark, rows.places
    free, panes, keys = state.free, state.panes, state.keys
    real_start, whole_start = operations.real_start, operations.whole_start
    row = control[AT_ROW]
    step = control[AT_STEP]
    mark = before if step == 0 else step_mark[step - 1]
    sums = 0
    for index in range(codes.shape[0]):
        if codes[index, 0] == OP_REAL_SUM:
            sums += 1
    if control[NEXT_END] == UNKNOWN and control[FIRST] < control[LAST]:
        control[NEXT_END] = _next_end(state.panes[control[FIRST], NUMBER], mark, shape)
    while True:
        while step < len(step_order) and (row == len(times) or step_order[step] < orders[row]):
            mark = step_mark[step]
            due = control[FIRST] < control[LAST] and control[NEXT_END] - 1 <= mark
            if due and not _advance(state, operations, out, shape, mark, step_order[step], steps.clock[step]):
                control[AT_ROW] = row
                control[AT_STEP] = step
                return OUT_FULL
            step += 1
        if row == len(times):
            break
        if control[WIDE_FREE] < sums:
            control[AT_ROW] = row
            control[AT_STEP] = step
            return WIDE_FULL
        pane = times[row] // pane_ms
        if row % AHEAD == 0:
            touch_events(control, table, keys, slots, times, pane_ms, row)
        place = find(table, entries, slots[row], pane)
        entry = table[place] - 1
        if entry < 0:
            alone = control[FIRST] == control[LAST]
            entry = new_entry(
                control,
                table,
                entries,
                real,
                whole,
                free,
                panes,
                keys,
                real_start,
                whole_start,
                place,
                slots[row],
                pane,
            )
            entries[entry, ORDER] = orders[row]
            entries[entry, PLACE] = places[row]
            end = _next_end(pane, mark, shape)
            if alone or end < control[NEXT_END]:
                control[NEXT_END] = end
        entries[entry, EVENTS] += 1
        if codes.shape[0]:
            control[WIDE_FREE] = add_values(
                codes, real, whole, wide, wide_free, control[WIDE_FREE], entry, reals, wholes, valid, row
            )
        row += 1
    control[AT_ROW] = 0
    control[AT_STEP] = 0
    return DONE
