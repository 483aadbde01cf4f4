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
    "distance_ms",
    "distance_text",
    "duration_ms",
    "duration_text",
    "iso_ms",
    "ms_iso",
]

MIN_WATERMARK: Final = -(2**63)
"""The watermark before any event: nothing is late."""
MAX_WATERMARK: Final = 2**63 - 1
"""The watermark at the end of input: everything that waits for a time is due."""

_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART: Final = re.compile(r"(\d+)(ms|s|m|h|d)")

Duration = str | timedelta
"""A length of time: text such as `"500ms"`, `"2s"`, `"1h30m"`, or a `datetime.timedelta`."""


_FARTHEST_MS: Final = 10_000 * 366 * 86_400_000  # farther than any two event times can lie apart


def duration_ms(value: Duration, *, where: str, zero: bool = False) -> int:
    """Milliseconds in a duration.

    >>> duration_ms("1h30m", where="doc")
    5400000

    Args:
        value: text of `ms`, `s`, `m`, `h`, `d` parts, or a timedelta.
        where: what to name in an error.
        zero: whether nought is allowed.

    Raises:
        FlowError: when it is no duration, is negative, is nought where that makes no sense, is not whole milliseconds,
        or is longer than 10,000 years.
    """
    ms = _length_ms(value, where=where, zero=zero)
    if ms > _FARTHEST_MS:
        hint = "write a length such as '10m' or '7d'"
        raise FlowError("longer than 10,000 years", where=where, got=value, hint=hint)
    return ms


def _length_ms(value: Duration, *, where: str, zero: bool) -> int:
    hint = "write a length such as '500ms', '2s', '10m', '1h30m' or '7d'"
    if isinstance(value, timedelta):
        micros = (value.days * 86_400_000_000) + value.seconds * 1_000_000 + value.microseconds
        if micros % 1_000:
            raise FlowError("a duration must be whole milliseconds", where=where, got=value, hint=hint)
        ms = micros // 1_000
    elif isinstance(value, str):
        text = value.replace(" ", "")
        if text.startswith("-") and not _PART.sub("", text[1:]):
            raise FlowError("a duration must be positive", where=where, got=value, hint=hint)
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


def distance_ms(value: Duration, *, where: str) -> int:
    """Milliseconds from one time to another, which may lie before it.

    >>> distance_ms("-5m", where="doc"), distance_ms("0s", where="doc"), distance_ms("1h30m", where="doc")
    (-300000, 0, 5400000)

    Args:
        value: text as of `duration_ms`, perhaps with `-` before it, or a timedelta.
        where: what to name in an error.

    Raises:
        FlowError: when it is neither, is not whole milliseconds, or is more than ten thousand years.
    """
    if isinstance(value, timedelta):
        before, length = value < timedelta(0), abs(value)
        ms = _length_ms(length, where=where, zero=True)
    elif isinstance(value, str):
        before = value.strip().startswith("-")
        try:
            ms = _length_ms(value.strip().removeprefix("-"), where=where, zero=True)
        except FlowError as error:
            hint = "write how far, such as '-5m', '0s' or '1h30m'"
            raise FlowError("not a distance in time", where=where, got=value, hint=hint) from error
    else:
        hint = "write how far, such as '-5m', '0s' or '1h30m'"
        raise FlowError("not a distance in time", where=where, got=value, hint=hint)
    if ms > _FARTHEST_MS:
        raise FlowError("more than ten thousand years", where=where, got=value)
    return -ms if before else ms


def distance_text(ms: int) -> str:
    """The shortest text that `distance_ms` reads back as the same distance.

    >>> distance_text(-300_000)
    '-5m'
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
