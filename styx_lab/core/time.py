"""Units of time: event time is epoch milliseconds, UTC; users write durations as text.

Law: a duration is a whole number of milliseconds, so that no rounding can ever differ between two engines.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from styx_lab.errors import FlowError

__all__ = [
    "MAX_WATERMARK",
    "MIN_WATERMARK",
    "Duration",
    "duration_ms",
    "duration_text",
    "iso_ms",
    "ms_iso",
    "span_ms",
    "span_text",
]

MIN_WATERMARK: Final = -(2**63)
"""The watermark before any event: nothing is late."""
MAX_WATERMARK: Final = 2**63 - 1
"""The watermark at the end of input: everything that waits for a time is due."""

_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART: Final = re.compile(r"(\d+)(ms|s|m|h|d)")

Duration = str | timedelta
"""A length of time: text such as `"500ms"`, `"2s"`, `"1h30m"`, or a `datetime.timedelta`."""


def duration_ms(value: Duration, *, where: str, zero: bool = False) -> int:
    """Milliseconds in a duration.

    >>> duration_ms("1h30m", where="doc")
    5400000

    Args:
        value: text of `ms`, `s`, `m`, `h`, `d` parts, or a timedelta.
        where: what to name in an error.
        zero: whether nought is allowed.

    Raises:
        FlowError: when it is no duration, is negative, is nought where that makes no sense, or is not whole
        milliseconds.
    """
    hint = "write a length such as '500ms', '2s', '10m', '1h30m' or '7d'"
    if isinstance(value, timedelta):
        micros = (value.days * 86_400_000_000) + value.seconds * 1_000_000 + value.microseconds
        if micros % 1_000:
            raise FlowError("a duration must be whole milliseconds", where=where, got=value, hint=hint)
        ms = micros // 1_000
    elif isinstance(value, str):
        text = value.replace(" ", "")
        if not text or _PART.sub("", text):
            raise FlowError("not a duration", where=where, got=value, hint=hint)
        ms = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    else:
        raise FlowError("not a duration", where=where, got=value, hint=hint)
    if ms < 0 or (ms == 0 and not zero):
        raise FlowError("a duration must be positive", where=where, got=value, hint=hint)
    return ms


def duration_text(ms: int) -> str:
    """The shortest text that `duration_ms` reads back as the same length.

    >>> duration_text(5_400_000)
    '1h30m'
    """
    parts = []
    for unit, size in reversed(_UNITS.items()):
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0ms"


def span_ms(value: Duration, *, where: str) -> int:
    """Milliseconds in a length of time that may be negative or nought: `"-5m"`, `"0s"`, a timedelta.

    >>> span_ms("-1m30s", where="doc")
    -90000

    Raises:
        FlowError: when it is no duration, or not whole milliseconds.
    """
    if isinstance(value, timedelta):
        negative, length = value < timedelta(0), abs(value)
        return (-1 if negative else 1) * duration_ms(length, where=where, zero=True)
    if isinstance(value, str) and value.strip().startswith("-"):
        return -duration_ms(value.strip()[1:], where=where, zero=True)
    return duration_ms(value, where=where, zero=True)


def span_text(ms: int) -> str:
    """The shortest text that `span_ms` reads back as the same.

    >>> span_text(-90_000)
    '-1m30s'
    """
    return f"-{duration_text(-ms)}" if ms < 0 else duration_text(ms)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def ms_iso(ms: int) -> str:
    """ISO 8601 text, UTC, with milliseconds: the canonical form of a time in JSON.

    >>> ms_iso(1_704_067_200_123)
    '2024-01-01T00:00:00.123Z'
    """
    return (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def iso_ms(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 text; without an offset it is UTC.

    >>> iso_ms("2024-01-01T01:00:00.123+01:00")
    1704067200123

    Raises:
        ValueError: when the text is no ISO 8601 time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
