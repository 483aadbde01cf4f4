"""`equal`, `lessThan` and their kin, and `isIn`.

Law: values of two types are compared in the wider one; a missing argument is refused, but not by `isIn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from styx_lab.models.native.column import NUMERIC, Column, Rows, first_error, merge_words, where_error
from styx_lab.models.native.functions.arithmetic import common_type
from styx_lab.models.native.functions.function import Function, no_missing, together
from styx_lab.models.native.values import cast

__all__ = ["FUNCTIONS", "same_type"]

_COMPARE: Final[dict[str, Any]] = {
    "equal": np.equal,
    "notEqual": np.not_equal,
    "lessThan": np.less,
    "lessOrEqual": np.less_equal,
    "greaterThan": np.greater,
    "greaterOrEqual": np.greater_equal,
}


def same_type(left: Column, right: Column, rows: Rows) -> tuple[Column, Column]:
    """Two columns in one type."""
    if left.type == right.type:
        return left, right
    if left.type == "string":
        return left, cast(right, "string", rows)
    if right.type == "string":
        return left, cast(right, left.type, rows)
    if left.type in NUMERIC and right.type in NUMERIC:
        wide = common_type((left, right))
        return cast(left, wide, rows), cast(right, wide, rows)
    wide = left.type if left.type not in ("boolean", *NUMERIC) else "double"
    return cast(left, wide, rows), cast(right, wide, rows)


def _compare(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    missing, _ = together(arguments)
    errors = no_missing(arguments, rows, name)
    left, right = same_type(arguments[0], arguments[1], rows)
    errors = first_error(errors, left.errors, right.errors)
    a, b = left.values, right.values
    if left.type == "string":
        if name not in ("equal", "notEqual"):
            every = np.ones(1, dtype=np.bool_)
            refused = where_error(every, rows.error("texts cannot be compared by their order"))
            return Column("boolean", np.zeros(1, dtype=np.bool_), missing, first_error(errors, refused))
        _, (a, b) = merge_words((left, right))
    return Column("boolean", np.asarray(_COMPARE[name](a, b)), missing, errors)


def _is_in(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    value = arguments[0]
    errors = first_error(*(each.errors for each in arguments))
    found: Any = np.zeros(1, dtype=np.bool_)
    for each in arguments[1:]:
        left, right = same_type(value, each, rows)
        wrong = first_error(left.errors, right.errors)
        if wrong is not None and value.missing is not None:
            wrong = np.where(value.missing, np.int32(0), wrong)  # a missing value is compared with none
        errors = first_error(errors, wrong)
        a, b = left.values, right.values
        if left.type == "string":
            _, (a, b) = merge_words((left, right))
        found = found | ((a == b) & ~left.gaps & ~right.gaps) | (left.gaps & right.gaps)
    return Column("boolean", ~found if name == "isNotIn" else found, None, errors)


FUNCTIONS: Final = {
    **{name: Function(_compare, 2, 2) for name in _COMPARE},
    "isIn": Function(_is_in, 2, None),
    "isNotIn": Function(_is_in, 2, None),
}
