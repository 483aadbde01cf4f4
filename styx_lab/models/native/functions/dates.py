"""Functions of dates and times.

Law: a text is read as an ISO date, or date and time, as the function needs it; days and seconds are counted from the
first of January of the year that is given.
"""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Sequence
from typing import Final

from styx_lab.models.native.column import Column, Rows, first_error
from styx_lab.models.native.functions.function import Function, no_missing
from styx_lab.models.native.functions.text import by_row
from styx_lab.models.native.values import cast, map_words

__all__ = ["FUNCTIONS"]

_DAY: Final = 86_400_000
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()


def _since(unit: str) -> Function:
    def call(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
        errors = no_missing(arguments, rows, name)
        moment = arguments[0]
        moment = cast(moment, "date" if unit == "days" else "dateTime", rows)
        year = cast(arguments[1], "integer", rows)
        errors = first_error(errors, moment.errors, year.errors)

        def count(value: int, first: int) -> int:
            start = datetime.date(first, 1, 1).toordinal() - _EPOCH
            return int(value) - start if unit == "days" else int(value) // 1000 - start * 86_400

        return by_row((moment, year), count, "integer", rows).with_errors(errors)

    return Function(call, 2, 2)


def _since_midnight(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    errors = no_missing(arguments, rows, name)
    moment = arguments[0]
    if moment.type in ("string", "time"):
        moment = cast(moment, "time", rows)
        return map_words(moment, lambda value: int(value) // 1000, "integer", rows).with_errors(errors)
    moment = cast(moment, "dateTime", rows)
    seconds = map_words(moment, lambda value: int(value) % _DAY // 1000, "integer", rows)
    return seconds.with_errors(errors)


_DIRECTIVE: Final = re.compile(r"%(.?)")
_OF_DATE: Final = "YymdjbBaAeC"
_OF_TIME: Final = "HMSIlkp"


def _format(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    errors = no_missing(arguments, rows, name)
    moment, pattern = arguments[0], cast(arguments[1], "string", rows)
    if moment.type == "string":
        moment = cast(moment, "dateTime", rows)
    if moment.type not in ("date", "time", "dateTime"):
        error = rows.error(f"function {name!r} takes a date or a time, got a value of type {moment.type}")
        return Column.failed(error, "string").with_errors(errors)
    known = (_OF_DATE if moment.type != "time" else "") + (_OF_TIME if moment.type != "date" else "")
    scale = _DAY if moment.type == "date" else 1

    def change(value: int, form: str) -> str:
        when = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=int(value) * scale)  # noqa: DTZ001

        def one(found: re.Match[str]) -> str:
            if found[1] not in tuple(known):
                raise ValueError(f"function {name!r} cannot use the pattern {form!r} for a value of type {moment.type}")
            if found[1] in "elk":
                number = when.day if found[1] == "e" else (when.hour if found[1] == "k" else (when.hour + 11) % 12 + 1)
                return str(number)
            if found[1] == "Y":
                return f"{when.year:04d}"
            if found[1] == "C":
                return f"{when.year // 100:02d}"
            if found[1] in "bB":
                return calendar.month_abbr[when.month] if found[1] == "b" else calendar.month_name[when.month]
            if found[1] in "aA":
                return calendar.day_abbr[when.weekday()] if found[1] == "a" else calendar.day_name[when.weekday()]
            if found[1] == "p":
                return "am" if when.hour < 12 else "pm"
            return when.strftime(f"%{found[1]}")

        return _DIRECTIVE.sub(one, form)

    return by_row((moment, pattern), change, "string", rows).with_errors(errors)


FUNCTIONS: Final = {
    "dateDaysSinceYear": _since("days"),
    "dateSecondsSinceYear": _since("seconds"),
    "dateSecondsSinceMidnight": Function(_since_midnight, 1, 1),
    "formatDatetime": Function(_format, 2, 2),
}
