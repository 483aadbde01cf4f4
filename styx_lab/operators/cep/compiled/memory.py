"""Where partial matches and the events in them lie: segments of a pool for each key, and nodes that branches share.

Law: memory grows with what lives. A node is an event that was taken, with the one before it (an entry of Flink's shared
buffer); partial matches that took the same events share their nodes, and what none uses is free again.
"""

from __future__ import annotations

import numpy as np

from styx_lab.operators.cep.compiled.layout import (
    DEEPEST,
    DEPTH,
    NODE_FREE,
    NODE_USED,
    NODES,
    NUMBER,
    PARENT,
    PART,
    POOL_USED,
    SEQUENCE,
    USES,
    counted,
    uncounted,
)

__all__ = ["let_go", "load_rows", "put_back", "room_in", "store_rows", "take_node"]


@counted
def room_in(array, need):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The array with at least `need` rows."""
    if need <= len(array):
        return array
    made = np.zeros((max(need, 2 * len(array)), array.shape[1]), array.dtype)
    # Written out: to assign a slice, Numba compiles the making of messages that nobody will see.
    for row in range(len(array)):
        for k in range(array.shape[1]):
            made[row, k] = array[row, k]
    return made


@uncounted
def _size_for(count):  # type: ignore[no-untyped-def]  # pragma: no cover
    size = 0
    while (1 << size) < count:
        size += 1
    return size


@uncounted
def _segment(pool, free, scalars, size):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A segment of 2 ** size rows; there is room for it."""
    place = free[size]
    if place >= 0:
        free[size] = pool[place, 0]
        return place
    place = scalars[POOL_USED]
    scalars[POOL_USED] += 1 << size
    return place


@uncounted
def _give_back(pool, free, place, size):  # type: ignore[no-untyped-def]  # pragma: no cover
    pool[place, 0] = free[size]
    free[size] = place


@uncounted
def store_rows(rows, count, slots, slot, column, pool, free, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
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


@uncounted
def load_rows(slots, slot, column, pool, rows):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A slot's segment as rows to work on, and how many; `column` is QUEUE or HELD."""
    first, count = slots[slot, column], slots[slot, column + 1]
    for row in range(count):
        for k in range(pool.shape[1]):
            rows[row, k] = pool[first + row, k]
    return count


@uncounted
def let_go(node, nodes, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
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


@uncounted
def take_node(event, part, parent, identity, events, nodes, work, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
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


@counted
def put_back(rows, row_slots, column, slots, pool, free, scalars):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Make segments of rows that are in order of their slots; `column` is QUEUE or HELD. Returns the pool."""
    first = 0
    while first < len(rows):
        end = first
        while end < len(rows) and row_slots[end] == row_slots[first]:
            end += 1
        pool = room_in(pool, scalars[POOL_USED] + 2 * (end - first))
        store_rows(rows[first:end], end - first, slots, row_slots[first], column, pool, free, scalars)
        first = end
    return pool
