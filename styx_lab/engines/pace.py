"""How fast events are handed out: as fast as it goes, or at most so many a second.

Law: the pace shows in no output; it only moves the cuts between slices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Final

__all__ = ["Pace"]

_BURST: Final = 0.1
"""Seconds' worth of events that may be caught up after a stall, so that a stall is not followed by a rush."""
_AT_ONCE: Final = 0.01
"""Seconds' worth of events that are worth waking up for."""


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
        self._last = clock()
        self._allowance = 0.0

    def allow(self, stop: Event) -> int:
        """How many events may be read now; waits while the rate allows none, or until `stop` is set."""
        if self._rate is None:
            return self._batch
        wanted = min(max(1.0, self._rate * _AT_ONCE), self._batch)
        while not stop.is_set():
            now = self._clock()
            most = max(wanted, self._rate * _BURST)
            self._allowance = min(self._allowance + (now - self._last) * self._rate, most)
            self._last = now
            if self._allowance >= wanted:
                break
            stop.wait((wanted - self._allowance) / self._rate)
        return max(1, min(int(self._allowance), self._batch))

    def count(self, events: int) -> None:
        """Say that events were read."""
        self._allowance -= events
