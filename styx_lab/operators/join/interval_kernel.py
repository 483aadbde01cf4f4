"""The compiled pass of an interval join: events and watermark steps in order, over the events that are kept.

Law: events and steps are taken one at a time in the one order they have in the sequence, so the cut cannot show. An
event is kept from its coming until the first step after it at which no event that is not late could be its partner.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from styx_lab.core.compiled import njit
from styx_lab.operators.join.lists import (
    KEPT,
    NODE_BEFORE,
    NODE_LIST,
    NODE_NEXT,
    NODE_NUMBER,
    NODE_TIME,
    NONE,
    OWN,
    insert,
    pop,
    push,
    remove,
)

__all__ = [
    "GONE_AT",
    "GONE_FIELDS",
    "GONE_NUMBER",
    "GONE_SIDE",
    "GONE_TIME",
    "NODE_CLOCK",
    "NODE_DIES",
    "NODE_MATCHED",
    "PAIR_AT",
    "PAIR_CLOCK",
    "PAIR_FIELDS",
    "PAIR_LEFT",
    "PAIR_RIGHT",
    "PAIR_TIME",
    "fill",
    "join",
]

_MAX: Final = 2**63 - 1
_MIN: Final = -(2**63)

# What this join wants to know of a kept event: its arrival, when it goes, whether it had a partner.
NODE_CLOCK, NODE_DIES, NODE_MATCHED = range(OWN, OWN + 3)
# What is known of a pair: which event completed it, the numbers of both, the greater time, the later arrival.
PAIR_AT, PAIR_LEFT, PAIR_RIGHT, PAIR_TIME, PAIR_CLOCK = range(5)
PAIR_FIELDS: Final = 5
# What is known of an event that went without a partner: the step, its number, side and time.
GONE_AT, GONE_NUMBER, GONE_SIDE, GONE_TIME = range(4)
GONE_FIELDS: Final = 4


@njit(cache=True, nogil=True)
def _plus(time, length):  # type: ignore[no-untyped-def]
    """The sum, which stays within 64 bits."""
    if length > 0 and time > _MAX - length:
        return _MAX
    if length < 0 and time < _MIN - length:
        return _MIN
    return time + length


@njit(cache=True, nogil=True)
def _keep(kept, mine, time, number, clock, dies, matched):  # type: ignore[no-untyped-def]
    nodes, lists, heap, counts = kept
    node = insert(nodes, lists, counts, mine, time)
    nodes[node, NODE_NUMBER] = number
    nodes[node, NODE_CLOCK] = clock
    nodes[node, NODE_DIES] = dies
    nodes[node, NODE_MATCHED] = matched
    push(heap, counts, dies, node)


@njit(cache=True, nogil=True)
def _first_from(nodes, lists, other, time):  # type: ignore[no-untyped-def]
    """The first event of a list with this time or a later one, looked for from the end that is nearer in time."""
    head, tail = lists[other, 0], lists[other, 1]
    if head == NONE or nodes[tail, NODE_TIME] < time:
        return NONE
    if nodes[head, NODE_TIME] >= time:
        return head
    # Neither difference can overflow to a wrong sign and do harm: it only chooses the way.
    if time - nodes[head, NODE_TIME] < nodes[tail, NODE_TIME] - time:
        node = head
        while nodes[node, NODE_TIME] < time:
            node = nodes[node, NODE_NEXT]
        return node
    node = tail
    while nodes[nodes[node, NODE_BEFORE], NODE_TIME] >= time:
        node = nodes[node, NODE_BEFORE]
    return node


@njit(cache=True, nogil=True)
def join(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    sides, slots, times, clocks, numbers, passed, marks, bounds, outer, kept, pairs, gone
):
    """Take events and steps in order.

    Args:
        sides, slots, times, clocks, numbers: of each event, none of which is late.
        passed: how many steps came before each event.
        marks: the steps' watermarks.
        bounds: the least and the greatest distance of a pair, ms.
        outer: for each side, whether its events without a partner are told when they go.
        kept: the events kept so far, with room for these.
        pairs, gone: room for what is found; given back, perhaps larger, with how much of it is used.
    """
    nodes, lists, heap, counts = kept
    lower, upper = bounds[0], bounds[1]
    found, lost, step = 0, 0, 0
    for i in range(len(times) + 1):
        until = passed[i] if i < len(times) else len(marks)
        while step < until:
            mark = marks[step]
            while counts[KEPT] > 0 and heap[0, 0] <= mark:
                node = heap[0, 1]
                side = nodes[node, NODE_LIST] & 1
                if outer[side] and nodes[node, NODE_MATCHED] == 0:
                    if lost == len(gone):
                        more = np.empty((2 * lost + 64, GONE_FIELDS), np.int64)
                        more[:lost] = gone
                        gone = more
                    gone[lost, GONE_AT] = step
                    gone[lost, GONE_NUMBER] = nodes[node, NODE_NUMBER]
                    gone[lost, GONE_SIDE] = side
                    gone[lost, GONE_TIME] = nodes[node, NODE_TIME]
                    lost += 1
                remove(nodes, lists, counts, pop(heap, counts))
            step += 1
        if i == len(times):
            break
        time, clock, number, side = times[i], clocks[i], numbers[i], sides[i]
        mine = 2 * slots[i] + side
        # A left event looks for what lies from lower to upper after it, a right one the other way round.
        first = _plus(time, lower) if side == 0 else _plus(time, -upper)
        last = _plus(time, upper) if side == 0 else _plus(time, -lower)
        keep = max(upper, 0) if side == 0 else max(-lower, 0)
        matched = 0
        node = _first_from(nodes, lists, mine ^ 1, first)
        while node != NONE and nodes[node, NODE_TIME] <= last:
            if found == len(pairs):
                more = np.empty((2 * found + 64, PAIR_FIELDS), np.int64)
                more[:found] = pairs
                pairs = more
            theirs = nodes[node, NODE_NUMBER]
            pairs[found, PAIR_AT] = i
            pairs[found, PAIR_LEFT] = number if side == 0 else theirs
            pairs[found, PAIR_RIGHT] = theirs if side == 0 else number
            pairs[found, PAIR_TIME] = max(time, nodes[node, NODE_TIME])
            pairs[found, PAIR_CLOCK] = max(clock, nodes[node, NODE_CLOCK])
            found += 1
            nodes[node, NODE_MATCHED] = 1
            matched = 1
            node = nodes[node, NODE_NEXT]
        # It goes at a step, so what comes at the watermark itself stays until the next one.
        _keep(kept, mine, time, number, clock, _plus(time, keep), matched)
    return pairs, found, gone, lost


@njit(cache=True, nogil=True)
def fill(kept, lists, times, numbers, clocks, dies, matched):  # type: ignore[no-untyped-def]
    """Put events back, in order of their numbers."""
    for i in range(len(lists)):
        _keep(kept, lists[i], times[i], numbers[i], clocks[i], dies[i], matched[i])
