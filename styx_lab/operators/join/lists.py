"""The events that a join keeps, in flat arrays: for each key and side a list, and a heap of what is due.

Law: a list is in order of time, events of one time in order of arrival; where an event lies in the arrays shows
nowhere.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from styx_lab.core.batch import Int64s
from styx_lab.core.compiled import njit

__all__ = [
    "FIELDS",
    "HEAPED",
    "KEPT",
    "LIVE",
    "NODE_BEFORE",
    "NODE_LIST",
    "NODE_NEXT",
    "NODE_NUMBER",
    "NODE_TIME",
    "NONE",
    "OWN",
    "Kept",
    "Matrix",
    "insert",
    "pop",
    "push",
    "remove",
]

NONE: Final = -1

Matrix = np.ndarray[tuple[int, int], np.dtype[np.int64]]

# What is known of a kept event; a row is one line of the processor's cache. From OWN on, what a join wants to know.
NODE_TIME, NODE_NUMBER, NODE_NEXT, NODE_BEFORE, NODE_LIST, OWN = range(6)
FIELDS: Final = 8
# The counters of `Kept`.
FREE, KEPT, LIVE, HEAPED = range(4)


class Kept(NamedTuple):
    """The kept events of both sides.

    Attributes:
        nodes: a row for each event; free ones hang together by `NODE_NEXT`.
        lists: for each slot and side (`2 * slot + side`) its first and last event.
        heap: pairs of a time and a number, the least time on top.
        counts: the first free node, how many events are kept, how many slots have any, how long the heap is.
    """

    nodes: Matrix
    lists: Matrix
    heap: Matrix
    counts: Int64s

    @staticmethod
    def empty() -> Kept:
        """Nothing kept."""
        pairs = np.empty((0, 2), np.int64)
        return Kept(np.empty((0, FIELDS), np.int64), pairs, pairs, np.array([NONE, 0, 0, 0], np.int64))

    def with_room(self, more: int, slots: int) -> Kept:
        """The same with room for `more` further events, as many times in the heap, and lists for `slots` slots."""
        nodes, lists, heap = self.nodes, self.lists, self.heap
        if self.counts[KEPT] + more > len(nodes):
            old, size = len(nodes), max(2 * len(nodes), int(self.counts[KEPT]) + more, 64)
            grown = np.full((size, FIELDS), NONE, np.int64)
            grown[:old] = nodes
            grown[old:, NODE_NEXT] = np.arange(old + 1, size + 1)
            grown[-1, NODE_NEXT] = self.counts[FREE]
            self.counts[FREE] = old
            nodes = grown
        if self.counts[HEAPED] + more > len(heap):
            wanted = max(2 * len(heap), int(self.counts[HEAPED]) + more, 64)
            heap = np.concatenate([heap, np.empty((wanted - len(heap), 2), np.int64)])
        if 2 * slots > len(lists):
            wanted = max(2 * slots, 2 * len(lists), 128)
            lists = np.concatenate([lists, np.full((wanted - len(lists), 2), NONE, np.int64)])
        return Kept(nodes, lists, heap, self.counts)

    def side(self, side: int) -> Matrix:
        """The nodes of one side's events, in order of their numbers."""
        lists = self.nodes[:, NODE_LIST]
        used = np.flatnonzero((lists != NONE) & (lists % 2 == side))
        found: Matrix = self.nodes[used[np.argsort(self.nodes[used, NODE_NUMBER], kind="stable")]]
        return found

    def idle(self, slots: Int64s) -> Int64s:
        """Those of the slots that have no event."""
        heads = self.lists[:, 0].reshape(-1, 2)[slots]
        found: Int64s = slots[(heads == NONE).all(axis=1)]
        return found


@njit(cache=True, nogil=True)
def push(heap, counts, time, number):  # type: ignore[no-untyped-def]
    """Put a time and a number into the heap."""
    place = counts[HEAPED]
    counts[HEAPED] += 1
    while place > 0:
        above = (place - 1) // 2
        if heap[above, 0] <= time:
            break
        heap[place, 0], heap[place, 1] = heap[above, 0], heap[above, 1]
        place = above
    heap[place, 0], heap[place, 1] = time, number


@njit(cache=True, nogil=True)
def pop(heap, counts):  # type: ignore[no-untyped-def]
    """Take the least time out of the heap; gives its number."""
    top = heap[0, 1]
    counts[HEAPED] -= 1
    last = counts[HEAPED]
    time, number = heap[last, 0], heap[last, 1]
    place = 0
    while True:
        below = 2 * place + 1
        if below >= last:
            break
        if below + 1 < last and heap[below + 1, 0] < heap[below, 0]:
            below += 1
        if heap[below, 0] >= time:
            break
        heap[place, 0], heap[place, 1] = heap[below, 0], heap[below, 1]
        place = below
    heap[place, 0], heap[place, 1] = time, number
    return top


@njit(cache=True, nogil=True)
def insert(nodes, lists, counts, mine, time):  # type: ignore[no-untyped-def]
    """A new node in a list, behind those of its time."""
    if lists[mine, 0] == NONE and lists[mine ^ 1, 0] == NONE:
        counts[LIVE] += 1
    node = counts[FREE]
    counts[FREE] = nodes[node, NODE_NEXT]
    counts[KEPT] += 1
    before = lists[mine, 1]
    while before != NONE and nodes[before, NODE_TIME] > time:
        before = nodes[before, NODE_BEFORE]
    after = lists[mine, 0] if before == NONE else nodes[before, NODE_NEXT]
    nodes[node, NODE_TIME] = time
    nodes[node, NODE_NEXT] = after
    nodes[node, NODE_BEFORE] = before
    nodes[node, NODE_LIST] = mine
    if before == NONE:
        lists[mine, 0] = node
    else:
        nodes[before, NODE_NEXT] = node
    if after == NONE:
        lists[mine, 1] = node
    else:
        nodes[after, NODE_BEFORE] = node
    return node


@njit(cache=True, nogil=True)
def remove(nodes, lists, counts, node):  # type: ignore[no-untyped-def]
    """Take a node out of its list; it is free."""
    mine = nodes[node, NODE_LIST]
    before, after = nodes[node, NODE_BEFORE], nodes[node, NODE_NEXT]
    if before == NONE:
        lists[mine, 0] = after
    else:
        nodes[before, NODE_NEXT] = after
    if after == NONE:
        lists[mine, 1] = before
    else:
        nodes[after, NODE_BEFORE] = before
    if lists[mine, 0] == NONE and lists[mine ^ 1, 0] == NONE:
        counts[LIVE] -= 1
    nodes[node, NODE_LIST] = NONE
    nodes[node, NODE_NEXT] = counts[FREE]
    counts[FREE] = node
    counts[KEPT] -= 1
