"""Windows of event time: Flink's tumbling and sliding windows over panes kept in flat arrays."""

from __future__ import annotations

from styx_lab.operators.window.operator import WindowOperator

__all__ = ["WindowOperator"]
