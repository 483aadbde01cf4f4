"""One value against one type of the schema: the plain reference that every fast path must agree with.

Law: a value is taken as it is, or refused; it is never bent into shape. A whole number is a float, a float is never an
int, a text is never a number. The one exception is time, which JSON has no form for: ISO 8601 text or whole epoch ms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from styx_lab.core.schema import Schema
from styx_lab.core.time import iso_ms

__all__ = ["FIRST_MS", "LAST_MS", "WrongValue", "time_ms", "typed", "typed_row"]

FIRST_MS: Final = -62_135_596_800_000
"""0001-01-01T00:00:00Z, the first time that a datetime column holds."""
LAST_MS: Final = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last one."""
_SHOWN: Final = 40


class WrongValue(ValueError):
    """Why a value is refused, as the reason of a dead letter."""


def typed(name: str, word: str, value: Any) -> Any:
    """The value as its column holds it (times as epoch ms); `None` stays `None`.

    >>> typed("amount", "float", 3)
    3.0
    >>> typed("amount", "float", "3")
    Traceback (most recent call last):
        ...
    styx_lab.connectors.formats.values.WrongValue: wrong_type: amount: expected float, got str

    Args:
        name: the column, for the reason.
        word: the type, in the schema's words.
        value: what JSON decoding or a caller in Python gave.

    Raises:
        WrongValue: when it is of another type, or does not fit.
    """
    if value is None:
        return None
    kind = type(value)
    if word == "str" and isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise WrongValue(f"not_utf8: {name}") from None
        return str(value)
    if word == "bool" and kind is bool:
        return value
    if word == "int" and isinstance(value, int) and kind is not bool:
        if not -(2**63) <= value < 2**63:
            raise WrongValue(f"out_of_range: {name}: {_shown(value)} is no 64-bit int")
        return int(value)
    if word == "float" and isinstance(value, (int, float)) and kind is not bool:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise WrongValue(f"out_of_range: {name}: {_shown(value)} is no 64-bit float")
        return number
    if word == "datetime" and isinstance(value, (int, str, datetime)) and kind is not bool:
        return time_ms(name, value)
    raise WrongValue(f"wrong_type: {name}: expected {word}, got {kind.__name__}")


def time_ms(name: str, value: int | str | datetime) -> int:
    """Epoch ms, UTC, of ISO 8601 text, whole epoch ms, or a datetime; finer parts are floored, no offset is UTC.

    >>> time_ms("ts", "1970-01-01T00:00:01Z")
    1000

    Raises:
        WrongValue: when the text is no time, or it lies outside the years 1 to 9999.
    """
    if isinstance(value, int):
        ms = value
    else:
        try:
            ms = iso_ms(value if isinstance(value, str) else _iso(value))
        except (ValueError, OverflowError):
            raise WrongValue(f"wrong_type: {name}: expected datetime, got {_shown(value)}") from None
    if not FIRST_MS <= ms <= LAST_MS:
        raise WrongValue(f"out_of_range: {name}: {_shown(value)} is not in the years 1 to 9999")
    return ms


def typed_row(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """The schema's columns of one event, each checked by `typed`, in the schema's order; a missing one is `None`.

    >>> typed_row(Schema({"a": "int", "b": "str"}), {"a": 1, "c": 2})
    {'a': 1, 'b': None}

    Raises:
        WrongValue: on the first column that is refused.
    """
    return {name: typed(name, word, values.get(name)) for name, word in schema.items()}


def _iso(value: datetime) -> str:
    # A time zone's offset may depend on the date; isoformat writes the one that holds.
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
