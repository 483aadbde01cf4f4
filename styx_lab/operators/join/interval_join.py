"""The interval join: RawEvents of two sides -> BusinessEvents, one a pair.

Laws: pairs, late events and what is forgotten are Flink's. A pair comes out at the event that completes it; the pairs
of one event in order of the partner's time, then of its arrival. An event that goes without a partner (`left`, `full`)
comes out at the step at which it goes, in order of time, then of arrival; so that it is not late there, the watermark
behind such a join is behind by the longest that an event is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s, Steps
from styx_lab.core.events import ARRIVAL, TIME
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.core.state import State
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.flow.steps import IntervalJoin
from styx_lab.flow.steps.joined import LATE_LEFT, LATE_RIGHT
from styx_lab.flow.types import StreamType
from styx_lab.operators.join import interval_kernel as k
from styx_lab.operators.join.lists import NODE_TIME, Matrix
from styx_lab.operators.join.memory import JoinMemory, of_sides
from styx_lab.operators.join.sides import Sides, merge_sides

__all__ = ["IntervalJoinOperator"]

_VERSION: Final = 1
_SAVED: Final = {"_at": NODE_TIME, "_clock": k.NODE_CLOCK, "_dies": k.NODE_DIES, "_matched": k.NODE_MATCHED}
"""What is saved of a kept event, by the name of its column, in the order in which `fill` takes it."""


class IntervalJoinOperator(Operator):
    """Runs an `IntervalJoin`.

    Ports: `out` has the pairs, and events without a partner; `late_left` and `late_right` the events that came behind
    the watermark. Counters: `pairs`, `unmatched`. State: the events that may still have a partner.

    Args:
        step: the spec.
        left: the type of the left side.
        right: the type of the right side.

    Raises:
        FlowError: when the step cannot work on such sides.
    """

    def __init__(self, step: IntervalJoin, left: StreamType, right: StreamType) -> None:
        step.infer([left, right])
        self._step = step
        self._bounds = np.array([step.nearest_ms, step.farthest_ms], np.int64)
        self._outer = np.array([step.how in ("left", "full"), step.how == "full"], np.bool_)
        kept_ms = (max(step.farthest_ms, 0), max(-step.nearest_ms, 0))
        # An event at the watermark itself goes at the next step, however small the bounds.
        self._behind_ms = max([max(ms, 1) for ms, told in zip(kept_ms, self._outer, strict=True) if told], default=0)
        self._memory = JoinMemory(step.name, (left, right), step.suffix)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        sides = merge_sides(inputs)
        times = of_sides(sides, [batch.frame[TIME] for batch in inputs])
        late = times < sides.watermarks()
        late_order = sides.order[late]
        masks = [late[sides.side == side] for side in range(2)]
        ports = {
            name: Batch(
                batch.frame.filter(pl.Series(mask)) if len(late_order) else batch.frame[:0],
                batch.order[mask],
                sides.before,
                sides.steps,
            )
            for name, batch, mask in zip((LATE_LEFT, LATE_RIGHT), inputs, masks, strict=True)
        }
        if len(late_order):
            inputs = [batch.keep(~mask) for batch, mask in zip(inputs, masks, strict=True)]
            sides, times = merge_sides(inputs), times[~late]
        pairs, gone = self._join(sides, times, inputs)
        out = self._emit(sides, pairs, gone)
        self._memory.sweep()
        counts = {"pairs": len(pairs)} | ({"unmatched": len(gone)} if self._behind_ms else {})
        return Emission({OUT: out, **ports}, late_order=late_order, counts=counts)

    def _join(self, sides: Sides, times: Int64s, inputs: Sequence[Batch]) -> tuple[Matrix, Matrix]:
        clocks = of_sides(sides, [batch.frame[ARRIVAL] for batch in inputs])
        slots, numbers = self._memory.take(sides, inputs)
        room = (np.empty((2 * len(sides), k.PAIR_FIELDS), np.int64), np.empty((0, k.GONE_FIELDS), np.int64))
        marks = np.array(sides.steps.mark, np.int64)
        pairs, found, gone, lost = k.join(
            sides.side, slots, times, clocks, numbers, sides.passed(), marks,
            self._bounds, self._outer, self._memory.kept, *room,
        )  # fmt: skip
        return pairs[:found], gone[:lost]

    def _emit(self, sides: Sides, pairs: Matrix, gone: Matrix) -> Batch:
        before, steps = _behind(sides.before, sides.steps, self._behind_ms)
        made, orders = [], [sides.order[pairs[:, k.PAIR_AT]]]
        if len(pairs):
            numbers = pairs[:, k.PAIR_LEFT], pairs[:, k.PAIR_RIGHT]
            made.append(self._memory.pairs(*numbers, pairs[:, k.PAIR_TIME], pairs[:, k.PAIR_CLOCK]))
        if len(gone):
            # What one step lets go: in order of time, then of arrival.
            gone = gone[np.lexsort((gone[:, k.GONE_NUMBER], gone[:, k.GONE_TIME], gone[:, k.GONE_AT]))]
            made.append(self._alone(gone, sides.steps.clock[gone[:, k.GONE_AT]]))
            orders.append(sides.steps.order[gone[:, k.GONE_AT]])
        order = np.concatenate(orders)
        if len(made) < 2:
            return Batch(made[0] if made else self._memory.nothing(), order, before, steps)
        arranged = np.argsort(order, kind="stable")
        return Batch(pl.concat(made)[arranged], order[arranged], before, steps)

    def _alone(self, gone: Matrix, clocks: Int64s) -> pl.DataFrame:
        places = [np.flatnonzero(gone[:, k.GONE_SIDE] == side) for side in range(2)]
        frames = [
            self._memory.alone(side, gone[mine, k.GONE_NUMBER], gone[mine, k.GONE_TIME], clocks[mine])
            for side, mine in enumerate(places)
            if len(mine)
        ]
        return frames[0] if len(frames) == 1 else pl.concat(frames)[np.argsort(np.concatenate(places))]

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return self._memory.size()

    def _meta(self) -> dict[str, Any]:
        return {"nearest_ms": self._step.nearest_ms, "farthest_ms": self._step.farthest_ms, "how": self._step.how}

    def snapshot(self) -> State:
        """Tables `left` and `right`: a row for each kept event. See `Operator.snapshot`."""
        meta = self._meta() | {"next_number": self._memory.next_number}
        return State(meta, self._memory.tables(_SAVED), _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`.

        Raises:
            CheckpointError: when the parts do not belong together, or were saved by another join.
        """
        state = State.saved(states, version=_VERSION, where=self._step.where, meta=self._meta())
        self._memory.clear()
        self._memory.next_number = state.meta["next_number"]
        for lists, numbers, (times, *rest) in self._memory.put_back(state.tables, _SAVED):
            k.fill(self._memory.kept, lists, times, numbers, *rest)


def _behind(before: int, steps: Steps, length: int) -> tuple[int, Steps]:
    """A watermark and its steps as they are behind a step that holds events back for `length` ms."""
    if not length:
        return before, steps
    ticked = steps.ticks(before)
    least = MIN_WATERMARK + length
    marks = np.where(steps.mark == MAX_WATERMARK, MAX_WATERMARK, np.maximum(steps.mark, least) - length)
    before = before if before == MAX_WATERMARK else max(before, least) - length
    moved = ticked | (marks > np.concatenate([np.array([before], np.int64), marks[:-1]]))
    return before, Steps(steps.order[moved], marks[moved].astype(np.int64), steps.clock[moved])
