"""An aggregate that is an expression over the window's events.

Law (order): it is taken apart into aggregates of Styx's own (see `flow/expression/summary.py`), so it gives the same
value in whatever order the events came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from styx_lab.flow.aggregates.aggregate import Aggregate, AggregateName
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.summary import Summary

__all__ = ["Expr"]


@dataclass(frozen=True, slots=True)
class Expr(Aggregate):
    """What an expression over the window's events gives."""

    summary: Summary | None = None

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """See `Aggregate.dtype`."""
        assert self.summary is not None
        return self.summary.check(schema, where=where)

    def to_json(self) -> dict[str, Any]:
        """See `Aggregate.to_json`."""
        assert self.summary is not None
        return {"function": self.function, "value": self.summary.to_json()}

    @classmethod
    def read(cls, function: AggregateName, value: Expression | None, options: Mapping[str, Any], where: str) -> Expr:
        """See `Aggregate.read`."""
        return cls(function, value, Summary.from_json(options, where=where))

    def __str__(self) -> str:
        return self.summary.text if self.summary else ""
