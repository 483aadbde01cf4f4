"""How long a window may be.

Law: the edges of a window are times of the calendar. An event is of the years 100 to 9899, and each window that it can
be in must begin after the year 0 and end before the year 10000, or its edges could not be told.
"""

from __future__ import annotations

from typing import Final

from styx_lab.core.time import Duration, duration_ms
from styx_lab.errors import FlowError

__all__ = ["LONGEST_MS", "window_ms"]

LONGEST_MS: Final = 36_000 * 86_400_000
"""The longest size of a window, or gap of a session, ms."""


def window_ms(value: Duration, *, where: str) -> int:
    """Milliseconds in the length of a window.

    >>> window_ms("5m", where="doc")
    300000

    Args:
        value: text as of `duration_ms`, or a timedelta.
        where: what to name in an error.

    Raises:
        FlowError: when it is no duration, not positive, or longer than 36,000 days.
    """
    ms = duration_ms(value, where=where)
    if ms > LONGEST_MS:
        hint = "write a length such as '10m' or '7d'; a window without an end is Global()"
        raise FlowError("a window cannot be longer than 36,000 days", where=where, got=value, hint=hint)
    return ms
