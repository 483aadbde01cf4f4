"""A split: each event at exactly one port.

Law: the first condition that is true takes an event, whatever the later ones would give; null is false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import Split
from styx_lab.operators.values import Values, values_of

__all__ = ["SplitOperator"]


class SplitOperator(Operator):
    """Runs a `Split`; counts the events of each part but the rest."""

    def __init__(self, step: Split) -> None:
        self._step = step
        self._conditions = dict(step.conditions)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        values = values_of(self._step.name, batch, {}, tuple(self._conditions.values()))
        # A condition that fails on an event must not take it from an earlier one that is true.
        ports = _parts(values, self._conditions) if values.dead is None else None
        if ports is not None:
            return Emission(ports, counts=_counts(ports))
        return self._one_by_one(batch)

    def _one_by_one(self, batch: Batch) -> Emission:
        ports: dict[str, Batch] = {}
        letters: list[pl.DataFrame] = []
        orders = [batch.order[:0]]
        left = batch
        for name, condition in self._conditions.items():
            values = values_of(self._step.name, left, {}, (condition,))
            ports |= (parts := _parts(values, {name: condition}))
            left = parts[OUT]
            if values.dead is not None:
                letters.append(values.dead)
                orders.append(values.dead_order)
        order = np.concatenate(orders)
        arranged = np.argsort(order, kind="stable")
        # Where an earlier condition took all that a later one fails on, nothing is dead.
        dead = pl.concat(letters)[arranged] if letters else None
        return Emission(ports, dead=dead, dead_order=order[arranged], counts=_counts(ports))


def _parts(values: Values, conditions: Mapping[str, Expression]) -> dict[str, Batch]:
    """The batch parted by its conditions' values, the rest at `out`."""
    batch = values.batch
    left = np.ones(len(batch), np.bool_)
    ports = {}
    for name, condition in conditions.items():
        told = values.told[condition]
        ports[name] = batch.keep(left & told)
        left &= ~told
    return ports | {OUT: batch.keep(left)}


def _counts(ports: dict[str, Batch]) -> dict[str, int]:
    return {f"to_{name}": len(batch) for name, batch in ports.items() if name != OUT}
