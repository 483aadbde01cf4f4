"""The table of the aggregates there are, by the name under which a flow stores them; no row ever goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from styx_lab.flow.aggregates.aggregate import Aggregate
from styx_lab.flow.aggregates.collected import Collect

__all__ = ["KINDS"]

KINDS: Final[Mapping[str, type[Aggregate]]] = {
    **dict.fromkeys(("count", "sum", "mean", "min", "max"), Aggregate),
    "collect": Collect,
}
