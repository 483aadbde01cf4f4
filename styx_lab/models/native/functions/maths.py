"""Functions of one or two numbers: powers, logarithms, roundings, trigonometry, the normal distribution.

Law: a missing argument is refused; a result that is no number is refused by the caller (see `apply.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from styx_lab.models.native.column import NUMERIC, Column, Rows, first_error, where_error
from styx_lab.models.native.functions.arithmetic import common_type, numeric
from styx_lab.models.native.functions.function import Function, no_missing, together
from styx_lab.models.native.values import cast

__all__ = ["FUNCTIONS"]

_LARGEST: Final = 2**31 - 1
_erf: Final = np.frompyfunc(math.erf, 1, 1)


def _number(column: Column, rows: Rows) -> Column:
    """A number; a text is read as one, a boolean is 0 or 1."""
    return column if column.type in NUMERIC else cast(column, "double", rows)


def _one(function: Callable[[Any], Any], data_type: str | None = "double") -> Function:
    """A function of one number; `data_type` is that of its result, `None` for its argument's."""

    def call(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
        argument = _number(arguments[0], rows)
        errors = no_missing(arguments, rows, name)
        with np.errstate(all="ignore"):
            values = np.asarray(function(argument.values if data_type is None else argument.numbers))
        if data_type == "integer":
            beyond = ~(np.abs(values) <= _LARGEST) & ~argument.gaps
            errors = first_error(errors, where_error(beyond, rows.error(f"function {name!r}: integer overflow")))
            values = np.where(beyond | argument.gaps, 0, values).astype(np.int64)
        return Column(data_type or argument.type, values, argument.missing, first_error(errors, argument.errors))

    return Function(call, 1, 1)


def _two(function: Callable[[Any, Any], Any]) -> Function:
    def call(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
        left, right = (_number(each, rows) for each in arguments)
        missing, _ = together(arguments)
        errors = no_missing(arguments, rows, name)
        with np.errstate(all="ignore"):
            values = np.asarray(function(left.numbers, right.numbers), dtype=np.float64)
        whole = left.type == right.type == "integer" and name in ("pow", "threshold")
        result = Column("double", values, missing, first_error(errors, left.errors, right.errors))
        return cast(result, "integer", rows) if whole and np.all(np.abs(values) <= _LARGEST) else result

    return Function(call, 2, 2)


def _modulo(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    counted = [numeric(each, rows) for each in arguments]
    data_type = common_type(counted)
    left, right = (cast(each, data_type, rows) for each in counted)
    missing, errors = together(arguments)
    errors = first_error(errors, left.errors, right.errors)
    divisor: Any = right.values
    if data_type == "integer":
        zero = divisor == 0
        present = zero if missing is None else zero & ~missing
        errors = first_error(errors, where_error(present, rows.error(f"function {name!r}: division by zero")))
        divisor = np.where(zero, 1, divisor)
    with np.errstate(all="ignore"):
        # Towards the divisor's sign: what `floor` leaves. An infinite value has no remainder.
        values = np.mod(left.values, divisor)
    return Column(data_type, values, missing, errors)


def _inverse_normal(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    argument = _number(arguments[0], rows)
    errors = no_missing(arguments, rows, name)
    bad = ~((argument.numbers >= 0) & (argument.numbers <= 1)) & ~argument.gaps
    errors = first_error(errors, where_error(bad, rows.error(f"function {name!r} takes numbers from 0 to 1")))
    return Column("double", _quantile(argument.numbers), argument.missing, first_error(errors, argument.errors))


def _quantile(values: Any) -> Any:
    """The standard normal distribution's value below which a share of it lies."""
    from statistics import NormalDist

    normal = NormalDist()
    edge = {0.0: -math.inf, 1.0: math.inf}
    return np.array(
        [edge[each] if each in edge else (normal.inv_cdf(each) if 0 < each < 1 else 0.0) for each in values.tolist()]
    )


def _density(values: Any) -> Any:
    return np.exp(-0.5 * values * values) / math.sqrt(2.0 * math.pi)


def _share(values: Any) -> Any:
    return 0.5 * (1.0 + _erf(values / math.sqrt(2.0)).astype(np.float64))


def _normal(function: Callable[[Any], Any]) -> Function:
    """A function of the normal distribution with a mean and a standard deviation."""

    def call(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
        value, mean, deviation = (_number(each, rows) for each in arguments)
        missing, _ = together(arguments)
        errors = first_error(no_missing(arguments, rows, name), value.errors, mean.errors, deviation.errors)
        x, m, s = value.numbers, mean.numbers, deviation.numbers
        with np.errstate(all="ignore"):
            if name == "normalIDF":
                bad = ~((x >= 0) & (x <= 1)) & ~value.gaps
                errors = first_error(
                    errors, where_error(bad, rows.error(f"function {name!r} takes numbers from 0 to 1"))
                )
                values = function(x) * s + m
            else:
                values = function((x - m) / s)
                values = values / s if name == "normalPDF" else values
        return Column("double", values, missing, errors)

    return Function(call, 3, 3)


def _round(values: Any) -> Any:
    """Halves go up, as in Java."""
    return np.floor(values + 0.5)


FUNCTIONS: Final = {
    "log10": _one(np.log10),
    "ln": _one(np.log),
    "ln1p": _one(np.log1p),
    "exp": _one(np.exp),
    "expm1": _one(np.expm1),
    "sqrt": _one(np.sqrt),
    "abs": _one(np.abs, None),
    "sin": _one(np.sin),
    "cos": _one(np.cos),
    "tan": _one(np.tan),
    "asin": _one(np.arcsin),
    "acos": _one(np.arccos),
    "atan": _one(np.arctan),
    "sinh": _one(np.sinh),
    "cosh": _one(np.cosh),
    "tanh": _one(np.tanh),
    "rint": _one(np.rint, None),
    "floor": _one(np.floor, "integer"),
    "ceil": _one(np.ceil, "integer"),
    "round": _one(_round, "integer"),
    "erf": _one(lambda values: _erf(values).astype(np.float64)),
    "normalCDF": _normal(_share),
    "normalPDF": _normal(_density),
    "normalIDF": _normal(_quantile),
    "stdNormalCDF": _one(_share),
    "stdNormalPDF": _one(_density),
    "stdNormalIDF": Function(_inverse_normal, 1, 1),
    "pow": _two(np.power),
    "hypot": _two(np.hypot),
    "threshold": _two(lambda value, limit: (value > limit) * 1.0),
    "modulo": Function(_modulo, 2, 2),
    "x-modulo": Function(_modulo, 2, 2),
}
