"""A batch: a slice of the one sequence of events and watermark steps, cut wherever the engine liked.

Law (re-chunking): nothing may depend on where the cut is. So a batch carries, beside its rows, every watermark step
that lies between them, and both stand in one numbered sequence:

- the i-th input event of a flow has order `2 * i`, and whatever it causes at once has that order too;
- the watermark step that it causes has order `2 * i + 1`, and whatever that step fires has the step's order and comes
  before it.

A tick is a step that moves the clock alone: its mark is the one before.

A step therefore follows the rows of its own order or less. Dropping rows leaves the steps as they are, and two
batches of the same slice (the two sides of a union) can be merged exactly as if events had come one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from styx_lab.core.pick import pick
from styx_lab.core.time import MIN_WATERMARK

__all__ = ["NO_STEPS", "Batch", "Int64s", "Steps", "step_batch"]

Int64s = np.ndarray[tuple[int], np.dtype[np.int64]]
"""A one-dimensional array of int64."""


def _none() -> Int64s:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The watermark steps of a batch, and the ticks among them: three arrays of one length, strictly or weakly rising.

    Attributes:
        order: where each step stands in the sequence (strictly rising).
        mark: the watermark it moves to, epoch ms (rising; of a tick the one before).
        clock: the arrival time, epoch ms, of the newest event or tick when the step happened: the flow's own clock,
            which depends on the input alone.
    """

    order: Int64s
    mark: Int64s
    clock: Int64s

    def __len__(self) -> int:
        return len(self.order)

    def ticks(self, before: int) -> np.ndarray:
        """Which of them are ticks, where `before` is the watermark in force before the first."""
        found: np.ndarray = self.mark == np.concatenate([np.array([before], np.int64), self.mark[:-1]])
        return found

    def due(self, times: Int64s) -> Int64s:
        """The index of the first step with `mark >= time`, for each time; `len(self)` where none has."""
        return np.searchsorted(self.mark, times, side="left").astype(np.int64)


NO_STEPS = Steps(_none(), _none(), _none())


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of events with the watermark steps between them.

    >>> batch = Batch(pl.DataFrame({"a": [1, 2]}), np.array([0, 2]), before=-5,
    ...               steps=Steps(np.array([1]), np.array([7]), np.array([9])))
    >>> batch.watermarks().tolist(), batch.after
    ([-5, 7], 7)

    Attributes:
        frame: the rows, with user columns and the reserved columns of `docs/events.md`.
        order: int64 per row, weakly rising: its place in the sequence.
        before: the watermark in force before the first row.
        steps: the watermark steps.
    """

    frame: pl.DataFrame
    order: Int64s
    before: int = MIN_WATERMARK
    steps: Steps = NO_STEPS

    def __len__(self) -> int:
        return self.frame.height

    @property
    def after(self) -> int:
        """The watermark in force after the last row and step."""
        return int(self.steps.mark[-1]) if len(self.steps) else self.before

    def watermarks(self) -> Int64s:
        """The watermark in force before each row."""
        marks = np.empty(len(self.steps) + 1, np.int64)
        marks[0], marks[1:] = self.before, self.steps.mark
        return marks[self.steps.order.searchsorted(self.order)]

    def keep(self, mask: np.ndarray) -> Batch:
        """The rows where `mask` is true; the steps stay."""
        if mask.all():
            return self
        # Most often all are kept or none.
        places = np.flatnonzero(mask)
        if not len(places):
            return Batch(self.frame.clear(), _none(), self.before, self.steps)
        return Batch(pick(self.frame, places), self.order[places], self.before, self.steps)

    def with_frame(self, frame: pl.DataFrame) -> Batch:
        """The same places in the sequence with other columns; the frame must have one row for each row."""
        return Batch(frame, self.order, self.before, self.steps)

    def slices(self, size: int) -> Sequence[Batch]:
        """The batch cut into pieces of at most `size` rows: what every operator must be indifferent to."""
        pieces: list[Batch] = []
        before, first_step = self.before, 0
        for start in range(0, max(len(self), 1), size):
            stop = min(start + size, len(self))
            # Steps before the next piece's first row belong to this piece.
            last_step = (
                len(self.steps)
                if stop == len(self)
                else int(np.searchsorted(self.steps.order, self.order[stop], side="left"))
            )
            steps = Steps(
                self.steps.order[first_step:last_step],
                self.steps.mark[first_step:last_step],
                self.steps.clock[first_step:last_step],
            )
            piece = Batch(self.frame[start:stop], self.order[start:stop], before, steps)
            pieces.append(piece)
            before, first_step = piece.after, last_step
        return pieces


def step_batch(schema: dict[str, pl.DataType], *, order: int, before: int, mark: int, clock: int) -> Batch:
    """No rows and one watermark step."""
    steps = Steps(np.array([order], np.int64), np.array([mark], np.int64), np.array([clock], np.int64))
    return Batch(pl.DataFrame(schema=schema), _none(), before, steps)
