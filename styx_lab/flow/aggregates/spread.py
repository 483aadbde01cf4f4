"""Aggregates of how numbers are spread: var, std, median, quantile.

Law (order): each is reckoned from exact sums or from the sorted values, so the order of arrival cannot show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import polars as pl

from styx_lab.errors import FlowError
from styx_lab.flow.aggregates.aggregate import Aggregate, AggregateName, number
from styx_lab.flow.expression import Expression

__all__ = ["Interpolation", "Quantile", "Spread"]

Interpolation = Literal["linear", "lower", "higher", "nearest", "midpoint"]
_INTERPOLATIONS: Final = get_args(Interpolation)


def _float(aggregate: Aggregate, schema: Mapping[str, pl.DataType], where: str) -> pl.DataType:
    assert aggregate.value is not None
    number(aggregate.function, aggregate.value, schema, where)
    return pl.Float64()


@dataclass(frozen=True, slots=True)
class Spread(Aggregate):
    """Variance (`var`) or its root (`std`); null where there are not more than `ddof` values."""

    ddof: int = 1

    def __post_init__(self) -> None:
        if type(self.ddof) is not int or self.ddof < 0:
            raise FlowError(
                "ddof is a whole number from 0 up", where=f"{self.function}()", got=self.ddof, hint="0 or 1"
            )

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """See `Aggregate.dtype`."""
        return _float(self, schema, where)

    def options(self) -> dict[str, Any]:
        """See `Aggregate.options`."""
        return {"ddof": self.ddof}

    @classmethod
    def read(cls, function: AggregateName, value: Expression | None, options: Mapping[str, Any], where: str) -> Spread:
        """See `Aggregate.read`."""
        del where
        if value is None or options.keys() != {"ddof"}:
            raise KeyError(function)
        return cls(function, value, options["ddof"])


@dataclass(frozen=True, slots=True)
class Quantile(Aggregate):
    """The value below which a share `q` of the values lies; `median` is the half with linear interpolation."""

    q: float = 0.5
    interpolation: Interpolation = "linear"

    def __post_init__(self) -> None:
        where = f"{self.function}()"
        if isinstance(self.q, bool) or not isinstance(self.q, int | float) or not 0 <= self.q <= 1:
            raise FlowError("q is a share between 0 and 1", where=where, got=self.q, hint="q=0.95")
        if self.interpolation not in _INTERPOLATIONS:
            raise FlowError(
                "unknown interpolation",
                where=where,
                got=self.interpolation,
                hint=f"one of {', '.join(_INTERPOLATIONS)}",
            )

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """See `Aggregate.dtype`."""
        return _float(self, schema, where)

    def options(self) -> dict[str, Any]:
        """See `Aggregate.options`."""
        return {} if self.function == "median" else {"q": float(self.q), "interpolation": self.interpolation}

    @classmethod
    def read(
        cls, function: AggregateName, value: Expression | None, options: Mapping[str, Any], where: str
    ) -> Quantile:
        """See `Aggregate.read`."""
        del where
        if value is None or options.keys() != (set() if function == "median" else {"q", "interpolation"}):
            raise KeyError(function)
        return cls(function, value, **options)
