"""The comparisons of the neutral form of patterns, as conditions of our own.

Law: a comparison with what is missing, or of two kinds of value, is false whatever it asks. Null is false in a
condition anyhow; kinds are known where the events' columns are.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import polars as pl

from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern.conditions import ALWAYS, Condition, Either, Where
from styx_lab.flow.pattern.matched import Fold, FoldWord

__all__ = ["comparison", "subtypes"]

_SIGNS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS: Final = {
    "sum": "sum",
    "avg": "mean",
    "min": "min",
    "max": "max",
    "count": "count",
    "first": "first",
    "last": "last",
}
_UNDER: Final = {"event": None, "sub": ("sub", "subsub"), "subsub": ("subsub",), "other": ("other",)}
_KIND: Final = "kind"

Columns = Mapping[str, pl.DataType] | None


def subtypes(kind: str, columns: Columns, *, where: str) -> Condition:
    """The condition that an event is of a class, or of one under it."""
    kinds = _UNDER.get(kind, (kind,))
    if kinds is None:
        return ALWAYS
    if _kind_of(_KIND, columns) not in ("str", None):
        return Either()
    return Where(Expression.of(pl.col(_KIND).is_in(kinds), where=where))


def comparison(value: Any, columns: Columns, *, where: str) -> Condition:
    """The condition of a comparison of a field with a constant, or with what the match has taken so far.

    Raises:
        FlowError: when it is none.
    """
    match value:
        case {"op": str() as sign, "field": str() as field, "value": constant, **more} if sign in _SIGNS and not more:
            kind = _kind_of(field, columns)
            if constant is None or kind == "" or kind not in (None, _kind(constant)):
                return Either()
            return Where(Expression.of(_SIGNS[sign](pl.col(field), pl.lit(constant)), where=where))
        case {"op": str() as sign, "field": str() as field, "agg": {"fn": str() as word, "of": str() as part} as how}:
            of = None if word == "count" else cast("Mapping[str, Any]", how).get("field", "")
            if sign in _SIGNS and word in _WORDS and (of is None or isinstance(of, str)):
                fold = Fold(part, cast("FoldWord", _WORDS[word]), of)
                return _looking_back(sign, field, fold, value, columns, where=where)
    raise FlowError("unknown condition in a pattern's JSON", where=where, got=value, hint="see docs/patterns.md")


def _looking_back(
    sign: str, field: str, fold: Fold, value: Mapping[str, Any], columns: Columns, *, where: str
) -> Condition:
    empty = bool(value.get("empty", False)) and fold.word not in ("sum", "count")
    # Without columns there is no knowing; the values are then taken to be of kinds that fit.
    of = "number" if fold.column is None else _kind_of(fold.column, columns)
    given = of if fold.word in ("first", "last") else "number"
    there = of != "" if fold.word in ("first", "last") else of in ("number", None)
    if not there and fold.word != "sum":
        # No event has such a value, so there is nothing to compare with.
        return ALWAYS if empty else Either()
    result = pl.col(fold.name) if there else pl.lit(0.0)
    times, plus = value["agg"].get("mul", 1), value["agg"].get("add", 0)
    if (times, plus) != (1, 0) and given in ("number", None):
        result = result * times + plus
    fits = given is None or _kind_of(field, columns) in (given, None)
    found = _SIGNS[sign](pl.col(field), result) if fits else None
    if found is None:
        return Where(Expression.of(pl.col(fold.name).is_null(), where=where)) if empty else Either()
    return Where(Expression.of(pl.col(fold.name).is_null() | found if empty else found, where=where))


def _kind_of(field: str, columns: Columns) -> str | None:
    """The kind of a field's values: `number`, `str` or `bool`; nothing where there is no such column; None unknown."""
    if columns is None:
        return None
    dtype = columns.get(field)
    if dtype is None:
        return ""
    return (
        "bool" if dtype == pl.Boolean() else "str" if dtype == pl.String() else "number" if dtype.is_numeric() else ""
    )


def _kind(constant: Any) -> str:
    return "bool" if isinstance(constant, bool) else "str" if isinstance(constant, str) else "number"
