"""A binary heap that keeps equals in the order in which Java's `PriorityQueue` keeps them.

Law (oracle): which of several equal matches comes first is decided by Flink's heap, and skip strategies make
that meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

__all__ = ["Heap"]

T = TypeVar("T")


class Heap(Generic[T]):
    """Things in a heap, the least on top.

    >>> heap = Heap[str](len, ["ccc", "a", "bb", "d"])
    >>> list(heap), heap.poll(), list(heap)
    (['a', 'd', 'bb', 'ccc'], 'a', ['d', 'ccc', 'bb'])

    Iterating gives them as they lie in the heap, which is the order in which events are tried.

    Args:
        rank: what they are ordered by; equal ranks stay as they fall.
        things: what to begin with, put in one by one.
    """

    def __init__(self, rank: Callable[[T], Any], things: Iterable[T] = ()) -> None:
        self._rank = rank
        self._heap: list[T] = []
        for thing in things:
            self.add(thing)

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[T]:
        return iter(self._heap)

    def add(self, thing: T) -> None:
        """Put one in: at the end, then up while it is less than what is above it."""
        self._heap.append(thing)
        at = len(self._heap) - 1
        while at > 0:
            above = (at - 1) // 2
            if not self._rank(thing) < self._rank(self._heap[above]):
                break
            self._heap[at] = self._heap[above]
            at = above
        self._heap[at] = thing

    def peek(self) -> T | None:
        """The least; None of an empty heap."""
        return self._heap[0] if self._heap else None

    def poll(self) -> T:
        """Take out the least; the last comes to the top and sinks."""
        least, last = self._heap[0], self._heap.pop()
        if self._heap:
            self._sink(0, last)
        return least

    def drop(self, which: Callable[[T], bool]) -> list[T]:
        """Take out all that are so; the others stay in their order, then those that are too high sink."""
        dropped = [thing for thing in self._heap if which(thing)]
        if dropped:
            self._heap = [thing for thing in self._heap if not which(thing)]
            for at in range(len(self._heap) // 2 - 1, -1, -1):
                self._sink(at, self._heap[at])
        return dropped

    def _sink(self, at: int, thing: T) -> None:
        size = len(self._heap)
        while at < size // 2:
            below = 2 * at + 1
            if below + 1 < size and self._rank(self._heap[below + 1]) < self._rank(self._heap[below]):
                below += 1
            if not self._rank(self._heap[below]) < self._rank(thing):
                break
            self._heap[at] = self._heap[below]
            at = below
        self._heap[at] = thing
