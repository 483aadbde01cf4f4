"""The table from step specs to the operators that run them, and what they need from outside.

Law: a step without a row here is an error when the flow is opened, never a step that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from styx_lab.core.operator import OUT, Operator
from styx_lab.core.ports import Scorer
from styx_lab.errors import RunError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import (
    AsOfJoin,
    CoGroup,
    Cooldown,
    Deduplicate,
    Detect,
    Enrich,
    Filter,
    IntervalJoin,
    KeyBy,
    LookupJoin,
    Notify,
    Port,
    ProcessStep,
    Score,
    Select,
    Sort,
    Split,
    Step,
    Top,
    Trend,
    Union,
    WindowJoin,
    WindowStep,
    WithColumns,
)
from styx_lab.flow.types import StreamType
from styx_lab.operators.cep import detect_operator
from styx_lab.operators.cooldown import CooldownOperator
from styx_lab.operators.deduplicate import DeduplicateOperator
from styx_lab.operators.enrich import EnrichOperator
from styx_lab.operators.join.asof_join import AsOfJoinOperator
from styx_lab.operators.join.in_windows import CoGroupOperator, WindowJoinOperator
from styx_lab.operators.join.interval_join import IntervalJoinOperator
from styx_lab.operators.lookup import LookupOperator
from styx_lab.operators.notify import NotifyOperator
from styx_lab.operators.outside import NOTHING_OUTSIDE, Outside
from styx_lab.operators.process.operator import ProcessOperator
from styx_lab.operators.score import ScoreOperator
from styx_lab.operators.shape import FilterOperator, KeyByOperator, SelectOperator, WithColumnsOperator
from styx_lab.operators.sort import SortOperator
from styx_lab.operators.split import SplitOperator
from styx_lab.operators.top import TopOperator
from styx_lab.operators.trend import TrendOperator
from styx_lab.operators.union import UnionOperator
from styx_lab.operators.window import window_operator

__all__ = ["OpenModel", "build"]

OpenModel = Callable[[str], Scorer]
"""Opens a model by its reference; the same reference gives the same scorer."""


@dataclass(frozen=True, slots=True)
class _Site:
    step: Any
    flow: Flow
    inputs: tuple[StreamType, ...]
    output: StreamType
    open_model: OpenModel
    outside: Outside

    @property
    def wanted(self) -> dict[str, StreamType]:
        """The types of `out` and of those other ports that a step of the flow reads."""
        read = {port for step in self.flow.steps for port in step.inputs} | {Port(self.step.name, OUT)}
        types = self.step.infer(self.inputs)
        return {name: kind for name, kind in types.items() if Port(self.step.name, name) in read}

    @property
    def stream(self) -> StreamType:
        """The type of the only, or the first, input."""
        return self.inputs[0]


_TABLE: Final[dict[type[Step], Callable[[_Site], Operator]]] = {
    Filter: lambda site: FilterOperator(site.step),
    Select: lambda site: SelectOperator(site.step, site.output),
    WithColumns: lambda site: WithColumnsOperator(site.step, site.output),
    KeyBy: lambda site: KeyByOperator(site.step),
    Union: lambda _: UnionOperator(),
    WindowStep: lambda site: window_operator(site.step, site.stream),
    WindowJoin: lambda site: WindowJoinOperator(site.step, site.inputs),
    CoGroup: lambda site: CoGroupOperator(site.step, site.inputs),
    IntervalJoin: lambda site: IntervalJoinOperator(site.step, *site.inputs),
    AsOfJoin: lambda site: AsOfJoinOperator(site.step, *site.inputs),
    Split: lambda site: SplitOperator(site.step),
    Deduplicate: lambda site: DeduplicateOperator(site.step, site.stream),
    Cooldown: lambda site: CooldownOperator(site.step, site.stream),
    Sort: lambda site: SortOperator(site.step, site.stream),
    Top: lambda site: TopOperator(site.step, site.stream, site.output),
    Trend: lambda site: TrendOperator(site.step, site.stream, site.output),
    Detect: lambda site: detect_operator(site.step, site.stream, site.wanted),
    ProcessStep: lambda site: ProcessOperator(site.step, site.inputs, site.output),
    Enrich: lambda site: EnrichOperator(site.step, site.output),
    LookupJoin: lambda site: LookupOperator(site.step, site.output, site.outside),
    Score: lambda site: ScoreOperator(site.step, site.stream, site.output, site.open_model(site.step.model)),
    Notify: lambda site: NotifyOperator(site.step, site.flow.name, site.stream, site.output),
}


def build(
    step: Step,
    flow: Flow,
    types: dict[Port, StreamType],
    open_model: OpenModel,
    outside: Outside = NOTHING_OUTSIDE,
) -> Operator:
    """The operator of a step that is neither a source nor an output.

    Raises:
        RunError: when no operator runs such a step, or what it looks up in is not given or does not fit.
        ModelError: when its model cannot be opened or does not fit.
    """
    if type(step) not in _TABLE:
        raise RunError("no operator runs this step", where=step.where, got=step.verb)
    inputs = tuple(types[port] for port in step.inputs)
    return _TABLE[type(step)](_Site(step, flow, inputs, types[Port(step.name, OUT)], open_model, outside))
