"""The two queues of a pattern's key as binary heaps, place for place as `java.util.PriorityQueue` keeps them.

Law (oracle): Flink's partial matches and completed matches lie in such queues, ordered by the id of their first event.
Among equal ids the order is the heap's, and skip strategies depend on it, so it is meaning and no matter of taste.
The rows of a heap are int64; column `ID` holds the id.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from styx_lab.core.compiled import njit_uncounted

__all__ = ["ID", "add", "drop_until", "poll"]

ID: Final = 0
_uncounted: Final = njit_uncounted(cache=True, nogil=True, error_model="numpy")


@_uncounted
def _move(heap, to, place):  # type: ignore[no-untyped-def]  # pragma: no cover
    for k in range(heap.shape[1]):
        heap[to, k] = heap[place, k]


@_uncounted
def add(heap, count, row):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put a row behind the others and sift it up while it is less than its parent."""
    place = count
    while place > 0:
        parent = (place - 1) >> 1
        if row[0] >= heap[parent, 0]:
            break
        _move(heap, place, parent)
        place = parent
    for k in range(heap.shape[1]):
        heap[place, k] = row[k]
    return count + 1


@_uncounted
def _sift_down(heap, place, count):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Let a row sink: it changes places with the lesser child while that is less."""
    half = count >> 1
    while place < half:
        child = 2 * place + 1
        if child + 1 < count and heap[child, 0] > heap[child + 1, 0]:
            child += 1
        if heap[place, 0] <= heap[child, 0]:
            break
        for k in range(heap.shape[1]):
            heap[place, k], heap[child, k] = heap[child, k], heap[place, k]
        place = child


@_uncounted
def poll(heap, count):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Take the first row away (the caller has read it): the last goes to the top and sifts down."""
    count -= 1
    if count > 0:
        _move(heap, np.int64(0), count)
        _sift_down(heap, np.int64(0), count)
    return count


@_uncounted
def drop_until(heap, count, bound):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Drop the rows whose id is at most `bound`; the others keep their order, then the heap is made anew."""
    kept = np.int64(0)
    for place in range(count):
        if heap[place, 0] > bound:
            if kept != place:
                _move(heap, kept, place)
            kept += 1
    if kept != count:
        for place in range((kept >> 1) - 1, -1, -1):
            _sift_down(heap, place, kept)
    return kept
