"""The window operator for every window, trigger and aggregate: each window is kept by itself.

Laws: assignment, firing, merging and lateness are Flink's; results of one step come in order of the time they waited
for, then of the window's first event; contents stand in order of arrival.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import ARRIVAL, TIME
from styx_lab.core.operator import LATE, OUT, Emission, Operator
from styx_lab.core.state import GROUP, State
from styx_lab.flow.steps import WindowStep
from styx_lab.flow.types import StreamType
from styx_lab.flow.window import Counted
from styx_lab.operators.rows import EventRows
from styx_lab.operators.window.by_window import forms as k
from styx_lab.operators.window.by_window.clock import ProcessingClock
from styx_lab.operators.window.by_window.evaluated import evaluated
from styx_lab.operators.window.by_window.results import Results
from styx_lab.operators.window.by_window.rule import Assignment, rule_of
from styx_lab.operators.window.by_window.windows import OpenWindows
from styx_lab.operators.window.groups import Groups
from styx_lab.operators.window.kernel import StepArrays
from styx_lab.operators.window.layout import Layout
from styx_lab.operators.window.room import own

__all__ = ["ByWindowOperator"]

_VERSION: Final = 1


class ByWindowOperator(Operator):
    """Runs a `WindowStep`, whatever it says.

    >>> from styx_lab.core.batch import step_batch
    >>> from styx_lab.flow.aggregate import count
    >>> from styx_lab.flow.types import raw_type
    >>> from styx_lab.flow.window import Session
    >>> stream = raw_type([("card", pl.String())], key=("card",))
    >>> operator = ByWindowOperator(WindowStep("per_card", (), Session("5m"), (("n", count()),)), stream)
    >>> operator.process([step_batch(stream.schema, order=1, before=0, mark=9, clock=9)]).counts
    {'windows': 0}

    Ports: `out` has a row for each firing of a window that holds events; `late` has the events that no window took and
    whose lateness is over. Counters: `windows` (firings), `no_window` (events that are in no window and not late).

    State, per key: the open windows, each with its partials where all aggregates can be merged, else with its events.

    Args:
        step: the spec.
        stream: the type of its input.

    Raises:
        FlowError: when the step cannot work on such a stream.
    """

    def __init__(self, step: WindowStep, stream: StreamType) -> None:
        self._step = step
        schema = step.infer([stream])[OUT].schema
        sliding_count = isinstance(step.window, Counted) and step.window.every is not None
        merging = all(aggregate.mergeable for _, aggregate in step.aggregates) and not sliding_count
        # Either partials are kept, or events.
        self._layout = Layout(step.aggregates if merging else (), stream, step.where)
        self._groups = None if merging else Groups(step.aggregates, stream, step.where)
        self._assignment = Assignment(step.window, step.firing)
        sums = sum(1 for word in self._layout.whole_start if word == -1)
        self._windows = OpenWindows(self._layout, rule_of(step.window, step.firing, sums=sums, keeps=not merging))
        self._results = Results(step.name, step.window, schema, stream.key)
        self._kept = {} if self._groups is None else self._groups.schema
        self._rows = EventRows(self._kept)
        self._clock = ProcessingClock() if step.firing.processing else None
        self._no_results, self._no_late = pl.DataFrame(schema=schema), pl.DataFrame(schema=stream.schema)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """Take each event into its windows, and fire what fires, one event and one watermark step after the other.

        Raises:
            DataError: when whole numbers do not fit in 64 bits.
        """
        (batch,) = inputs
        mine = self._layout.computed if self._groups is None else self._groups.expressions
        taken = evaluated(self._step.name, batch, mine, self._assignment)
        frame, values = taken.batch.frame, taken.frame
        first = self._windows.next_number
        if self._clock is None:
            times = own(taken.batch.frame[TIME].to_physical().to_numpy())
            clocks = own(taken.batch.frame[ARRIVAL].to_physical().to_numpy())
            rows = self._arrivals(taken.batch, values, times, own(taken.batch.order), clocks)
            steps = StepArrays(own(batch.steps.order), own(batch.steps.mark), own(batch.steps.clock))
            fired, verdicts = self._windows.run(rows, batch.before, steps)
        else:
            pace = self._clock.follow(batch)
            times = pace.at(taken.batch.order)
            rows = self._arrivals(taken.batch, values, times, pace.places(taken.batch.order), times)
            fired, verdicts = self._windows.run(rows, pace.before, pace.steps)
            pace.settle(fired, batch.before, batch.steps)
        if self._groups is not None and len(taken.batch):
            held = verdicts == k.TAKEN
            numbers = 2 * (first + np.arange(len(taken.batch)))
            # Column by column, for a frame without columns has no rows either.
            columns = {column.name: column for column in values.get_columns()}
            columns |= {name: frame[name] for name in self._groups.plain}
            kept = pl.DataFrame([columns[name] for name in self._kept])
            self._rows.add(kept.filter(pl.Series(held)) if self._kept else kept, numbers[held])
        out = self._emit(fired, batch)
        self._forget()
        late = verdicts == k.LATE_EVENT
        late_batch = Batch(self._no_late, np.empty(0, np.int64), batch.before, batch.steps)
        if late.any():
            late_batch = Batch(frame.filter(pl.Series(late)), taken.batch.order[late], batch.before, batch.steps)
        counts = {"windows": len(out)}
        outside = int((verdicts == k.NO_WINDOW).sum())
        if outside:
            counts["no_window"] = outside
        return Emission(
            {OUT: out, LATE: late_batch},
            dead=taken.dead,
            dead_order=taken.dead_order,
            late_order=late_batch.order,
            counts=counts,
        )

    def _arrivals(self, batch: Batch, values: pl.DataFrame, times: Int64s, order: Int64s, clocks: Int64s) -> k.Arrivals:
        starts, ends = self._assignment.edges(times, values)
        return k.Arrivals(
            times,
            self._results.slots(batch.frame),
            order,
            clocks,
            np.zeros(len(batch), np.int64),
            starts,
            ends,
            self._assignment.meets(values, len(batch)),
            *self._layout.values(batch.frame, values),
        )

    def _emit(self, fired: k.Fired, batch: Batch) -> Batch:
        if not fired.rows.shape[1]:
            return Batch(self._no_results, np.empty(0, np.int64), batch.before, batch.steps)
        events = fired.rows[k.OUT_EVENTS].copy()

        def name_row(row: int) -> str:
            return self._results.name(fired, row)

        if self._groups is None:
            columns = self._layout.columns(events, fired.real, fired.whole, name_row)
        else:
            columns = self._groups.compute(self._rows.find(fired.members), events, name_row)
        frame = self._results.frame(fired, columns)
        return Batch(frame, fired.rows[k.OUT_ORDER].copy(), batch.before, batch.steps)

    def _forget(self) -> None:
        """Let go of events that no window holds, and of keys without windows, many at once."""
        if self._rows.worth_sweeping:
            self._rows.keep(self._windows.numbers())
        if self._results.worth_releasing(self._windows.keys):
            self._results.release(self._windows.forget_idle())

    def _meta(self) -> dict[str, Any]:
        return self._step.details()

    def snapshot(self) -> State:
        """Tables `windows` (a row for each key and window), `rows` (the events that are kept), `place` (of no key)."""
        slots, columns = self._windows.snapshot()
        windows = self._results.key_columns(slots).with_columns(**columns)
        groups = windows.select(pl.col("_members").alias("_number"), GROUP).explode("_number").drop_nulls().unique()
        rows = self._rows.frame().join(groups, on="_number", how="inner", maintain_order="left")
        place = self._windows.place()
        if self._clock is not None:
            place = place.hstack(self._clock.columns())
        return State(self._meta(), {"windows": windows, "rows": rows, "place": place}, _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """Go on from parts of a snapshot.

        Raises:
            CheckpointError: when they do not belong together, or were saved by another window.
        """
        state = State.saved(states, version=_VERSION, where=self._step.where, meta=self._meta())
        self._results.clear()
        self._windows.restore(state.tables["windows"], state.tables["place"], self._results.slots)
        if self._clock is not None:
            self._clock.put_back(state.tables["place"])
        self._rows = EventRows(self._kept)
        rows = state.tables["rows"].sort("_number")
        self._rows.add(rows.select(list(self._kept)), rows["_number"].to_numpy())

    @property
    def waits_for_clock(self) -> bool:
        """See `Operator.waits_for_clock`."""
        return self._clock is not None and self._windows.live > 0

    def size(self) -> Mapping[str, int]:
        """The keys, windows and events that are held."""
        return {"keys": self._windows.keys, "windows": self._windows.live, "events": len(self._rows)}
