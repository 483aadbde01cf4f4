"""The compiled pass over events and watermark steps, for windows that are each kept by themselves.

Law (oracle): what Flink's WindowOperator does. An event is processed in full against the watermark as it was. When the
watermark moves, what waits for a time up to it comes in order of time (then of the window's first event), and during
all of it the watermark is already the new one.
"""

from __future__ import annotations

from styx_lab.core.compiled import njit
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
    END,
    EVENTS,
    FIRED,
    FIRINGS,
    FIRST,
    FREE,
    GREATEST,
    HEAD,
    HEAP,
    KEY,
    LAST_ORDER,
    LAST_PLACE,
    MEMBERS,
    NEEDED,
    NEVER,
    NEXT,
    NODE_FREE,
    NONE,
    NTH,
    NUMBER,
    NUMBERS,
    ORDER,
    PENDING,
    PLACE,
    START,
    TIME,
    TOOK,
    TURN,
    WIDE_FREE,
    WINDOW,
    WINDOW_TURN,
    pop,
)
from styx_lab.operators.window.by_window.contents import append, drop_first, empty_out, give
from styx_lab.operators.window.by_window.forms import (
    CUMULATING,
    DONE,
    FIXED,
    GIVEN,
    LATE_EVENT,
    MEMBERS_FULL,
    NO_WINDOW,
    OUT_CLOCK,
    OUT_END,
    OUT_EVENTS,
    OUT_FIRING,
    OUT_FULL,
    OUT_KEY,
    OUT_ORDER,
    OUT_START,
    OUT_TIME,
    SESSION,
    TAKEN,
    WIDE_FULL,
    WINDOWS_FULL,
)
from styx_lab.operators.window.by_window.opening import drop_window, new_window
from styx_lab.operators.window.by_window.sessions import absorb, stretch, touching
from styx_lab.operators.window.by_window.triggers import cleanup_ms, last_ms, on_event, on_time, schedule
from styx_lab.operators.window.entries import find
from styx_lab.operators.window.partial import add_values

__all__ = ["run"]


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
        cleanup = cleanup_ms(line[END], rule)
        due = (
            (line[PENDING] & AT_LAST and time == last_ms(line[END]))
            or (line[PENDING] & AT_NEXT and time == line[NEXT])
            or (line[PENDING] & AT_CLEANUP and time == cleanup)
        )
        if due:
            if on_time(line, rule, time):
                stamp = last_ms(line[END])
                if stamp == NEVER:
                    stamp = max(time if time < NEVER else line[GREATEST], before + 1)
                _fire(state, operations, rule, out, window, order, stamp)
            if time == cleanup and cleanup != NEVER:
                drop_window(state, operations, rule, window)
                continue
        schedule(control, heap, windows, rule, window)
    return DONE


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
                count, window, low, high, events = touching(windows, keys[slot, FIRST] - 1, start, end)
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
            if high != NEVER and cleanup_ms(high, rule) <= mark:
                continue
            if window >= 0 and rule.assign == SESSION:
                if count > 1:
                    absorb(state, operations, rule, window, slot, start, end)
                if windows[window, START] != low or windows[window, END] != high:
                    stretch(windows, window, rule, low, high, mark)
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
            if on_event(windows, window, rule, time, mark, meets[row]):
                last = last_ms(windows[window, END])
                _fire(state, operations, rule, out, window, order, time if last == NEVER else last)
            if cleanup_ms(windows[window, END], rule) != NEVER:
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
