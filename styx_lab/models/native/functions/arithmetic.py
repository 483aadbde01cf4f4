"""`+ - * /` and the aggregates `min max sum avg product`.

Law: whole numbers stay whole (and `/` cuts off, as the reference does), floats stay float, everything else is double.
Two missing-value rules: `+ - * /` give a missing value, the aggregates leave missing arguments out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from styx_lab.models.native.column import NUMERIC, Column, Rows, either, first_error, where_error
from styx_lab.models.native.functions.function import Function, together
from styx_lab.models.native.values import cast, storage

__all__ = ["FUNCTIONS", "common_type", "numeric"]

_LARGEST: Final = 2**31 - 1


def numeric(column: Column, rows: Rows) -> Column:
    """A column that arithmetic can take; values of other types are errors."""
    if column.type in NUMERIC:
        return column
    return Column("double", np.zeros(1), column.missing, first_error(column.errors, _refused(column, rows)))


def _refused(column: Column, rows: Rows) -> np.ndarray | None:
    present = ~column.gaps
    return where_error(present, rows.error(f"expected a number, got a value of type {column.type}"))


def common_type(columns: Sequence[Column]) -> str:
    """The widest of some numeric types."""
    return max((each.type for each in columns), key=lambda name: NUMERIC.index(name) if name in NUMERIC else 2)


def _operands(arguments: Sequence[Column], rows: Rows) -> tuple[str, list[Column]]:
    counted = [cast(numeric(each, rows), "integer", rows) if each.type not in NUMERIC else each for each in arguments]
    data_type = common_type(counted)
    return data_type, [cast(each, data_type, rows) for each in counted]


_OPERATE: Final[dict[str, Any]] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


def _arithmetic(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    left, right = arguments
    if left.type == "double" and right.type == "double":  # nearly all there is
        values = _OPERATE[name](left.values, right.values)
        return Column("double", values, either(left.missing, right.missing), first_error(left.errors, right.errors))
    data_type, (left, right) = _operands(arguments, rows)
    missing, errors = together(arguments)
    errors = first_error(errors, left.errors, right.errors)
    a, b = left.values, right.values
    if name == "/" and data_type == "integer":
        zero = b == 0
        values = _divide(a, np.where(zero, 1, b))
        present = zero if missing is None else zero & ~missing
        errors = first_error(errors, where_error(present, rows.error(f"function {name!r}: division by zero")))
    else:
        values = _OPERATE[name](a, b)
    if data_type == "integer":
        errors = first_error(errors, _overflow(values, name, rows))
    return Column(data_type, values, missing, errors)


def _divide(a: Any, b: Any) -> Any:
    quotient = np.abs(a) // np.abs(b)
    return np.where((a < 0) != (b < 0), -quotient, quotient)


def _overflow(values: Any, name: str, rows: Rows) -> Any:
    beyond = (values > _LARGEST) | (values < -_LARGEST - 1)
    return where_error(beyond, rows.error(f"function {name!r}: the result is too large for an integer"))


def _aggregate(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    if not arguments:
        return Column.nothing()
    data_type, operands = _operands(arguments, rows)
    _, errors = together(arguments)
    errors = first_error(errors, *(each.errors for each in operands))
    wide = "double" if name != "min" and name != "max" else data_type
    operands = [cast(each, wide, rows) for each in operands]
    found: Any = np.zeros(1, dtype=storage(wide))
    count: Any = np.zeros(1, dtype=np.int64)
    with np.errstate(all="ignore"):
        for each in operands:
            present = ~each.gaps
            fresh = present & (count == 0)
            count = count + present
            if name == "avg":
                found = np.where(present, found + (each.values - found) / np.maximum(count, 1), found)
                continue
            joined = {"sum": np.add, "product": np.multiply, "min": np.minimum, "max": np.maximum}[name](
                found, each.values
            )
            found = np.where(fresh, each.values, np.where(present, joined, found))
    missing = count == 0
    # Sums and products are reckoned in doubles and told in the arguments' type; an average is a double.
    result = Column(wide, found, missing if missing.any() else None, errors)
    return result if name == "avg" else cast(result, data_type, rows)


FUNCTIONS: Final = {
    **{name: Function(_arithmetic, 2, 2) for name in ("+", "-", "*", "/")},
    **{name: Function(_aggregate, 0, None) for name in ("min", "max", "sum", "avg", "product")},
}
