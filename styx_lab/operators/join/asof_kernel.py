"""The compiled pass of an as-of join: events and watermark steps in order, over the events and versions of each key.

Law (oracle): a key has one timer, as in Flink: at the least time of what came since it last woke and of the events that
still waited then. When it wakes, what is ready goes, then all but the newest version that the watermark has passed.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from styx_lab.core.compiled import njit
from styx_lab.operators.join.lists import (
    HEAPED,
    NODE_BEFORE,
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
    "FOUND_AT",
    "FOUND_FIELDS",
    "FOUND_LEFT",
    "FOUND_RIGHT",
    "FOUND_TIME",
    "NEVER",
    "NODE_ENDS",
    "fill",
    "join",
]

NEVER: Final = 2**63 - 1
"""The timer of a key that has none."""

# What this join wants to know of a version: whether it ends the key.
NODE_ENDS: Final = OWN
# What is known of an event that is ready: the step, its number, its version's number or NONE, its time.
FOUND_AT, FOUND_LEFT, FOUND_RIGHT, FOUND_TIME = range(4)
FOUND_FIELDS: Final = 4


@njit(cache=True, nogil=True)
def _set_timer(kept, timers, slot, time):  # type: ignore[no-untyped-def]
    """The key's timer, if this is earlier than the one it has."""
    if time < timers[slot]:
        timers[slot] = time
        push(kept.heap, kept.counts, time, slot)


@njit(cache=True, nogil=True)
def _keep(kept, mine, time, number, ends):  # type: ignore[no-untyped-def]
    """Put an event or version into its list; of two versions with one time the last to come stays."""
    nodes, lists, _, counts = kept
    node = insert(nodes, lists, counts, mine, time)
    nodes[node, NODE_NUMBER] = number
    nodes[node, NODE_ENDS] = ends
    if mine & 1:
        before = nodes[node, NODE_BEFORE]
        if before != NONE and nodes[before, NODE_TIME] == time:
            remove(nodes, lists, counts, before)


@njit(cache=True, nogil=True)
def join(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    sides, slots, times, numbers, ends, passed, marks, tolerance, timers, kept, found
):
    """Take events and steps in order.

    Args:
        sides, slots, times, numbers: of each event.
        ends: whether it is a version that ends its key.
        passed: how many steps came before each event.
        marks: the steps' watermarks.
        tolerance: how old a version may be, ms; negative for any age.
        timers: of each slot.
        kept: the events and versions kept so far, with room for these.
        found: room for what is found; given back, perhaps larger, with how much of it is used.
    """
    nodes, lists, heap, counts = kept
    count, step = 0, 0
    for i in range(len(times) + 1):
        until = passed[i] if i < len(times) else len(marks)
        while step < until:
            mark = marks[step]
            while counts[HEAPED] > 0 and heap[0, 0] <= mark:
                due = heap[0, 0]
                slot = pop(heap, counts)
                if timers[slot] != due:
                    # An earlier timer took its place.
                    continue
                timers[slot] = NEVER
                version = NONE
                ahead = lists[2 * slot + 1, 0]
                event = lists[2 * slot, 0]
                while event != NONE and nodes[event, NODE_TIME] <= mark:
                    time = nodes[event, NODE_TIME]
                    while ahead != NONE and nodes[ahead, NODE_TIME] <= time:
                        version = ahead
                        ahead = nodes[ahead, NODE_NEXT]
                    if count == len(found):
                        more = np.empty((2 * count + 64, FOUND_FIELDS), np.int64)
                        more[:count] = found
                        found = more
                    good = version != NONE and nodes[version, NODE_ENDS] == 0
                    if good and tolerance >= 0 and time - nodes[version, NODE_TIME] > tolerance:
                        good = False
                    found[count, FOUND_AT] = step
                    found[count, FOUND_LEFT] = nodes[event, NODE_NUMBER]
                    found[count, FOUND_RIGHT] = nodes[version, NODE_NUMBER] if good else NONE
                    found[count, FOUND_TIME] = time
                    count += 1
                    after = nodes[event, NODE_NEXT]
                    remove(nodes, lists, counts, event)
                    event = after
                oldest = lists[2 * slot + 1, 0]
                while oldest != NONE:
                    after = nodes[oldest, NODE_NEXT]
                    if after == NONE or nodes[after, NODE_TIME] > mark:
                        break
                    remove(nodes, lists, counts, oldest)
                    oldest = after
                if event != NONE:
                    _set_timer(kept, timers, slot, nodes[event, NODE_TIME])
            step += 1
        if i == len(times):
            break
        _keep(kept, 2 * slots[i] + sides[i], times[i], numbers[i], ends[i])
        _set_timer(kept, timers, slots[i], times[i])
    return found, count


@njit(cache=True, nogil=True)
def fill(kept, timers, lists, times, numbers, ends, woken):  # type: ignore[no-untyped-def]
    """Put events or versions back, in order of their numbers, each with its key's timer."""
    for i in range(len(lists)):
        _keep(kept, lists[i], times[i], numbers[i], ends[i])
        _set_timer(kept, timers, lists[i] // 2, woken[i])
