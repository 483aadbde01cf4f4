"""The greatest results of each window, over all keys.

Laws: a window is ranked once, when the watermark reaches its end; equal values stand in order of their key, so no rank
depends on the order of arrival (without a key: of equal values the first to arrive comes first).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.keys import key_json
from styx_lab.core.operator import Emission, Operator
from styx_lab.core.state import State
from styx_lab.flow.steps import Top
from styx_lab.flow.types import StreamType
from styx_lab.operators.waiting import Released, own
from styx_lab.operators.window_results import WindowResults, at_out

__all__ = ["TopOperator"]


class TopOperator(Operator):
    """Runs a `Top`; counts `outranked` and `replaced`.

    State, of one key group since all keys are ranked together: the results of windows that have not ended.
    """

    def __init__(self, step: Top, stream: StreamType, output: StreamType) -> None:
        self._step = step
        self._key = stream.key
        self._output = output.schema
        self._results = WindowResults(step, stream, keyed=False)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        results = self._results.take(batch)
        released = results.released
        if not len(released.times):
            out = Batch(pl.DataFrame(schema=self._output), batch.order[:0], batch.before, batch.steps)
            return at_out(results.said, out, {"replaced": results.replaced})
        kept, ranks = self._ranked(released)
        frame = released.frame[kept].with_columns(pl.Series("rank", ranks, pl.Int64)).select(list(self._output))
        counts = {"outranked": len(released.times) - len(kept), "replaced": results.replaced}
        return at_out(results.said, released.batch(batch, frame, kept), counts)

    def _ranked(self, released: Released) -> tuple[Int64s, Int64s]:
        """The rows that stay, window after window, and their ranks."""
        frame = released.frame
        value = frame[self._step.by]
        if value.dtype.is_float():
            value = value.fill_nan(None)
        place = value.rank("dense", descending=self._step.descending)
        places = own(place.fill_null(frame.height + 1).to_numpy())
        starts = own(frame["window_start"].to_physical().to_numpy())
        # By window; then by value; equal ones as they are.
        arranged = np.lexsort((places, starts, released.times))
        starts, ends, places = starts[arranged], released.times[arranged], places[arranged]
        edges = np.flatnonzero((np.diff(starts, prepend=0) != 0) | (np.diff(ends, prepend=0) != 0))
        edges = np.union1d([0], edges)
        sizes = np.diff(edges, append=len(arranged))
        # Whatever equals the last that stays may stay in its place: the keys say.
        last = places[edges + np.minimum(sizes, self._step.count) - 1]
        windows = np.repeat(np.arange(len(edges)), sizes)
        near = np.flatnonzero(places <= last[windows])
        rows = arranged[near]
        if self._key:
            keys = [key_json(key) for key in frame[rows].select(self._key).rows()]
            order = sorted(range(len(rows)), key=lambda one: (windows[near[one]], places[near[one]], keys[one]))
            rows, near = rows[order], near[order]
        windows = windows[near]
        ranks = np.arange(len(rows)) - np.searchsorted(windows, windows) + 1
        stays = ranks <= self._step.count
        return rows[stays], ranks[stays]

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return {"waiting": len(self._results)}

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        return State(*self._results.snapshot())

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        self._results.restore(State.union(states, where=self._step.where))
