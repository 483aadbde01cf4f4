"""The as-of join: each event of the left side with its key's version of the right side that was in force at its time.

Laws: which version, what is kept and when an event comes out are Flink's (its temporal table join by event time). An
event comes out at the first step that reaches its time; what one step releases, in order of arrival. No event is late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import TIME
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.core.state import State
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import AsOfJoin
from styx_lab.flow.types import StreamType
from styx_lab.operators.join import asof_kernel as k
from styx_lab.operators.join.lists import NODE_LIST, NODE_NUMBER, NODE_TIME, NONE, Matrix
from styx_lab.operators.join.memory import JoinMemory, of_sides
from styx_lab.operators.join.sides import Sides, merge_sides
from styx_lab.operators.values import Values, values_of

__all__ = ["AsOfJoinOperator"]

_VERSION: Final = 1
_DELETE: Final = "delete"
_TIMER: Final = "_timer"
_SAVED: Final = {"_at": NODE_TIME, "_ends": k.NODE_ENDS}
"""What is saved of a kept event, by the name of its column."""


class AsOfJoinOperator(Operator):
    """Runs an `AsOfJoin`.

    Port: `out`. Counters: `joined`, `no_version` (events without one). State: the events that wait for the watermark;
    per key the newest version that the watermark has passed and those that it has not; the key's timer.

    Args:
        step: the spec.
        left: the type of the events.
        right: the type of the versions.

    Raises:
        FlowError: when the step cannot work on such sides.
    """

    def __init__(self, step: AsOfJoin, left: StreamType, right: StreamType) -> None:
        step.infer([left, right])
        self._step = step
        self._delete: dict[str, Expression] = {} if step.delete is None else {_DELETE: step.delete}
        self._tolerance = -1 if step.tolerance_ms is None else step.tolerance_ms
        self._memory = JoinMemory(step.name, (left, right), step.suffix)
        self._reset()

    def _reset(self) -> None:
        self._memory.clear()
        self._timers = np.empty(0, np.int64)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        versions = Values(inputs[1], _NO_VALUES)
        if self._delete:
            versions = values_of(self._step.name, inputs[1], self._delete)
        inputs = [inputs[0], versions.batch]
        sides = merge_sides(inputs)
        found = self._join(sides, inputs, versions.frame)
        out, none = self._emit(sides, found)
        self._memory.sweep()
        counts = {"joined": len(found) - none} | ({"no_version": none} if none else {})
        return Emission({OUT: out}, dead=versions.dead, dead_order=versions.dead_order, counts=counts)

    def _join(self, sides: Sides, inputs: Sequence[Batch], told: pl.DataFrame) -> Matrix:
        slots, numbers = self._memory.take(sides, inputs)
        self._make_timers()
        ends = np.zeros(len(sides), np.int64)
        if self._delete:
            ends[sides.side == 1] = told[_DELETE].fill_null(value=False).to_numpy()
        found, count = k.join(
            sides.side,
            slots,
            of_sides(sides, [batch.frame[TIME] for batch in inputs]),
            numbers,
            ends,
            sides.passed(),
            np.array(sides.steps.mark, np.int64),
            self._tolerance,
            self._timers,
            self._memory.kept,
            np.empty((len(sides), k.FOUND_FIELDS), np.int64),
        )
        # What one step releases: in order of arrival.
        arrival = np.lexsort((found[:count, k.FOUND_LEFT], found[:count, k.FOUND_AT]))
        ready: Matrix = found[:count][arrival]
        return ready

    def _make_timers(self) -> None:
        capacity = self._memory.keys.capacity
        if capacity > len(self._timers):
            more = np.full(max(capacity, 2 * len(self._timers)) - len(self._timers), k.NEVER, np.int64)
            self._timers = np.concatenate([self._timers, more])

    def _emit(self, sides: Sides, found: Matrix) -> tuple[Batch, int]:
        """The events that are ready, and how many of them have no version."""
        none = found[:, k.FOUND_RIGHT] == NONE
        without = int(none.sum())
        if without and self._step.how == "inner":
            found, none = found[~none], none[~none]
        places = [np.flatnonzero(~none), np.flatnonzero(none)]
        clocks = sides.steps.clock[found[:, k.FOUND_AT]]
        made = []
        for mine, alone in zip(places, (False, True), strict=True):
            if len(mine):
                lefts, times = found[mine, k.FOUND_LEFT], found[mine, k.FOUND_TIME]
                made.append(
                    self._memory.alone(0, lefts, times, clocks[mine])
                    if alone
                    else self._memory.pairs(lefts, found[mine, k.FOUND_RIGHT], times, clocks[mine])
                )
        frame = made[0] if made else self._memory.nothing()
        if len(made) > 1:
            frame = pl.concat(made)[np.argsort(np.concatenate(places))]
        return Batch(frame, sides.steps.order[found[:, k.FOUND_AT]], sides.before, sides.steps), without

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return self._memory.size()

    def _meta(self) -> dict[str, Any]:
        return {"delete": None if self._step.delete is None else self._step.delete.to_json()}

    def snapshot(self) -> State:
        """Tables `left` and `right`: a row for each kept event or version, with its key's timer.

        See `Operator.snapshot`.
        """
        tables = self._memory.tables(_SAVED)
        for side, (name, table) in enumerate(tables.items()):
            slots = self._memory.kept.side(side)[:, NODE_LIST] // 2
            tables[name] = table.with_columns(pl.Series(_TIMER, self._timers[slots], pl.Int64))
        return State(self._meta() | {"next_number": self._memory.next_number}, tables, _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`.

        Raises:
            CheckpointError: when the parts do not belong together, or were saved by another join.
        """
        state = State.saved(states, version=_VERSION, where=self._step.where, meta=self._meta())
        self._reset()
        self._memory.next_number = state.meta["next_number"]
        fields = {**_SAVED, _TIMER: NODE_NUMBER}
        for lists, numbers, (times, ends, timers) in self._memory.put_back(state.tables, fields):
            self._make_timers()
            k.fill(self._memory.kept, self._timers, lists, times, numbers, ends, timers)


_NO_VALUES: Final = pl.DataFrame()
