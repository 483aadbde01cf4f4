"""The matcher of any pattern: one compiled pass over events in order of time, with each key's partial matches.

Laws: what it gives for a key depends on that key's events and watermarks alone (re-chunking); matches and timeouts of a
key come in Flink's very order (oracle). The rules, by their names in Flink: a partial match is a computation state, a
node is an entry of the shared buffer, held back matches are the completed matches.

An event is first explored, which changes nothing, and then committed. So the pass can stop between two events, for a
function's answer or for an error, and go on where it stopped.

All but what makes arrays is compiled without Numba's counting of who holds them, which took more than half of the time.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from styx_lab.core.compiled import njit, njit_uncounted
from styx_lab.operators.cep.compiled.heap import add, drop_until, poll
from styx_lab.operators.cep.compiled.program import evaluate
from styx_lab.operators.cep.found import AT, COLUMNS, FIRST, KIND, LENGTH, SLOT, STEP

__all__ = ["ASKS", "DONE", "MISSED", "NO_ID", "SCALARS", "SKIPPED_TO_FIRST", "TOO_MANY", "Tables", "run"]

_uncounted: Final = njit_uncounted(cache=True, nogil=True, error_model="numpy")

DONE, ASKS, TOO_MANY, MISSED, SKIPPED_TO_FIRST = range(5)
"""What a pass ends with: all done; functions must answer; too many partial matches; two misses of a skip strategy."""

NO_ID: Final = 2**63 - 1
"""The id of the start partial match: greater than all."""

# The columns of a partial match (and of a completed one: its time stands in LAST).
ID, STATE, NODE, START, LAST = range(5)
# Of a node.
PARENT, NUMBER, PART, SEQUENCE, USES, DEPTH = range(6)
# Of a key's slot: the segments of its partial and its held back matches (where, how many, size as a power of two).
QUEUE, QUEUED, QUEUE_SIZE, HELD, HOLDS, HELD_SIZE, ADVANCED, TOUCHED, STARTED = range(9)
# Scalars.
SCALARS: Final = 17
(POOL_USED, NODE_FREE, NODE_USED, NEXT_ID, TIMER_HEAD, TIMER_TAIL, LIVING, DROPPED, NODES, DEEPEST, EVENT, STEP_AT,
 ROUND, OUT, OUT_EVENTS, AT_SLOT, TOUCHES) = range(SCALARS)  # fmt: skip

TAKE, IGNORE, PROCEED = range(3)
NORMAL, FINAL, STOP, PENDING = range(4)
NO_SKIP, TO_NEXT, PAST_LAST, TO_FIRST, TO_LAST = range(5)
FAIL, DROP_OLDEST, DROP_NEWEST = range(3)


class Tables(NamedTuple):
    """A compiled pattern.

    Attributes:
        states: int64 (n, 5): kind, part, gap (-1 without), first edge, one past the last.
        edges: int64 (n, 5): action, target, word and bit of its condition (bit -1: a program tells), first instruction.
        rules: int64: start state, final state, within (0 without), skip strategy, its part (-1: of no event), whether
            to fail on a miss, whether timeouts are wanted, most partial matches of a key, what to do beyond.
    """

    states: np.ndarray
    edges: np.ndarray
    rules: np.ndarray


START_STATE, FINAL_STATE, WITHIN, SKIP, SKIP_PART, THROW, TIMEOUTS, MOST, BEYOND = range(9)


@njit(cache=True, nogil=True, error_model="numpy")
def _room(array, need):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The array with at least `need` rows."""
    if need <= len(array):
        return array
    made = np.zeros((max(need, 2 * len(array)), array.shape[1]), array.dtype)
    # Written out: to assign a slice, Numba compiles the making of messages that nobody will see.
    for row in range(len(array)):
        for k in range(array.shape[1]):
            made[row, k] = array[row, k]
    return made


@_uncounted
def _size_for(count):  # type: ignore[no-untyped-def]  # pragma: no cover
    size = 0
    while (1 << size) < count:
        size += 1
    return size


@_uncounted
def _segment(pool, free, scalars, size):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A segment of 2 ** size rows; there is room for it."""
    place = free[size]
    if place >= 0:
        free[size] = pool[place, 0]
        return place
    place = scalars[POOL_USED]
    scalars[POOL_USED] += 1 << size
    return place


@_uncounted
def _give_back(pool, free, place, size):  # type: ignore[no-untyped-def]  # pragma: no cover
    pool[place, 0] = free[size]
    free[size] = place


@_uncounted
def _store(rows, count, slots, slot, column, pool, free, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Keep rows as a slot's segment: `column` is QUEUE or HELD."""
    size, held = slots[slot, column + 2], slots[slot, column + 1]
    if held > 0 and (count == 0 or count > (1 << size)):
        _give_back(pool, free, slots[slot, column], size)
        held = 0
    if count > 0:
        if held == 0:
            size = _size_for(count)
            slots[slot, column] = _segment(pool, free, scalars, size)
            slots[slot, column + 2] = size
        first = slots[slot, column]
        for row in range(count):
            for k in range(pool.shape[1]):
                pool[first + row, k] = rows[row, k]
    slots[slot, column + 1] = count


@_uncounted
def _let_go(node, nodes, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """One use less of a node; what nothing uses is free again, and its parent is used once less."""
    while node >= 0:
        nodes[node, USES] -= 1
        if nodes[node, USES] > 0:
            return
        parent = nodes[node, PARENT]
        nodes[node, PARENT] = scalars[NODE_FREE]
        nodes[node, NUMBER] = -1
        scalars[NODE_FREE] = node
        scalars[NODES] -= 1
        node = parent


@_uncounted
def _reaches_final(target, event, node, tables, code, events, nodes, work, stack, base):  # type: ignore[no-untyped-def]  # noqa: PLR0913  # pragma: no cover
    """Whether the final state is reached from a state by proceeding alone: 1, 0, or less where not known."""
    states, edges = tables.states, tables.edges
    top = base
    stack[top] = target
    while top >= base:
        state = stack[top]
        top -= 1
        for e in range(states[state, 3], states[state, 4]):
            if edges[e, 0] != PROCEED:
                continue
            told = _holds(e, event, node, tables, code, events, nodes, work)
            if told < 0:
                return -1
            if told == 0:
                continue
            if states[edges[e, 1], 0] == FINAL:
                return 1
            if top + 2 >= len(stack):
                return -2
            top += 1
            stack[top] = edges[e, 1]
    return 0


@_uncounted
def _holds(e, event, node, tables, code, events, nodes, work):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether an edge's condition holds: 1, 0, or -1 where a function must answer first."""
    edges = tables.edges
    if edges[e, 3] >= 0:
        return (events.bits[event, edges[e, 2]] >> edges[e, 3]) & 1
    return evaluate(
        edges[e, 4], event, node, code, events, nodes, work.node_floats, work.node_ints, work.node_nulls,
        work.answers, work.answered, work.asked, work.stack_f, work.stack_i, work.stack_n, work.chain,
    )  # fmt: skip


class Work(NamedTuple):
    """What look-backs and functions need beside the nodes; see `program.evaluate`."""

    node_floats: np.ndarray
    node_ints: np.ndarray
    node_nulls: np.ndarray
    answers: np.ndarray
    answered: np.ndarray
    asked: np.ndarray
    stack_f: np.ndarray
    stack_i: np.ndarray
    stack_n: np.ndarray
    chain: np.ndarray


@_uncounted
def _explore(first, count, event, tables, code, events, nodes, pool, work, results, stack):  # type: ignore[no-untyped-def]  # noqa: PLR0912,PLR0913  # pragma: no cover
    """What each partial match becomes: rows of (its place, what: 0 kept, 1 takes, 2 completes, new state).

    Returns:
        How many rows; -1 where functions must answer first, -2 where `stack`, -3 where `results` is too short.
    """
    states, edges = tables.states, tables.edges
    start = tables.rules[START_STATE]
    found = 0
    unknown = False
    for place in range(max(count, 1)):
        state, node = start, -1
        if count > 0:
            state, node = pool[first + place, STATE], pool[first + place, NODE]
        is_start = node < 0
        top = 0
        stack[0] = state
        known = True
        while top >= 0 and known:
            state = stack[top]
            top -= 1
            for e in range(states[state, 3], states[state, 4]):
                told = _holds(e, event, node, tables, code, events, nodes, work)
                if told < 0:
                    known = False
                    break
                if told == 0:
                    continue
                if found + 3 >= len(results):
                    return -3
                action, target = edges[e, 0], edges[e, 1]
                if action == PROCEED:
                    if top + 2 >= len(stack):
                        return -2
                    top += 1
                    stack[top] = target
                elif action == IGNORE:
                    if not is_start:
                        results[found, 0], results[found, 1], results[found, 2] = place, 0, target
                        found += 1
                else:
                    results[found, 0], results[found, 1], results[found, 2] = place, 1, target
                    results[found, 3] = states[state, 1]
                    found += 1
                    done = _reaches_final(target, event, node, tables, code, events, nodes, work, stack, top + 1)
                    if done == -2:
                        return -2
                    if done < 0:
                        known = False
                        break
                    if done == 1:
                        results[found, 0], results[found, 1] = place, 2
                        results[found, 2] = tables.rules[FINAL_STATE]
                        found += 1
        if not known:
            unknown = True
        elif is_start:
            if found + 3 >= len(results):
                return -3
            results[found, 0], results[found, 1], results[found, 2] = place, 0, start
            found += 1
    return -1 if unknown else found


@_uncounted
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


@_uncounted
def _let_out(  # type: ignore[no-untyped-def]  # noqa: PLR0912,PLR0913
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
        bound = -1
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
            bound = to - 1
        if skip != NO_SKIP:
            for place in range(gone):
                if lost[place, 2] < identity:
                    released = max(released, lost[place, 1])
            time = max(time, released)
        if bound >= 0:
            for place in range(queued):
                if queue[place, ID] <= bound:
                    _let_go(queue[place, NODE], nodes, scalars)
            for place in range(waits):
                if waiting[place, ID] <= bound:
                    _let_go(waiting[place, NODE], nodes, scalars)
            for place in range(gone):
                # It would have been dropped before it could time out: nothing waits for it any more.
                if lost[place, 2] <= bound and lost[place, 1] > time:
                    lost[place, 2] = NO_ID
            queued = drop_until(queue, queued, bound)
            waits = drop_until(waiting, waits, bound)
        _emit(0, node, step, slot, time, nodes, out, out_events, scalars)
        _let_go(node, nodes, scalars)
    return queued, waits, DONE


@_uncounted
def _load(slots, slot, column, pool, rows):  # type: ignore[no-untyped-def]  # pragma: no cover
    first, count = slots[slot, column], slots[slot, column + 1]
    for row in range(count):
        for k in range(pool.shape[1]):
            rows[row, k] = pool[first + row, k]
    return count


@_uncounted
def _timed_out(time, partial, tables, pool):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a partial match has timed out, and the time of it."""
    within = tables.rules[WITHIN]
    gap = tables.states[pool[partial, STATE], 2]
    if gap >= 0 and time - pool[partial, LAST] >= gap:
        return True, pool[partial, LAST] + gap
    if within > 0 and time - pool[partial, START] >= within:
        return True, pool[partial, START] + within
    return False, 0


@_uncounted
def _times_out(first, count, time, tables, pool):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a partial match of the segment has timed out at a time."""
    for place in range(first, first + count):
        if pool[place, NODE] >= 0 and _timed_out(time, place, tables, pool)[0]:
            return True
    return False


@_uncounted
def _advance(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    slot, time, step, tables, slots, pool, free, nodes, scalars, queue, waiting, done, lost, row, out, out_events
):  # fmt: skip  # pragma: no cover
    """Bring a key to a time at which some of its partial matches have timed out; there is room for all."""
    first, count = slots[slot, QUEUE], slots[slot, QUEUED]
    queued, completed, gone = 0, 0, 0
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
    waits = _load(slots, slot, HELD, pool, waiting)
    for place in range(completed):
        waits = add(waiting, waits, done[place])
    queued, waits, ended = _let_out(
        queue, queued, waiting, waits, -(2**63), lost, gone, step, slot, tables, nodes, out, out_events, scalars
    )
    for place in range(gone):
        if lost[place, 0] < 0:
            continue
        if tables.rules[TIMEOUTS]:
            _emit(1, lost[place, 0], step, slot, lost[place, 1], nodes, out, out_events, scalars)
        _let_go(lost[place, 0], nodes, scalars)
    scalars[LIVING] += queued - count
    if queued == 1:
        queued = 0
    _store(queue, queued, slots, slot, QUEUE, pool, free, scalars)
    _store(waiting, waits, slots, slot, HELD, pool, free, scalars)
    return ended


@_uncounted
def _take_node(event, part, parent, identity, events, nodes, work, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A new node, held once by who makes it; there is room for it."""
    node = scalars[NODE_FREE]
    if node >= 0:
        scalars[NODE_FREE] = nodes[node, PARENT]
    else:
        node = scalars[NODE_USED]
        scalars[NODE_USED] += 1
    scalars[NODES] += 1
    depth = 1
    if parent >= 0:
        nodes[parent, USES] += 1
        depth = nodes[parent, DEPTH] + 1
    nodes[node, PARENT], nodes[node, NUMBER], nodes[node, PART] = parent, events.numbers[event], part
    nodes[node, SEQUENCE], nodes[node, USES], nodes[node, DEPTH] = identity, 1, depth
    scalars[DEEPEST] = max(scalars[DEEPEST], depth)
    for k in range(work.node_floats.shape[1]):
        work.node_floats[node, k] = events.floats[event, k]
    for k in range(work.node_ints.shape[1]):
        work.node_ints[node, k] = events.ints[event, k]
    floats = work.node_floats.shape[1]
    for k in range(floats):
        work.node_nulls[node, k] = events.nulls[event, k]
    for k in range(work.node_ints.shape[1]):
        work.node_nulls[node, floats + k] = events.nulls[event, events.floats.shape[1] + k]
    return node


@_uncounted
def _drop_beyond(queue, queued, tables, nodes, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Drop partial matches beyond the most that a key may have: the oldest or the newest starts first."""
    while queued - 1 > tables.rules[MOST]:
        if tables.rules[BEYOND] == DROP_OLDEST:
            _let_go(queue[0, NODE], nodes, scalars)
            queued = poll(queue, queued)
        else:
            newest = -1
            for place in range(queued):
                if queue[place, ID] != NO_ID and (newest < 0 or queue[place, ID] >= queue[newest, ID]):
                    newest = place
            _let_go(queue[newest, NODE], nodes, scalars)
            queue[newest, ID] = -1
            queued = drop_until(queue, queued, -1)
        scalars[DROPPED] += 1
    return queued


@_uncounted
def _commit(  # type: ignore[no-untyped-def]  # noqa: PLR0912,PLR0913
    slot, event, found, results, step, tables, events, slots, pool, free, nodes, work, scalars,
    queue, waiting, done, lost, row, out, out_events,
):  # fmt: skip  # pragma: no cover
    """Make what `_explore` found true; there is room for all."""
    states, rules = tables.states, tables.rules
    first, count = slots[slot, QUEUE], slots[slot, QUEUED]
    time, identity = events.times[event], scalars[NEXT_ID]
    scalars[NEXT_ID] += 1
    queued, completed = 0, 0
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
                made = _take_node(event, results[result, 3], node, identity, events, nodes, work, scalars)
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
                _let_go(made, nodes, scalars)
                made = -1
        at = end
    for place in range(first, first + count):
        if pool[place, NODE] >= 0:
            _let_go(pool[place, NODE], nodes, scalars)
    if queued - 1 > rules[MOST]:
        if rules[BEYOND] == FAIL:
            return TOO_MANY
        queued = _drop_beyond(queue, queued, tables, nodes, scalars)
    waits = _load(slots, slot, HELD, pool, waiting)
    for place in range(completed):
        waits = add(waiting, waits, done[place])
    ended = DONE
    if waits > 0:
        queued, waits, ended = _let_out(
            queue, queued, waiting, waits, time, lost, 0, step, slot, tables, nodes, out, out_events, scalars
        )
    scalars[LIVING] += queued - max(count, 1)
    if queued == 1:
        queued = 0
    _store(queue, queued, slots, slot, QUEUE, pool, free, scalars)
    _store(waiting, waits, slots, slot, HELD, pool, free, scalars)
    return ended


@_uncounted
def _touch(slot, slots, touched, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Note that this step has to do with a key; there is room for it."""
    if slots[slot, TOUCHED] != scalars[ROUND]:
        slots[slot, TOUCHED], slots[slot, ADVANCED], slots[slot, STARTED] = scalars[ROUND], -(2**63), 0
        touched[scalars[TOUCHES], 0] = slot
        scalars[TOUCHES] += 1


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def put_back(rows, row_slots, column, slots, pool, free, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Make segments of rows that are in order of their slots; `column` is QUEUE or HELD. Returns the pool."""
    first = 0
    while first < len(rows):
        end = first
        while end < len(rows) and row_slots[end] == row_slots[first]:
            end += 1
        pool = _room(pool, scalars[POOL_USED] + 2 * (end - first))
        _store(rows[first:end], end - first, slots, row_slots[first], column, pool, free, scalars)
        first = end
    return pool


@_uncounted
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


@_uncounted
def _is_room(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
):  # fmt: skip  # pragma: no cover
    """Whether nothing need grow: so most events give no array another name."""
    fits = rows <= min(len(queue), len(waiting), len(done), len(lost)) and scalars[POOL_USED] + 4 * rows <= len(pool)
    return fits and scalars[OUT] + rows <= len(out) and scalars[OUT_EVENTS] + depth <= len(out_events)


@njit(cache=True, nogil=True, error_model="numpy")
def _room_for_key(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
):  # fmt: skip  # pragma: no cover
    """All arrays with room for so many rows, and for so many events of matches; see `_need`."""
    return (
        _room(queue, rows), _room(waiting, rows), _room(done, rows), _room(lost, rows),
        _room(pool, scalars[POOL_USED] + 4 * rows), _room(out, scalars[OUT] + rows),
        _room(out_events, scalars[OUT_EVENTS] + depth),
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
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
                touched = _room(touched, scalars[TOUCHES] + 1)
            _touch(slot, slots, touched, scalars)
            if slots[slot, ADVANCED] != time:
                slots[slot, ADVANCED] = time
                if _times_out(slots[slot, QUEUE], slots[slot, QUEUED], time, tables, pool):
                    rows, depth = _need(slot, 0, 0, slots, pool, nodes)
                    if not _is_room(rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events):
                        queue, waiting, done, lost, pool, out, out_events = _room_for_key(
                            rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
                        )
                    status = _advance(
                        slot, time, step, tables, slots, pool, free, nodes, scalars,
                        queue, waiting, done, lost, row, out, out_events,
                    )  # fmt: skip
                    if status != DONE:
                        scalars[AT_SLOT] = slot
                        break
            found = -3
            while found < -1:
                found = _explore(
                    slots[slot, QUEUE], slots[slot, QUEUED], i, tables, code, events, nodes, pool, work, results, stack
                )
                if found == -3:
                    results = np.zeros((2 * len(results), 4), np.int64)
                elif found == -2:
                    stack = np.zeros(2 * len(stack), np.int64)
            if found == -1:
                status = ASKS
                break
            takes, ends, depth = 0, 0, 0
            for result in range(found):
                if results[result, 1] == 1:
                    takes += 1
                if tables.states[results[result, 2], 0] == FINAL:
                    ends += 1
                    node = -1
                    if slots[slot, QUEUED] > 0:
                        node = pool[slots[slot, QUEUE] + results[result, 0], NODE]
                    depth += 1 + (nodes[node, DEPTH] if node >= 0 else 0)
            if takes and scalars[NODE_USED] + takes > len(nodes):
                nodes = _room(nodes, scalars[NODE_USED] + takes)
                node_floats, node_ints = _room(node_floats, len(nodes)), _room(node_ints, len(nodes))
                node_nulls = _room(node_nulls, len(nodes))
                answers, answered = _room(answers, len(nodes) + 1), _room(answered, len(nodes) + 1)
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
                touched = _room(touched, scalars[TOUCHES] + 1)
            _touch(slot, slots, touched, scalars)
        for place in range(scalars[TOUCHES]):
            slot = touched[place, 0]
            if _times_out(slots[slot, QUEUE], slots[slot, QUEUED], mark, tables, pool):
                rows, depth = _need(slot, 0, 0, slots, pool, nodes)
                if not _is_room(rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events):
                    queue, waiting, done, lost, pool, out, out_events = _room_for_key(
                        rows, depth, pool, scalars, queue, waiting, done, lost, out, out_events
                    )
                status = _advance(
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
