"""PMML's types: values written as text, and columns turned from one type into another.

Law: a value that is not of the wanted type is an error of that value (or of the file, at load); numbers are read and
written as the reference evaluator does, which is Java's way.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Codes, Column, Rows, first_error, where_error

__all__ = ["cast", "column_of", "constant", "guess_type", "is_known_type", "parse", "show", "storage"]

_DOUBLE: Final = re.compile(r"\s*([+-]?)(NaN|Infinity|INF|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?)\s*")
_INTEGER: Final = re.compile(r"\s*[+-]?\d+\s*")
_COUNTED: Final = re.compile(r"(dateDaysSince|dateTimeSecondsSince)\[(1960|1970|1980)\]")
_DATE: Final = re.compile(r"-?\d{4,}-\d\d-\d\d")
_TIME: Final = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,9})?)?")
_LARGEST: Final = 2**31 - 1
_DAY: Final = 86_400_000
_STORED: Final[dict[str, Any]] = {
    "double": np.float64,
    "float": np.float32,
    "integer": np.int64,
    "boolean": np.bool_,
    "string": np.int32,
}


def is_known_type(data_type: str) -> bool:
    """Whether a dataType is one that columns can have."""
    return (
        data_type in _STORED
        or data_type in ("date", "time", "dateTime", "timeSeconds")
        or _COUNTED.fullmatch(data_type) is not None
    )


def storage(data_type: str) -> Any:
    """The NumPy type that holds values of a PMML type."""
    return _STORED.get(data_type, np.int64)


def parse(data_type: str, text: str) -> Any:
    """A value from its text.

    >>> parse("integer", "1e3"), parse("double", " 3 "), parse("boolean", "1"), parse("date", "1970-01-02")
    (1000, 3.0, True, 1)

    Raises:
        ValueError: when the text is no such value.
    """
    if data_type == "string":
        return text
    if data_type == "double":
        return _number(text)
    if data_type == "float":
        return np.float32(_number(text))
    if data_type == "integer":
        whole = int(text) if _INTEGER.fullmatch(text) else _whole(_number(text))
        if abs(whole) > _LARGEST and whole != -_LARGEST - 1:
            raise ValueError(f"{text!r} is too large for an integer")
        return whole
    if data_type == "boolean":
        known = {"true": True, "false": False}.get(text.lower())
        if known is not None:
            return known
        found = _number(text.strip()) if text == text.strip() else math.nan
        if found in (0.0, 1.0):
            return found == 1.0
        raise ValueError(f"{text!r} is neither true nor false")
    return _moment(data_type, text)


def _number(text: str) -> float:
    found = _DOUBLE.fullmatch(text)
    if found is None:
        truth = {"true": 1.0, "false": 0.0}.get(text.lower())
        if truth is not None:  # a boolean is a number, as text too
            return truth
        raise ValueError(f"{text!r} is no number")
    body = found[2].replace("Infinity", "inf").replace("INF", "inf")
    value = float(body if body in ("inf", "NaN") else body.rstrip("fFdD"))
    return -value if found[1] == "-" else value


def _whole(value: float) -> int:
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{value} is no whole number")
    return int(value)


def _moment(data_type: str, text: str) -> int:
    if data_type == "date" or data_type.startswith("dateDaysSince"):
        if not _DATE.fullmatch(text):
            raise ValueError(f"{text!r} is no date")
        days = datetime.date.fromisoformat(text).toordinal() - datetime.date(1970, 1, 1).toordinal()
        return days - _epoch(data_type)
    if data_type in ("time", "timeSeconds"):
        if not _TIME.fullmatch(text):
            raise ValueError(f"{text!r} is no time of day")
        clock = datetime.time.fromisoformat(text)
        seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
        return seconds if data_type == "timeSeconds" else seconds * 1000 + clock.microsecond // 1000
    day, _, clock_text = text.partition("T")
    if not _DATE.fullmatch(day) or not _TIME.fullmatch(clock_text):
        raise ValueError(f"{text!r} is no date with a time")
    milliseconds = _moment("date", day) * _DAY + _moment("time", clock_text)
    return milliseconds if data_type == "dateTime" else milliseconds // 1000 - _epoch(data_type) * 86_400


def _epoch(data_type: str) -> int:
    found = _COUNTED.fullmatch(data_type)
    return (
        0 if found is None else datetime.date(int(found[2]), 1, 1).toordinal() - datetime.date(1970, 1, 1).toordinal()
    )


def show(value: Any, data_type: str) -> str:
    """A value as text, in Java's way.

    >>> show(2.5, "double"), show(1e10, "double"), show(True, "boolean"), show(7, "integer")
    ('2.5', '1.0E10', 'true', '7')
    """
    if data_type == "boolean":
        return "true" if value else "false"
    if data_type not in ("double", "float"):
        return str(value)
    number = float(value)
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")
    single = data_type == "float"
    size = abs(number)
    if number == 0 or 1e-3 <= size < 1e7:
        text = np.format_float_positional(np.float32(value) if single else number, unique=True, trim="0")
        return str(text)
    text = np.format_float_scientific(np.float32(value) if single else number, unique=True, trim="0", exp_digits=1)
    mantissa, _, exponent = str(text).partition("e")
    return f"{mantissa}E{int(exponent)}"


def guess_type(text: str) -> str:
    """The type of a constant that does not say it: integer, double, or string."""
    if _INTEGER.fullmatch(text) and abs(int(text)) <= _LARGEST:
        return "integer"
    return "double" if _DOUBLE.fullmatch(text) else "string"


def constant(data_type: str, value: Any) -> Column:
    """A column that has one value in every row."""
    if data_type == "string":
        return Column("string", np.zeros(1, dtype=np.int32), words=(value,))
    return Column(data_type, np.array([value], dtype=storage(data_type)))


def column_of(data_type: str, values: list[Any]) -> Column:
    """A column of Python values, `None` for a missing one."""
    gaps = np.array([value is None for value in values], dtype=np.bool_)
    if data_type == "string":
        words: dict[str, int] = {}
        codes = [0 if value is None else words.setdefault(value, len(words)) for value in values]
        return Column(
            "string", np.array(codes, dtype=np.int32), gaps if gaps.any() else None, None, tuple(words) or ("",)
        )
    filled = [0 if value is None else value for value in values]
    return Column(data_type, np.array(filled, dtype=storage(data_type)), gaps if gaps.any() else None)


def cast(column: Column, data_type: str, rows: Rows) -> Column:
    """A column as another type; a value that cannot be is an error of that value."""
    if column.type == data_type:
        return column
    if column.type == "string":
        return _from_text(column, data_type, rows)
    if data_type == "string":
        if column.type not in _STORED:
            return _mismatch(column, data_type, np.ones(1, dtype=np.bool_), rows)
        return map_words(column, lambda value: show(value, column.type), "string", rows)
    values = column.values
    if data_type in ("double", "float") and column.type in _STORED:
        with np.errstate(over="ignore"):
            return Column(data_type, values.astype(storage(data_type)), column.missing, column.errors)
    if data_type == "integer" and column.type in ("double", "float"):
        numbers = column.numbers
        with np.errstate(invalid="ignore"):
            bad = ~((numbers == np.floor(numbers)) & (numbers <= _LARGEST) & (numbers >= -_LARGEST - 1))
        whole = np.where(bad, 0.0, numbers).astype(np.int64)
        return _mismatch(Column("integer", whole, column.missing, column.errors), "integer", bad, rows, column.type)
    if data_type == "integer" and column.type == "boolean":
        return Column("integer", values.astype(np.int64), column.missing, column.errors)
    if data_type == "boolean" and column.type in _STORED:
        numbers = column.numbers
        bad = (numbers != 0.0) & (numbers != 1.0)
        return _mismatch(
            Column("boolean", numbers == 1.0, column.missing, column.errors), "boolean", bad, rows, column.type
        )
    moments = _between_moments(column, data_type)
    return moments if moments is not None else _mismatch(column, data_type, np.ones(1, dtype=np.bool_), rows)


def _between_moments(column: Column, data_type: str) -> Column | None:
    values = column.values.astype(np.int64, copy=False)
    if column.type == "date" and data_type.startswith("dateDaysSince"):
        return Column(data_type, values - _epoch(data_type), column.missing, column.errors)
    if column.type == "dateTime" and data_type.startswith("dateTimeSecondsSince"):
        return Column(data_type, values // 1000 - _epoch(data_type) * 86_400, column.missing, column.errors)
    if column.type == "dateTime" and data_type == "date":
        return Column("date", values // _DAY, column.missing, column.errors)
    if column.type == "time" and data_type == "timeSeconds":
        return Column(data_type, values // 1000, column.missing, column.errors)
    counted = column.type.startswith(("dateDaysSince", "dateTimeSecondsSince")) or column.type == "timeSeconds"
    if counted and data_type in ("integer", "double", "float"):
        return Column(data_type, values.astype(storage(data_type)), column.missing, column.errors)
    return None


def _mismatch(column: Column, data_type: str, bad: npt.NDArray[np.bool_], rows: Rows, of: str | None = None) -> Column:
    bad = bad & ~column.gaps
    error = where_error(bad, rows.error(f"expected a value of type {data_type}, got one of type {of or column.type}"))
    if data_type == "string":
        nothing = np.zeros(1, dtype=np.int32)
        return Column("string", nothing, column.missing, first_error(column.errors, error), ("",))
    return Column(data_type, column.values, column.missing, first_error(column.errors, error), column.words)


def _from_text(column: Column, data_type: str, rows: Rows) -> Column:
    table: list[Any] = []
    errors: list[int] = []
    for word in column.words:
        try:
            table.append(parse(data_type, word))
            errors.append(0)
        except ValueError as error:
            table.append(0)
            errors.append(rows.error(f"expected a value of type {data_type}: {error}"))
    codes = column.values.astype(np.int32, copy=False)
    values = np.array(table or [0], dtype=storage(data_type))[codes]
    found: Codes | None = None
    if any(errors):
        found = np.where(column.gaps, np.int32(0), np.array(errors, dtype=np.int32)[codes])
    return Column(data_type, values, column.missing, first_error(column.errors, found))


def map_words(column: Column, change: Callable[[Any], Any], data_type: str, rows: Rows) -> Column:
    """A function of single values over a column, called once for each distinct value.

    The function may raise ValueError, which becomes the error of that value.
    """
    if column.type == "string":
        distinct: list[Any] = list(column.words)
        codes = column.values.astype(np.int32, copy=False)
    else:
        found, inverse = np.unique(column.values, return_inverse=True)
        distinct, codes = found.tolist(), inverse.astype(np.int32).reshape(-1)
    results: list[Any] = []
    errors: list[int] = []
    for value in distinct:
        try:
            results.append(change(value))
            errors.append(0)
        except ValueError as error:
            results.append(None)
            errors.append(rows.error(str(error)))
    mapped = column_of(data_type, results)
    missing = column.missing
    if mapped.missing is not None:
        missing = column.gaps | mapped.missing[codes]
    failed = None
    if any(errors):
        failed = np.where(column.gaps, np.int32(0), np.array(errors, dtype=np.int32)[codes])
    return Column(data_type, mapped.values[codes], missing, first_error(column.errors, failed), mapped.words)
