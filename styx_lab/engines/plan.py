"""A flow with its operators: what every engine drives, each in its own way.

Law (engine parity): an engine chooses who feeds an operator and where its snapshot goes; what a step means is here
already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import DEAD_SCHEMA, EventKind
from styx_lab.core.operator import Emission, Figures, Operator
from styx_lab.core.ports import EncodedFormat, Source
from styx_lab.core.schema import RESERVED_PREFIX
from styx_lab.core.size import held_bytes
from styx_lab.core.state import State
from styx_lab.engines.feed import Slice
from styx_lab.errors import CheckpointError, RunError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import Port, SourceStep, To
from styx_lab.flow.types import StreamType
from styx_lab.operators.build import OpenModel, build
from styx_lab.operators.meeting import Meeting, meetings
from styx_lab.operators.outside import NOTHING_OUTSIDE, Outside
from styx_lab.operators.source import SourceOperator

__all__ = ["DEAD_LETTERS", "Inputs", "Plan", "dead_in_order", "inputs_of"]

DEAD_LETTERS: Final = "dead_letters"
"""The output of every flow for events that a step could not take."""
_NONE_DEAD: Final = pl.DataFrame(schema=DEAD_SCHEMA)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an engine must know of a source before its first event."""

    partitions: tuple[int, ...]
    format: EncodedFormat
    header: tuple[str, ...] = ()


def inputs_of(sources: Mapping[str, Source]) -> dict[str, Inputs]:
    """What the engine must know of opened sources."""
    return {name: Inputs(source.partitions, source.format, source.header) for name, source in sources.items()}


def dead_in_order(emissions: Sequence[Emission]) -> pl.DataFrame:
    """The dead letters of a slice, in the order of the sequence (at one place of it, in the order of the steps)."""
    said = [emission for emission in emissions if emission.dead is not None]
    if not said:
        return _NONE_DEAD
    # Step after step would show where the slice was cut.
    order = np.concatenate([orders for one in said for orders in (one.dead_order, one.lost_order)])
    return pl.concat(one.dead for one in said if one.dead is not None)[np.argsort(order, kind="stable")]


class Plan:
    """The operators of a flow, opened, with their types.

    Raises:
        RunError: when a source has no input, a step has no operator, or what it looks up in is not given.
        ModelError: when a model cannot be opened or does not fit its step.
    """

    def __init__(
        self,
        flow: Flow,
        inputs: Mapping[str, Inputs],
        open_model: OpenModel,
        outside: Outside = NOTHING_OUTSIDE,
    ) -> None:
        self.flow = flow
        self.types: dict[Port, StreamType] = flow.types()
        self.sources: dict[str, SourceOperator] = {}
        self.operators: dict[str, Operator] = {}
        known = [step.name for step in flow.sources]
        for name in inputs:
            if name not in known:
                raise RunError(
                    "the flow has no such source", where=f"flow {flow.name!r}", got=name, hint=", ".join(known)
                )
        if DEAD_LETTERS in flow.outputs:
            raise RunError("this output's name is Styx's own", where=f"flow {flow.name!r}", got=DEAD_LETTERS)
        for step in flow.steps:
            if isinstance(step, SourceStep):
                if step.name not in inputs:
                    raise RunError(
                        "the source has no input", where=step.where, hint=f"name one: {{'{step.name}': 'FILE'}}"
                    )
                given = inputs[step.name]
                stream = self.types[Port(step.name)]
                self.sources[step.name] = SourceOperator(step, stream, given.partitions, given.format, given.header)
            elif not isinstance(step, To):
                self.operators[step.name] = build(step, flow, self.types, open_model, outside)
        self._waiting: dict[str, list[Operator]] = {}
        for name, steps in _wanting_ticks(flow).items():
            self.sources[name].ticking = True
            self._waiting[name] = [self.operators[step] for step in steps]
        self._meetings = [Meeting({name: self.sources[name] for name in group}) for group in meetings(flow)]

    def go_as_in(self, flow: Flow) -> None:
        """Let the sources go as they do in a larger flow that this one is a part of: who meets whom, and who ticks."""
        self._meetings = [Meeting({name: self.sources[name] for name in group}) for group in meetings(flow)]
        for name in _wanting_ticks(flow):
            self.sources[name].ticking = True

    def take(self, piece: Slice) -> dict[str, Emission]:
        """What the sources say of a slice; those that meet and are idle go along with the others."""
        emissions = {
            name: source.take(piece.arrivals[name], piece.sequence[name]) if name in piece.arrivals else source.idle()
            for name, source in self.sources.items()
        }
        for meeting in self._meetings:
            meeting.settle(emissions)
        return emissions

    @property
    def ticking(self) -> list[str]:
        """The sources that have a step behind them which reckons in processing time, in the flow's order."""
        return [name for name in self.sources if name in self._waiting]

    def waits_for_clock(self, source: str) -> bool:
        """Whether such a step waits for the clock now."""
        return any(operator.waits_for_clock for operator in self._waiting[source])

    def shown(self, step: To, batch: Batch) -> pl.DataFrame:
        """The rows of an output as a sink gets them: a notification without the columns that made it."""
        if self.types[step.inputs[0]].kind is not EventKind.NOTIFICATION:
            return batch.frame
        return batch.frame.select(name for name in batch.frame.columns if not name.startswith(RESERVED_PREFIX))

    def output_schemas(self) -> dict[str, dict[str, pl.DataType]]:
        """The columns of every output, dead letters included."""
        schemas: dict[str, dict[str, pl.DataType]] = {}
        for step in self.flow.steps:
            if isinstance(step, To):
                schema = self.types[step.inputs[0]].schema
                schemas[step.name] = dict(
                    self.shown(step, Batch(pl.DataFrame(schema=schema), np.empty(0, np.int64))).schema
                )
        return schemas | {DEAD_LETTERS: dict(DEAD_SCHEMA)}

    @property
    def watermark(self) -> int:
        """The flow's watermark: the smallest of its sources', epoch ms."""
        return min(source.watermark for source in self.sources.values())

    @property
    def newest(self) -> int:
        """The greatest event time seen in any source, epoch ms."""
        return max(source.newest for source in self.sources.values())

    def sizes(self) -> dict[str, dict[str, int]]:
        """How much state each step holds now, by name: its keys, events and the like, and bytes."""
        return {name: {"bytes": held_bytes(one), **one.size()} for name, one in self.operators.items()}

    def figures(self) -> dict[str, Figures]:
        """What steps say of their columns so far; only those that say something."""
        return {name: said for name, one in self.operators.items() if (said := one.figures())}

    @property
    def _stateful(self) -> dict[str, SourceOperator | Operator]:
        return {**self.sources, **self.operators}

    def snapshot(self) -> dict[str, State]:
        """The state of every step, by name."""
        return {name: one.snapshot() for name, one in self._stateful.items()}

    def restore(self, states: Mapping[str, State]) -> None:
        """Put every step's state back; each step must have one.

        Raises:
            CheckpointError: when the steps differ from those that were saved.
        """
        steps = self._stateful
        if steps.keys() != states.keys():
            raise CheckpointError(
                "the saved state is of other steps",
                where=f"flow {self.flow.name!r}",
                got=sorted(steps.keys() ^ states.keys()),
                hint="resume with the flow that wrote it",
            )
        for name, step in steps.items():
            step.restore([states[name]])


def _wanting_ticks(flow: Flow) -> dict[str, list[str]]:
    """The steps behind each source that reckon in processing time."""
    behind: dict[str, frozenset[str]] = {}
    found: dict[str, list[str]] = {}
    for step in flow.steps:
        own = frozenset([step.name]) if isinstance(step, SourceStep) else frozenset[str]()
        behind[step.name] = own.union(*(behind[port.step] for port in step.inputs))
        if step.wants_ticks:
            for name in behind[step.name]:
                found.setdefault(name, []).append(step.name)
    return found
