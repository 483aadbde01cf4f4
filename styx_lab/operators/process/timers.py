"""Timers: one for a key and time, taken in order of time, then in the order in which they were set.

Law: a timer that is taken back, or whose setting is undone, is never due.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, Final

__all__ = ["Timers"]

_FEW: Final = 1_024
Log = list[tuple[Callable[..., object], Any, Any, Any]]


class Timers:
    """The timers of all keys.

    >>> timers, log = Timers(), []
    >>> timers.set("a", 20, log), timers.set("a", 10, log), timers.set("a", 20, log)
    (None, None, None)
    >>> timers.due(30), timers.due(30), timers.due(30)
    ((10, 2, 'a'), (20, 1, 'a'), None)
    """

    def __init__(self) -> None:
        self.next_number = 1
        # By key, the number of each time's timer. The heap may hold some that are gone.
        self._numbers: dict[Any, dict[int, int]] = {}
        self._heap: list[tuple[int, int, Any]] = []
        self._live = 0

    def __len__(self) -> int:
        return self._live

    @property
    def keys(self) -> list[Any]:
        """The keys that have timers."""
        return list(self._numbers)

    def set(self, key: Any, time: int, log: Log) -> None:
        """Set a timer, unless there is one for that time."""
        times = self._numbers.get(key)
        if times is None:
            times = self._numbers[key] = {}
        elif time in times:
            return
        number = self.next_number
        self.next_number += 1
        times[time] = number
        heappush(self._heap, (time, number, key))
        self._live += 1
        log.append((self._remove, key, time, None))

    def delete(self, key: Any, time: int, log: Log) -> None:
        """Take a timer back, if there is one."""
        number = self._numbers.get(key, {}).get(time)
        if number is not None:
            self._remove(key, time, None)
            log.append((self._restore, key, time, number))

    def _remove(self, key: Any, time: int, _: Any) -> None:
        times = self._numbers[key]
        del times[time]
        if not times:
            del self._numbers[key]
        self._live -= 1

    def _restore(self, key: Any, time: int, number: int) -> None:
        self._numbers.setdefault(key, {})[time] = number
        self._live += 1

    def waits_for(self, mark: int) -> bool:
        """Whether a timer with time <= mark may be there."""
        return bool(self._heap) and self._heap[0][0] <= mark

    def due(self, mark: int) -> tuple[int, int, Any] | None:
        """The next timer with time <= mark, which is then gone: its time, number and key."""
        heap = self._heap
        while heap and heap[0][0] <= mark:
            found = heappop(heap)
            if self._numbers.get(found[2], {}).get(found[0]) == found[1]:
                self._remove(found[2], found[0], None)
                return found
        return None

    def drop(self, key: Any) -> int:
        """Take all timers of a key back; gives how many there were."""
        count = len(self._numbers.pop(key, {}))
        self._live -= count
        return count

    def tidy(self) -> None:
        """Let go of what the heap holds in vain, once it is the more part; not while a user's method runs."""
        if len(self._heap) > 2 * self._live + _FEW:
            self._heap = [(time, number, key) for key, time, number in self.rows()]
            heapify(self._heap)

    def rows(self) -> list[tuple[Any, int, int]]:
        """All timers: key, time, number."""
        return [(key, time, number) for key, times in self._numbers.items() for time, number in times.items()]

    def fill(self, rows: list[tuple[Any, int, int]], next_number: int) -> None:
        """Hold these timers and no others."""
        self._numbers, self._live, self.next_number = {}, 0, next_number
        for key, time, number in rows:
            self._restore(key, time, number)
        self._heap = [(time, number, key) for key, time, number in rows]
        heapify(self._heap)
