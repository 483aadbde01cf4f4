"""The aggregates that may stand inside an expression over a window's events, and what each needs and gives.

Laws: a flow stores these names, so none is ever renamed or given another meaning; none of them can tell in which order
the events came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from styx_lab.errors import ExpressionError
from styx_lab.flow.expression.expression import Expression

__all__ = ["FOLDS", "INTERPOLATIONS", "Fold", "is_fold_column"]

INTERPOLATIONS: Final = ("linear", "lower", "higher", "nearest", "midpoint")
_MARK: Final = "\0fold "
_WHOLE: Final = frozenset({"len", "count", "n_unique", "null_count"})
_REAL: Final = frozenset({"mean", "var", "std", "median", "quantile"})
_TRUTH: Final = frozenset({"any", "all"})

FOLDS: Final[Mapping[str, tuple[str, ...]]] = {
    "len": (), "count": (), "null_count": (), "n_unique": (), "sum": (), "mean": (), "min": (), "max": (),
    "median": (), "any": (), "all": (), "var": ("ddof",), "std": ("ddof",), "quantile": ("q", "interpolation"),
    "sum_or_null": (),
}  # fmt: skip
"""The aggregates by name, with the names of their options; `sum_or_null` is SQL's SUM, null where there is nothing."""


def is_fold_column(name: str) -> bool:
    """Whether a column stands for the value of a fold."""
    return name.startswith(_MARK)


@dataclass(frozen=True, slots=True)
class Fold:
    """One aggregate in an expression.

    Attributes:
        function: its name in `FOLDS`.
        value: what it is of, for each event; may read folds before it. None for `len`.
        condition: which events count; those for which it is true.
        options: its options.
        place: its number, from 0.
    """

    function: str
    value: Expression | None
    condition: Expression | None
    options: Mapping[str, Any]
    place: int

    @property
    def column(self) -> str:
        """The column that stands for its value."""
        return f"{_MARK}{self.place}"

    @property
    def text(self) -> str:
        """How it is shown in messages."""
        return f"{self.function}({self.value.text if self.value else ''})"

    @property
    def columns(self) -> frozenset[str]:
        """All columns that it reads, of the event and of other folds."""
        return frozenset().union(*(each.columns() for each in (self.value, self.condition) if each is not None))

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """The type of its value over events of a schema, in which the folds that it reads stand as well.

        Raises:
            ExpressionError: when the types do not fit.
        """
        if self.condition is not None:
            self.condition.check(schema, where=where, boolean=True)
        dtype = pl.Boolean() if self.value is None else self.value.check(schema, where=where)
        if self.function in _WHOLE:
            return pl.Int64()
        summed = dtype.is_numeric() or dtype == pl.Boolean()
        if self.function in _TRUTH:
            return self._need(dtype == pl.Boolean(), "true or false", dtype, where, pl.Boolean())
        if self.function in _REAL:
            return self._need(summed, "numbers", dtype, where, pl.Float64())
        real: pl.DataType = pl.Float64() if dtype.is_float() else pl.Int64()
        if self.function in ("sum", "sum_or_null"):
            return self._need(summed, "numbers", dtype, where, real)
        found = real if dtype.is_numeric() else dtype
        ordered = not dtype.is_nested() and dtype != pl.Null()
        return self._need(ordered, "values that can be compared", dtype, where, found)

    def _need(self, good: bool, what: str, dtype: pl.DataType, where: str, found: pl.DataType) -> pl.DataType:
        if good:
            return found
        assert self.value is not None
        raise ExpressionError(f"{self.function} takes {what}", where=where, got=f"{self.value.text} of type {dtype}")
