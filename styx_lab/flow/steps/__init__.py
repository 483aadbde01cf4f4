"""The step specs: what each verb of a stream says, as frozen data. `operators/` has the machine that runs each."""

from __future__ import annotations

from typing import Final

from styx_lab.flow.steps.detect import Detect
from styx_lab.flow.steps.enrich import Enrich
from styx_lab.flow.steps.notify import Notify
from styx_lab.flow.steps.output import To
from styx_lab.flow.steps.process import ProcessStep
from styx_lab.flow.steps.score import Score
from styx_lab.flow.steps.shape import Filter, KeyBy, Select, WithColumns
from styx_lab.flow.steps.source import SourceStep
from styx_lab.flow.steps.step import Columns, Port, Step
from styx_lab.flow.steps.union import Union
from styx_lab.flow.steps.window import WindowStep

__all__ = [
    "STEPS",
    "Columns",
    "Detect",
    "Enrich",
    "Filter",
    "KeyBy",
    "Notify",
    "Port",
    "ProcessStep",
    "Score",
    "Select",
    "SourceStep",
    "Step",
    "To",
    "Union",
    "WindowStep",
    "WithColumns",
]

STEPS: Final[dict[str, type[Step]]] = {
    cls.verb: cls
    for cls in (
        SourceStep,
        Filter,
        Select,
        WithColumns,
        KeyBy,
        Union,
        WindowStep,
        Detect,
        Enrich,
        Score,
        ProcessStep,
        Notify,
        To,
    )
}
"""Every step spec by its verb."""
