"""Functions of texts: case, blanks, parts, patterns, and numbers as text.

Law: each distinct text is looked at once; patterns are the regular expressions that Java and Python share, others are
refused when the model is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

import numpy as np

from styx_lab.models.native.column import Column, Rows, first_error
from styx_lab.models.native.functions.function import Function, no_missing
from styx_lab.models.native.values import cast, column_of, map_words, show

__all__ = ["FUNCTIONS", "by_row"]

_FORMAT: Final = re.compile(r"%([-+ 0,#]*)(\d*)(\.\d+)?([dfeEgGs])")


def by_row(columns: Sequence[Column], function: Callable[..., Any], data_type: str, rows: Rows) -> Column:
    """A function of several values, called once for each distinct combination; ValueError is that row's error."""
    height = min((size for each in columns if (size := len(each.values)) != 1), default=1)
    lists = [
        [each.words[code] for code in each.full(height).values.tolist()]
        if each.type == "string"
        else each.full(height).values.tolist()
        for each in columns
    ]
    gaps = np.zeros(height, dtype=np.bool_)
    failed = first_error(*(each.errors for each in columns))
    for each in columns:
        gaps |= np.broadcast_to(each.gaps, (height,))
    if failed is not None:
        gaps |= np.broadcast_to(failed != 0, (height,))
    known: dict[tuple[Any, ...], tuple[Any, int]] = {}
    values: list[Any] = []
    errors = np.zeros(height, dtype=np.int32)
    for row, key in enumerate(zip(*lists, strict=True)):
        if gaps[row]:
            values.append(None)
            continue
        if key not in known:
            try:
                known[key] = (function(*key), 0)
            except ValueError as error:
                known[key] = (None, rows.error(str(error)))
        value, errors[row] = known[key]
        values.append(value)
    result = column_of(data_type, values)
    return result.with_errors(first_error(failed, errors if errors.any() else None))


def _plain(change: Callable[[str], Any], data_type: str = "string") -> Function:
    def call(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
        errors = no_missing(arguments, rows, name)
        text = cast(arguments[0], "string", rows)
        return map_words(text, change, data_type, rows).with_errors(errors)

    return Function(call, 1, 1)


def _substring(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    errors = no_missing(arguments, rows, name)
    text = cast(arguments[0], "string", rows)
    start, length = (cast(each, "integer", rows) for each in arguments[1:])
    errors = first_error(errors, text.errors, start.errors, length.errors)

    def cut(value: str, first: int, count: int) -> str:
        if first < 1:
            raise ValueError(f"function {name!r} takes a start from 1 on, not {first}")
        if count < 0:
            raise ValueError(f"function {name!r} takes no negative length, {count}")
        return value[first - 1 : first - 1 + count]

    return by_row((text, start, length), cut, "string", rows).with_errors(errors)


def _concat(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    filled = []
    for each in arguments:
        text = cast(each, "string", rows)
        if text.missing is not None:  # what is missing is left out
            words = (*text.words, "")
            codes = np.where(text.missing, np.int32(len(text.words)), text.values)
            text = Column("string", codes, None, text.errors, words)
        filled.append(text)
    return by_row(filled, lambda *texts: "".join(texts), "string", rows).with_errors(
        first_error(*(each.errors for each in filled))
    )


def _replace(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    errors = no_missing(arguments, rows, name)
    texts = [cast(each, "string", rows) for each in arguments]

    def change(value: str, pattern: str, new: str) -> str:
        return _pattern(pattern).sub(re.sub(r"\$(\d)", r"\\\1", new.replace("\\$", "$")), value)

    return by_row(texts, change, "string", rows).with_errors(errors)


def _matches(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    errors = no_missing(arguments, rows, name)
    texts = [cast(each, "string", rows) for each in arguments]
    return by_row(
        texts, lambda value, pattern: _pattern(pattern).search(value) is not None, "boolean", rows
    ).with_errors(errors)


def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"the pattern {pattern!r} cannot be read: {error}") from None


def _rounded(number: float, kind: str, digits: int) -> tuple[Decimal, str]:
    """A number as Java rounds it (the shortest decimal, halves up), and how to write it."""
    value = Decimal(repr(float(number)))
    with localcontext() as context:
        context.prec = 800
        context.rounding = ROUND_HALF_UP
        if kind in "gG":
            digits = max(digits, 1)
            if value and not Decimal("0.0001") <= abs(value) < Decimal(10) ** digits:
                kind, digits = "eE"["gG".index(kind)], digits - 1
            else:
                kind, digits = "f", digits - 1 - (value.adjusted() if value else 0)
        if kind in "eE":
            if value:
                value = value.quantize(Decimal(1).scaleb(value.adjusted() - digits))
            return value, f".{digits}{kind}"
        return value.quantize(Decimal(1).scaleb(-digits)), f".{digits}f"


def _format_number(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    errors = no_missing(arguments, rows, name)
    given, pattern = arguments[0], cast(arguments[1], "string", rows)
    if given.type not in ("integer", "float", "double"):
        error = rows.error(f"function {name!r} takes a number, got a value of type {given.type}")
        return Column.failed(error, "string").with_errors(errors)
    whole = given.type == "integer"

    def change(number: Any, form: str) -> str:
        found = _FORMAT.search(form)
        if found is None and "%" not in form:
            return form
        if found is None or _FORMAT.search(form, found.end()) is not None or "%" in form.replace(found[0], "", 1):
            raise ValueError(f"function {name!r} cannot read the pattern {form!r}")
        if (found[4] == "d") != whole and found[4] != "s":
            raise ValueError(f"function {name!r}: the pattern {form!r} is not for a number of type {given.type}")
        if "#" in found[1]:
            raise ValueError(f"function {name!r} does not support the pattern {form!r}")
        if found[4] == "s":
            return form.replace(found[0], show(number, given.type).rjust(int(found[2] or 0)), 1)
        width = int(found[2] or 0)
        if isinstance(number, float) and not np.isfinite(number):
            text = "NaN" if np.isnan(number) else ("Infinity" if number > 0 else "-Infinity")
            text = text.ljust(width) if "-" in found[1] else text.rjust(width)
        else:
            sign = "+" if "+" in found[1] else (" " if " " in found[1] else "")
            align = "<" if "-" in found[1] else ">"
            zero = "0" if "0" in found[1] and align == ">" else ""
            comma = "," if "," in found[1] else ""
            lead = "" if zero else align
            digits = int(found[3][1:]) if found[3] else 6
            value, kind = (number, "d") if whole else _rounded(number, found[4], digits)
            text = format(value, f"{lead}{sign}{zero}{width or ''}{comma}{kind}")
        return form.replace(found[0], text, 1)

    return by_row((given, pattern), change, "string", rows).with_errors(errors)


FUNCTIONS: Final = {
    "uppercase": _plain(str.upper),
    "lowercase": _plain(str.lower),
    "trimBlanks": _plain(str.strip),
    "stringLength": _plain(len, "integer"),
    "substring": Function(_substring, 3, 3),
    "concat": Function(_concat, 2, None),
    "replace": Function(_replace, 3, 3),
    "matches": Function(_matches, 2, 2),
    "formatNumber": Function(_format_number, 2, 2),
}
