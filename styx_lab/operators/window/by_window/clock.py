"""The clock of windows of processing time: where it stands at each event, and when it moves.

Law (re-chunking): the clock is a function of the sequence. It is the newest arrival time among the events and steps so
far (a tick is a step). An event moves it before it is taken; a step does after the events of its order. The events of
one place in the sequence have one processing time, that of the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s, Steps
from styx_lab.core.events import ARRIVAL, TIME
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.operators.window.by_window import forms as k
from styx_lab.operators.window.kernel import StepArrays

__all__ = ["PLACES", "STEP", "TAKEN", "Pace", "ProcessingClock"]

# What happens at one place of the sequence: an event moves the clock, is taken, and a step moves the clock.
_MOVES, TAKEN, STEP, PLACES = 0, 1, 2, 3
_SAVED: Final = ("now", "newest", "seen")


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """How the clock goes through one batch.

    Attributes:
        before: the watermark of processing time before it: what is at or before it is over.
        steps: its moves, at places three times as fine as the sequence's.
    """

    before: int
    steps: StepArrays
    _moves: Int64s
    _clocks: Int64s
    _seen: Int64s
    _newest: Int64s

    def at(self, order: Int64s) -> Int64s:
        """The processing time of the events of these orders, epoch ms."""
        return self._clocks[np.searchsorted(self._moves, PLACES * order + _MOVES, side="right")]

    def places(self, order: Int64s) -> Int64s:
        """Where they stand among the moves."""
        return PLACES * order + TAKEN

    def settle(self, fired: k.Fired, before: int, steps: Steps) -> None:
        """Put what fired back into the sequence, with an event time that is late for nobody: the newest so far, and
        above the watermark.

        Args:
            fired: what fired.
            before: the watermark before the batch.
            steps: its steps.
        """
        order = fired.rows[k.OUT_ORDER]
        order //= PLACES
        marks = np.concatenate([np.array([before], np.int64), steps.mark])
        mark = marks[np.searchsorted(steps.order, order, side="left")]
        fired.rows[k.OUT_TIME] = np.maximum(self.newest(order), mark + 1)

    def newest(self, order: Int64s) -> Int64s:
        """The newest event time at these orders, epoch ms."""
        return self._newest[np.searchsorted(self._seen, order, side="right")]


class ProcessingClock:
    """Follows the clock from batch to batch."""

    def __init__(self) -> None:
        self._now = self._newest = self._seen = MIN_WATERMARK

    @property
    def now(self) -> int:
        """Where it stands, epoch ms; `MIN_WATERMARK` before the first event."""
        return self._now

    def follow(self, batch: Batch) -> Pace:
        """Go through a batch."""
        first = batch.order != np.concatenate([np.array([self._seen], np.int64), batch.order[:-1]])
        seen = batch.order[first]
        arrived = batch.frame[ARRIVAL].to_physical().to_numpy()[first]
        times = batch.frame[TIME].to_physical().to_numpy()[first]
        newest = np.maximum.accumulate(np.concatenate([np.array([self._newest], np.int64), times]))
        steps = batch.steps
        moves = np.concatenate([PLACES * seen + _MOVES, PLACES * steps.order + STEP])
        arranged = np.argsort(moves, kind="stable")
        moves = moves[arranged]
        said = np.concatenate([arrived, steps.clock])[arranged]
        clocks = np.maximum.accumulate(np.concatenate([np.array([self._now], np.int64), said]))
        over = np.concatenate([np.zeros(len(seen), np.bool_), steps.mark == MAX_WATERMARK])[arranged]
        moved = (clocks[1:] > clocks[:-1]) | over
        # What is to come has the clock's time or a later one: only what is before it is over.
        marks = np.where(over, MAX_WATERMARK, clocks[1:] - 1)
        before = self._now if self._now == MIN_WATERMARK else self._now - 1
        self._now, self._newest = int(clocks[-1]), int(newest[-1])
        if len(batch):
            self._seen = int(batch.order[-1])
        return Pace(before, StepArrays(moves[moved], marks[moved], clocks[1:][moved]), moves, clocks, seen, newest)

    def follow_all(self, inputs: Sequence[Batch], before: int, steps: Steps) -> Pace:
        """Go through a slice of several inputs, whose steps together these are."""
        order = np.concatenate([batch.order for batch in inputs])
        arranged = np.argsort(order, kind="stable")
        rows = pl.concat([batch.frame.select(ARRIVAL, TIME) for batch in inputs])
        return self.follow(Batch(rows[arranged], order[arranged], before, steps))

    def columns(self) -> pl.DataFrame:
        """What a snapshot keeps of it, as one row."""
        return pl.DataFrame({name: [getattr(self, f"_{name}")] for name in _SAVED})

    def put_back(self, place: pl.DataFrame) -> None:
        """Go on from a snapshot's row."""
        self._now, self._newest, self._seen = (int(place[name][0]) for name in _SAVED)
