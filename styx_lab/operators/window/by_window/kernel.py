"""The compiled pass over events and watermark steps, for windows that are each kept by themselves.

Law (oracle): what Flink's WindowOperator does. An event is processed in full against the watermark as it was. When the
watermark moves, what waits for a time up to it comes in order of time (then of the window's first event), and during
all of it the watermark is already the new one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from numba import njit

from styx_lab.operators.window.by_window.arrays import (
    AFTER,
    AT,
    AT_CLEANUP,
    AT_LAST,
    AT_NEXT,
    AT_NTH,
    AT_ROW,
    AT_STEP,
    CLOCK,
    COUNT,
    END,
    EVENTS,
    FIRED,
    FIRINGS,
    FIRST,
    FREE,
    GREATEST,
    HEAD,
    HEAP,
    HELD,
    KEY,
    KEYS,
    KNOWN,
    LAST_ORDER,
    LAST_PLACE,
    MEMBERS,
    NEEDED,
    NEVER,
    NEXT,
    NEXT_RANK,
    NODE_FREE,
    NONE,
    NTH,
    NUMBER,
    NUMBERS,
    ORDER,
    PENDING,
    PLACE,
    RANK,
    SIBLING,
    START,
    TIME,
    TOOK,
    TURN,
    WIDE_FREE,
    WINDOW,
    WINDOW_TURN,
    pop,
    push,
)
from styx_lab.operators.window.by_window.contents import append, begin, drop_first, empty_out, give, join
from styx_lab.operators.window.entries import find, remove
from styx_lab.operators.window.partial import Array, add_values

__all__ = ["Arrivals", "Fired", "Rule", "new_window", "run", "schedule"]

# How windows are assigned.
FIXED, CUMULATING, GIVEN, SESSION, WHOLE = range(5)
# When they fire.
AT_END, AT_COUNT, AT_INTERVAL, AT_CONDITION, AT_NOTHING, AT_INPUT_END = range(6)
# Rows of what was fired.
OUT_KEY, OUT_START, OUT_END, OUT_ORDER, OUT_CLOCK, OUT_EVENTS, OUT_FIRING, OUT_TIME = range(8)
OUT_ROWS: Final = 8
# Verdicts on an event.
TAKEN, LATE_EVENT, NO_WINDOW = range(3)
# Answers of `run`.
DONE, OUT_FULL, MEMBERS_FULL, WIDE_FULL, WINDOWS_FULL = range(5)


class Rule(NamedTuple):
    """What a window step says, as numbers.

    Attributes:
        assign: how windows are assigned.
        size: length of a window, ms (of a cumulating one: of the longest).
        slide: distance of two windows' starts, ms (of a cumulating one: its step).
        offset: how far starts are moved, ms.
        lateness: how long after its end a window takes events, ms.
        trigger: when it fires.
        every: of how many events, where it counts.
        interval: of how many ms, where it fires every so often.
        at_end: whether it fires at its end beside.
        discarding: whether a firing empties it.
        last: how many events it holds at most; 0 for all.
        sums: how many float sums a partial has.
        keeps: whether the events themselves are kept.
    """

    assign: int
    size: int
    slide: int
    offset: int
    lateness: int
    trigger: int
    every: int
    interval: int
    at_end: bool
    discarding: bool
    last: int
    sums: int
    keeps: bool


class Arrivals(NamedTuple):
    """The rows of a batch; `values` as `partial.Rows` has them.

    Attributes:
        times, slots, orders: of each event.
        clocks: its arrival time, ms.
        sides: 0 or 1, of which input it is.
        starts, ends: its window, where windows are given; the gap in `starts` of a session.
        meets: whether it meets the trigger's condition.
        reals, wholes, valid: the values that go into partials.
    """

    times: Array
    slots: Array
    orders: Array
    clocks: Array
    sides: Array
    starts: Array
    ends: Array
    meets: Array
    reals: Array
    wholes: Array
    valid: Array


class Fired(NamedTuple):
    """Room for what fires: a column each, and its events one after the other."""

    rows: Array
    real: Array
    whole: Array
    members: Array


@njit(cache=True, nogil=True, error_model="numpy")
def _cleanup(end, rule):  # type: ignore[no-untyped-def]
    """When a window's state goes, ms; NEVER for the global one, and where the sum would overflow."""
    if end == NEVER or end - 1 > NEVER - rule.lateness:
        return NEVER
    return end - 1 + rule.lateness


@njit(cache=True, nogil=True, error_model="numpy")
def _last(end):  # type: ignore[no-untyped-def]
    """A window's last ms; of the global window the end of time."""
    return NEVER if end == NEVER else end - 1


@njit(cache=True, nogil=True, error_model="numpy")
def schedule(control, heap, windows, rule, window):  # type: ignore[no-untyped-def]
    """See to it that the heap has the time at which a window has to be looked at next."""
    pending = windows[window, PENDING]
    if pending == 0:
        return
    due = NEVER
    if pending & AT_LAST:
        due = _last(windows[window, END])
    if pending & AT_NEXT:
        due = min(due, windows[window, NEXT])
    if pending & AT_CLEANUP:
        due = min(due, _cleanup(windows[window, END], rule))
    if windows[window, AT] == NONE or due < windows[window, AT]:
        push(control, heap, windows, window, due)


@njit(cache=True, nogil=True, error_model="numpy")
def new_window(state, operations, rule, slot, start, end):  # type: ignore[no-untyped-def]
    """A new window of a key, which has none there. There must be a free one."""
    control, windows, keys = state.control, state.windows, state.keys
    control[FREE] -= 1
    window = state.free[control[FREE]]
    line = windows[window]
    line[KEY] = slot
    line[END] = end
    line[START] = start
    line[RANK] = control[NEXT_RANK]
    control[NEXT_RANK] += 1
    line[COUNT] = 0
    line[NEXT] = NONE
    line[FIRINGS] = 0
    line[AT] = NONE
    line[GREATEST] = NONE
    line[PENDING] = 0
    line[TURN] += 1
    begin(state, operations, window)
    if rule.assign == SESSION:
        line[SIBLING] = keys[slot, FIRST] - 1
        keys[slot, FIRST] = window + 1
    else:
        state.table[find(state.table, windows, slot, end)] = window + 1
    if keys[slot, HELD] == 0:
        keys[slot, KNOWN] = 1
        control[KEYS] += 1
    keys[slot, HELD] += 1
    return window


@njit(cache=True, nogil=True, error_model="numpy")
def _drop_window(state, operations, rule, window):  # type: ignore[no-untyped-def]
    """Let go of a window and all that it holds."""
    control, windows, keys = state.control, state.windows, state.keys
    empty_out(state, operations, window)
    slot = windows[window, KEY]
    if rule.assign == SESSION:
        _unlink(state, slot, window)
    else:
        remove(state.table, windows, find(state.table, windows, slot, windows[window, END]))
    windows[window, TURN] += 1
    state.free[control[FREE]] = window
    control[FREE] += 1
    keys[slot, HELD] -= 1
    if keys[slot, HELD] == 0:
        control[KEYS] -= 1


@njit(cache=True, nogil=True, error_model="numpy")
def _unlink(state, slot, window):  # type: ignore[no-untyped-def]
    """Take a session out of its key's list."""
    windows, keys = state.windows, state.keys
    other = keys[slot, FIRST] - 1
    if other == window:
        keys[slot, FIRST] = windows[window, SIBLING] + 1
        return
    while windows[other, SIBLING] != window:
        other = windows[other, SIBLING]
    windows[other, SIBLING] = windows[window, SIBLING]


@njit(cache=True, nogil=True, error_model="numpy")
def _fire(state, operations, rule, out, window, order, time):  # type: ignore[no-untyped-def]
    """Give a window's result, if it holds anything; empty it where firings do. There must be room."""
    control, line = state.control, state.windows[window]
    if line[EVENTS] == 0:
        return
    row = control[FIRED]
    out.rows[OUT_KEY, row] = line[KEY]
    out.rows[OUT_START, row] = line[START]
    out.rows[OUT_END, row] = line[END]
    out.rows[OUT_ORDER, row] = order
    out.rows[OUT_CLOCK, row] = control[CLOCK]
    out.rows[OUT_EVENTS, row] = line[EVENTS]
    out.rows[OUT_FIRING, row] = line[FIRINGS]
    out.rows[OUT_TIME, row] = time
    give(state, operations, window, out, row)
    if rule.keeps:
        node = line[HEAD]
        while node >= 0:
            out.members[control[MEMBERS]] = state.nodes[node, NUMBER]
            control[MEMBERS] += 1
            node = state.nodes[node, AFTER]
    control[FIRED] += 1
    line[FIRINGS] += 1
    if rule.discarding:
        empty_out(state, operations, window)


@njit(cache=True, nogil=True, error_model="numpy")
def _next_fire(time, end, rule):  # type: ignore[no-untyped-def]
    return min(time + rule.interval, _last(end))


@njit(cache=True, nogil=True, error_model="numpy")
def _on_event(windows, window, rule, time, mark, meets):  # type: ignore[no-untyped-def]
    """Let the trigger see an event of a window; gives whether it fires now."""
    last = _last(windows[window, END])
    if rule.trigger == AT_COUNT:
        windows[window, COUNT] += 1
        fires = windows[window, COUNT] >= rule.every
        if fires:
            windows[window, COUNT] = 0
        return _at_end(windows, window, rule, last, mark) or fires
    if rule.trigger == AT_CONDITION:
        return _at_end(windows, window, rule, last, mark) or meets
    if rule.trigger == AT_NOTHING:
        return False
    if last <= mark:
        return rule.trigger != AT_INPUT_END
    windows[window, PENDING] |= AT_LAST
    if rule.trigger == AT_INTERVAL and windows[window, NEXT] == NONE:
        # Java's % goes toward nought, so a time before 1970 waits up to an interval longer.
        rest = time % rule.interval
        if rest != 0 and time < 0:
            rest -= rule.interval
        windows[window, NEXT] = _next_fire(time - rest, windows[window, END], rule)
        windows[window, PENDING] |= AT_NEXT
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _at_end(windows, window, rule, last, mark):  # type: ignore[no-untyped-def]
    """Of a trigger that fires at the end beside: whether the end has come."""
    if not rule.at_end:
        return False
    if last > mark:
        windows[window, PENDING] |= AT_LAST
    return last <= mark


@njit(cache=True, nogil=True, error_model="numpy")
def _on_time(line, rule, time):  # type: ignore[no-untyped-def]
    """Let the trigger see that a time has come; gives whether it fires."""
    last = _last(line[END])
    if time == last:
        line[PENDING] &= ~AT_LAST
        if line[NEXT] == time:
            line[PENDING] &= ~AT_NEXT
        return rule.at_end or rule.trigger == AT_END or rule.trigger == AT_INTERVAL or rule.trigger == AT_INPUT_END
    if rule.trigger == AT_INTERVAL and line[PENDING] & AT_NEXT and line[NEXT] == time:
        line[NEXT] = _next_fire(time, line[END], rule)
        return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _room_for(control, rule, room, members, events):  # type: ignore[no-untyped-def]
    """Whether one more result with so many events can be given; DONE or what there is no room for."""
    if control[FIRED] >= room:
        return OUT_FULL
    if rule.keeps and control[MEMBERS] + events > members:
        control[NEEDED] = control[MEMBERS] + events
        return MEMBERS_FULL
    return DONE


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(state, operations, rule, out, before, mark, order):  # type: ignore[no-untyped-def]
    """Let everything happen that waits for a time up to the new watermark."""
    control, heap, windows = state.control, state.heap, state.windows
    while control[HEAP] > 0 and heap[0, TIME] <= mark:
        window, time = heap[0, WINDOW], heap[0, TIME]
        line = windows[window]
        if heap[0, WINDOW_TURN] != line[TURN] or time != line[AT]:
            pop(control, heap)
            continue
        answer = _room_for(control, rule, out.rows.shape[1], len(out.members), line[EVENTS])
        if answer != DONE:
            return answer
        pop(control, heap)
        line[AT] = NONE
        if mark == NEVER and line[END] == NEVER:
            # At the end of input a global window that fires every so often fires a last time, not for ever.
            line[PENDING] &= ~AT_NEXT
        cleanup = _cleanup(line[END], rule)
        due = (
            (line[PENDING] & AT_LAST and time == _last(line[END]))
            or (line[PENDING] & AT_NEXT and time == line[NEXT])
            or (line[PENDING] & AT_CLEANUP and time == cleanup)
        )
        if due:
            if _on_time(line, rule, time):
                stamp = _last(line[END])
                if stamp == NEVER:
                    stamp = max(time if time < NEVER else line[GREATEST], before + 1)
                _fire(state, operations, rule, out, window, order, stamp)
            if time == cleanup and cleanup != NEVER:
                _drop_window(state, operations, rule, window)
                continue
        schedule(control, heap, windows, rule, window)
    return DONE


@njit(cache=True, nogil=True, error_model="numpy")
def _touching(windows, first, start, end):  # type: ignore[no-untyped-def]
    """The sessions that [start, end) touches: how many, the first of them, the bounds and events of all together."""
    low, high = start, end
    kept = -1
    count = 0
    events = 0
    other = first
    while other >= 0:
        if windows[other, START] <= end and start <= windows[other, END]:
            count += 1
            events += windows[other, EVENTS]
            low = min(low, windows[other, START])
            high = max(high, windows[other, END])
            if kept < 0 or windows[other, RANK] < windows[kept, RANK]:
                kept = other
        other = windows[other, SIBLING]
    return count, kept, low, high, events


@njit(cache=True, nogil=True, error_model="numpy")
def _absorb(state, operations, rule, kept, slot, start, end):  # type: ignore[no-untyped-def]
    """Let a session take in the others that [start, end) touches."""
    windows = state.windows
    line = windows[kept]
    other = state.keys[slot, FIRST] - 1
    while other >= 0:
        following = windows[other, SIBLING]
        if other != kept and windows[other, START] <= end and start <= windows[other, END]:
            join(state, operations, kept, other)
            line[COUNT] += windows[other, COUNT]
            line[FIRINGS] = max(line[FIRINGS], windows[other, FIRINGS])
            line[GREATEST] = max(line[GREATEST], windows[other, GREATEST])
            if windows[other, NEXT] != NONE and (line[NEXT] == NONE or windows[other, NEXT] < line[NEXT]):
                line[NEXT] = windows[other, NEXT]
            _drop_window(state, operations, rule, other)
        other = following


@njit(cache=True, nogil=True, error_model="numpy")
def _stretch(windows, window, rule, low, high, mark):  # type: ignore[no-untyped-def]
    """Give a session other bounds, and its trigger what a merge gives it."""
    line = windows[window]
    line[START] = low
    line[END] = high
    line[PENDING] = 0
    if (rule.trigger == AT_END or rule.at_end) and _last(high) > mark:
        line[PENDING] |= AT_LAST
    if line[NEXT] != NONE:
        line[PENDING] |= AT_NEXT


@njit(cache=True, nogil=True, error_model="numpy")
def _nth_window(rule, time, nth, given_start, given_end):  # type: ignore[no-untyped-def]
    """The n-th window that an event is assigned to, in Flink's order; no more where start equals end."""
    if rule.assign == FIXED:
        start = time - (time - rule.offset) % rule.slide - nth * rule.slide
        if start > time - rule.size:
            return start, start + rule.size
        return 0, 0
    if rule.assign == CUMULATING:
        start = time - (time - rule.offset) % rule.size
        end = start + ((time - start) // rule.slide + 1 + nth) * rule.slide
        if end <= start + rule.size:
            return start, end
        return 0, 0
    if nth:
        return 0, 0
    if rule.assign == SESSION:
        return time, time + given_start
    if rule.assign == GIVEN:
        return given_start, given_end
    return NONE, NEVER


@njit(cache=True, nogil=True, error_model="numpy")
def run(state, operations, rule, out, before, rows, steps, verdicts):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    """Take rows and steps in their order from where the last call stopped.

    Gives DONE, or what there is no room for: the caller makes room and calls again. `verdicts` says of each row
    whether a window took it.
    """
    # An array taken out of a tuple is counted, at 10 ns: so all that every event needs are taken out before the loop,
    # which is why it is one long function.
    control, windows, keys, table, heap = state.control, state.windows, state.keys, state.table, state.heap
    real, whole, wide, wide_free, codes = state.real, state.whole, state.wide, state.wide_free, operations.table
    nodes, node_free = state.nodes, state.node_free
    times, slots, orders, clocks, sides = rows.times, rows.slots, rows.orders, rows.clocks, rows.sides
    starts, ends, meets = rows.starts, rows.ends, rows.meets
    reals, wholes, valid = rows.reals, rows.wholes, rows.valid
    step_order, step_mark, step_clock = steps.order, steps.mark, steps.clock
    room, members = out.rows.shape[1], len(out.members)
    row, nth, step = control[AT_ROW], control[AT_NTH], control[AT_STEP]
    mark = before if step == 0 else step_mark[step - 1]
    low = high = count = 0
    answer = DONE
    while True:
        while step < len(step_order) and (row == len(times) or step_order[step] < orders[row]):
            control[CLOCK] = max(control[CLOCK], step_clock[step])
            if control[HEAP] > 0 and heap[0, TIME] <= step_mark[step]:
                answer = _advance(state, operations, rule, out, mark, step_mark[step], step_order[step])
                if answer != DONE:
                    break
            mark = step_mark[step]
            step += 1
        if answer != DONE or row == len(times):
            break
        time, slot, order = times[row], slots[row], orders[row]
        place = control[LAST_PLACE] + 1 if order == control[LAST_ORDER] else 0
        if nth == 0:
            control[CLOCK] = max(control[CLOCK], clocks[row])
            control[TOOK] = 0
        while True:
            start, end = _nth_window(rule, time, nth, starts[row], ends[row])
            if start == end:
                break
            if rule.assign == SESSION:
                count, window, low, high, events = _touching(windows, keys[slot, FIRST] - 1, start, end)
            else:
                high = end
                window = table[find(table, windows, slot, end)] - 1
                events = windows[window, EVENTS] if window >= 0 else 0
            answer = _room_for(control, rule, room, members, events + 1)
            if answer == DONE and control[WIDE_FREE] < 2 * rule.sums:
                answer = WIDE_FULL
            if control[FREE] < 1 or control[HEAP] >= len(heap) or (rule.keeps and control[NODE_FREE] < 1):
                answer = WINDOWS_FULL
            if answer != DONE:
                break
            nth += 1
            # An open window can be late only after the end of time: its lateness then reaches beyond it.
            if high != NEVER and _cleanup(high, rule) <= mark:
                continue
            if window >= 0 and rule.assign == SESSION:
                if count > 1:
                    _absorb(state, operations, rule, window, slot, start, end)
                if windows[window, START] != low or windows[window, END] != high:
                    _stretch(windows, window, rule, low, high, mark)
            elif window < 0:
                window = new_window(state, operations, rule, slot, start, end)
                windows[window, ORDER] = order
                windows[window, PLACE] = place
                windows[window, NTH] = nth - 1
            control[TOOK] = 1
            windows[window, EVENTS] += 1
            if rule.keeps:
                append(control, windows, nodes, node_free, window, 2 * (control[NUMBERS] + row) + sides[row])
                if rule.last and windows[window, EVENTS] > rule.last:
                    drop_first(state, window)
            if codes.shape[0]:
                control[WIDE_FREE] = add_values(
                    codes, real, whole, wide, wide_free, control[WIDE_FREE], window, reals, wholes, valid, row
                )
            windows[window, GREATEST] = max(windows[window, GREATEST], time)
            if _on_event(windows, window, rule, time, mark, meets[row]):
                last = _last(windows[window, END])
                _fire(state, operations, rule, out, window, order, time if last == NEVER else last)
            if _cleanup(windows[window, END], rule) != NEVER:
                windows[window, PENDING] |= AT_CLEANUP
            schedule(control, heap, windows, rule, window)
        if answer != DONE:
            break
        if control[TOOK]:
            verdicts[row] = TAKEN
        elif time + rule.lateness <= mark:
            verdicts[row] = LATE_EVENT
        else:
            verdicts[row] = NO_WINDOW
        control[LAST_PLACE] = place
        control[LAST_ORDER] = order
        row += 1
        nth = 0
    if answer == DONE:
        control[NUMBERS] += len(times)
        row = step = 0
    control[AT_ROW], control[AT_NTH], control[AT_STEP] = row, nth, step
    return answer
