"""Windows: over panes kept in flat arrays where that is enough, else each window by itself (`by_window`)."""

from __future__ import annotations

from styx_lab.core.operator import Operator
from styx_lab.flow.steps import WindowStep
from styx_lab.flow.types import StreamType
from styx_lab.flow.window import Sliding, Tumbling
from styx_lab.operators.window.by_window.operator import ByWindowOperator
from styx_lab.operators.window.operator import WindowOperator

__all__ = ["ByWindowOperator", "WindowOperator", "window_operator"]


def window_operator(step: WindowStep, stream: StreamType) -> Operator:
    """The operator for a window step: over panes, which overlapping windows share, where that is enough.

    It is where windows of event time are tumbling or sliding and fire once, and all aggregates can be merged. Both give
    the same.
    """
    merging = all(aggregate.mergeable for _, aggregate in step.aggregates)
    aligned = isinstance(step.window, Tumbling | Sliding) and not step.window.offset_ms
    if merging and aligned and step.firing.once and not step.firing.processing:
        return WindowOperator(step, stream)
    return ByWindowOperator(step, stream)
