"""The counters of a run: per step and for the whole.

Law (nothing silent): at a source read = decoded + dead; at every step in = processed + late + dead; in the summary
each input event is counted once, by where it ended first: events = processed + late + dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from styx_lab.core.batch import Batch
from styx_lab.core.events import SOURCE
from styx_lab.core.operator import OUT, Emission
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import SourceStep, Step

__all__ = ["Counters", "Ledger"]

Counters = dict[str, dict[str, int]]
"""Counters by step, then by name: `in`, `processed`, `late`, `dead`, `out`, and the step's own."""


class Ledger:
    """Counts what a flow's steps do. `note` each step of a slice, in the flow's order, then `close_slice`."""

    def __init__(self, flow: Flow) -> None:
        types = flow.types()
        # A row that still has its source position is an input event; what was made from it is not, nor what a watermark
        # step released (sort, cooldown): its place in the sequence, by which events are told apart, is the step's.
        self._on_input = {step.name for step in flow.steps if not step.inputs or SOURCE in types[step.inputs[0]].schema}
        self.steps: Counters = {step.name: dict.fromkeys(_names_of(step), 0) for step in flow.steps}
        self._totals = {"events": 0, "late": 0, "dead": 0}
        self._fates: list[tuple[str, np.ndarray]] = []

    def note(self, step: Step, inputs: Sequence[Batch], emission: Emission) -> None:
        """Count what a step did with a slice."""
        counters = self.steps[step.name]
        late, dead = len(emission.late_order), len(emission.dead_order)
        came = emission.counts.get("read", 0) if isinstance(step, SourceStep) else sum(len(batch) for batch in inputs)
        counters["in"] += came
        counters["late"] += late
        counters["dead"] += dead
        counters["processed"] += came - late - dead
        if OUT in emission.ports:
            counters["out"] += len(emission.ports[OUT])
        for name, count in emission.counts.items():
            counters[name] = counters.get(name, 0) + count
        if isinstance(step, SourceStep):
            self._totals["events"] += came
        if step.name in self._on_input:
            self._fates += [
                (fate, orders if isinstance(step, SourceStep) else orders[orders % 2 == 0])
                for fate, orders in (("dead", emission.dead_order), ("late", emission.late_order))
                if len(orders)
            ]

    def close_slice(self) -> None:
        """Count each input event of the slice that was late or died once, where it ended first."""
        if not self._fates:
            return
        ended = np.empty(0, np.int64)
        for fate, orders in self._fates:
            new = np.setdiff1d(orders, ended)
            self._totals[fate] += len(new)
            ended = np.union1d(ended, new)
        self._fates = []

    def summary(self) -> dict[str, int]:
        """The whole run in six numbers."""
        totals = self._totals
        return {
            "events": totals["events"],
            "processed": totals["events"] - totals["late"] - totals["dead"],
            "late": totals["late"],
            "dead": totals["dead"],
            "matches": self._sum("matches"),
            "notifications": self._sum("notifications"),
        }

    def _sum(self, name: str) -> int:
        return sum(counters.get(name, 0) for counters in self.steps.values())

    def to_json(self) -> dict[str, Any]:
        """All counters, to be kept in a checkpoint."""
        return {"steps": {name: dict(counters) for name, counters in self.steps.items()}, "totals": dict(self._totals)}

    def from_json(self, value: dict[str, Any]) -> None:
        """Go on counting from `to_json`'s answer."""
        self.steps = {name: dict(counters) for name, counters in value["steps"].items()}
        self._totals = dict(value["totals"])


def _names_of(step: Step) -> list[str]:
    return ["read", "decoded", "in", "processed", "late", "dead", "out"] if isinstance(step, SourceStep) else [
        "in", "processed", "late", "dead", "out"
    ]  # fmt: skip
