"""Windows over two inputs: joins and co-groups.

Law (oracle): both inputs go into one window operator, as in Flink: windows, sessions, lateness and triggers act on the
events of both sides together.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import ARRIVAL, TIME
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.core.state import GROUP, State
from styx_lab.flow.steps.co_group import CoGroup
from styx_lab.flow.steps.joined import LATE_LEFT, LATE_RIGHT
from styx_lab.flow.steps.window import window_columns
from styx_lab.flow.steps.window_join import WindowJoin
from styx_lab.flow.types import StreamType
from styx_lab.operators.join.sides import Sides, merge_sides
from styx_lab.operators.rows import EventRows
from styx_lab.operators.window.by_window import forms as k
from styx_lab.operators.window.by_window.clock import ProcessingClock
from styx_lab.operators.window.by_window.evaluated import evaluated
from styx_lab.operators.window.by_window.results import Results
from styx_lab.operators.window.by_window.rule import Assignment, rule_of
from styx_lab.operators.window.by_window.windows import OpenWindows
from styx_lab.operators.window.kernel import StepArrays
from styx_lab.operators.window.layout import Layout

__all__ = ["Firings", "SidedOperator"]

_VERSION: Final = 1
_LATE: Final = (LATE_LEFT, LATE_RIGHT)


class Firings:
    """What fired in one slice: a row for each firing, and its events side by side.

    Attributes:
        frame: the key, the edges and the reserved columns of each firing.
        order: the order of each.
        rows: each side's events, as they came; of all firings one after the other.
        of: the firing of each of those.
    """

    def __init__(self, frame: pl.DataFrame, fired: k.Fired, stores: Sequence[EventRows]) -> None:
        self.frame = frame
        self.order: Int64s = fired.rows[k.OUT_ORDER].copy()
        firing = np.repeat(np.arange(len(self.order)), fired.rows[k.OUT_EVENTS])
        sides = fired.members % 2
        self.of = [firing[sides == side] for side in (0, 1)]
        self.rows = [store.find(fired.members[sides == side]) for side, store in enumerate(stores)]

    def __len__(self) -> int:
        return len(self.order)


class SidedOperator(Operator):
    """Runs a step over the windows of two inputs; what a firing gives is its subclass's.

    State, per key: the open windows, and the events of both sides in them.

    Args:
        step: the spec.
        streams: the types of its inputs.
    """

    def __init__(self, step: WindowJoin | CoGroup, streams: Sequence[StreamType]) -> None:
        left, _ = self._streams = tuple(streams)
        self._step = step
        output = step.infer(streams)[OUT]
        self._schema = output.schema
        edges = [*window_columns(step.window, step.firing, left), *output.reserved]
        self._assignment = Assignment(step.window, step.firing)
        self._windows = OpenWindows(Layout((), left, step.where), rule_of(step.window, step.firing, sums=0, keeps=True))
        self._results = Results(step.name, step.window, dict(edges), left.key)
        self._clock = ProcessingClock() if step.firing.processing else None
        self._reset_rows()

    def _reset_rows(self) -> None:
        self._rows = [EventRows(stream.schema) for stream in self._streams]

    @abstractmethod
    def _rows_of(self, firings: Firings) -> tuple[pl.DataFrame, Int64s]:
        """The rows that firings give, and the order of each."""

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """Take the events of both sides into their windows, in the order in which they came, and fire what fires."""
        taken = [evaluated(self._step.name, batch, {}, self._assignment) for batch in inputs]
        sides = merge_sides([one.batch for one in taken])
        first = self._windows.next_number
        frames, values = [one.batch.frame for one in taken], [one.frame for one in taken]
        if self._clock is None:
            steps = StepArrays(
                *(np.array(part, np.int64) for part in (sides.steps.order, sides.steps.mark, sides.steps.clock))
            )
            times = [frame[TIME].to_physical().to_numpy() for frame in frames]
            clocks = [frame[ARRIVAL].to_physical().to_numpy() for frame in frames]
            rows = self._arrivals(sides, frames, values, times, clocks, sides.order)
            fired, verdicts = self._windows.run(rows, sides.before, steps)
        else:
            pace = self._clock.follow_all(inputs, sides.before, sides.steps)
            times = [pace.at(one.batch.order) for one in taken]
            rows = self._arrivals(sides, frames, values, times, times, pace.places(sides.order))
            fired, verdicts = self._windows.run(rows, pace.before, pace.steps)
            pace.settle(fired, sides.before, sides.steps)
        late: list[Batch] = []
        outside = int((verdicts == k.NO_WINDOW).sum())
        for side, one in enumerate(taken):
            mine = sides.side == side
            numbers = 2 * (first + np.flatnonzero(mine)) + side
            held, behind = (verdicts[mine] == verdict for verdict in (k.TAKEN, k.LATE_EVENT))
            self._rows[side].add(one.batch.frame.filter(pl.Series(held)), numbers[held])
            late.append(one.batch.keep(behind))
        out = self._emit(fired, sides)
        self._forget()
        dead = [one.dead for one in taken if one.dead is not None]
        counts = {"windows": fired.rows.shape[1]} | ({"no_window": outside} if outside else {})
        return Emission(
            {OUT: out, **dict(zip(_LATE, late, strict=True))},
            dead=pl.concat(dead) if dead else None,
            dead_order=np.concatenate([one.dead_order for one in taken]),
            late_order=np.sort(np.concatenate([batch.order for batch in late]), kind="stable"),
            counts=counts,
        )

    def _arrivals(
        self,
        sides: Sides,
        frames: Sequence[pl.DataFrame],
        values: Sequence[pl.DataFrame],
        times: Sequence[Int64s],
        clocks: Sequence[Int64s],
        order: Int64s,
    ) -> k.Arrivals:
        """Both sides' events as the kernel reads them, in the order in which they came.

        Args:
            sides: who came when.
            frames, values: each side's events, and what was computed of them.
            times, clocks: each side's times of the windows, and of the clock.
            order: the place of each event among the steps, in the order in which they came.
        """
        names = list(self._streams[0].key)
        keys = [
            frame.select(pl.col(theirs).alias(mine) for mine, theirs in zip(names, stream.key, strict=True))
            for frame, stream in zip(frames, self._streams, strict=True)
        ]
        edges = [self._assignment.edges(each, value) for each, value in zip(times, values, strict=True)]
        # Where each event stands when the sides are put one behind the other.
        place = sides.row + np.where(sides.side == 1, frames[0].height, 0)

        def merged(parts: Sequence[np.ndarray], dtype: Any = np.int64) -> np.ndarray:
            return np.array(np.concatenate(parts), dtype)[place]

        meets = [self._assignment.meets(value, frame.height) for value, frame in zip(values, frames, strict=True)]
        nothing = self._windows.no_values(len(sides))
        return k.Arrivals(
            merged(times),
            self._results.slots(pl.concat(keys)[place]),
            np.array(order, np.int64),
            merged(clocks),
            np.array(sides.side, np.int64),
            merged([starts for starts, _ in edges]),
            merged([ends for _, ends in edges]),
            merged(meets, np.bool_),
            *nothing,
        )

    def _emit(self, fired: k.Fired, sides: Sides) -> Batch:
        if not fired.rows.shape[1]:
            return Batch(pl.DataFrame(schema=self._schema), np.empty(0, np.int64), sides.before, sides.steps)
        frame, order = self._rows_of(Firings(self._results.frame(fired, []), fired, self._rows))
        return Batch(frame.select(list(self._schema)), order, sides.before, sides.steps)

    def _forget(self) -> None:
        """Let go of events that no window holds, and of keys without windows, many at once."""
        if any(rows.worth_sweeping for rows in self._rows):
            numbers = self._windows.numbers()
            for side, rows in enumerate(self._rows):
                rows.keep(numbers[numbers % 2 == side])
        if self._results.worth_releasing(self._windows.keys):
            self._results.release(self._windows.forget_idle())

    def snapshot(self) -> State:
        """Tables `windows`, `left` and `right` (the events that are kept), `place` (of no key)."""
        slots, columns = self._windows.snapshot()
        windows = self._results.key_columns(slots).with_columns(**columns)
        groups = windows.select(pl.col("_members").alias("_number"), GROUP).explode("_number").drop_nulls().unique()
        kept = {
            name: rows.frame().join(groups, on="_number", how="inner", maintain_order="left")
            for name, rows in zip(("left", "right"), self._rows, strict=True)
        }
        place = self._windows.place()
        if self._clock is not None:
            place = place.hstack(self._clock.columns())
        return State(self._step.details(), {"windows": windows, **kept, "place": place}, _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """Go on from parts of a snapshot.

        Raises:
            CheckpointError: when they do not belong together, or were saved by another step.
        """
        state = State.saved(states, version=_VERSION, where=self._step.where, meta=self._step.details())
        self._results.clear()
        self._windows.restore(state.tables["windows"], state.tables["place"], self._results.slots)
        if self._clock is not None:
            self._clock.put_back(state.tables["place"])
        self._reset_rows()
        for name, rows, stream in zip(("left", "right"), self._rows, self._streams, strict=True):
            table = state.tables[name].sort("_number")
            rows.add(table.select(list(stream.schema)), table["_number"].to_numpy())

    @property
    def waits_for_clock(self) -> bool:
        """See `Operator.waits_for_clock`."""
        return self._clock is not None and self._windows.live > 0

    def size(self) -> Mapping[str, int]:
        """The keys, windows and events that are held."""
        return {
            "keys": self._windows.keys,
            "windows": self._windows.live,
            "events": sum(len(rows) for rows in self._rows),
        }
