"""A sequence cut into slices: all sides of it at the same places.

Law (re-chunking): what an operator gives must not tell where the cuts are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from styx_lab.core.batch import Batch, Int64s, Steps

__all__ = ["cut_at", "cut_places"]


def cut_places(batches: Sequence[Batch]) -> Int64s:
    """Where the sequence may be cut: before each event."""
    return np.unique(
        np.concatenate([batch.order // 2 * 2 for batch in batches] + [batch.steps.order // 2 * 2 for batch in batches])
    )


def cut_at(batches: Sequence[Batch], bounds: Int64s) -> list[list[Batch]]:
    """All batches cut before the same places; the first of them is where the first slice begins."""
    edges = [*bounds[1:].tolist(), None]
    pieces: list[list[Batch]] = []
    start: int | None = None
    for stop in edges:
        pieces.append([_between(batch, start, stop) for batch in batches])
        start = stop
    return pieces


def _between(batch: Batch, start: int | None, stop: int | None) -> Batch:
    def span(orders: Int64s) -> tuple[int, int]:
        first = 0 if start is None else int(np.searchsorted(orders, start, side="left"))
        last = len(orders) if stop is None else int(np.searchsorted(orders, stop, side="left"))
        return first, last

    (row, last_row), (step, last_step) = span(batch.order), span(batch.steps.order)
    steps = batch.steps
    before = int(steps.mark[step - 1]) if step else batch.before
    return Batch(
        batch.frame[row:last_row],
        batch.order[row:last_row],
        before,
        Steps(steps.order[step:last_step], steps.mark[step:last_step], steps.clock[step:last_step]),
    )
