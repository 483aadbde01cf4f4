"""Aggregates that keep values or events as they came: collect.

Law: the values stand in the order in which the events arrived, so this one depends on it by meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from styx_lab.core.schema import RESERVED_PREFIX
from styx_lab.flow.aggregates.aggregate import Aggregate, AggregateName
from styx_lab.flow.expression import Expression

__all__ = ["Collect", "own_columns"]


def own_columns(schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """An event's own columns, without Styx's."""
    return {name: dtype for name, dtype in schema.items() if not name.startswith(RESERVED_PREFIX)}


@dataclass(frozen=True, slots=True)
class Collect(Aggregate):
    """All values, nulls too, in order of arrival; without a value all events, each a struct of its own columns."""

    @property
    def ordered(self) -> bool:
        """See `Aggregate.ordered`."""
        return True

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """See `Aggregate.dtype`."""
        if self.value is None:
            return pl.List(pl.Struct(own_columns(schema)))
        return pl.List(self.value.check(schema, where=where))

    @classmethod
    def read(cls, function: AggregateName, value: Expression | None, options: Mapping[str, Any], where: str) -> Collect:
        """See `Aggregate.read`."""
        del where
        if options:
            raise KeyError(function)
        return cls(function, value)
