"""What every aggregate of a window has: a function, the value it is of, the type it gives, and its JSON.

Law: an aggregate is frozen data, and one says of itself what its value depends on: `mergeable` (partials of parts of a
window can be put together), `ordered` (the order of arrival can show).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import polars as pl

from styx_lab.errors import ExpressionError, FlowError
from styx_lab.flow.expression import Expression

__all__ = ["Aggregate", "AggregateName", "Value", "number"]

AggregateName = Literal[
    "count", "sum", "mean", "min", "max",
    "var", "std", "median", "quantile", "first", "last", "n_unique", "top_k", "collect", "expr", "custom",
]  # fmt: skip
_MERGEABLE: Final = frozenset({"count", "sum", "mean", "min", "max"})
Value = str | pl.Expr | Expression


def number(function: str, value: Expression, schema: Mapping[str, pl.DataType], where: str) -> pl.DataType:
    """The type of a value that must be a number or true or false.

    Raises:
        ExpressionError: when it is something else.
    """
    dtype = value.check(schema, where=where)
    if not dtype.is_numeric() and dtype != pl.Boolean:
        raise ExpressionError(f"{function}() takes a number", where=where, got=f"{value.text} of type {dtype}")
    return dtype


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over the non-null values of an expression; `count()` without one counts events.

    This class itself is the five that are kept as partials: count, sum, mean, min and max.
    """

    function: AggregateName
    value: Expression | None = None

    @property
    def mergeable(self) -> bool:
        """Whether partials of parts of a window can be merged, so that windows may share panes."""
        return self.function in _MERGEABLE

    @property
    def ordered(self) -> bool:
        """Whether the order of arrival of a window's events can show in the value."""
        return False

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """The type of the result: Int64 for counts and sums of whole numbers, else Float64.

        Raises:
            ExpressionError: when the value is no number.
        """
        if self.value is None:
            return pl.Int64()
        if self.function == "count":
            self.value.check(schema, where=where)
            return pl.Int64()
        dtype = number(self.function, self.value, schema, where)
        return pl.Float64() if self.function == "mean" or dtype.is_float() else pl.Int64()

    def options(self) -> dict[str, Any]:
        """What it has beside function and value, as JSON."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """The aggregate as JSON."""
        value = None if self.value is None else self.value.to_json()
        options = self.options()
        return {"function": self.function, "value": value, **({"options": options} if options else {})}

    @staticmethod
    def from_json(value: Mapping[str, Any], *, where: str) -> Aggregate:
        """The aggregate of `to_json`'s answer, which may come from anywhere: nothing in it is run.

        Raises:
            FlowError: when it is damaged or of a newer version.
        """
        from styx_lab.flow.aggregates.kinds import KINDS

        function: Any = value.get("function")
        if not isinstance(function, str) or function not in KINDS:
            raise FlowError("unknown aggregate in a stored flow", where=where, got=function)
        inner = value.get("value")
        expression = None if inner is None or function == "expr" else Expression.from_json(inner, where=where)
        given: Any = inner if function == "expr" else value.get("options", {})
        try:
            return KINDS[function].read(cast(AggregateName, function), expression, given, where)
        except (AttributeError, KeyError, TypeError) as error:
            raise FlowError("a damaged aggregate in a stored flow", where=where, got=value) from error

    @classmethod
    def read(
        cls, function: AggregateName, value: Expression | None, options: Mapping[str, Any], where: str
    ) -> Aggregate:
        """The aggregate of a stored function, value and options."""
        del where
        if options or (value is None and function != "count"):
            raise KeyError(function)
        return cls(function, value)

    def __str__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options().items())
        return f"{self.function}({self.value.text if self.value else ''}{options})"
