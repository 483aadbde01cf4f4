"""The chain: drives a flow's operators in order, slice by slice, in one thread.

Law: a slice passes the steps in the flow's order, each once, so that what one event at a time would do is what a
slice does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.operator import Emission
from styx_lab.core.state import State
from styx_lab.engines.feed import Slice
from styx_lab.engines.ledger import Ledger
from styx_lab.engines.plan import DEAD_LETTERS, Inputs, Plan, dead_in_order
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import SourceStep, To
from styx_lab.operators.build import OpenModel
from styx_lab.operators.outside import NOTHING_OUTSIDE, Outside

__all__ = ["Chain"]


class Chain:
    """Runs a flow's operators in order.

    Args:
        flow: what to run.
        inputs: partitions and format of each source.
        open_model: opens a model by its reference.
        outside: what the flow looks up in.
    """

    def __init__(
        self,
        flow: Flow,
        inputs: Mapping[str, Inputs],
        open_model: OpenModel,
        outside: Outside = NOTHING_OUTSIDE,
    ) -> None:
        self.plan = Plan(flow, inputs, open_model, outside)
        self.ledger = Ledger(flow)
        self._steps = [(step, [(port.step, port.name) for port in step.inputs]) for step in flow.steps]

    def feed(self, piece: Slice) -> dict[str, pl.DataFrame]:
        """Take a slice of the input; gives the rows of every output, dead letters among them."""
        return self._pass_on(self.plan.take(piece))

    def end(self, count: int) -> dict[str, pl.DataFrame]:
        """The end of input after `count` events: the watermark goes to infinity."""
        order = 2 * count + 1
        return self._pass_on({name: source.end(order) for name, source in self.plan.sources.items()})

    def _pass_on(self, emissions: dict[str, Emission]) -> dict[str, pl.DataFrame]:
        ports: dict[tuple[str, str], Batch] = {}
        outputs: dict[str, pl.DataFrame] = {}
        said: list[Emission] = []
        for step, reads in self._steps:
            inputs = [ports[port] for port in reads]
            if isinstance(step, To):
                outputs[step.name] = self.plan.shown(step, inputs[0])
                emission = Emission({})
            elif isinstance(step, SourceStep):
                emission = emissions[step.name]
            else:
                emission = self.plan.operators[step.name].process(inputs)
            for name, batch in emission.ports.items():
                ports[step.name, name] = batch
            said.append(emission)
            self.ledger.note(step, inputs, emission)
        self.ledger.close_slice()
        outputs[DEAD_LETTERS] = dead_in_order(said)
        return outputs

    def snapshot(self) -> tuple[dict[str, State], dict[str, Any]]:
        """The state of every step, and the counters."""
        return self.plan.snapshot(), self.ledger.to_json()

    def restore(self, states: Mapping[str, State], counters: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self.plan.restore(states)
        self.ledger.from_json(counters)
