"""The program of a condition that looks back, run in Python: one value after the other, in three-valued logic.

Law (oracle): its values are those of the compiled programs (`compiled/program.py`), to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl

from styx_lab.flow.pattern.lookback import Lookback, Program, comparable
from styx_lab.flow.pattern.matched import Fold

__all__ = ["Asked", "Kind", "column_values", "kind_of"]

Kind = Literal["float", "int", "text"]
_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum)
COMPARISONS: Final[dict[str, Callable[[int], bool]]] = {
    "equal": lambda order: order == 0,
    "not_equal": lambda order: order != 0,
    "less": lambda order: order < 0,
    "less_or_equal": lambda order: order <= 0,
    "greater": lambda order: order > 0,
    "greater_or_equal": lambda order: order >= 0,
}
"""Comparisons, by the order of the two sides: below 0, 0, or above."""


def kind_of(dtype: pl.DataType) -> Kind:
    """How values of a type are compared: as doubles, as whole numbers (times and truths too), or as texts."""
    if dtype in _TEXTS:
        return "text"
    exact = dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128)
    return "int" if exact or dtype.is_temporal() or dtype == pl.Boolean else "float"


def column_values(values: pl.Series, kind: Kind) -> list[Any]:
    """A column's values as programs take them.

    >>> column_values(pl.Series([True, None]), "int")
    [1, None]
    """
    if kind == "text":
        return values.cast(pl.String).to_list()
    if kind == "float":
        return values.cast(pl.Float64).to_list()
    return comparable(values).cast(pl.Int64).to_list()


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A look-back that can be asked about any event and any partial match.

    >>> from styx_lab import col, matched
    >>> from styx_lab.flow.expression import Expression
    >>> more = Lookback.of(Expression.of(col("n") > 2 * matched("a").n.sum(), where="doc"), where="doc")
    >>> asked = Asked.of(more, {"n": pl.Int64()}, [[7, 8, 16]], {("n", "float"): [1.0, 3.0, 0.0]})
    >>> [asked.value(event, [("a", 0), ("a", 1)]) for event in (0, 1, 2)]
    [0, 0, 1]

    Attributes:
        looking: the look-back.
        inputs: the values of each of its inputs, by event.
        fields: the values of columns as they are looked back at, by column and kind, then by event.
        input_kinds, fold_kinds: how they are compared.
    """

    looking: Lookback
    inputs: Sequence[Sequence[Any]]
    fields: Mapping[tuple[str, Kind], Sequence[Any]]
    input_kinds: tuple[Kind, ...]
    fold_kinds: tuple[Kind, ...]

    @staticmethod
    def of(
        looking: Lookback,
        schema: Mapping[str, pl.DataType],
        inputs: Sequence[Sequence[Any]],
        fields: Mapping[tuple[str, Kind], Sequence[Any]],
    ) -> Asked:
        """Put one together.

        Args:
            looking: the look-back.
            schema: the columns of an event.
            inputs, fields: the values of events; see the attributes.
        """
        where = "explain"
        return Asked(
            looking,
            inputs,
            fields,
            tuple(map(kind_of, looking.input_dtypes(schema, where=where))),
            tuple(map(kind_of, looking.fold_dtypes(schema, where=where))),
        )

    def holds(self, event: int, accepted: Sequence[tuple[str, int]]) -> bool:
        """Whether it is true; a null is not."""
        return bool(self.value(event, accepted))

    def value(self, event: int, accepted: Sequence[tuple[str, int]], program: Program | None = None) -> Any:
        """The value of its program, or of a part of it; a truth is 1 or 0, a null None.

        Args:
            event: the event in question.
            accepted: the events that the partial match has taken, in order, each with its part.
            program: the part of the program; all of it without.
        """
        node = self.looking.program if program is None else program
        return self._as(node, self._kind(node), event, accepted)

    def _kind(self, node: Program) -> Kind | None:
        match node:
            case ("const", None):
                return None
            case ("const", value):
                return "text" if isinstance(value, str) else "float" if isinstance(value, float) else "int"
            case ("input", place):
                return self.input_kinds[place]
            case ("fold", place):
                return self.fold_kinds[place]
            case ("add" | "subtract" | "multiply" | "divide" | "negate", *_):
                return "float"
            case ("coalesce", *args):
                kinds = {kind for kind in map(self._kind, args) if kind is not None}
                return "float" if kinds == {"float", "int"} else next(iter(kinds), None)
        return "int"

    def _as(self, node: Program, kind: Kind | None, event: int, accepted: Sequence[tuple[str, int]]) -> Any:
        """The value as a double where that is wanted."""
        value = self._own(node, event, accepted)
        return float(value) if kind == "float" and value is not None else value

    def _own(self, node: Program, event: int, accepted: Sequence[tuple[str, int]]) -> Any:
        match node:
            case ("const", value):
                return int(value) if isinstance(value, bool) else value
            case ("input", place):
                return self.inputs[place][event]
            case ("fold", place):
                return self._fold(self.looking.folds[place], self.fold_kinds[place], accepted)
            case ("negate", inner):
                value = self._as(inner, "float", event, accepted)
                return None if value is None else -value
            case ("add" | "subtract" | "multiply" | "divide" as name, left, right):
                sides = [self._as(side, "float", event, accepted) for side in (left, right)]
                return None if None in sides else _arithmetic(name, *sides)
            case ("and" | "or" as name, left, right):
                return _logic(name == "or", [self._own(side, event, accepted) for side in (left, right)])
            case ("not", inner):
                value = self._own(inner, event, accepted)
                return None if value is None else 1 - value
            case ("is_null" | "is_not_null" as name, inner):
                return int((self._own(inner, event, accepted) is None) == (name == "is_null"))
            case ("coalesce", *args):
                kind = self._kind(node)
                values = (self._as(one, kind, event, accepted) for one in args)
                return next((value for value in values if value is not None), None)
            case (name, left, right):
                return self._comparison(name, left, right, event, accepted)
        raise AssertionError(node)

    def _comparison(self, name: str, left: Program, right: Program, event: int, accepted: Any) -> int | None:
        kinds = {kind for kind in (self._kind(left), self._kind(right)) if kind is not None}
        if "text" in kinds and kinds != {"text"}:
            return None
        kind: Kind = "text" if kinds == {"text"} else "float" if "float" in kinds else "int"
        sides = [self._as(side, kind, event, accepted) for side in (left, right)]
        return None if None in sides else int(COMPARISONS[name](_order(*sides)))

    def _fold(self, fold: Fold, kind: Kind, accepted: Sequence[tuple[str, int]]) -> Any:
        taken = [event for part, event in accepted if part == fold.part]
        if fold.column is None:
            return len(taken)
        values = self.fields[fold.column, kind]
        if fold.word in ("first", "last"):
            return values[taken[0 if fold.word == "first" else -1]] if taken else None
        total, seen = 0.0, 0
        for value in (values[event] for event in taken):
            if value is None:
                continue
            if fold.word in ("sum", "mean"):
                total += value
            elif seen == 0 or (value < total if fold.word == "min" else value > total):
                total = value
            seen += 1
        if fold.word == "sum":
            return total
        if seen == 0:
            return None
        return total / seen if fold.word == "mean" else total


def _order(left: Any, right: Any) -> int:
    """As Polars compares: NaN equals NaN and is greater than all."""
    nan = [isinstance(side, float) and math.isnan(side) for side in (left, right)]
    if any(nan):
        return nan[0] - nan[1]
    return int(left > right) - int(left < right)


def _logic(decides: bool, sides: Sequence[Any]) -> int | None:
    """`and` and `or` of two truths: one side alone may decide."""
    if any(side is not None and bool(side) == decides for side in sides):
        return int(decides)
    return None if None in sides else int(not decides)


def _arithmetic(name: str, left: float, right: float) -> float:
    if name == "add":
        return left + right
    if name == "subtract":
        return left - right
    if name == "multiply":
        return left * right
    if right != 0.0:
        return left / right
    if left == 0.0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)
