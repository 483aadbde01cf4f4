"""A constant in an expression, as JSON that says its type: `{"literal": ["int", 500]}`.

Laws: what is written is what is read back, type and all, whatever Polars version reads it; a constant that JSON cannot
hold (NaN, an infinity, an object) is refused, never changed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from styx_lab.core.schema import dtype_from_json, dtype_to_json

__all__ = ["build_literal", "literal_text", "polars_dtype", "read_literal"]

_UNITS: Final = {"Nanoseconds": "ns", "Microseconds": "us", "Milliseconds": "ms"}
_PER_SECOND: Final = {"ns": 1_000_000_000, "us": 1_000_000, "ms": 1_000}
_DTYPES: Final[dict[str, pl.DataType]] = {
    dtype: getattr(pl, dtype)()
    for dtype in (
        "Boolean", "String", "Binary", "Date", "Null", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32",
        "UInt64", "Float32", "Float64",
    )
}  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGERS: Final = range(-(2**63), 2**64)


def polars_dtype(value: Any) -> pl.DataType:
    """The type that Polars' own form of an expression names.

    Raises:
        ValueError: when Styx keeps no column of that type.
    """
    match value:
        case str() if value in _DTYPES:
            return _DTYPES[value]
        case {"List": inner}:
            return pl.List(polars_dtype(inner))
        case {"Datetime": [unit, None]}:
            return pl.Datetime(_UNITS[unit])  # type: ignore[arg-type]
        case {"Datetime": [unit, {"inner": str() as zone}]}:
            return pl.Datetime(_UNITS[unit], zone)  # type: ignore[arg-type]
        case {"Duration": unit}:
            return pl.Duration(_UNITS[unit])  # type: ignore[arg-type]
    raise ValueError(f"the type {value if isinstance(value, str) else next(iter(value))}")


def read_literal(value: Any, *, sql: bool) -> list[Any]:  # noqa: PLR0911 - a table of shapes
    """Our JSON of a constant in Polars' own form.

    Args:
        value: what stands under `Literal` there.
        sql: whether it comes of SQL text, where `0.5` is a decimal.

    Raises:
        ValueError: with what cannot be kept, as a phrase.
    """
    match value:
        case {"Dyn": {"Int": int() as number}} if number in _INTEGERS:
            return ["int", number]
        case {"Dyn": {"Float": float() | int() as number}}:
            return ["float", float(number)]
        case {"Dyn": {"Float": None}}:
            raise ValueError("NaN or an infinity")
        case {"Scalar": {"String": text}}:
            return ["str", text]
        case {"Scalar": {"Boolean": truth}}:
            return ["bool", truth]
        case {"Scalar": {"Null": "Null"}}:
            return ["null"]
        case {"Scalar": {"Null": dtype}}:
            return ["null", dtype_to_json(polars_dtype(dtype))]
        case {"Scalar": {"Date": days}}:
            return ["date", days]
        case {"Scalar": {"Datetime": [count, unit, zone]}}:
            return ["datetime", count, _UNITS[unit], zone["inner"] if zone else None]
        case {"Scalar": {"Duration": [count, unit]}}:
            return ["duration", count, _UNITS[unit]]
        case {"Scalar": {"Decimal": [digits, _, scale]}} if sql:
            return ["decimal", str(digits), scale]
        case {"Scalar": {"List": data}} | {"Series": data}:
            return _read_list(bytes(data), sql=sql)
        case {"Scalar": dict() as scalar} if len(scalar) == 1:
            ((kind, number),) = scalar.items()
            dtype = polars_dtype(kind)
            if not dtype.is_numeric():
                raise ValueError(f"a constant of type {dtype}")
            if number is None:
                raise ValueError("NaN or an infinity")
            return ["number", number, dtype_to_json(dtype)]
    raise ValueError(f"a constant {_kind(value)}")


def _kind(value: Any) -> str:
    inner = next(iter(value.values())) if isinstance(value, dict) else value
    return f"of type {next(iter(inner))}" if isinstance(inner, dict) else "of this kind"


def _read_list(data: bytes, *, sql: bool) -> list[Any]:
    # Polars keeps the values of a constant list as an Arrow stream: data, no code.
    series = pl.read_ipc_stream(io.BytesIO(data)).to_series()
    if isinstance(series.dtype, pl.List) and len(series) == 1:
        series = series.explode(empty_as_null=False)
    if isinstance(series.dtype, pl.Decimal) and sql:
        series = series.cast(pl.Float64)
    if isinstance(series.dtype, pl.List | pl.Struct | pl.Binary):
        raise ValueError(f"a list of {series.dtype}")
    values = series.to_physical().to_list()
    if any(isinstance(value, float) and not math.isfinite(value) for value in values):
        raise ValueError("NaN or an infinity")
    return ["list", dtype_to_json(series.dtype), values]


def build_literal(value: Any) -> pl.Expr:  # noqa: PLR0911 - a table of shapes
    """The Polars constant of `read_literal`'s answer.

    Raises:
        ValueError: when it is none.
    """
    match value:
        case ["int", int() as number] if not isinstance(number, bool) and number in _INTEGERS:
            return pl.lit(number)
        case ["float", float() as number] if math.isfinite(number):
            return pl.lit(number)
        case ["str", str() as text]:
            return pl.lit(text)
        case ["bool", bool() as truth]:
            return pl.lit(truth)
        case ["null"]:
            return pl.lit(None)
        case ["null", dtype]:
            return pl.lit(None, dtype=dtype_from_json(dtype))
        case ["date", int() as days]:
            return pl.lit(days, dtype=pl.Date())
        case ["datetime", int() as count, "ns" | "us" | "ms" as unit, None | str() as zone]:
            return pl.lit(count, dtype=pl.Datetime(unit, zone))
        case ["duration", int() as count, "ns" | "us" | "ms" as unit]:
            return pl.lit(count, dtype=pl.Duration(unit))
        case ["number", int() | float() as number, str() as name] if not isinstance(number, bool):
            dtype = dtype_from_json(name)
            if dtype.is_numeric() and (dtype.is_float() or isinstance(number, int)) and math.isfinite(number):
                return pl.lit(number, dtype=dtype)
        case ["list", dtype, list() as values]:
            inner = dtype_from_json(dtype)
            good: tuple[type, ...] = (
                (bool,) if inner == pl.Boolean() else (str,) if inner == pl.String() else (int, float)
            )
            if all(each is None or (type(each) in good and not _odd(each)) for each in values):
                return pl.lit(values, dtype=pl.List(inner))
    raise ValueError("not a constant")


def _odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def literal_text(value: list[Any]) -> str:
    """The constant as a person would write it."""
    match value:
        case ["str", text]:
            return f"'{text}'"
        case ["null", *_]:
            return "null"
        case ["bool", truth]:
            return str(truth).lower()
        case ["date", days]:
            return _within(lambda: (_EPOCH + timedelta(days)).date().isoformat(), f"day {days}")
        case ["datetime", count, unit, zone]:
            micros = count * 1_000_000 // _PER_SECOND[unit]
            shown = _within(lambda: (_EPOCH + timedelta(microseconds=micros)).isoformat()[:-6], f"{count}{unit}")
            return shown if zone is None else f"{shown}Z" if zone == "UTC" else f"{shown}Z ({zone})"
        case ["duration", count, unit]:
            return _within(
                lambda: str(timedelta(microseconds=count * 1_000_000 // _PER_SECOND[unit])), f"{count}{unit}"
            )
        case ["decimal", digits, scale]:
            return f"{int(digits) / 10**scale}"
        case ["list", _, values]:
            return "[" + ", ".join("null" if each is None else repr(each) for each in values) + "]"
    return str(value[1])


def _within(text: Callable[[], str], otherwise: str) -> str:
    # Polars' times reach further than Python's.
    try:
        return text()
    except OverflowError:
        return otherwise
