"""One event of a key in a time: the others are held back.

Laws: events of a key are taken in order of event time, so the order of arrival within the bound changes nothing; an
event passes if no event that passed is less than the time before it; what was held back holds nothing back. What is
forgotten could not have held back any event that is not late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.compiled import njit
from styx_lab.core.keys import KeyIndex
from styx_lab.core.operator import LATE, OUT, Emission, Operator
from styx_lab.core.state import GROUP, State
from styx_lab.flow.steps import Cooldown
from styx_lab.flow.types import StreamType
from styx_lab.operators.waiting import WaitingRows, own, times_of

__all__ = ["CooldownOperator"]

_VERSION: Final = 1
_FEW: Final = 4_096  # fewer keys are not worth sweeping for
_FREE: Final = -(2**63)
_EVER: Final = 2**63 - 1


@njit(cache=True, nogil=True, error_model="numpy")
def _pass(times, slots, until, quiet, passes):  # type: ignore[no-untyped-def]
    """Which events pass, in order; `until` has for each slot when its next one may."""
    for row in range(len(times)):
        time = times[row]
        slot = slots[row]
        if time >= until[slot]:
            passes[row] = True
            until[slot] = time + quiet if time <= _EVER - quiet else _EVER


class CooldownOperator(Operator):
    """Runs a `Cooldown`.

    State, per key: the rows that wait for the watermark; until when others are held back.
    """

    def __init__(self, step: Cooldown, stream: StreamType) -> None:
        self._step = step
        self._stream = stream
        self._waiting = WaitingRows(stream.schema, stream.key)
        self._clear()

    def _clear(self) -> None:
        self._keys = KeyIndex(self._stream.key)
        self._until = np.empty(0, np.int64)
        self._kept = 0

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        late = self._waiting.take(batch, times_of(batch.frame))
        released = self._waiting.release(batch)
        passes = np.zeros(len(released.times), np.bool_)
        if len(passes):
            _pass(released.times, self._slots(released.frame), self._until, self._step.quiet_ms, passes)
            self._forget(batch.after)
        frame = released.frame if passes.all() else released.frame.filter(pl.Series(passes))
        return Emission(
            {OUT: released.batch(batch, frame, passes), LATE: batch.keep(late)},
            late_order=batch.order[late],
            counts={"suppressed": len(passes) - frame.height},
        )

    def _slots(self, frame: pl.DataFrame) -> Int64s:
        slots = own(self._keys.slots(frame))
        if self._keys.capacity > len(self._until):
            more = np.full(2 * self._keys.capacity - len(self._until), _FREE, np.int64)
            self._until = np.concatenate([self._until, more])
        return slots

    def _forget(self, watermark: int) -> None:
        """Let go of keys whose next event passes anyway, once there are twice as many keys as after the last time."""
        if len(self._keys) <= 2 * self._kept + _FEW:
            return
        # Whatever comes is after the watermark.
        idle = np.flatnonzero((self._until != _FREE) & (self._until <= watermark))
        self._keys.release(idle)
        self._until[idle] = _FREE
        self._kept = len(self._keys)

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return {"keys": len(self._keys), "waiting": len(self._waiting)}

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        rows, number = self._waiting.snapshot()
        slots = np.flatnonzero(self._until != _FREE)
        quiet = self._keys.frame(slots, self._stream.schema).with_columns(
            pl.Series("_until", self._until[slots], pl.Int64),
            pl.Series(GROUP, self._keys.groups[slots], pl.UInt8),
        )
        return State({"next_number": number}, {"waiting": rows, "quiet": quiet}, _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        state = State.saved(states, version=_VERSION, where=self._step.where)
        self._clear()
        self._waiting.restore(state.tables["waiting"], state.meta["next_number"])
        quiet = state.tables["quiet"]
        slots = self._slots(quiet)
        self._until[slots] = quiet["_until"].to_numpy()
        self._kept = len(self._keys)
