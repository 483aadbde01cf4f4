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
    Detect,
    Enrich,
    Filter,
    KeyBy,
    Notify,
    Port,
    ProcessStep,
    Score,
    Select,
    Step,
    Union,
    WindowStep,
    WithColumns,
)
from styx_lab.flow.types import StreamType
from styx_lab.operators.cep.operator import DetectOperator
from styx_lab.operators.enrich import EnrichOperator
from styx_lab.operators.notify import NotifyOperator
from styx_lab.operators.process.operator import ProcessOperator
from styx_lab.operators.score import ScoreOperator
from styx_lab.operators.shape import FilterOperator, KeyByOperator, SelectOperator, WithColumnsOperator
from styx_lab.operators.union import UnionOperator
from styx_lab.operators.window.operator import WindowOperator

__all__ = ["OpenModel", "build"]

OpenModel = Callable[[str], Scorer]
"""Opens a model by its reference; the same reference gives the same scorer."""


@dataclass(frozen=True, slots=True)
class _Site:
    step: Any
    flow: Flow
    streams: tuple[StreamType, ...]
    output: StreamType
    open_model: OpenModel

    @property
    def stream(self) -> StreamType:
        """The type of the only, or the first, input."""
        return self.streams[0]


_TABLE: Final[dict[type[Step], Callable[[_Site], Operator]]] = {
    Filter: lambda site: FilterOperator(site.step),
    Select: lambda site: SelectOperator(site.step, site.output),
    WithColumns: lambda site: WithColumnsOperator(site.step, site.output),
    KeyBy: lambda site: KeyByOperator(site.step),
    Union: lambda _: UnionOperator(),
    WindowStep: lambda site: WindowOperator(site.step, site.stream),
    Detect: lambda site: DetectOperator(site.step, site.stream, site.output),
    ProcessStep: lambda site: ProcessOperator(site.step, site.streams, site.output),
    Enrich: lambda site: EnrichOperator(site.step, site.output),
    Score: lambda site: ScoreOperator(site.step, site.stream, site.output, site.open_model(site.step.model)),
    Notify: lambda site: NotifyOperator(site.step, site.flow.name, site.stream, site.output),
}


def build(step: Step, flow: Flow, types: dict[Port, StreamType], open_model: OpenModel) -> Operator:
    """The operator of a step that is neither a source nor an output.

    Raises:
        RunError: when no operator runs such a step.
        ModelError: when its model cannot be opened or does not fit.
    """
    if type(step) not in _TABLE:
        raise RunError("no operator runs this step", where=step.where, got=step.verb)
    streams = tuple(types[port] for port in step.inputs)
    return _TABLE[type(step)](_Site(step, flow, streams, types[Port(step.name, OUT)], open_model))
