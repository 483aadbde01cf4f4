"""The allow-list: every function an expression may use, under our own name, and how to build it in Polars.

Law (re-chunking): a function stands here only if the value of a row depends on that row alone. Names and options are
what a bundle holds, so a row of this table is never renamed or removed; a changed meaning gets a new name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import polars as pl

__all__ = ["BY_NAME", "BY_POLARS", "OPERATORS", "Function", "Option"]


@dataclass(frozen=True, slots=True)
class Option:
    """An argument that is fixed when the expression is written, not computed per row.

    Attributes:
        kind: the Python type of its JSON.
        polars: its key in Polars' own form; empty when Polars gives the value bare.
        words: Polars' words and ours, where it is a choice.
    """

    kind: type
    polars: str = ""
    words: Mapping[str, str] | None = None

    def read(self, value: Any) -> Any:
        """Our value of Polars' own."""
        if isinstance(value, dict) and value.keys() == {"inner"}:
            value = value["inner"]
        return value if self.words is None else self.words.get(value)

    def takes(self, value: Any) -> bool:
        """Whether a stored value is one that this option can have."""
        if self.words is not None:
            return isinstance(value, str) and value in self.words.values()
        return type(value) is self.kind and (not isinstance(value, float) or math.isfinite(value))


@dataclass(frozen=True, slots=True)
class Function:
    """A row-wise function.

    Attributes:
        name: our name for it, for ever.
        polars: where Polars keeps it in its own form.
        build: makes it, of expressions and options; None where only SQL text can (it is never stored as a tree).
        least: how few arguments it takes.
        most: how many at most; None without bound.
        options: its options by our name.
        sql: why it cannot be used in SQL text; empty when it can.
    """

    name: str
    polars: str
    build: Callable[..., pl.Expr] | None
    least: int = 1
    most: int | None = 1
    options: Mapping[str, Option] = field(default_factory=dict)
    sql: str = ""


def _method(path: str) -> Callable[..., pl.Expr]:
    """Calls the method of that path on the first argument."""
    find = attrgetter(path)

    def build(first: pl.Expr, *rest: pl.Expr, **options: Any) -> pl.Expr:
        built: pl.Expr = find(first)(*rest, **options)
        return built

    return build


def _plain(polars: str, name: str, least: int = 1, most: int | None = None, **options: Option) -> Function:
    """A function whose name is the path of its method, and whose options are that method's keywords."""
    return Function(name, polars, _method(name), least, least if most is None else most, options)


def _bool(polars: str = "") -> Option:
    return Option(bool, polars)


_UNIT: Final = Option(str, words={"Nanoseconds": "ns", "Microseconds": "us", "Milliseconds": "ms"})
_CLOSED: Final = Option(str, "closed", {"Both": "both", "Left": "left", "Right": "right", "None": "none"})
_MODE: Final = Option(
    str,
    "mode",
    {"HalfToEven": "half_to_even", "HalfAwayFromZero": "half_away_from_zero", "ToZero": "to_zero"},
)
_TRIGONOMETRY: Final = {
    "Sin": "sin", "Cos": "cos", "Tan": "tan", "ArcSin": "arcsin", "ArcCos": "arccos", "ArcTan": "arctan",
    "Sinh": "sinh", "Cosh": "cosh", "Tanh": "tanh", "Degrees": "degrees", "Radians": "radians",
}  # fmt: skip
_DATE_PARTS: Final = {
    "Hour": "hour", "Minute": "minute", "Second": "second", "Millisecond": "millisecond", "Microsecond": "microsecond",
    "Nanosecond": "nanosecond", "Day": "day", "WeekDay": "weekday", "Week": "week", "Month": "month",
    "Quarter": "quarter", "Year": "year", "IsoYear": "iso_year", "OrdinalDay": "ordinal_day", "Date": "date",
}  # fmt: skip
_TOTALS: Final = ("Days", "Hours", "Minutes", "Seconds", "Milliseconds", "Microseconds", "Nanoseconds")

OPERATORS: Final[Mapping[str, tuple[str, str, Callable[..., pl.Expr]]]] = {
    "Plus": ("add", "+", lambda a, b: a + b),
    "Minus": ("subtract", "-", lambda a, b: a - b),
    "Multiply": ("multiply", "*", lambda a, b: a * b),
    "TrueDivide": ("divide", "/", lambda a, b: a / b),
    "FloorDivide": ("floor_divide", "//", lambda a, b: a // b),
    "Modulus": ("modulo", "%", lambda a, b: a % b),
    "Eq": ("equal", "==", lambda a, b: a == b),
    "NotEq": ("not_equal", "!=", lambda a, b: a != b),
    "Lt": ("less", "<", lambda a, b: a < b),
    "LtEq": ("less_or_equal", "<=", lambda a, b: a <= b),
    "Gt": ("greater", ">", lambda a, b: a > b),
    "GtEq": ("greater_or_equal", ">=", lambda a, b: a >= b),
    "EqValidity": ("equal_or_both_null", "is", lambda a, b: a.eq_missing(b)),
    "NotEqValidity": ("not_equal_nor_both_null", "is not", lambda a, b: a.ne_missing(b)),
    "And": ("and", "&", lambda a, b: a & b),
    "Or": ("or", "|", lambda a, b: a | b),
    "Xor": ("xor", "^", lambda a, b: a ^ b),
}
"""Polars' word for a binary operator, with ours, its sign, and how to build it."""

_SQL_SIGNS: Final = {
    "Mul": "*", "Div": "/", "IntDiv": "//", "Rem": "%", "Plus": "+", "Minus": "-", "Eq": "==", "NotEq": "!=",
    "EqMissing": "is", "NotEqMissing": "is not", "Lt": "<", "LtEq": "<=", "Gt": ">", "GtEq": ">=",
}  # fmt: skip
_INSTEAD: Final = "write it in Polars: col('amounts').list.{}()"

_FUNCTIONS: Final[tuple[Function, ...]] = (
    *(Function(name, f"op.{word}", build, 2, 2) for word, (name, _, build) in OPERATORS.items()),
    # Logic and null
    Function("not", "Boolean.Not", lambda a: ~a),
    Function("all_horizontal", "Boolean.AllHorizontal", pl.all_horizontal, 1, None),
    Function("any_horizontal", "Boolean.AnyHorizontal", pl.any_horizontal, 1, None),
    _plain("Boolean.IsNull", "is_null"),
    _plain("Boolean.IsNotNull", "is_not_null"),
    _plain("Boolean.IsNan", "is_nan"),
    _plain("Boolean.IsNotNan", "is_not_nan"),
    _plain("Boolean.IsFinite", "is_finite"),
    _plain("Boolean.IsInfinite", "is_infinite"),
    _plain("Boolean.IsIn", "is_in", 2, nulls_equal=_bool("nulls_equal")),
    _plain("Boolean.IsBetween", "is_between", 3, closed=_CLOSED),
    _plain("Boolean.IsClose", "is_close", 2, abs_tol=Option(float, "abs_tol"), rel_tol=Option(float, "rel_tol"),
           nans_equal=_bool("nans_equal")),
    Function("when", "Ternary", lambda a, b, c: pl.when(a).then(b).otherwise(c), 3, 3),
    _plain("FillNull", "fill_null", 2),
    Function("coalesce", "Coalesce", pl.coalesce, 1, None),
    # Numbers
    Function("negate", "Negate", lambda a: -a),
    _plain("Abs", "abs"),
    _plain("Sign", "sign"),
    _plain("Floor", "floor"),
    _plain("Ceil", "ceil"),
    _plain("Round", "round", decimals=Option(int, "decimals"), mode=_MODE),
    _plain("Truncate", "truncate", decimals=Option(int, "decimals")),
    _plain("Pow.Generic", "pow", 2),
    _plain("Pow.Sqrt", "sqrt"),
    _plain("Pow.Cbrt", "cbrt"),
    _plain("Log", "log", 2),
    _plain("Log1p", "log1p"),
    _plain("Exp", "exp"),
    Function("clip", "Clip", lambda a, *bounds, lower, upper: _clip(a, bounds, lower, upper), 2, 3,
             {"lower": _bool("has_min"), "upper": _bool("has_max")}),
    *(_plain(f"Trigonometry.{word}", name) for word, name in _TRIGONOMETRY.items()),
    Function("arctan2", "Atan2", pl.arctan2, 2, 2),
    Function("min_horizontal", "MinHorizontal", pl.min_horizontal, 1, None),
    Function("max_horizontal", "MaxHorizontal", pl.max_horizontal, 1, None),
    Function("sum_horizontal", "SumHorizontal", pl.sum_horizontal, 1, None, {"ignore_nulls": _bool("ignore_nulls")}),
    Function("mean_horizontal", "MeanHorizontal", pl.mean_horizontal, 1, None, {"ignore_nulls": _bool("ignore_nulls")}),
    # Text
    _plain("StringExpr.LenChars", "str.len_chars"),
    _plain("StringExpr.LenBytes", "str.len_bytes"),
    _plain("StringExpr.Lowercase", "str.to_lowercase"),
    _plain("StringExpr.Uppercase", "str.to_uppercase"),
    _plain("StringExpr.Titlecase", "str.to_titlecase"),
    _plain("StringExpr.Contains", "str.contains", 2, literal=_bool("literal"), strict=_bool("strict")),
    _plain("StringExpr.Find", "str.find", 2, literal=_bool("literal"), strict=_bool("strict")),
    _plain("StringExpr.StartsWith", "str.starts_with", 2),
    _plain("StringExpr.EndsWith", "str.ends_with", 2),
    _plain("StringExpr.StripChars", "str.strip_chars", 2),
    _plain("StringExpr.StripCharsStart", "str.strip_chars_start", 2),
    _plain("StringExpr.StripCharsEnd", "str.strip_chars_end", 2),
    _plain("StringExpr.StripPrefix", "str.strip_prefix", 2),
    _plain("StringExpr.StripSuffix", "str.strip_suffix", 2),
    _plain("StringExpr.Slice", "str.slice", 3),
    _plain("StringExpr.Head", "str.head", 2),
    _plain("StringExpr.Tail", "str.tail", 2),
    _plain("StringExpr.Replace", "str.replace", 3, n=Option(int, "n"), literal=_bool("literal")),
    _plain("StringExpr.Extract", "str.extract", 2, group_index=Option(int)),
    _plain("StringExpr.Split", "str.split", 2, inclusive=_bool()),
    _plain("StringExpr.PadStart", "str.pad_start", 2, fill_char=Option(str, "fill_char")),
    _plain("StringExpr.PadEnd", "str.pad_end", 2, fill_char=Option(str, "fill_char")),
    _plain("StringExpr.ZFill", "str.zfill", 2),
    Function("concat_str", "StringExpr.ConcatHorizontal", pl.concat_str, 1, None,
             {"separator": Option(str, "delimiter"), "ignore_nulls": _bool("ignore_nulls")}),
    # Time
    *(_plain(f"TemporalExpr.{word}", f"dt.{name}") for word, name in _DATE_PARTS.items()),
    *(_plain(f"TemporalExpr.Total{word}", f"dt.total_{word.lower()}", fractional=_bool("fractional"))
      for word in _TOTALS),
    _plain("TemporalExpr.TimeStamp", "dt.timestamp", time_unit=_UNIT),
    _plain("TemporalExpr.Truncate", "dt.truncate", 2),
    _plain("TemporalExpr.Round", "dt.round", 2),
    _plain("TemporalExpr.OffsetBy", "dt.offset_by", 2),
    _plain("TemporalExpr.ConvertTimeZone", "dt.convert_time_zone", time_zone=Option(str)),
    _plain("TemporalExpr.ToString", "dt.to_string", format=Option(str)),
    # Parts of a match, and lists
    Function("field", "StructExpr.FieldByName", lambda a, name: a.struct.field(name), options={"name": Option(str)}),
    _plain("ListExpr.Length", "list.len"),
    _plain("ListExpr.Get", "list.get", 2, null_on_oob=_bool()),
    _plain("ListExpr.Min", "list.min"),
    _plain("ListExpr.Max", "list.max"),
    # Polars adds floats in another order when any row of the batch holds a null; without nulls there is one order.
    Function("list.sum", "ListExpr.Sum", lambda a: a.list.drop_nulls().list.sum(), sql=_INSTEAD.format("sum")),
    Function("list.mean", "ListExpr.Mean", lambda a: a.list.drop_nulls().list.mean(), sql=_INSTEAD.format("mean")),
    _plain("ListExpr.DropNulls", "list.drop_nulls"),
    _plain("ListExpr.Contains", "list.contains", 2, nulls_equal=_bool("nulls_equal")),
    _plain("ListExpr.Join", "list.join", 2, ignore_nulls=_bool()),
    # What Polars makes of SQL's own arithmetic; it is kept as text.
    Function("sql.divide", "op.RustDivide", None, 2, 2),
    Function("sql.operator", "Sql.Binary", None, 2, 2, {"sign": Option(str, words=_SQL_SIGNS)}),
    Function("sql.round", "Sql.Round", None, options={"decimals": Option(int, "decimals")}),
    Function("sql.to_float", "Sql.ToFloat", None),
    Function("is_in", "Sql.IsIn", None, 2, 2, {"nulls_equal": _bool("nulls_equal")}),
)  # fmt: skip


def _clip(value: pl.Expr, bounds: tuple[pl.Expr, ...], lower: bool, upper: bool) -> pl.Expr:
    if len(bounds) != lower + upper:
        raise ValueError("clip has one bound for each side that is bounded")
    return value.clip(bounds[0] if lower else None, bounds[-1] if upper else None)


BY_POLARS: Final[Mapping[str, Function]] = {function.polars: function for function in _FUNCTIONS}
"""The allowed functions by Polars' own place for them."""
BY_NAME: Final[Mapping[str, Function]] = {each.name: each for each in _FUNCTIONS if each.build is not None}
"""The allowed functions by our name, without those that only SQL text can make."""
