"""The sides of a join as one sequence.

Law (re-chunking): what the sides give together is what one event at a time would give. Their rows are merged by their
order (ties by input port), and the watermark is the smaller one, step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from styx_lab.core.batch import Batch, Int64s, Steps
from styx_lab.operators.union import lowest_steps

__all__ = ["Sides", "merge_sides"]


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The events of all sides, in the order in which they came.

    Attributes:
        order: int64, each event's place in the sequence (weakly rising).
        side: int64, which input port it came from.
        row: int64, its row in that port's batch.
        at: int64, its row in the ports' batches put one behind the other.
        before: the watermark in force before the first event.
        steps: the steps of the smallest watermark.
    """

    order: Int64s
    side: Int64s
    row: Int64s
    at: Int64s
    before: int
    steps: Steps

    def __len__(self) -> int:
        return len(self.order)

    @property
    def after(self) -> int:
        """The watermark in force after the last event and step."""
        return int(self.steps.mark[-1]) if len(self.steps) else self.before

    def passed(self) -> Int64s:
        """How many of the steps came before each event."""
        return np.searchsorted(self.steps.order, self.order, side="left").astype(np.int64)

    def watermarks(self) -> Int64s:
        """The watermark in force before each event."""
        return np.concatenate([np.array([self.before], np.int64), self.steps.mark])[self.passed()]


def merge_sides(inputs: Sequence[Batch]) -> Sides:
    """The sides of one slice, put together.

    >>> import polars as pl
    >>> from styx_lab.core.batch import Steps
    >>> ahead, behind = (Steps(np.array([at]), np.array([mark]), np.array([0])) for at, mark in ((1, 5), (3, 4)))
    >>> left = Batch(pl.DataFrame({"a": [1, 2]}), np.array([0, 4]), -9, ahead)
    >>> right = Batch(pl.DataFrame({"b": [3]}), np.array([2]), -9, behind)
    >>> sides = merge_sides([left, right])
    >>> sides.order.tolist(), sides.side.tolist(), sides.row.tolist(), sides.watermarks().tolist()
    ([0, 2, 4], [0, 1, 0], [0, 0, 1], [-9, -9, 4])
    """
    orders = np.concatenate([batch.order for batch in inputs])
    arranged = np.argsort(orders, kind="stable")
    lengths = [len(batch) for batch in inputs]
    side = np.repeat(np.arange(len(inputs), dtype=np.int64), lengths)
    row = np.concatenate([np.arange(length, dtype=np.int64) for length in lengths])
    before = min(batch.before for batch in inputs)
    return Sides(orders[arranged], side[arranged], row[arranged], arranged, before, lowest_steps(inputs))
