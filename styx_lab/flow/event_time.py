"""How a source's time column says the event time: its unit, its time zone, its format, as frozen data.

Law: event time is whole milliseconds, UTC; what a column means is said when the flow is built, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final, Literal, cast
from zoneinfo import available_timezones

import polars as pl

from styx_lab.errors import FlowError

__all__ = ["FIRST_MS", "LAST_MS", "TimeForm", "TimeUnit", "zone_is_known"]

TimeUnit = Literal["s", "ms", "us", "ns"]
# A hundred years from the ends of what a datetime can say, so that a window around any event can be written; and what
# stands there in data (0001-01-01, 9999-12-31) says "none" and "for ever", not when something happened.
FIRST_MS: Final = -59_011_459_200_000
"""0100-01-01T00:00:00Z, the first event time there can be."""
LAST_MS: Final = 250_246_627_199_999
"""9899-12-31T23:59:59.999Z, the last one."""
_UNITS: Final = ("s", "ms", "us", "ns")
_KINDS: Final = ("int", "float", "str", "datetime")
# Two moments that differ in every part, to try a format with; the second has a two-digit year of this century, too.
_MOMENTS: Final = (datetime(2001, 2, 3, 4, 5, 6), datetime(2014, 11, 23, 14, 55, 46))  # noqa: DTZ001


@dataclass(frozen=True, slots=True)
class TimeForm:
    """What the values of a time column mean.

    >>> TimeForm(zone="Europe/Berlin").to_json()
    {'time_zone': 'Europe/Berlin'}

    Attributes:
        unit: of a number: seconds, milliseconds, microseconds or nanoseconds since 1970.
        zone: the time zone of text without an offset; None is UTC.
        format: how text is written, in chrono's signs (`%d.%m.%Y %H:%M:%S`); None is ISO 8601.
    """

    unit: TimeUnit = "ms"
    zone: str | None = None
    format: str | None = None

    def __post_init__(self) -> None:
        if self.unit not in _UNITS:
            raise FlowError(
                "unknown unit of time", where="time_unit", got=self.unit, hint=f"one of {', '.join(_UNITS)}"
            )
        if self.zone is not None:
            _check_zone(self.zone)
        if self.format is not None:
            _check_format(self.format)
            if self.zone is not None and self.has_offset:
                raise FlowError(
                    "the format has an offset already, so a time zone says nothing",
                    where="time_zone",
                    got=self.zone,
                    hint="leave time_zone= out",
                )

    @property
    def has_offset(self) -> bool:
        """Whether text of the format says its offset from UTC itself."""
        return self.format is not None and any(sign in self.format for sign in ("%z", "%:z", "%#z", "%+"))

    def check(self, column: str, word: str | None, *, where: str) -> None:
        """Refuse what does not fit the time column's type (None: the source's own timestamps).

        Raises:
            FlowError: on a column that cannot be a time, or a word that says nothing about one of its type.
        """
        if word is not None and word not in _KINDS:
            raise FlowError(
                "event time must be int (epoch ms, or time_unit=), float (epoch seconds), str (ISO 8601, or "
                "time_format=) or datetime",
                where=f"{where}, column {column!r}",
                got=word,
            )
        if word == "float" and self.unit != "s":
            raise FlowError(
                "event time must be in seconds where it is a float: finer units are whole numbers",
                where=f"{where}, column {column!r}",
                got=f"time_unit={self.unit!r}",
                hint="time_unit='s', or declare the column as int",
            )
        if self.unit != "ms" and word not in ("int", "float"):
            raise FlowError(
                "a unit is of numbers", where=f"{where}, time_unit", got=f"{column!r} of type {word}",
                hint="leave time_unit= out",
            )  # fmt: skip
        if self.zone is not None and word != "str":
            raise FlowError(
                "a time zone is for text without an offset; numbers, datetimes and a source's timestamps are instants",
                where=f"{where}, time_zone",
                got=f"{column!r} of type {word}",
                hint="declare the column as str; in a frame, .dt.replace_time_zone(ZONE) before it comes in",
            )
        if self.format is not None and word != "str":
            raise FlowError(
                "a format is of text", where=f"{where}, time_format", got=f"{column!r} of type {word}",
                hint="declare the column as str, or leave time_format= out",
            )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """What was said, as JSON; what was not is left out, so that flows that say nothing stay as they are."""
        said: dict[str, Any] = {}
        if self.unit != "ms":
            said["time_unit"] = self.unit
        if self.zone is not None:
            said["time_zone"] = self.zone
        if self.format is not None:
            said["time_format"] = self.format
        return said

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> TimeForm:
        """The form of `to_json`'s answer, among a source's other words."""
        unit = cast("TimeUnit", value.get("time_unit", "ms"))
        return TimeForm(unit, value.get("time_zone"), value.get("time_format"))

    def __str__(self) -> str:
        zone = "" if self.zone is None else f" in {self.zone}"
        return ("" if self.unit == "ms" else f" ({self.unit})") + zone


def zone_is_known(zone: Any) -> bool:
    """Whether a name is a time zone."""
    if not isinstance(zone, str) or not zone:
        return False
    try:
        pl.Series([0]).cast(pl.Datetime("ms")).dt.replace_time_zone(zone)
    except pl.exceptions.PolarsError:
        return False
    return True


def _check_zone(zone: Any) -> None:
    if zone_is_known(zone):
        return
    near = get_close_matches(str(zone), available_timezones(), n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "a name such as 'Europe/Berlin' or 'UTC'"
    raise FlowError("unknown time zone", where="time_zone", got=zone, hint=hint)


def _check_format(text: Any) -> None:
    """Refuse a format that does not say the day, or that cannot be read back."""
    moments = pl.Series(_MOMENTS).dt.replace_time_zone("UTC")
    try:
        shown = moments.dt.strftime(text)
        found = shown.str.strptime(pl.Datetime("us"), text, strict=False)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise FlowError(
            "not a format of times", where="time_format", got=text, hint="such as '%d.%m.%Y %H:%M:%S'"
        ) from error
    if found.dt.date().to_list() != [moment.date() for moment in _MOMENTS]:
        raise FlowError(
            "a format must say year, month and day",
            where="time_format",
            got=text,
            hint="such as '%d.%m.%Y %H:%M:%S'",
        )
