"""The table of the aggregates there are, by the name under which a flow stores them; no row ever goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from styx_lab.flow.aggregates.aggregate import Aggregate
from styx_lab.flow.aggregates.chosen import ByTime, Distinct, TopK
from styx_lab.flow.aggregates.collected import Collect
from styx_lab.flow.aggregates.custom import Custom
from styx_lab.flow.aggregates.expr import Expr
from styx_lab.flow.aggregates.spread import Quantile, Spread

__all__ = ["KINDS"]

KINDS: Final[Mapping[str, type[Aggregate]]] = {
    **dict.fromkeys(("count", "sum", "mean", "min", "max"), Aggregate),
    **dict.fromkeys(("var", "std"), Spread),
    **dict.fromkeys(("median", "quantile"), Quantile),
    **dict.fromkeys(("first", "last"), ByTime),
    "n_unique": Distinct,
    "top_k": TopK,
    "collect": Collect,
    "expr": Expr,
    "custom": Custom,
}
