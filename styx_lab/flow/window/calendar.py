"""Calendar windows: days, weeks and months of a time zone, which are not always as long as each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Any, ClassVar, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from styx_lab.errors import FlowError

__all__ = ["Calendar"]

Unit = Literal["day", "week", "month", "year"]
_UNITS: Final[tuple[Unit, ...]] = ("day", "week", "month", "year")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days, weeks (from Monday), months or years as clocks of a time zone show them: every event is in exactly one.

    >>> print(Calendar("day", zone="Europe/Berlin"))
    each day in Europe/Berlin
    >>> start, end = Calendar("day", zone="Europe/Berlin").edges(date(2024, 3, 31))  # the day that summer time begins
    >>> (end - start) / 3_600_000
    23.0

    A day begins at its first instant: at midnight, or when the clocks go over midnight, where they then begin.

    Args:
        unit: `day`, `week`, `month` or `year`.
        zone: an IANA time zone; UTC where none is given.

    Raises:
        FlowError: on an unknown unit or zone.
    """

    unit: Unit
    zone: str = "UTC"

    kind: ClassVar[str] = "calendar"

    def __post_init__(self) -> None:
        if self.unit not in _UNITS:
            raise FlowError(
                "unknown unit", where="Calendar(unit=...)", got=self.unit, hint=f"one of {', '.join(_UNITS)}"
            )
        if self.zone not in available_timezones():
            near = get_close_matches(str(self.zone), available_timezones(), n=1)
            raise FlowError(
                "unknown time zone",
                where="Calendar(zone=...)",
                got=self.zone,
                hint=f"did you mean {near[0]!r}?" if near else "an IANA name such as 'Europe/Berlin'",
            ) from None

    def edges(self, day: date) -> tuple[int, int]:
        """Start and end of the window that a day of the zone is in, epoch ms."""
        if self.unit == "day":
            first, after = day, day + timedelta(days=1)
        elif self.unit == "week":
            first = day - timedelta(days=day.weekday())
            after = first + timedelta(days=7)
        elif self.unit == "month":
            first = day.replace(day=1)
            after = (first + timedelta(days=32)).replace(day=1)
        else:
            first = day.replace(month=1, day=1)
            after = first.replace(year=first.year + 1)
        return self._begin(first), self._begin(after)

    def _begin(self, day: date) -> int:
        """The first instant of a day in the zone, epoch ms."""
        zone = ZoneInfo(self.zone)
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        # Of an hour that clocks show twice the first is meant, which is fold=0. Of one that they pass over, fold=0
        # reads the clock as it was before and fold=1 as it is after: the change lies between the two.
        later, earlier = _ms(midnight), _ms(midnight.replace(fold=1))
        if earlier >= later:
            return later
        while earlier < later:
            middle = (earlier + later) // 2
            shown = datetime.fromtimestamp(middle / 1000, zone)
            if shown.date() < day:
                earlier = middle + 1
            else:
                later = middle
        return later

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        return {"type": self.kind, "unit": self.unit, "zone": self.zone}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Calendar:
        """The window of `to_json`'s answer."""
        return cls(value["unit"], value["zone"])

    def __str__(self) -> str:
        return f"each {self.unit} in {self.zone}"


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
