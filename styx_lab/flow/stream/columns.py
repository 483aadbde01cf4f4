"""Columns as a user says them: names, Polars expressions, SQL text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import Columns

__all__ = ["Value", "computed", "names_of"]

Value = str | pl.Expr | Expression
"""One value for each event: SQL text or a Polars expression."""


def names_of(value: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several, as several."""
    return (value,) if isinstance(value, str) else tuple(value)


def computed(positional: Sequence[str | pl.Expr], named: Mapping[str, Value], *, where: str) -> Columns:
    """Columns with their names, as a step keeps them."""
    found: list[tuple[str, Expression]] = []
    for value in positional:
        if isinstance(value, str):
            found.append((value, Expression.of(pl.col(value), where=where)))
        elif isinstance(value, pl.Expr):
            found.append((value.meta.output_name(), Expression.of(value, where=where)))
        else:
            raise FlowError("not a column", where=where, got=value, hint="a name, a Polars expression, or new='SQL'")
    found += [(name, Expression.of(value, where=f"{where}, column {name!r}")) for name, value in named.items()]
    return tuple(found)
