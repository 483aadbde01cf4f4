"""Several streams as one, in the order of the flow's one sequence.

Law: the result is what one event at a time would give. Rows are merged by their order (ties by input port); the
watermark is the minimum of the inputs', step by step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.operator import OUT, Emission, Operator

__all__ = ["UnionOperator", "lowest_steps"]


class UnionOperator(Operator):
    """Runs a `Union`."""

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        order = np.concatenate([batch.order for batch in inputs])
        arranged = np.argsort(order, kind="stable")
        frame = pl.concat([batch.frame for batch in inputs])[arranged]
        before = min(batch.before for batch in inputs)
        return Emission({OUT: Batch(frame, order[arranged], before, lowest_steps(inputs))})


def lowest_steps(inputs: Sequence[Batch]) -> Steps:
    """The steps of the minimum of several batches' watermarks."""
    orders = np.unique(np.concatenate([batch.steps.order for batch in inputs]))
    lowest = np.full(len(orders), np.iinfo(np.int64).max)
    clock = np.full(len(orders), np.iinfo(np.int64).min)
    ticked = np.zeros(len(orders), np.bool_)
    for batch in inputs:
        marks = np.concatenate([np.array([batch.before], np.int64), batch.steps.mark])
        passed = np.searchsorted(batch.steps.order, orders, side="right")
        lowest = np.minimum(lowest, marks[passed])
        here = np.searchsorted(orders, batch.steps.order)
        clock[here] = np.maximum(clock[here], batch.steps.clock)
        ticked[here] |= batch.steps.ticks(batch.before)
    reached = np.maximum.accumulate(np.concatenate([[min(batch.before for batch in inputs)], lowest]))
    moved = reached[1:] > reached[:-1]
    kept = moved | ticked
    return Steps(orders[kept], reached[1:][kept], clock[kept])
