"""What an expression may not use, in the user's words, and what to use instead.

Law: a refusal names the function as the user wrote it and says what to do. Whatever the allow-list does not have is
refused, known here or not; this file only makes the message better.
"""

from __future__ import annotations

import re
from typing import Any, Final

from styx_lab.errors import ExpressionError

__all__ = ["ALLOWED", "CLOCK", "WINDOW", "refusal", "spoken"]

ALLOWED: Final = "see docs/expressions.md for the functions that can be used"
CLOCK: Final = "use the event's own time, the column _time (or _arrival)"
WINDOW: Final = "use window(...) for an aggregate over events"
_PATTERN: Final = "use window(...) over events, or detect(...) with a pattern for what comes before and after"
_ROWS: Final = "an expression gives one value for each event; use filter(...) to drop events"
_PYTHON: Final = "write it with Polars functions, which run on every engine"
_RANDOM: Final = "chance would differ in a replay; take a part of a column of the event instead"
_COLUMNS: Final = "name each column"
_LIST_EVAL: Final = "use list.len, list.get, list.sum, list.mean, list.min, list.max or list.contains"

_PREFIX: Final = {
    "StringExpr": "str.", "TemporalExpr": "dt.", "ListExpr": "list.", "ArrayExpr": "arr.", "BinaryExpr": "bin.",
    "StructExpr": "struct.", "CategoricalExpr": "cat.", "Boolean": "", "Range": "", "Bitwise": "bitwise_", "Pow": "",
    "Trigonometry": "", "Business": "", "RollingExpr": "rolling_", "RollingExprBy": "rolling_", "Random": "", "Sql": "",
}  # fmt: skip
_SPOKEN: Final = {
    "str.concat_vertical": "str.join", "fill_null_with_strategy": "fill_null(strategy=...)", "rleid": "rle_id",
    "q_cut": "qcut", "nunique": "n_unique", "correlation": "corr", "as_struct": "struct",
}  # fmt: skip
_HINTS: Final = {
    _PATTERN: "over|rolling.*|shift|diff|cum_.*|ewm_.*|pct_change|rank|interpolate.*|fill_null.*|rle.*|.*fold.*|"
    "peak_.*|is_unique|is_duplicated|is_(first|last)_distinct|search_sorted|index_of",
    _RANDOM: "sample|shuffle|random",
    _ROWS: "sort.*|arg_sort|reverse|slice|filter|explode|unique.*|gather.*|drop_(nulls|nans)|top_k.*|value_counts|mode|"
    "append|repeat.*|reshape|int_range.*|date.*_range.*|linear_space|extend_constant",
    WINDOW: "sum|mean|min|max|count|n_unique|median|std|var|first|last|implode|quantile|product|any|all|null_count|len|"
    r"has_nulls|is_empty|arg_.*|item|skew|kurtosis|entropy|corr|cov|hist|cut|qcut|str\.join|bitwise_.*|(min|max)_by|"
    "approx_n_unique|nan_.*",
}


def spoken(form: Any) -> str:
    """A part of Polars' own form of an expression, as the user wrote it."""
    return _spoken(form)[0]


def refusal(form: Any, *, where: str) -> ExpressionError:
    """The error for a part of Polars' own form of an expression that the allow-list does not have."""
    name, hint = _spoken(form)
    if hint is None:
        hint = next((found for found, pattern in _HINTS.items() if re.fullmatch(pattern, name)), ALLOWED)
    return ExpressionError(f"{name} cannot be used in an expression", where=where, hint=hint)


def _spoken(form: Any) -> tuple[str, str | None]:  # noqa: PLR0911 - a table of shapes
    """What the user wrote, and a hint where the place alone gives it."""
    match form:
        case "Len":
            return "len", WINDOW
        case str():
            return _snake(form), ALLOWED
        case {"Agg": which}:
            return _named(_snake(next(iter(which)))), WINDOW
        case {"AnonymousFunction": _} | {"AnonymousAgg": _} | {"RenameAlias": {"function": {"Map": _}}}:
            return "a Python function (map_elements, map_batches, ...)", _PYTHON
        case {"KeepName": _} | {"RenameAlias": _}:
            return "name.*", "give the column its name with alias(...) or as a keyword"
        case {"Selector": _}:
            return "a choice of several columns (a list, a pattern, a type, all())", _COLUMNS
        case {"SubPlan": _}:
            return "a subquery", "use enrich(...) to look something up in a table"
        case {"Eval": _}:
            return "list.eval", _LIST_EVAL
        case {"Over": _}:
            return "over", None
        case {"BinaryExpr": {"op": op}}:
            return f"the operator {op}", ALLOWED
        case {"Cast": _}:
            return "a cast to a type that is computed", "cast to a type by its name"
        case {"Function": {"function": str() as word}}:
            return _named(_snake(word)), None
        case {"Function": {"function": inner}}:
            return _inside(inner)
        case dict() if len(form) == 1:
            return _named(_snake(next(iter(form)))), None
    return "this", ALLOWED


def _inside(function: dict[str, Any]) -> tuple[str, str | None]:
    ((group, rest),) = function.items()
    if group not in _PREFIX:
        python = isinstance(rest, dict) and "callback" in rest
        return _named(_snake(group)), _PYTHON if python else None
    if group == "Random":
        method = rest["method"]
        return _snake(method if isinstance(method, str) else next(iter(method))), None
    if group.startswith("Rolling"):
        word = rest.get("function") or rest.get("function_by") or ""
        return _named(_PREFIX[group] + _snake(word if isinstance(word, str) else next(iter(word)))), None
    word = rest if isinstance(rest, str) else next(iter(rest))
    return _named(_PREFIX[group] + _snake(word)), None


def _named(name: str) -> str:
    return _SPOKEN.get(name, name)


def _snake(word: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
