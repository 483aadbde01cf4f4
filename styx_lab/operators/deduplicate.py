"""Each event once: repeats are left out.

Laws: an event is a repeat if one that was kept has the same columns and an event time less than `within` away; events
are judged in order of arrival and the first is kept. A kept event is remembered as long as an event that is not late
can repeat it, so what is forgotten cannot show.
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
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.flow.steps import Deduplicate, KeyBy
from styx_lab.flow.types import StreamType
from styx_lab.operators.shape import KeyByOperator
from styx_lab.operators.waiting import own, times_of

__all__ = ["DeduplicateOperator"]

_VERSION: Final = 1
_LEAST: Final = 1_024
_NONE: Final = -1
# Of a slot, in a sweep.
_HELD, _HOLDS = 1, 2


@njit(cache=True, nogil=True, error_model="numpy")
def _home(slot, stretch, mask):  # type: ignore[no-untyped-def]
    """Where a slot's kept event of a stretch is looked for; those of stretches side by side are, too."""
    # Unsigned: a signed product that overflows is undefined, and compiled differently for different callers.
    mixed = np.uint64(slot) * np.uint64(0x1E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0x2545F4914F6CDD1D)
    return (np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(mask)) + stretch) & mask


@njit(cache=True, nogil=True, error_model="numpy")
def _put(held_slots, held_times, slot, time, within):  # type: ignore[no-untyped-def]
    mask = len(held_slots) - 1
    place = _home(slot, time // within, mask)
    while held_slots[place] >= 0:
        place = (place + 1) & mask
    held_slots[place] = slot
    held_times[place] = time


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(times, slots, within, held_slots, held_times, repeats):  # type: ignore[no-untyped-def]
    """Which events repeat a kept one, in order; the others are kept. Gives how many were kept.

    The table is open addressing by slot and stretch (the time divided by `within`): two events of one stretch are less
    than `within` apart, so it holds one at most, and only the stretches beside it have others that near.
    """
    mask = len(held_slots) - 1
    kept = 0
    for row in range(len(times)):
        time = times[row]
        slot = slots[row]
        stretch = time // within
        for near in range(stretch - 1, stretch + 2):
            place = _home(slot, near, mask)
            while held_slots[place] >= 0:
                if held_slots[place] == slot and -within < time - held_times[place] < within:
                    repeats[row] = True
                    break
                place = (place + 1) & mask
            if repeats[row]:
                break
        if not repeats[row]:
            _put(held_slots, held_times, slot, time, within)
            kept += 1
    return kept


@njit(cache=True, nogil=True, error_model="numpy")
def _refill(old_slots, old_times, horizon, within, held_slots, held_times, marks):  # type: ignore[no-untyped-def]
    """Fill an empty table with what a table holds after the horizon; `marks` says which slots held and still hold."""
    for place in range(len(old_slots)):
        slot = old_slots[place]
        if slot >= 0:
            marks[slot] |= _HELD
            if old_times[place] > horizon:
                marks[slot] |= _HOLDS
                _put(held_slots, held_times, slot, old_times[place], within)


class DeduplicateOperator(Operator):
    """Runs a `Deduplicate`; counts `repeats`.

    State, per key and columns: the times of the kept events that can still be repeated.
    """

    def __init__(self, step: Deduplicate, stream: StreamType) -> None:
        self._step = step
        self._within = step.within_ms
        self._columns = step.compared(stream)
        # The stream's key says where state belongs; without one, all that is compared does.
        self._key = stream.key or self._columns
        self._schema = {name: stream.schema[name] for name in self._columns}
        self._keyed = KeyByOperator(KeyBy(step.name, step.inputs, self._columns))
        self._clear()

    def _clear(self) -> None:
        self._index = KeyIndex(self._columns)
        self._slots, self._times = np.full(_LEAST, _NONE, np.int64), np.zeros(_LEAST, np.int64)
        self._held = 0
        self._watermark = MIN_WATERMARK

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        keyed = Emission({OUT: batch})
        if any(batch.frame[name].null_count() for name in self._columns):
            keyed = self._keyed.process(inputs)
            batch = keyed.ports[OUT]
        times = times_of(batch.frame)
        late = times <= _less(batch.watermarks(), self._within)
        judged, taken = (batch.keep(~late), times[~late]) if late.any() else (batch, times)
        repeats = np.zeros(len(judged), np.bool_)
        if len(judged):
            self._make_room(len(judged), batch.before)
            slots = own(self._index.slots(judged.frame))
            self._held += _judge(taken, slots, self._within, self._slots, self._times, repeats)
        self._watermark = batch.after
        return Emission(
            {OUT: judged.keep(~repeats), LATE: batch.keep(late)},
            dead=keyed.dead,
            dead_order=keyed.dead_order,
            late_order=batch.order[late],
            counts={"repeats": int(repeats.sum())},
        )

    def _horizon(self, watermark: int) -> int:
        """What was kept at this time or before cannot be repeated: an event that near to it is late."""
        return int(_less(np.array([watermark]), 2 * self._within)[0])

    def _make_room(self, rows: int, watermark: int) -> None:
        """Room for as many more, in a table that is never more than half full; what cannot be repeated goes."""
        if 2 * (self._held + rows) <= len(self._slots):
            return
        old_slots, old_times, horizon = self._slots, self._times, self._horizon(watermark)
        self._held = int(np.count_nonzero((old_slots != _NONE) & (old_times > horizon)))
        # At most a quarter full, so that sweeps are paid for by what comes between them.
        room = 1 << (4 * max(self._held + rows, _LEAST) - 1).bit_length()
        self._slots, self._times = np.full(room, _NONE, np.int64), np.zeros(room, np.int64)
        marks = np.zeros(self._index.capacity, np.uint8)
        _refill(old_slots, old_times, horizon, self._within, self._slots, self._times, marks)
        self._index.release(np.flatnonzero(marks == _HELD))

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return {"keys": len(self._index), "kept": self._held}

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        held = np.flatnonzero((self._slots != _NONE) & (self._times > self._horizon(self._watermark)))
        slots = self._slots[held]
        frame = self._index.frame(slots, self._schema)
        owners = KeyIndex(self._key)
        at = owners.slots(frame)
        table = frame.with_columns(
            pl.Series("_at", self._times[held], pl.Int64), pl.Series(GROUP, owners.groups[at], pl.UInt8)
        )
        return State({}, {"kept": table}, _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        state = State.saved(states, version=_VERSION, where=self._step.where)
        self._clear()
        table = state.tables["kept"]
        self._make_room(table.height, MIN_WATERMARK)
        slots, times = own(self._index.slots(table)), own(table["_at"].to_numpy())
        # None repeats another, or it would not have been kept.
        repeats = np.zeros(len(times), np.bool_)
        self._held = int(_judge(times, slots, self._within, self._slots, self._times, repeats))


def _less(watermarks: Int64s, ms: int) -> Int64s:
    """Watermarks less a length; before any event there is nothing less."""
    return np.where(watermarks < MIN_WATERMARK + ms, MIN_WATERMARK, watermarks - ms)
