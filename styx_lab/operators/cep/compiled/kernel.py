"""The matcher of any pattern: one compiled pass over events in order of time, with each key's partial matches.

Laws: what it gives for a key depends on that key's events and watermarks alone (re-chunking); matches and timeouts of a
key come in Flink's very order (oracle). The rules, by their names in Flink: a partial match is a computation state, a
node is an entry of the shared buffer, held back matches are the completed matches.

An event is first explored, which changes nothing, and then committed. So the pass can stop between two events, for a
function's answer or for an error, and go on where it stopped.
"""

from __future__ import annotations

import numpy as np

from styx_lab.operators.cep.compiled.ending import advance, let_out, times_out
from styx_lab.operators.cep.compiled.exploring import explore
from styx_lab.operators.cep.compiled.heap import add, drop_until, poll
from styx_lab.operators.cep.compiled.layout import (
    ADVANCED,
    ASKS,
    AT_SLOT,
    BEYOND,
    DEEPEST,
    DEPTH,
    DONE,
    DROP_OLDEST,
    DROPPED,
    EVENT,
    FAIL,
    FINAL,
    HELD,
    HOLDS,
    ID,
    LAST,
    LIVING,
    MOST,
    NEXT_ID,
    NO_ID,
    NODE,
    NODE_USED,
    OUT,
    OUT_EVENTS,
    POOL_USED,
    QUEUE,
    QUEUED,
    ROUND,
    START,
    STARTED,
    STATE,
    STEP_AT,
    STOP,
    TIMER_HEAD,
    TIMER_TAIL,
    TOO_MANY,
    TOUCHED,
    TOUCHES,
    USES,
    WITHIN,
    Work,
    counted,
    uncounted,
)
from styx_lab.operators.cep.compiled.memory import let_go, load_rows, room_in, store_rows, take_node
from styx_lab.operators.cep.found import COLUMNS

__all__ = ["run"]


@uncounted
def _drop_beyond(queue, queued, tables, nodes, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Drop partial matches beyond the most that a key may have: the oldest or the newest starts first."""
    while queued - 1 > tables.rules[MOST]:
        if tables.rules[BEYOND] == DROP_OLDEST:
            let_go(queue[0, NODE], nodes, scalars)
            queued = poll(queue, queued)
        else:
            newest = -1
            for place in range(queued):
                if queue[place, ID] != NO_ID and (newest < 0 or queue[place, ID] >= queue[newest, ID]):
                    newest = place
            let_go(queue[newest, NODE], nodes, scalars)
            queue[newest, ID] = -1
            queued = drop_until(queue, queued, np.int64(-1))
        scalars[DROPPED] += 1
    return queued


@uncounted
def _commit(  # type: ignore[no-untyped-def]  # noqa: PLR0912,PLR0913
    slot, event, found, results, step, tables, events, slots, pool, free, nodes, work, scalars,
    queue, waiting, done, lost, row, out, out_events,
):  # fmt: skip  # pragma: no cover
    """Make what `explore` found true; there is room for all."""
    states, rules = tables.states, tables.rules
    first, count = slots[slot, QUEUE], slots[slot, QUEUED]
    time, identity = events.times[event], scalars[NEXT_ID]
    scalars[NEXT_ID] += 1
    # Of a type from the start: a constant's is its value, for which callees would be compiled once more.
    queued, completed = np.int64(0), np.int64(0)
    at = 0
    while at < found:
        place = results[at, 0]
        end, discard = at, False
        while end < found and results[end, 0] == place:
            if states[results[end, 2], 0] == STOP:
                discard = True
            end += 1
        node, started, last, number = -1, time, time, identity
        if count > 0 and pool[first + place, NODE] >= 0:
            node, started = pool[first + place, NODE], pool[first + place, START]
            last, number = pool[first + place, LAST], pool[first + place, ID]
        made = -1
        for result in range(at, end):
            what, target = results[result, 1], results[result, 2]
            if what == 1:
                made = take_node(event, results[result, 3], node, identity, events, nodes, work, scalars)
                if node < 0 and time > 0:
                    slots[slot, STARTED] = 1
            taken = made if what > 0 else node
            if states[target, 0] == FINAL:
                row[ID], row[STATE], row[NODE], row[START], row[LAST] = number, target, taken, started, time
                nodes[taken, USES] += 1
                completed = add(done, completed, row)
            elif not discard:
                if taken < 0:
                    row[ID], row[STATE], row[NODE], row[START], row[LAST] = NO_ID, target, -1, 0, 0
                else:
                    row[ID], row[STATE], row[NODE], row[START] = number, target, taken, started
                    row[LAST] = time if what > 0 else last
                    nodes[taken, USES] += 1
                queued = add(queue, queued, row)
            if made >= 0 and (result + 1 == end or results[result + 1, 1] != 2):
                let_go(made, nodes, scalars)
                made = -1
        at = end
    for place in range(first, first + count):
        if pool[place, NODE] >= 0:
            let_go(pool[place, NODE], nodes, scalars)
    if queued - 1 > rules[MOST]:
        if rules[BEYOND] == FAIL:
            return TOO_MANY
        queued = _drop_beyond(queue, queued, tables, nodes, scalars)
    waits = load_rows(slots, slot, HELD, pool, waiting)
    for place in range(completed):
        waits = add(waiting, waits, done[place])
    ended = DONE
    if waits > 0:
        queued, waits, ended = let_out(
            queue, queued, waiting, waits, time, lost, np.int64(0), step, slot, tables, nodes, out, out_events, scalars
        )
    scalars[LIVING] += queued - max(count, 1)
    if queued == 1:
        queued = np.int64(0)
    store_rows(queue, queued, slots, slot, QUEUE, pool, free, scalars)
    store_rows(waiting, waits, slots, slot, HELD, pool, free, scalars)
    return ended


@uncounted
def _touch(slot, slots, touched, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Note that this step has to do with a key; there is room for it."""
    if slots[slot, TOUCHED] != scalars[ROUND]:
        slots[slot, TOUCHED], slots[slot, ADVANCED], slots[slot, STARTED] = scalars[ROUND], -(2**63), 0
        touched[scalars[TOUCHES], 0] = slot
        scalars[TOUCHES] += 1


@counted
def _more_timers(timers, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Timers with room for one more, those before the head forgotten."""
    head, tail = scalars[TIMER_HEAD], scalars[TIMER_TAIL]
    if tail < len(timers):
        return timers
    made = timers
    if head < len(timers) // 2:
        made = np.zeros((2 * len(timers), 2), np.int64)
    for place in range(head, tail):
        made[place - head, 0], made[place - head, 1] = timers[place, 0], timers[place, 1]
    scalars[TIMER_HEAD], scalars[TIMER_TAIL] = 0, tail - head
    return made


@uncounted
def _need(slot, more, depth, slots, pool, nodes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What a key has and may get: rows, with `more` of them, and events of matches, with `depth` of them."""
    queued, holds = slots[slot, QUEUED], slots[slot, HOLDS]
    if more == 0:
        for place in range(slots[slot, QUEUE], slots[slot, QUEUE] + queued):
            if pool[place, NODE] >= 0:
                depth += nodes[pool[place, NODE], DEPTH]
    for place in range(slots[slot, HELD], slots[slot, HELD] + holds):
        depth += nodes[pool[place, NODE], DEPTH]
    return queued + holds + more + 1, depth


@uncounted
def _is_room(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
):  # fmt: skip  # pragma: no cover
    """Whether nothing need grow: so most events give no array another name."""
    fits = rows <= min(len(queue), len(waiting), len(done), len(lost)) and scalars[POOL_USED] + 4 * rows <= len(pool)
    return fits and scalars[OUT] + rows <= len(out) and scalars[OUT_EVENTS] + depth <= len(out_events)


@counted
def _room_for_key(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
):  # fmt: skip  # pragma: no cover
    """All arrays with room for so many rows, and for so many events of matches; see `_need`."""
    return (
        room_in(queue, rows), room_in(waiting, rows), room_in(done, rows), room_in(lost, rows),
        room_in(pool, scalars[POOL_USED] + 4 * rows), room_in(out, scalars[OUT] + rows),
        room_in(out_events, scalars[OUT_EVENTS] + depth),
    )  # fmt: skip


@counted
def run(  # type: ignore[no-untyped-def]  # noqa: PLR0912,PLR0913,PLR0915
    tables, code, events, marks, can_start, slots, pool, free, nodes, node_floats, node_ints, node_nulls, timers,
    touched, scalars, answers, answered, asked, skipped,
):  # fmt: skip  # pragma: no cover
    """Take events (in order of time) and watermarks, from where `scalars` says, to the end or to the first stop.

    Args:
        tables, code, events: the pattern, its programs, the events.
        marks: int64, the watermark steps; an event is taken at the first that is not less than its time.
        can_start: bool per event: whether a partial match can begin with it.
        slots, pool, free, nodes, node_floats, node_ints, node_nulls, timers, touched, scalars: the state.
        answers, answered, asked: what functions said, and what they must say; see `program.evaluate`.
        skipped: the event to leave out, because a function failed on it; -1 without.

    Returns:
        How it ended; the arrays that may have grown; what came out, and the events of it.
    """
    within = tables.rules[WITHIN]
    times = events.times
    results, stack = np.zeros((64, 4), np.int64), np.zeros(256, np.int64)
    queue, waiting, done = np.zeros((64, 5), np.int64), np.zeros((64, 5), np.int64), np.zeros((64, 5), np.int64)
    lost, row = np.zeros((64, 3), np.int64), np.zeros(5, np.int64)
    out, out_events = np.zeros((64, COLUMNS), np.int64), np.zeros((256, 2), np.int64)
    stack_f, stack_i, stack_n = np.zeros(64, np.float64), np.zeros(64, np.int64), np.zeros(64, np.bool_)
    chain = np.zeros(max(64, scalars[DEEPEST] + 1), np.int64)
    work = Work(node_floats, node_ints, node_nulls, answers, answered, asked, stack_f, stack_i, stack_n, chain)
    i, step, status = scalars[EVENT], scalars[STEP_AT], DONE
    while step < len(marks) and status == DONE:
        if scalars[TOUCHES] == 0:
            while step < len(marks) and not (
                (i < len(times) and times[i] <= marks[step])
                or (scalars[TIMER_HEAD] < scalars[TIMER_TAIL] and timers[scalars[TIMER_HEAD], 0] <= marks[step])
            ):
                step += 1
            if step == len(marks):
                break
        mark = marks[step]
        while i < len(times) and times[i] <= mark:
            slot, time = events.slots[i], times[i]
            if i == skipped or (slots[slot, QUEUED] == 0 and not can_start[i]):
                i += 1
                continue
            if scalars[TOUCHES] == len(touched):
                touched = room_in(touched, scalars[TOUCHES] + 1)
            _touch(slot, slots, touched, scalars)
            if slots[slot, ADVANCED] != time:
                slots[slot, ADVANCED] = time
                if times_out(slots[slot, QUEUE], slots[slot, QUEUED], time, tables, pool):
                    rows, depth = _need(slot, np.int64(0), np.int64(0), slots, pool, nodes)
                    if not _is_room(rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events):
                        queue, waiting, done, lost, pool, out, out_events = _room_for_key(
                            rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
                        )
                    status = advance(
                        slot, time, step, tables, slots, pool, free, nodes, scalars,
                        queue, waiting, done, lost, row, out, out_events,
                    )  # fmt: skip
                    if status != DONE:
                        scalars[AT_SLOT] = slot
                        break
            found = -3
            while found < -1:
                found = explore(
                    slots[slot, QUEUE], slots[slot, QUEUED], i, tables, code, events, nodes, pool, work, results, stack
                )
                if found == -3:
                    results = np.zeros((2 * len(results), 4), np.int64)
                elif found == -2:
                    stack = np.zeros(2 * len(stack), np.int64)
            if found == -1:
                status = ASKS
                break
            takes, depth = np.int64(0), np.int64(0)
            for result in range(found):
                if results[result, 1] == 1:
                    takes += 1
                if tables.states[results[result, 2], 0] == FINAL:
                    node = -1
                    if slots[slot, QUEUED] > 0:
                        node = pool[slots[slot, QUEUE] + results[result, 0], NODE]
                    depth += 1 + (nodes[node, DEPTH] if node >= 0 else 0)
            if takes and scalars[NODE_USED] + takes > len(nodes):
                nodes = room_in(nodes, scalars[NODE_USED] + takes)
                node_floats, node_ints = room_in(node_floats, len(nodes)), room_in(node_ints, len(nodes))
                node_nulls = room_in(node_nulls, len(nodes))
                answers, answered = room_in(answers, len(nodes) + 1), room_in(answered, len(nodes) + 1)
                work = Work(
                    node_floats, node_ints, node_nulls, answers, answered, asked, stack_f, stack_i, stack_n, chain
                )
            rows, depth = _need(slot, found, depth, slots, pool, nodes)
            if not _is_room(rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events):
                queue, waiting, done, lost, pool, out, out_events = _room_for_key(
                    rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
                )
            status = _commit(
                slot, i, found, results, step, tables, events, slots, pool, free, nodes, work, scalars,
                queue, waiting, done, lost, row, out, out_events,
            )  # fmt: skip
            if scalars[DEEPEST] >= len(chain):
                chain = np.zeros(2 * scalars[DEEPEST], np.int64)
                work = Work(
                    node_floats, node_ints, node_nulls, answers, answered, asked, stack_f, stack_i, stack_n, chain
                )
            i += 1
            if status != DONE:
                scalars[AT_SLOT] = slot
                break
            if within > 0 and slots[slot, STARTED]:
                if scalars[TIMER_TAIL] == len(timers):
                    timers = _more_timers(timers, scalars)
                timers[scalars[TIMER_TAIL], 0], timers[scalars[TIMER_TAIL], 1] = time + within, slot
                scalars[TIMER_TAIL] += 1
        if status != DONE:
            break
        while scalars[TIMER_HEAD] < scalars[TIMER_TAIL] and timers[scalars[TIMER_HEAD], 0] <= mark:
            slot = timers[scalars[TIMER_HEAD], 1]
            scalars[TIMER_HEAD] += 1
            if scalars[TOUCHES] == len(touched):
                touched = room_in(touched, scalars[TOUCHES] + 1)
            _touch(slot, slots, touched, scalars)
        for place in range(scalars[TOUCHES]):
            slot = touched[place, 0]
            if times_out(slots[slot, QUEUE], slots[slot, QUEUED], mark, tables, pool):
                rows, depth = _need(slot, np.int64(0), np.int64(0), slots, pool, nodes)
                if not _is_room(rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events):
                    queue, waiting, done, lost, pool, out, out_events = _room_for_key(
                        rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
                    )
                status = advance(
                    slot, mark, step, tables, slots, pool, free, nodes, scalars,
                    queue, waiting, done, lost, row, out, out_events,
                )  # fmt: skip
                if status != DONE:
                    scalars[AT_SLOT] = slot
                    break
        scalars[TOUCHES] = 0
        scalars[ROUND] += 1
        step += 1
    scalars[EVENT], scalars[STEP_AT] = i, step
    return (
        status, pool, nodes, node_floats, node_ints, node_nulls, timers, touched, answers, answered,
        out, out_events,
    )  # fmt: skip
