"""What needs no query: conditions and parts of a match, read from the columns where they lie.

Law (oracle): what is answered here is what a query of Polars answers, to the last bit: null is neither true nor false,
NaN is equal to itself and greater than all else, 0 and -0 are equal. What is not known to be so is left to a query.

A query costs as much as some thousand comparisons, whatever the batch; most conditions of patterns and filters are a
comparison of a column with a constant, or two.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.flow.expression.expression import Expression
from styx_lab.flow.expression.tree import Tree, columns_of

__all__ = ["Direct", "NotDirect", "Truth", "direct"]


class NotDirect(Exception):
    """This frame's columns are for a query."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a condition gives for each row.

    Attributes:
        true: bool, where it is true.
        null: bool, where it is null; None where it is nowhere.
    """

    true: np.ndarray
    null: np.ndarray | None = None

    @property
    def false(self) -> np.ndarray:
        """Where it is false."""
        return ~self.true if self.null is None else ~(self.true | self.null)


_Column = Callable[[pl.DataFrame], pl.Series]
_Condition = Callable[[pl.DataFrame], Truth]


@dataclass(frozen=True, slots=True)
class Direct:
    """How to read an expression without a query.

    Attributes:
        reads: the columns that it reads.
        column: gives its values, where it is a column or a part of one; else None.
        condition: gives them where it is a condition; raises `NotDirect` where the columns are of other types than it
            knows. None where it is no condition that is known here.
    """

    reads: frozenset[str]
    column: _Column | None
    condition: _Condition | None


@lru_cache(maxsize=4096)
def direct(expression: Expression) -> Direct:
    """How to read an expression without a query.

    >>> frame = pl.DataFrame({"amount": [700.0, None, 3.0]})
    >>> told = direct(Expression.of("amount > 500", where="doc")).condition
    >>> told and told(frame)
    Truth(true=array([ True, False, False]), null=array([False,  True, False]))
    """
    reads = frozenset(columns_of(expression.tree))
    # A constant alone is repeated for each row, by whoever knows how many there are.
    column = _column(expression.tree)
    return Direct(reads, column, _condition(expression.tree) if reads else None)


def _column(tree: Tree) -> _Column | None:
    match tree:
        case {"column": str() as name}:
            return lambda frame: frame.get_column(name)
        case {"call": "alias", "of": [inner]}:
            return _column(inner)
        case {"call": "field", "of": [inner], "with": {"name": name}}:
            return _part(_column(inner), name)
    return None


def _part(whole: _Column | None, name: str) -> _Column | None:
    if whole is None:
        return None

    def part(frame: pl.DataFrame) -> pl.Series:
        struct = whole(frame)
        try:
            # Its parts are null where the struct is.
            return struct.struct.unnest().get_column(name)
        except (pl.exceptions.PolarsError, AttributeError) as error:
            raise NotDirect from error

    return part


def _condition(tree: Tree) -> _Condition | None:  # noqa: PLR0911 - a table of shapes
    match tree:
        case {"column": _} | {"call": "field"}:
            flag = _column(tree)
            return None if flag is None else lambda frame: _flag(flag(frame))
        case {"call": "alias", "of": [inner]}:
            return _condition(inner)
        case {"call": "cast", "of": [inner], "with": {"dtype": "bool"}}:
            # Of what is true or false already, as SQL's NOT has it.
            return _condition(inner)
        case {"call": "not", "of": [inner]}:
            return _not(_condition(inner))
        case {"call": "and" | "all_horizontal" as name, "of": of} | {"call": "or" | "any_horizontal" as name, "of": of}:
            return _joined(name in ("and", "all_horizontal"), [_condition(one) for one in of])
        case {"call": "is_null" | "is_not_null" as name, "of": [inner]}:
            column, wanted = _column(inner), name == "is_null"
            return None if column is None else lambda frame: _nulls(column(frame), wanted=wanted)
        case {"call": "is_in", "of": [inner, {"literal": ["list", _, values]}], "with": {"nulls_equal": False}}:
            return _one_of(_column(inner), values)
        case {"call": "is_between", "of": [inner, low, high], "with": {"closed": closed}}:
            above, below = _BETWEEN[closed]
            return _joined(True, [_compared(above, inner, low), _compared(below, inner, high)])
        case {"call": "sql.operator", "of": [left, right], "with": {"sign": sign}} if sign in _OF_SIGN:
            return _compared(_OF_SIGN[sign], left, right)
        case {"call": name, "of": [left, right]} if name in _NUMBERS:
            return _compared(name, left, right)
    return None


_BETWEEN: Final = {
    "both": ("greater_or_equal", "less_or_equal"),
    "left": ("greater_or_equal", "less"),
    "right": ("greater", "less_or_equal"),
    "none": ("greater", "less"),
}
_OF_SIGN: Final = {
    "==": "equal", "!=": "not_equal", "<": "less", "<=": "less_or_equal", ">": "greater", ">=": "greater_or_equal",
}  # fmt: skip
_TURNED: Final = {
    "less": "greater", "less_or_equal": "greater_or_equal", "greater": "less", "greater_or_equal": "less_or_equal",
}  # fmt: skip
_SERIES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "equal": operator.eq, "not_equal": operator.ne, "less": operator.lt, "less_or_equal": operator.le,
    "greater": operator.gt, "greater_or_equal": operator.ge,
}  # fmt: skip
_NUMBERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    **_SERIES,
    # NaN is greater than any constant, of which none is NaN.
    "greater": lambda values, value: ~(values <= value),
    "greater_or_equal": lambda values, value: ~(values < value),
}
"""Of values without nulls, in NumPy."""
_EXACT: Final = 2**53
_INT64: Final = range(-(2**63), 2**63)
_MOST: Final = 8
"""Of so many values each is compared with a column; of more, a query is faster."""


def _flag(column: pl.Series) -> Truth:
    if not isinstance(column.dtype, pl.Boolean):
        raise NotDirect
    return _of(column)


def _of(told: pl.Series) -> Truth:
    """Of a Boolean column."""
    if not told.null_count():
        return Truth(told.to_numpy())
    # Nulls become NaN.
    numbers = told.cast(pl.Float64).to_numpy()
    return Truth(numbers == 1.0, np.isnan(numbers))


def _not(condition: _Condition | None) -> _Condition | None:
    return None if condition is None else lambda frame: _negated(condition(frame))


def _negated(told: Truth) -> Truth:
    return Truth(told.false, told.null)


def _joined(all_of: bool, of: list[_Condition | None]) -> _Condition | None:
    known = [one for one in of if one is not None]
    if len(known) < len(of) or not known:
        return None

    def told(frame: pl.DataFrame) -> Truth:
        first = known[0](frame)
        for one in known[1:]:
            first = _both(first, one(frame)) if all_of else _either(first, one(frame))
        return first

    return told


def _both(left: Truth, right: Truth) -> Truth:
    true = left.true & right.true
    if left.null is None and right.null is None:
        return Truth(true)
    return Truth(true, ~(true | left.false | right.false))


def _either(left: Truth, right: Truth) -> Truth:
    true = left.true | right.true
    if left.null is None and right.null is None:
        return Truth(true)
    return Truth(true, ~true & ~(left.false & right.false))


def _nulls(column: pl.Series, *, wanted: bool) -> Truth:
    if not column.null_count():
        return Truth(np.full(len(column), not wanted))
    if not isinstance(column.dtype, pl.Boolean | pl.String | pl.Int64 | pl.Float64 | pl.Datetime):
        raise NotDirect
    # Whatever is there is equal to itself, NaN too.
    there = _of(column == column).true  # noqa: PLR0124
    return Truth(~there if wanted else there)


def _one_of(column: _Column | None, values: list[Any]) -> _Condition | None:
    if column is None or not 0 < len(values) <= _MOST or any(type(one) not in (str, int) for one in values):
        return None

    def told(frame: pl.DataFrame) -> Truth:
        of = column(frame)
        if not isinstance(of.dtype, pl.String if isinstance(values[0], str) else pl.Int64):
            raise NotDirect
        first = _of_constant("equal", of, values[0])
        for one in values[1:]:
            # It is null where the column is, whatever the value.
            first = Truth(first.true | _of_constant("equal", of, one).true, first.null)
        return first

    return told


def _compared(name: str, left: Tree, right: Tree) -> _Condition | None:
    ours, theirs = _column(left), _column(right)
    if ours is not None and theirs is not None:
        return lambda frame: _of_columns(name, ours(frame), theirs(frame))
    column, constant = (ours, right) if ours is not None else (theirs, left)
    if column is None or "literal" not in constant:
        return None
    value = _value(constant["literal"])
    word = name if ours is not None else _TURNED.get(name, name)
    return None if value is None else lambda frame: _of_constant(word, column(frame), value)


def _value(literal: list[Any]) -> Any:
    """A constant as Python has it; None of those that only a query knows."""
    match literal:
        case ["int" | "float" | "str" | "bool", value]:
            return value
        case ["decimal", digits, int() as scale] if abs(int(digits)) <= _EXACT and scale <= 22:
            # Both are doubles without loss, so the quotient is the nearest double.
            return int(digits) / 10**scale
    return None


def _of_constant(name: str, column: pl.Series, value: Any) -> Truth:
    dtype = column.dtype
    if isinstance(dtype, pl.Float64):
        if type(value) is not float and (type(value) is not int or abs(value) > _EXACT):
            raise NotDirect
        value = float(value)
    elif isinstance(dtype, pl.Int64):
        if type(value) is not int or value not in _INT64:
            raise NotDirect
    elif not isinstance(dtype, pl.String) or type(value) is not str:
        if not isinstance(dtype, pl.Boolean) or type(value) is not bool or name not in ("equal", "not_equal"):
            raise NotDirect
        told = _of(column)
        return told if value is (name == "equal") else _negated(told)
    if isinstance(dtype, pl.String) or column.null_count():
        return _of(_SERIES[name](column, value))
    return Truth(_NUMBERS[name](column.to_numpy(), value))


def _of_columns(name: str, left: pl.Series, right: pl.Series) -> Truth:
    dtype = left.dtype
    if not isinstance(dtype, pl.Float64 | pl.Int64 | pl.String | pl.Datetime) or dtype != right.dtype:
        raise NotDirect
    return _of(_SERIES[name](left, right))
