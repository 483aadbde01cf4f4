"""A clock that moves when it is told to: tests of time need not sleep.

Law: two runs with the same calls see the same times.
"""

from __future__ import annotations

from threading import Event
from typing import Final

from styx_lab.core.time import Duration, duration_ms

__all__ = ["FakeClock"]

_NS_A_MS: Final = 1_000_000
_NS_A_SECOND: Final = 1_000_000_000


class FakeClock:
    """A clock for whatever takes one: `FakeClock()`.

    >>> clock = FakeClock(at_ms=1_700_000_000_000)
    >>> before = clock.seconds()
    >>> clock.advance("5s")
    >>> clock.ms(), clock.seconds() - before
    (1700000005000, 5.0)

    `clock.ms` is a wall clock (epoch ms) as the stores take it, `clock.seconds` a monotonic one as the runner takes it.

    Args:
        at_ms: the time at the beginning, epoch ms.
        tick: how far every look at the clock moves it; nought by default.

    Time: only `advance`, a tick, or a wait on `event()` moves it.

    Raises:
        FlowError: when `tick` is no duration.
    """

    def __init__(self, at_ms: int = 0, *, tick: Duration = "0ms") -> None:
        self._start = at_ms
        self._ns = 0
        self._tick = duration_ms(tick, where="FakeClock(tick=...)", zero=True) * _NS_A_MS

    def ms(self) -> int:
        """Epoch milliseconds."""
        self._ns += self._tick
        return self._start + self._ns // _NS_A_MS

    def seconds(self) -> float:
        """Seconds since the beginning; never goes back."""
        self._ns += self._tick
        return self._ns / _NS_A_SECOND

    def advance(self, length: Duration) -> None:
        """Move on by a length of time."""
        self._ns += duration_ms(length, where="FakeClock.advance()", zero=True) * _NS_A_MS

    def event(self) -> Event:
        """A `threading.Event` whose `wait(seconds)` moves this clock on instead of sleeping.

        >>> clock = FakeClock()
        >>> stop = clock.event()
        >>> stop.wait(1.5), clock.seconds()
        (False, 1.5)
        """
        return _FakeEvent(self)

    def _wait(self, seconds: float) -> None:
        # At least a nanosecond, so that waiting for a time that rounding hides comes to an end.
        self._ns += max(1, round(seconds * _NS_A_SECOND))


class _FakeEvent(Event):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        if self.is_set():
            return True
        if timeout is None:
            raise AssertionError("waiting for an event that nobody will set: the clock does not move by itself")
        self._clock._wait(timeout)
        return self.is_set()
