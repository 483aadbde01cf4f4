"""The step specs: what each verb of a stream says, as frozen data. `operators/` has the machine that runs each."""

from __future__ import annotations

from typing import Final

from styx_lab.flow.steps.asof_join import AsOfJoin
from styx_lab.flow.steps.co_group import CoGroup
from styx_lab.flow.steps.cooldown import Cooldown
from styx_lab.flow.steps.deduplicate import Deduplicate
from styx_lab.flow.steps.detect import Detect
from styx_lab.flow.steps.enrich import Enrich
from styx_lab.flow.steps.interval_join import IntervalJoin
from styx_lab.flow.steps.lookup import LookupJoin
from styx_lab.flow.steps.notify import Notify
from styx_lab.flow.steps.output import To
from styx_lab.flow.steps.process import ProcessStep
from styx_lab.flow.steps.score import Score
from styx_lab.flow.steps.shape import Filter, KeyBy, Select, WithColumns
from styx_lab.flow.steps.sort import Sort
from styx_lab.flow.steps.source import SourceStep
from styx_lab.flow.steps.split import Split
from styx_lab.flow.steps.step import Columns, Port, Step
from styx_lab.flow.steps.top import Top
from styx_lab.flow.steps.trend import Trend
from styx_lab.flow.steps.union import Union
from styx_lab.flow.steps.window import Firing, WindowStep
from styx_lab.flow.steps.window_join import WindowJoin

__all__ = [
    "STEPS",
    "AsOfJoin",
    "CoGroup",
    "Columns",
    "Cooldown",
    "Deduplicate",
    "Detect",
    "Enrich",
    "Filter",
    "Firing",
    "IntervalJoin",
    "KeyBy",
    "LookupJoin",
    "Notify",
    "Port",
    "ProcessStep",
    "Score",
    "Select",
    "Sort",
    "SourceStep",
    "Split",
    "Step",
    "To",
    "Top",
    "Trend",
    "Union",
    "WindowJoin",
    "WindowStep",
    "WithColumns",
]

STEPS: Final[dict[str, type[Step]]] = {
    cls.verb: cls
    for cls in (
        *(SourceStep, Filter, Select, WithColumns, KeyBy, Union, Split),
        *(WindowStep, Top, Trend, Deduplicate, Cooldown, Sort),
        *(WindowJoin, CoGroup, IntervalJoin, AsOfJoin, Enrich, LookupJoin),
        *(ProcessStep, Detect, Score, Notify, To),
    )
}
"""Every step spec by its verb."""
