"""One value of a declared type: what is taken, and as what it is kept.

Law: a value of another type is refused where it is written; a number is never bent into another one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from numbers import Integral, Real
from typing import Any, Final

from styx_lab.errors import DataError

__all__ = ["EPOCH", "Check", "check_of", "moment", "moment_ms", "told"]

Check = Callable[[Any], Any]
"""Gives the value as it is kept, or raises a `DataError`."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_FLAGS: Final = ("bool", "bool_")  # Python's and NumPy's


def moment(ms: int) -> datetime:
    """The datetime of epoch milliseconds; what is beyond the calendar (a watermark may be) is its first or last.

    >>> moment(1_704_067_200_123).isoformat()
    '2024-01-01T00:00:00.123000+00:00'
    """
    try:
        return EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return _FIRST if ms < 0 else _LAST


def moment_ms(value: datetime, *, where: str) -> int:
    """Epoch milliseconds of a datetime that has a time zone.

    Raises:
        DataError: when it has none, or is not whole milliseconds.
    """
    if value.tzinfo is None:
        raise DataError("a time needs a time zone", where=where, got=value.isoformat(), hint="tzinfo=datetime.UTC")
    ms, rest = divmod(value - EPOCH, _MS)
    if rest:
        raise DataError("a time must be whole milliseconds", where=where, got=value.isoformat())
    return ms


def check_of(word: str, where: str) -> Check:
    """How a value of a type (a word of `Schema`) is checked; `where` names it in errors.

    >>> check_of("float", "state 'total'")(3)
    3.0
    """
    slow, plain = _SLOW[word], _PLAIN[word]
    whole = word == "int"

    def check(value: Any) -> Any:
        kind: Any = type(value)
        # The type that nearly every value has, without a further call.
        if kind is plain and (not whole or _LEAST <= value <= _MOST):
            return value
        try:
            return slow(value, where)
        except (TypeError, ValueError, OverflowError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"not of type {word!r}", where=where, got=told(value)) from error

    return check


def told(value: Any) -> Any:
    """A value as an error shows it: of one that is not plain its type, for others may show where they are in memory."""
    return value if isinstance(value, str | int | float | None) else type(value).__name__


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # half a surrogate pair is no text
    return str(value)


def _whole(value: Any, where: str) -> int:
    if type(value).__name__ in _FLAGS or not isinstance(value, Integral):
        raise TypeError
    found = int(value)
    if not _LEAST <= found <= _MOST:
        raise DataError("a whole number must fit in 64 bits", where=where, got=found)
    return found


def _real(value: Any, where: str) -> float:
    if type(value).__name__ in _FLAGS or not isinstance(value, Real):
        raise TypeError
    return float(value)


def _flag(value: Any, where: str) -> bool:
    if type(value).__name__ not in _FLAGS:
        raise TypeError
    return bool(value)


def _time(value: Any, where: str) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError
    return moment(moment_ms(value, where=where))


_SLOW: Final[dict[str, Callable[[Any, str], Any]]] = {
    "str": _text,
    "int": _whole,
    "float": _real,
    "bool": _flag,
    "datetime": _time,
}
# Text and times are always looked at.
_PLAIN: Final[dict[str, type | None]] = {"str": None, "int": int, "float": float, "bool": bool, "datetime": None}
