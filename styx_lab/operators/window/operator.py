"""The window operator: aggregates per key and window of event time.

Laws: windows, their events and late events are Flink's (tumbling and sliding, lateness 0, the default trigger); every
aggregate is exact, so the order of arrival within the bound cannot show; results come in a defined order: by the step
that fired them, by the window's end, by the key's first event in that window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import ARRIVAL, DETECTED, ORIGIN, TIME
from styx_lab.core.keys import KeyIndex
from styx_lab.core.operator import LATE, OUT, Emission, Operator
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.state import GROUP, State
from styx_lab.core.texts import join_runs
from styx_lab.flow.steps import WindowStep
from styx_lab.flow.types import StreamType
from styx_lab.flow.window import Sliding, Tumbling
from styx_lab.operators.values import values_of
from styx_lab.operators.window import kernel as k
from styx_lab.operators.window.keys import ResultKeys, origin_ends
from styx_lab.operators.window.layout import Layout
from styx_lab.operators.window.panes import Panes
from styx_lab.operators.window.partial import Rows
from styx_lab.operators.window.room import own

__all__ = ["WindowOperator"]

_VERSION: Final = 1
_NO_ORDERS: Final = np.empty(0, np.int64)
_IDLE_KEYS: Final = 1_024
_IDLE_SHARE: Final = 8
"""Keys are released when there are more than so many, and more than so many times those that have panes."""


class WindowOperator(Operator):
    """Runs a `WindowStep`.

    >>> from styx_lab.core.batch import step_batch
    >>> from styx_lab.flow.aggregate import count
    >>> from styx_lab.flow.types import raw_type
    >>> from styx_lab.flow.window import Tumbling
    >>> stream = raw_type([("card", pl.String())], key=("card",))
    >>> operator = WindowOperator(WindowStep("per_card", (), Tumbling("5m"), (("n", count()),)), stream)
    >>> operator.process([step_batch(stream.schema, order=1, before=0, mark=9, clock=9)]).counts
    {'windows': 0}

    Ports: `out` has a row for each key and window, when the watermark reaches the window's end less 1 ms; `late` has
    the events that came when all their windows had fired. Counters: `windows` (results: one a key and window),
    `no_window` (events between two windows).

    Args:
        step: the spec.
        stream: the type of its input.

    Raises:
        FlowError: when the step cannot work on such a stream.
    """

    def __init__(self, step: WindowStep, stream: StreamType) -> None:
        self._step = step
        self._schema = step.infer([stream])[OUT].schema
        assert isinstance(step.window, Tumbling | Sliding), "other windows are not cut into panes"
        self._size, self._slide = step.window.size_ms, step.window.slide_ms
        self._layout = Layout(step.aggregates, stream, step.where)
        self._panes = Panes(self._layout, self._size, self._slide)
        self._key_schema = {name: self._schema[name] for name in stream.key}
        self._reset_keys()
        # Rows of one order are told apart by their place among them.
        self._last_order, self._last_place = -1, 0
        self._no_results, self._no_late = pl.DataFrame(schema=self._schema), pl.DataFrame(schema=stream.schema)

    def _reset_keys(self) -> None:
        self._index = KeyIndex(list(self._key_schema))

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """Judge each event against the watermark before it, take it into its panes, fire the windows that are due.

        Raises:
            DataError: when whole numbers do not fit in 64 bits.
        """
        (batch,) = inputs
        # The kernels take arrays that are writable and in one piece: others would be compiled for anew.
        steps = k.StepArrays(own(batch.steps.order), own(batch.steps.mark), own(batch.steps.clock))
        times, orders = own(batch.frame[TIME].to_numpy()), own(batch.order)
        verdicts, places = np.empty(len(batch), np.uint8), np.empty(len(batch), np.int64)
        last = (self._last_order, self._last_place)
        late, outside = k.judge(times, orders, steps, batch.before, self._panes.shape, last, verdicts, places)
        if len(batch):
            self._last_order, self._last_place = int(orders[-1]), int(places[-1])
        frame, late_frame, late_order = batch.frame, self._no_late, _NO_ORDERS
        if late:
            rows = np.flatnonzero(verdicts == k.LATE_EVENT)
            late_frame, late_order = frame[rows], orders[rows]
        if late or outside:
            rows = np.flatnonzero(verdicts == k.TAKEN)
            frame, times, orders, places = frame[rows], times[rows], orders[rows], places[rows]
        taken = values_of(self._step.name, Batch(frame, orders, batch.before, batch.steps), self._layout.computed)
        if taken.dead is not None:
            frame, times, orders, places = taken.batch.frame, times[taken.good], orders[taken.good], places[taken.good]
        values = self._layout.values(frame, taken.frame)
        fired = self._panes.run(Rows(times, self._slots(frame), orders, places, *values), batch.before, steps)
        count = fired.rows.shape[1]
        out = self._emit(fired, batch) if count else Batch(self._no_results, _NO_ORDERS, batch.before, batch.steps)
        self._release()
        counts = {"windows": count, "no_window": outside} if outside else {"windows": count}
        return Emission(
            {OUT: out, LATE: Batch(late_frame, late_order, batch.before, batch.steps)},
            dead=taken.dead,
            dead_order=taken.dead_order,
            late_order=late_order,
            counts=counts,
        )

    def _release(self) -> None:
        """Forget keys without panes, but only many at once: most come again soon."""
        if len(self._index) > _IDLE_KEYS + _IDLE_SHARE * self._panes.keys:
            self._index.release(self._panes.forget_idle())

    def _slots(self, frame: pl.DataFrame) -> Int64s:
        if self._key_schema or not frame.height:
            return self._index.slots(frame)
        return np.repeat(self._index.slots(frame[:1]), frame.height)

    def _emit(self, fired: k.Fired, batch: Batch) -> Batch:
        slots, events = fired.rows
        ends, orders, clocks, counts = fired.windows
        keys, origin = ResultKeys.of(self._step.name, self._index, slots, self._key_schema)

        def name_row(row: int) -> str:
            key, end = self._index.key(slots[row]), np.repeat(ends, counts)[row]
            return f"key {key!r}, window [{end - self._size}, {end}) ms"

        # What the results of a window have in common is made once for it.
        window = np.repeat(np.arange(len(ends)), counts)
        starts = ends - self._size
        start, end, time, arrival = (
            pl.Series(values[window]).cast(TIME_DTYPE) for values in (starts, ends, ends - 1, clocks)
        )
        made = [
            *keys,
            start.alias("window_start"),
            end.alias("window_end"),
            *self._layout.columns(events, fired.real, fired.whole, name_row),
            time.alias(TIME),
            arrival.alias(ARRIVAL),
            arrival.alias(DETECTED),
            join_runs([*origin, origin_ends(starts, ends).take(window)], len(slots)).alias(ORIGIN),
        ]
        return Batch(pl.DataFrame(made), orders[window], batch.before, batch.steps)

    def _meta(self) -> dict[str, Any]:
        return {
            "size_ms": self._size,
            "slide_ms": self._slide,
            "aggregates": [[name, aggregate.to_json()] for name, aggregate in self._step.aggregates],
        }

    def snapshot(self) -> State:
        """Table `panes`: a row for each key and pane, with the partials. Table `place` (of no key): the last event."""
        slots, columns = self._panes.snapshot()
        known, of_row = np.unique(slots, return_inverse=True)
        group = pl.Series(GROUP, self._index.groups[known], dtype=pl.UInt8)
        keys = pl.DataFrame([*self._index.frame(known, self._key_schema).get_columns(), group])[of_row]
        panes = keys.with_columns(**columns)
        place = pl.DataFrame({"order": [self._last_order], "place": [self._last_place]})
        return State(self._meta(), {"panes": panes, "place": place}, _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """Go on from parts of a snapshot.

        Raises:
            CheckpointError: when they do not belong together, or were saved by another window.
        """
        state = State.saved(states, version=_VERSION, where=self._step.where, meta=self._meta())
        self._reset_keys()
        self._last_order, self._last_place = state.tables["place"].row(0)
        panes = state.tables["panes"]
        self._panes.restore(panes, self._slots)

    def size(self) -> Mapping[str, int]:
        """The keys and panes (one for each key) that are held."""
        return {"keys": self._panes.keys, "panes": self._panes.live}
