"""The two queues of a pattern's key as binary heaps, place for place as `java.util.PriorityQueue` keeps them.

Law (oracle): Flink's partial matches and completed matches lie in such queues, ordered by the id of their first event.
Among equal ids the order is the heap's, and skip strategies depend on it, so it is meaning and no matter of taste.
The rows of a heap are int64; column `ID` holds the id.
"""

from __future__ import annotations

from typing import Final

from styx_lab.core.compiled import njit

__all__ = ["ID", "add", "drop_until", "poll"]

ID: Final = 0


@njit(cache=True)
def add(heap, count, row):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put a row behind the others and sift it up while it is less than its parent."""
    place = count
    while place > 0:
        parent = (place - 1) >> 1
        if row[0] >= heap[parent, 0]:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = row
    return count + 1


@njit(cache=True)
def _sift_down(heap, place, count, row):  # type: ignore[no-untyped-def]  # pragma: no cover
    half = count >> 1
    while place < half:
        child = 2 * place + 1
        if child + 1 < count and heap[child, 0] > heap[child + 1, 0]:
            child += 1
        if row[0] <= heap[child, 0]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = row


@njit(cache=True)
def poll(heap, count):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Take the first row away (the caller has read it): the last goes to the top and sifts down."""
    count -= 1
    if count > 0:
        _sift_down(heap, 0, count, heap[count].copy())
    return count


@njit(cache=True)
def drop_until(heap, count, bound):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Drop the rows whose id is at most `bound`; the others keep their order, then the heap is made anew."""
    kept = 0
    for place in range(count):
        if heap[place, 0] > bound:
            if kept != place:
                heap[kept] = heap[place]
            kept += 1
    if kept != count:
        for place in range((kept >> 1) - 1, -1, -1):
            _sift_down(heap, place, kept, heap[place].copy())
    return kept
