"""A moment as people say it, `2026-11-24T10:40`, and what it means: all of that minute."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from styx_lab.core.time import iso_ms
from styx_lab.errors import FlowError

__all__ = ["Around", "At"]

At = str | datetime | int
"""A time: ISO 8601 text, a datetime (both UTC where they say nothing else), or epoch milliseconds."""

_MINUTE: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(Z|[+-]\d\d:?\d\d)?")
_FRACTION: Final = re.compile(r":\d\d[.,]\d+")
_HINT: Final = "ISO 8601, such as '2026-11-24T10:40' or '2026-11-24 10:40:05+01:00'"


@dataclass(frozen=True, slots=True)
class Around:
    """A moment.

    >>> one = Around.of("2026-11-24T10:40")
    >>> one.high - one.low, str(one)
    (59999, '2026-11-24 10:40')

    Attributes:
        low, high: the first and the last millisecond that it may mean.
        text: as it was said.
    """

    low: int
    high: int
    text: str

    @staticmethod
    def of(at: At) -> Around:
        """Read it; text that says no seconds means the whole minute, a date the whole day.

        Raises:
            FlowError: when it is no time.
        """
        if isinstance(at, bool) or not isinstance(at, str | datetime | int):
            raise FlowError("not a time", where="at", got=at, hint=_HINT)
        if isinstance(at, int):
            return Around(at, at, f"{at} ms")
        if isinstance(at, datetime):
            moment = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
            low = iso_ms(moment.isoformat())
            return Around(low, low + (0 if at.microsecond else 999), moment.isoformat(sep=" ").removesuffix("+00:00"))
        text = at.strip()
        try:
            low = iso_ms(text)
        except (ValueError, OverflowError) as error:
            raise FlowError(f"not a time: {error}", where="at", got=at, hint=_HINT) from error
        length = 0 if _FRACTION.search(text) else 999
        if _is_date(text):
            length = 86_400_000 - 1
        elif _MINUTE.fullmatch(text):
            length = 60_000 - 1
        return Around(low, low + length, text.replace("T", " ").removesuffix("Z"))

    def gap(self, began: int, ended: int) -> int:
        """How far a length of time lies from it, ms; 0 where they meet."""
        return max(began - self.high, self.low - ended, 0)

    def __str__(self) -> str:
        return self.text


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
