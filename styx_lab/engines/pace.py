"""How fast events are handed out: as fast as it goes, or at most so many a second.

Law: the pace shows in no output; it only moves the cuts between slices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

__all__ = ["Pace"]


class Pace:
    """Says how many events may be read next.

    Args:
        batch: events a slice, at most.
        rate: events a second, at most; None for no bound.
        clock: seconds.
    """

    def __init__(self, batch: int, rate: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._batch = batch
        self._rate = rate
        self._clock = clock
        self._started = clock()
        self._read = 0

    def allow(self, stop: Event) -> int:
        """How many events may be read now; waits while the rate allows none, or until `stop` is set."""
        if self._rate is None:
            return self._batch
        while (due := int((self._clock() - self._started) * self._rate) - self._read) < 1 and not stop.is_set():
            stop.wait((self._read + 1) / self._rate - (self._clock() - self._started))
        return max(1, min(due, self._batch))

    def count(self, events: int) -> None:
        """Say that events were read."""
        self._read += events
