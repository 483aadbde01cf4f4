"""How a value changes from window to window of its key.

Laws: results are taken in order of their windows, and sums are made in that order over the last values alone, not
carried on; so neither the cut nor the order of arrival can show. A key is forgotten once its last value is too old for
any result that is not late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.compiled import njit
from styx_lab.core.keys import KeyIndex
from styx_lab.core.operator import Emission, Operator
from styx_lab.core.state import GROUP, State
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.flow.steps import Trend
from styx_lab.flow.types import StreamType
from styx_lab.operators.waiting import own
from styx_lab.operators.window_results import WindowResults, at_out

__all__ = ["TrendOperator"]

_FEW: Final = 1_024  # fewer keys are not worth sweeping for
_UNKNOWN: Final = -(2**63)


@njit(cache=True, nogil=True, error_model="numpy")
def _slope(ring, number, over, fill):  # type: ignore[no-untyped-def]
    """The slope by least squares through the values of the windows up to `number`; NaN where there are under two."""
    first = number - over + 1
    while first <= number and np.isnan(ring[first % over]):
        first += 1
    count = 0
    places = 0
    squares = 0
    for window in range(first, number + 1):
        if not np.isnan(ring[window % over]) or not np.isnan(fill):
            count += 1
            places += window - first
            squares += (window - first) * (window - first)
    if count < 2:
        return np.nan
    # Whole numbers weigh the values, and the first value is taken off each: a level line has exactly the slope 0.
    level = ring[first % over]
    total = 0.0
    for window in range(first, number + 1):
        value = ring[window % over]
        if np.isnan(value):
            value = fill
        if not np.isnan(value):
            total += (count * (window - first) - places) * (value - level)
    return total / (count * squares - places * places)


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(slots, numbers, values, rings, last, fill, told):  # type: ignore[no-untyped-def]
    """Fill `told` (previous, change, slope) for each result, in order; NaN is none.

    `rings` has for each slot the values of its last windows, each at its window's number modulo their count.
    """
    over = rings.shape[1]
    for row in range(len(slots)):
        slot = slots[row]
        number = numbers[row]
        ring = rings[slot]
        if last[slot] == _UNKNOWN or number - last[slot] >= over:
            ring[:] = np.nan
        else:
            for window in range(last[slot] + 1, number):
                ring[window % over] = np.nan
        last[slot] = number
        ring[number % over] = np.nan
        known = False
        for place in range(over):
            if not np.isnan(ring[place]):
                known = True
        previous = ring[(number - 1) % over]
        if np.isnan(previous) and known:
            previous = fill
        ring[number % over] = values[row]
        told[0, row] = previous
        told[1, row] = values[row] - previous
        told[2, row] = np.nan if np.isnan(values[row]) else _slope(ring, number, over, fill)


class TrendOperator(Operator):
    """Runs a `Trend`; counts `replaced`.

    State, per key: the values of the last windows; the results of windows that have not ended.
    """

    def __init__(self, step: Trend, stream: StreamType, output: StreamType) -> None:
        self._step = step
        self._schema = {name: stream.schema[name] for name in stream.key}
        self._output = output.schema
        self._fill = np.nan if step.fill is None else float(step.fill)
        self._results = WindowResults(step, stream, keyed=True)
        self._clear()

    def _clear(self) -> None:
        self._keys = KeyIndex(list(self._schema))
        self._rings = np.full((0, self._step.over), np.nan)
        self._last = np.full(0, _UNKNOWN, np.int64)
        self._kept = 0

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        results = self._results.take(batch)
        frame = results.released.frame
        if not frame.height:
            out = Batch(pl.DataFrame(schema=self._output), batch.order[:0], batch.before, batch.steps)
            return at_out(results.said, out, {"replaced": results.replaced})
        numbers = own(frame["window_end"].to_physical().to_numpy() // self._step.every_ms)
        values = np.array(frame[self._step.by].cast(pl.Float64).fill_null(np.nan).to_numpy(), np.float64)
        told = np.empty((3, frame.height))
        _follow(self._slots(frame), numbers, values, self._rings, self._last, self._fill, told)
        columns = [
            pl.Series(name, told[place], nan_to_null=True) for place, name in enumerate(("previous", "change", "slope"))
        ]
        self._forget(batch.after)
        frame = frame.with_columns(columns).select(list(self._output))
        return at_out(results.said, results.released.batch(batch, frame), {"replaced": results.replaced})

    def _slots(self, frame: pl.DataFrame) -> Int64s:
        slots = own(self._keys.slots(frame))
        if self._keys.capacity > len(self._last):
            more = 2 * self._keys.capacity - len(self._last)
            self._last = np.concatenate([self._last, np.full(more, _UNKNOWN, np.int64)])
            self._rings = np.concatenate([self._rings, np.full((more, self._step.over), np.nan)])
        return slots

    def _forget(self, watermark: int) -> None:
        """Let go of keys of which no result can see a value, once there are twice as many as after the last time."""
        if len(self._keys) <= 2 * self._kept + _FEW:
            return
        # The end of whatever comes is after the watermark.
        number = min(watermark, MAX_WATERMARK - 1) // self._step.every_ms
        idle = np.flatnonzero((self._last != _UNKNOWN) & (self._last <= number - self._step.over))
        self._keys.release(idle)
        self._last[idle] = _UNKNOWN
        self._kept = len(self._keys)

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return {"keys": len(self._keys), "waiting": len(self._results)}

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        slots = np.flatnonzero(self._last != _UNKNOWN)
        last, over = self._last[slots], self._step.over
        # From the oldest window to the last.
        rings = [self._rings[slots, (last - over + 1 + place) % over] for place in range(over)]
        values = pl.DataFrame(
            [
                *self._keys.frame(slots, self._schema).get_columns(),
                pl.Series("_last", last, pl.Int64),
                *(pl.Series(f"_value_{place}", ring, pl.Float64) for place, ring in enumerate(rings)),
                pl.Series(GROUP, self._keys.groups[slots], pl.UInt8),
            ]
        )
        meta, tables = self._results.snapshot()
        return State(meta, {**tables, "values": values})

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        state = State.union(states, where=self._step.where)
        self._clear()
        self._results.restore(state)
        values = state.tables["values"]
        if not values.height:
            return
        slots = self._slots(values)
        last, over = values["_last"].to_numpy(), self._step.over
        self._last[slots] = last
        for place in range(over):
            self._rings[slots, (last - over + 1 + place) % over] = values[f"_value_{place}"].to_numpy()
        self._kept = len(self._keys)
