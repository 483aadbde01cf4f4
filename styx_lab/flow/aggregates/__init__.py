"""What an aggregate of a window is; `styx_lab.flow.aggregate` has the functions that make one."""

from __future__ import annotations

from styx_lab.flow.aggregates.aggregate import Aggregate, AggregateName, Value

__all__ = ["Aggregate", "AggregateName", "Value"]
