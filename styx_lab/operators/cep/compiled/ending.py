"""How partial matches end: as matches, as the skip strategy lets them out, and by running out of time.

Law (oracle): what is let out, held back or pruned, and in which order, is Flink's; a silent match has its own deadline.
"""

from __future__ import annotations

import numpy as np

from styx_lab.operators.cep.compiled.heap import add, drop_until, poll
from styx_lab.operators.cep.compiled.layout import (
    DEPTH,
    DONE,
    HELD,
    ID,
    LAST,
    LIVING,
    MISSED,
    NO_ID,
    NO_SKIP,
    NODE,
    NUMBER,
    OUT,
    OUT_EVENTS,
    PARENT,
    PART,
    PAST_LAST,
    PENDING,
    QUEUE,
    QUEUED,
    SEQUENCE,
    SKIP,
    SKIP_PART,
    SKIPPED_TO_FIRST,
    START,
    STATE,
    THROW,
    TIMEOUTS,
    TO_FIRST,
    TO_LAST,
    TO_NEXT,
    WITHIN,
    uncounted,
)
from styx_lab.operators.cep.compiled.memory import let_go, load_rows, store_rows
from styx_lab.operators.cep.found import AT, FIRST, KIND, LENGTH, SLOT, STEP

__all__ = ["advance", "let_out", "times_out"]


@uncounted
def _emit(kind, node, step, slot, time, nodes, out, out_events, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """One match or timeout, with its events in order; there is room for it."""
    place, first = scalars[OUT], scalars[OUT_EVENTS]
    out[place, KIND], out[place, STEP], out[place, SLOT] = kind, step, slot
    depth = nodes[node, DEPTH]
    out[place, AT], out[place, FIRST], out[place, LENGTH] = time, first, depth
    at = node
    for k in range(depth - 1, -1, -1):
        out_events[first + k, 0] = nodes[at, PART]
        out_events[first + k, 1] = nodes[at, NUMBER]
        at = nodes[at, PARENT]
    scalars[OUT] += 1
    scalars[OUT_EVENTS] += depth


@uncounted
def let_out(  # type: ignore[no-untyped-def]  # noqa: PLR0912,PLR0913
    queue, queued, waiting, waits, released, lost, gone, step, slot, tables, nodes, out, out_events, scalars
):  # fmt: skip  # pragma: no cover
    """Let completed matches out as the skip strategy says.

    A match that was held back has the time when the last that it waited for was gone: that of the event (`released`),
    or the deadline of a partial match that has just timed out (`lost`), each in its turn, as though the watermark had
    come to each by itself.

    Returns:
        How many partial matches and how many held back matches are left, and how it ended.
    """
    rules = tables.rules
    skip, part = rules[SKIP], rules[SKIP_PART]
    while waits > 0:
        if skip != NO_SKIP and queued > 0 and queue[0, ID] < waiting[0, ID]:
            break
        identity, node, time = waiting[0, ID], waiting[0, NODE], waiting[0, LAST]
        waits = poll(waiting, waits)
        bound = np.int64(-1)
        if skip == TO_NEXT:
            bound = identity
        elif skip == PAST_LAST:
            bound = nodes[node, SEQUENCE]
        elif skip >= TO_FIRST:
            at = node
            to = -1
            while at >= 0:
                if nodes[at, PART] == part:
                    to = nodes[at, SEQUENCE]
                    if skip == TO_LAST:
                        break
                at = nodes[at, PARENT]
            if rules[THROW] and to < 0:
                return queued, waits, MISSED
            if rules[THROW] and to == identity:
                return queued, waits, SKIPPED_TO_FIRST
            bound = np.int64(to - 1)
        if skip != NO_SKIP:
            for place in range(gone):
                if lost[place, 2] < identity:
                    released = max(released, lost[place, 1])
            time = max(time, released)
        if bound >= 0:
            for place in range(queued):
                if queue[place, ID] <= bound:
                    let_go(queue[place, NODE], nodes, scalars)
            for place in range(waits):
                if waiting[place, ID] <= bound:
                    let_go(waiting[place, NODE], nodes, scalars)
            for place in range(gone):
                # It would have been dropped before it could time out: nothing waits for it any more.
                if lost[place, 2] <= bound and lost[place, 1] > time:
                    lost[place, 2] = NO_ID
            queued = drop_until(queue, queued, bound)
            waits = drop_until(waiting, waits, bound)
        _emit(np.int64(0), node, step, slot, time, nodes, out, out_events, scalars)
        let_go(node, nodes, scalars)
    return queued, waits, DONE


@uncounted
def _timed_out(time, partial, tables, pool):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a partial match has timed out, and the time of it."""
    within = tables.rules[WITHIN]
    gap = tables.states[pool[partial, STATE], 2]
    if gap >= 0 and time - pool[partial, LAST] >= gap:
        return True, pool[partial, LAST] + gap
    if within > 0 and time - pool[partial, START] >= within:
        return True, pool[partial, START] + within
    return False, 0


@uncounted
def times_out(first, count, time, tables, pool):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a partial match of the segment has timed out at a time."""
    for place in range(first, first + count):
        if pool[place, NODE] >= 0 and _timed_out(time, place, tables, pool)[0]:
            return True
    return False


@uncounted
def advance(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    slot, time, step, tables, slots, pool, free, nodes, scalars, queue, waiting, done, lost, row, out, out_events
):  # fmt: skip  # pragma: no cover
    """Bring a key to a time at which some of its partial matches have timed out; there is room for all."""
    first, count = slots[slot, QUEUE], slots[slot, QUEUED]
    queued, completed, gone = np.int64(0), np.int64(0), np.int64(0)
    for place in range(first, first + count):
        out_of_time, deadline = False, 0
        if pool[place, NODE] >= 0:
            out_of_time, deadline = _timed_out(time, place, tables, pool)
        for k in range(5):
            row[k] = pool[place, k]
        if not out_of_time:
            queued = add(queue, queued, row)
            continue
        lost[gone, 0], lost[gone, 1], lost[gone, 2] = row[NODE], deadline, row[ID]
        if tables.states[row[STATE], 0] == PENDING:
            row[LAST] = deadline
            completed = add(done, completed, row)
            lost[gone, 0] = -1
        gone += 1
    waits = load_rows(slots, slot, HELD, pool, waiting)
    for place in range(completed):
        waits = add(waiting, waits, done[place])
    queued, waits, ended = let_out(
        queue,
        queued,
        waiting,
        waits,
        np.int64(-(2**63)),
        lost,
        gone,
        step,
        slot,
        tables,
        nodes,
        out,
        out_events,
        scalars,
    )
    for place in range(gone):
        if lost[place, 0] < 0:
            continue
        if tables.rules[TIMEOUTS]:
            _emit(np.int64(1), lost[place, 0], step, slot, lost[place, 1], nodes, out, out_events, scalars)
        let_go(lost[place, 0], nodes, scalars)
    scalars[LIVING] += queued - count
    if queued == 1:
        queued = np.int64(0)
    store_rows(queue, queued, slots, slot, QUEUE, pool, free, scalars)
    store_rows(waiting, waits, slots, slot, HELD, pool, free, scalars)
    return ended
