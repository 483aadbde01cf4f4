"""The layout of a partial: which operations the aggregates of a window need, and what becomes of their words.

Laws: aggregates of the same value share operations, and nothing else is kept; a sum of whole numbers is exact, and one
that 64 bits cannot hold is an error, never another number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.errors import DataError
from styx_lab.flow.aggregate import Aggregate, AggregateName
from styx_lab.flow.expression import Expression
from styx_lab.flow.types import StreamType
from styx_lab.operators.window.partial import (
    NARROW,
    OP_COLUMNS,
    OP_COUNT,
    OP_REAL_MAX,
    OP_REAL_MIN,
    OP_REAL_SUM,
    OP_WHOLE_MAX,
    OP_WHOLE_MIN,
    OP_WHOLE_SUM,
    Array,
    Operations,
)

__all__ = ["Layout"]

_REAL_WORDS: Final = {OP_REAL_SUM: (0.0, 0.0), OP_REAL_MIN: (np.inf,), OP_REAL_MAX: (-np.inf,)}
_WHOLE_WORDS: Final = {
    OP_COUNT: (0,),
    OP_REAL_SUM: (NARROW,),
    OP_WHOLE_SUM: (0, 0),
    OP_WHOLE_MIN: (2**63 - 1,),
    OP_WHOLE_MAX: (-(2**63),),
}
_OPS: Final[dict[tuple[AggregateName, bool], int]] = {
    ("sum", True): OP_REAL_SUM,
    ("sum", False): OP_WHOLE_SUM,
    ("mean", True): OP_REAL_SUM,
    ("mean", False): OP_WHOLE_SUM,
    ("min", True): OP_REAL_MIN,
    ("min", False): OP_WHOLE_MIN,
    ("max", True): OP_REAL_MAX,
    ("max", False): OP_WHOLE_MAX,
}


@dataclass(frozen=True, slots=True)
class _Value:
    expression: Expression
    dtype: pl.DataType
    plain: str | None

    @property
    def real(self) -> bool:
        return self.dtype.is_float()


@dataclass(slots=True)
class Layout:
    """The layout of a partial: which operations make it up and where each has its words.

    Args:
        aggregates: those of a window step, with their columns' names.
        stream: the type of its input.
        where: the step, for errors.
    """

    aggregates: tuple[tuple[str, Aggregate], ...]
    stream: StreamType
    where: str
    operations: list[tuple[int, int]] = field(default_factory=list)
    """Each operation's code and the place of its value."""
    real_at: list[int] = field(default_factory=list)
    whole_at: list[int] = field(default_factory=list)
    real_start: list[float] = field(default_factory=list)
    """What the words of a new partial are."""
    whole_start: list[int] = field(default_factory=list)
    _values: list[_Value] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, aggregate in self.aggregates:
            if aggregate.value is not None:
                value = self._value(name, aggregate.value)
                # A sum of nothing is 0; the others must know whether there was anything.
                if aggregate.function != "sum":
                    self.operation(OP_COUNT, value)
                if aggregate.function != "count":
                    self.operation(_OPS[aggregate.function, self._values[value].real], value)

    def _value(self, name: str, expression: Expression) -> int:
        for place, known in enumerate(self._values):
            if known.expression == expression:
                return place
        where = f"{self.where}, {name!r}"
        dtype = expression.check(self.stream.readable, where=where)
        plain = next((column for column in self.stream.names if expression.stages.last.meta.eq(pl.col(column))), None)
        self._values.append(_Value(expression, dtype, plain))
        return len(self._values) - 1

    def operation(self, code: int, value: int) -> int:
        """The number of an operation on a value; aggregates share operations."""
        if (code, value) not in self.operations:
            self.operations.append((code, value))
            self.real_at.append(len(self.real_start))
            self.whole_at.append(len(self.whole_start))
            self.real_start += _REAL_WORDS.get(code, ())
            self.whole_start += _WHOLE_WORDS.get(code, ())
        return self.operations.index((code, value))

    def compiled(self) -> Operations:
        """The operations as the kernels read them."""
        rows = [
            (code, value, real, whole)
            for (code, value), real, whole in zip(self.operations, self.real_at, self.whole_at, strict=True)
        ]
        return Operations(
            np.array(rows, np.int64).reshape(-1, OP_COLUMNS),
            np.array(self.real_start, np.float64),
            np.array(self.whole_start, np.int64),
        )

    @property
    def computed(self) -> dict[str, Expression]:
        """The expressions that are more than a column, by the names under which `values` looks for their values."""
        return {f"_{place}": value.expression for place, value in enumerate(self._values) if not value.plain}

    def values(self, frame: pl.DataFrame, computed: pl.DataFrame) -> tuple[Array, Array, Array]:
        """The values of a batch's rows, as floats or whole numbers, and whether they are not null.

        Args:
            frame: the rows.
            computed: the values of `computed` for them.

        Raises:
            DataError: when a whole number is beyond 64 bits.
        """
        count, rows = len(self._values), frame.height
        reals, wholes = np.empty((count, rows)), np.empty((count, rows), np.int64)
        valid = np.ones((count, rows), np.bool_)
        for place, value in enumerate(self._values):
            column = frame[value.plain] if value.plain else computed[f"_{place}"]
            if column.null_count():
                valid[place] = column.is_not_null().to_numpy()
            if not value.dtype.is_numeric() and value.dtype != pl.Boolean:
                wholes[place] = 0  # only whether there is one is counted
                continue
            if column.null_count():
                column = column.fill_null(False if value.dtype == pl.Boolean else 0)
            if value.real:
                reals[place] = column.to_numpy()
                continue
            if column.dtype in (pl.UInt64, pl.Int128) and (column.max() or 0) >= 2**63:  # type: ignore[operator]
                raise DataError("a whole number beyond 64 bits", where=f"{self.where}, {value.expression.text}")
            wholes[place] = column.cast(pl.Int64).to_numpy()
        return reals, wholes, valid

    def columns(self, events: Int64s, real: Array, whole: Array, name_row: Callable[[int], str]) -> list[pl.Series]:
        """The aggregates of windows, from their merged words (a row of the arrays for each word).

        Raises:
            DataError: when a sum of whole numbers is beyond 64 bits; `name_row` says of which key and window.
        """
        return [self._column(name, aggregate, events, real, whole, name_row) for name, aggregate in self.aggregates]

    def _column(
        self, name: str, aggregate: Aggregate, events: Int64s, real: Array, whole: Array, name_row: Callable[[int], str]
    ) -> pl.Series:
        if aggregate.value is None:
            return pl.Series(name, events)
        value = self._value(name, aggregate.value)
        if aggregate.function == "count":
            return pl.Series(name, whole[self.whole_at[self.operation(OP_COUNT, value)]])
        is_real = self._values[value].real
        operation = self.operation(_OPS[aggregate.function, is_real], value)
        if is_real:
            words = real[self.real_at[operation]]
        else:
            words = whole[self.whole_at[operation]]
            if aggregate.function in ("sum", "mean"):
                low = whole[self.whole_at[operation] + 1]
                words, low = words + (low >> 32), low & 0xFFFFFFFF
                if aggregate.function == "mean":
                    words = words.astype(np.float64) * 2.0**32 + low.astype(np.float64)
                else:
                    self._fits(name, words, name_row)
                    words = (words << 32) | low
        if aggregate.function == "sum":
            return pl.Series(name, words)
        valid = whole[self.whole_at[self.operation(OP_COUNT, value)]]
        if aggregate.function == "mean":
            words = np.divide(words, valid, out=np.zeros(len(valid)), where=valid > 0)
        column = pl.Series(name, words)
        return column if valid.all() else column.to_frame().select(pl.when(pl.Series(valid > 0)).then(name)).to_series()

    def _fits(self, name: str, upper: Array, name_row: Callable[[int], str]) -> None:
        beyond = np.flatnonzero((upper < -(2**31)) | (upper >= 2**31))
        if len(beyond):
            raise DataError(
                "a sum of whole numbers is beyond 64 bits",
                where=f"{self.where}, {name!r}, {name_row(int(beyond[0]))}",
                hint="sum the value as a float, or as a smaller unit",
            )
