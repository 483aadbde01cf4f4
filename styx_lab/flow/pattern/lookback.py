"""A condition that looks back, split: what depends on the event alone, what on the partial match, and a little above.

Laws: what depends on the event alone stays an ordinary expression, evaluated once a batch; what a partial match must be
asked is told by name; the little program above them is data.

The program's values are doubles, truths and nulls, and text where two texts are compared; a time is a whole number of
microseconds (`comparable`). Its logic has three values: a comparison or sum with null is null, `and` and `or` are
decided by one side where one side decides, and null at the top is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from styx_lab.errors import ExpressionError
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.tree import Tree, columns_of, tree_text
from styx_lab.flow.pattern.matched import Fold, fold_of

__all__ = ["OPERATIONS", "Lookback", "Program", "comparable", "folds_of", "shown"]

Program = tuple[Any, ...]
"""`("input", i)`, `("fold", i)`, `("const", value)`, or an operation with its arguments, which are programs."""

OPERATIONS: Final = {
    "add": 2, "subtract": 2, "multiply": 2, "divide": 2, "negate": 1,
    "equal": 2, "not_equal": 2, "less": 2, "less_or_equal": 2, "greater": 2, "greater_or_equal": 2,
    "and": 2, "or": 2, "not": 1, "is_null": 1, "is_not_null": 1, "coalesce": None,
}  # fmt: skip
"""What a program may do, with the number of arguments; `coalesce` takes any: the first that is not null."""
_NAMES: Final = {"fill_null": "coalesce"}
_MICROSECONDS: Final = {"us": 1, "ms": 1_000}
_HINT: Final = "write the condition as a Python function (event, match) -> bool"
_DAY_US: Final = 86_400_000_000


def folds_of(expression: Expression) -> tuple[Fold, ...]:
    """The look-backs of an expression, each once; none where it is one of the event alone."""
    found = (fold_of(name) for name in sorted(expression.columns()))
    return tuple(fold for fold in found if fold is not None)


def shown(expression: Expression) -> str:
    """The expression as a person would write it, look-backs too."""
    text = expression.text
    for fold in folds_of(expression):
        text = text.replace(fold.name, str(fold))
    return text


def comparable(values: pl.Series) -> pl.Series:
    """A column as a program takes it: times and lengths of time as int64 microseconds, all else as it is.

    >>> from datetime import timedelta
    >>> comparable(pl.Series([timedelta(milliseconds=2)])).to_list()
    [2000]
    """
    dtype = values.dtype
    if isinstance(dtype, pl.Datetime):
        return values.cast(pl.Datetime("us", dtype.time_zone)).to_physical()
    if isinstance(dtype, pl.Date):
        return values.cast(pl.Datetime("us")).to_physical()
    if isinstance(dtype, pl.Duration):
        return values.cast(pl.Duration("us")).to_physical()
    return values


@dataclass(frozen=True, slots=True)
class Lookback:
    """A condition that looks back.

    >>> from styx_lab import col, matched
    >>> looking = Expression.of(col("amount") * 1.1 > 2 * matched("a").amount.sum(), where="doc")
    >>> split = Lookback.of(looking, where="doc")
    >>> split.inputs, split.folds
    ((Expression(amount * 1.1),), (Fold(part='a', word='sum', column='amount'),))
    >>> split.program
    ('greater', ('input', 0), ('multiply', ('const', 2), ('fold', 0)))

    Attributes:
        inputs: the largest parts of it that depend on the event alone.
        folds: what it asks of the partial match.
        program: what is made of them.
    """

    inputs: tuple[Expression, ...]
    folds: tuple[Fold, ...]
    program: Program

    @staticmethod
    def of(expression: Expression, *, where: str) -> Lookback:
        """Split an expression; one without look-backs is an input, and that is the program.

        Raises:
            ExpressionError: when something stands above a look-back that a program cannot do; it names it.
        """
        if not folds_of(expression):
            return Lookback((expression,), (), ("input", 0))
        splitter = _Splitter(where)
        stored = expression.to_json()
        if "tree" not in stored:
            raise ExpressionError(
                "SQL text cannot look back", where=where, hint="col('amount') > matched('a').amount.sum(), as Polars"
            )
        program = splitter.program(stored["tree"])
        return Lookback(tuple(splitter.inputs), tuple(splitter.folds), program)

    def input_dtypes(self, schema: Mapping[str, pl.DataType], *, where: str) -> tuple[pl.DataType, ...]:
        """The type of each input over events of a schema.

        Raises:
            ExpressionError: on a type that a program cannot compare exactly.
        """
        return tuple(_exact(one.check(schema, where=where), where=f"{where}, {one.text}") for one in self.inputs)

    def fold_dtypes(self, schema: Mapping[str, pl.DataType], *, where: str) -> tuple[pl.DataType, ...]:
        """The type of each look-back over events of a schema.

        Raises:
            ExpressionError: on a column that is not there, or whose type cannot be looked back at so.
        """
        return tuple(fold_dtype(fold, schema, where=where) for fold in self.folds)


def fold_dtype(fold: Fold, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
    """The type that a look-back gives over events of a schema.

    Raises:
        ExpressionError: on a column that is not there, or whose type cannot be looked back at so.
    """
    if fold.column is None:
        return pl.Int64()
    Expression.of(pl.col(fold.column), where=where).check(schema, where=f"{where}, {fold}")
    dtype = schema[fold.column]
    if fold.word in ("first", "last"):
        if dtype.is_nested() or dtype == pl.Binary():
            raise ExpressionError(
                "a look-back reads numbers, text, truths and times",
                where=f"{where}, {fold}",
                got=str(dtype),
                hint=_HINT,
            )
        return _exact(dtype, where=f"{where}, {fold}")
    if not dtype.is_numeric():
        raise ExpressionError(
            f"{fold.word}() is of numbers", where=f"{where}, {fold}", got=str(dtype), hint="first() or last()"
        )
    return pl.Float64()


def _exact(dtype: pl.DataType, *, where: str) -> pl.DataType:
    """The type, if a program keeps every value of it apart: a time in microseconds, a whole number in 64 bits.

    Raises:
        ExpressionError: when it does not.
    """
    if dtype == pl.UInt64 or (isinstance(dtype, pl.Datetime | pl.Duration) and dtype.time_unit == "ns"):
        hint = f"cast it to {'Int64' if dtype == pl.UInt64 else 'microseconds'}"
        raise ExpressionError("a look-back cannot compare values of this type", where=where, got=str(dtype), hint=hint)
    return dtype


class _Splitter:
    def __init__(self, where: str) -> None:
        self._where = where
        self.inputs: list[Expression] = []
        self.folds: list[Fold] = []

    def program(self, tree: Tree) -> Program:
        while tree.get("call") == "alias":
            (tree,) = tree["of"]
        if "column" in tree:
            fold = fold_of(tree["column"])
            return ("fold", _place(self.folds, fold)) if fold else self._input(tree)
        if "literal" in tree:
            return ("const", self._constant(tree["literal"]))
        if not any(fold_of(name) for name in columns_of(tree)):
            return self._input(tree)
        name = _NAMES.get(tree["call"], tree["call"])
        if name not in OPERATIONS:
            raise ExpressionError(
                f"{_spoken(tree)} cannot be made of what a match has taken so far",
                where=self._where,
                hint=f"use + - * /, comparisons, & | ~, fill_null, coalesce, is_null, is_not_null; or {_HINT}",
            )
        return (name, *(self.program(one) for one in tree["of"]))

    def _input(self, tree: Tree) -> Program:
        return ("input", _place(self.inputs, Expression.from_json({"version": 1, "tree": tree}, where=self._where)))

    def _constant(self, literal: list[Any]) -> Any:
        match literal:
            case ["null", *_]:
                return None
            case ["int" | "float" | "bool" | "str", value] | ["number", value, _]:
                return value
            case ["decimal", digits, scale]:
                return int(digits) / 10**scale
            case ["date", days]:
                return days * _DAY_US
            case ["datetime", count, unit, _] | ["duration", count, unit]:
                return count // 1_000 if unit == "ns" else count * _MICROSECONDS[unit]
        raise ExpressionError(
            "a constant that a look-back cannot be compared with",
            where=self._where,
            got=tree_text({"literal": literal}),
            hint=_HINT,
        )


def _spoken(tree: Tree) -> str:
    return str(tree["call"]) if tree["call"] != "when" else "when/then/otherwise"


def _place(known: list[Any], one: Any) -> int:
    if one not in known:
        known.append(one)
    return known.index(one)
