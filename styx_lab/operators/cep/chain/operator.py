"""Pattern detection: RawEvents -> BusinessEvents.

Laws: events of a key are taken in order of event time once the watermark has passed them, so arrival order within the
bound changes nothing; an event at or below the watermark when it comes is late, and goes to `.late`. A match comes
out at the watermark step that released its last event; matches of one step in order of that event's time, then of its
arrival, then of the match's start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.epoch import epoch_ms
from styx_lab.core.events import TIME
from styx_lab.core.keys import KeyIndex
from styx_lab.core.operator import LATE, OUT, Emission, Operator
from styx_lab.core.pick import pick
from styx_lab.core.state import GROUP, State
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.flow.steps import Detect
from styx_lab.flow.types import StreamType
from styx_lab.operators.cep.chain.compile import compile_pattern
from styx_lab.operators.cep.chain.match import PartialMatches, advance
from styx_lab.operators.cep.found import AT, COLUMNS, FIRST, LENGTH, SLOT, STEP
from styx_lab.operators.cep.limit import too_many
from styx_lab.operators.cep.matches import Layout, frame_of, with_computed
from styx_lab.operators.rows import EventRows
from styx_lab.operators.values import Values, values_of

__all__ = ["ChainOperator"]

_VERSION: Final = 1
_TIME, _SLOT, _MASK, _NUMBER = range(4)
_WORDS: Final = 4
"""Of an event that waits: its time, its key's slot, the bits of the conditions that it meets, its number."""
_MANY_KEYS: Final = 65_536  # fewer are not worth sweeping for


def _none() -> Int64s:
    return np.empty(0, np.int64)


class ChainOperator(Operator):
    """Runs a `Detect` whose partial matches never fork.

    State, per key: events that the watermark has not passed yet; partial matches; the rows of the events in them. All
    of it goes once no match can use it.
    """

    def __init__(self, step: Detect, stream: StreamType, outputs: Mapping[str, StreamType]) -> None:
        self._step = step
        self._program = compile_pattern(step.pattern)
        self._stream = stream
        self._output = outputs[OUT].schema
        # To make a frame of so many types takes longer than to take a small batch.
        self._nothing = pl.DataFrame(schema=self._output)
        self._no_event = pl.DataFrame(schema=stream.schema)
        self._columns = dict(step.columns)
        parts = step.pattern.columns
        fields = (*dict(stream.columns), TIME)
        self._layout = Layout(step.name, parts, {name: number for number, name in enumerate(parts)}, fields)
        # Parts may share a column: what stands before a colon in their names.
        columns = [self._layout.numbers[part.column] for part in step.pattern.parts]
        self._part_of = np.repeat(columns, [last - first for first, last in self._program.slices])
        self._conditions = list(dict.fromkeys(one for all_of in self._program.conditions for one in all_of))
        # Whether an event that meets no condition matters too: where one must be the very next.
        self._takes_all = bool(self._program.strict.any())
        self._reset()

    def _reset(self) -> None:
        self._keys = KeyIndex(self._stream.key)
        self._partials = PartialMatches(self._program.length)
        self._rows = EventRows(self._stream.schema)
        self._next_number = 0
        self._last_keys = 0
        # The watermark when all partial matches were last looked at.
        self._looked_at = MIN_WATERMARK
        # What waits for the watermark, in order of arrival: see `_TIME` and the others.
        self._waiting = np.empty((_WORDS, 0), np.int64)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        times = epoch_ms(batch.frame[TIME])
        late = times <= batch.watermarks()
        timely, behind = batch, Batch(self._no_event, _none(), batch.before, batch.steps)
        if late.any():
            timely, behind = batch.keep(~late), batch.keep(late)
        taken = values_of(self._step.name, timely, {}, self._conditions)
        if taken.batch is not batch:
            times = epoch_ms(taken.batch.frame[TIME])
        self._take(taken, times)
        matched = self._release(batch)
        made = self._with_columns(matched)
        dead = [letters for letters in (taken.dead, made.dead) if letters is not None]
        counts = {"matches": len(made.batch)} | ({"dead_matches": len(made.dead_order)} if len(made.dead_order) else {})
        return Emission(
            {OUT: made.batch, LATE: behind},
            dead=pl.concat(dead) if dead else None,
            dead_order=taken.dead_order,
            lost_order=made.dead_order,
            late_order=behind.order,
            counts=counts,
        )

    def _take(self, taken: Values, times: Int64s) -> None:
        frame = taken.batch.frame
        height = frame.height
        if not height:
            return
        came = np.zeros((_WORDS, height), np.int64)
        came[_TIME] = times
        masks = came[_MASK]
        for bit, all_of in enumerate(self._program.conditions):
            told: np.ndarray | np.bool_ = np.True_
            for one in all_of:
                told = told & taken.told[one]
            masks |= told * np.int64(1 << bit)
        came[_NUMBER] = np.arange(self._next_number, self._next_number + height)
        self._next_number += height
        # Only events that meet some condition can be part of a match.
        useful = masks != 0
        self._rows.add_some(frame, came[_NUMBER], useful)
        if not self._takes_all and not useful.all():
            frame, came = pick(frame, np.flatnonzero(useful)), came[:, useful]
        came[_SLOT] = self._keys.slots(frame)
        self._waiting = np.concatenate([self._waiting, came], axis=1)

    def _release(self, batch: Batch) -> Batch:
        waiting = self._waiting
        ripe = waiting[_TIME] <= batch.after
        if not len(batch.steps) or not ripe.any():
            self._forget(batch.after)
            return Batch(self._nothing, _none(), batch.before, batch.steps)
        arranged = np.flatnonzero(ripe)
        arranged = arranged[np.argsort(waiting[_TIME, arranged], kind="stable")]
        times, slots, masks, numbers = waiting[:, arranged]
        self._waiting = waiting[:, ~ripe]
        completed, taken, full = advance(
            self._partials,
            times,
            slots,
            masks,
            numbers,
            bits=self._program.bits,
            strict=self._program.strict,
            within_ms=self._program.within_ms,
            most=self._step.max_partials,
        )
        if full >= 0:
            raise too_many(self._keys, full, self._step.max_partials, where=self._step.where)
        frame, order = self._nothing, _none()
        if len(completed):
            length = self._program.length
            found = np.zeros((len(completed), COLUMNS), np.int64)
            found[:, STEP] = batch.steps.due(times[completed])
            found[:, SLOT], found[:, AT] = slots[completed], times[completed]
            found[:, FIRST], found[:, LENGTH] = np.arange(len(completed)) * length, length
            events = np.column_stack([np.tile(self._part_of, len(completed)), taken.ravel()])
            frame = frame_of(self._layout, self._output, found, events, self._rows, self._keys, batch)
            order = batch.steps.order[found[:, STEP]]
        self._forget(batch.after)
        return Batch(frame, order, batch.before, batch.steps)

    def _with_columns(self, matched: Batch) -> Values:
        """The matches with the columns that the flow asks for, over their parts."""
        if not len(matched):
            return Values(matched, matched.frame)
        values = values_of(self._step.name, matched, self._columns)
        frame = with_computed(values.batch.frame, values.frame, self._output)
        return Values(values.batch.with_frame(frame), values.frame, values.dead, values.dead_order)

    def _forget(self, watermark: int) -> None:
        """Let go of rows and keys that nothing can use, once they are more than half of all.

        Where matches have a length of time, many are also looked at whenever that has passed: what came before is old.
        """
        many_keys = len(self._keys) >= 2 * self._last_keys + _MANY_KEYS
        within = self._program.within_ms
        if within >= 0 and max(len(self._keys), len(self._rows)) >= _MANY_KEYS and watermark - within > self._looked_at:
            many_keys = True
        if not self._rows.worth_sweeping and not many_keys:
            return
        self._looked_at = watermark
        self._partials.drop_expired(watermark, within)
        living = self._partials.living()
        events = self._partials.events[living]
        used = np.arange(events.shape[1]) < self._partials.state[living][:, None]
        self._rows.keep(np.concatenate([self._waiting[_NUMBER], events[used]]))
        if not many_keys:
            return
        slots = np.unique(np.concatenate([self._waiting[_SLOT], self._partials.slot[living]]))
        self._keys.release(np.setdiff1d(self._keys.living, slots))
        self._last_keys = len(self._keys)

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return {
            "keys": len(self._keys),
            "waiting": self._waiting.shape[1],
            "partial_matches": len(self._partials),
            "events": len(self._rows),
        }

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        schema = {name: self._stream.schema[name] for name in self._stream.key}
        living = self._partials.living()
        living = living[np.lexsort((self._partials.events[living, 0], self._partials.start[living]))]
        times, slots, masks, numbers = self._waiting
        waiting = self._keys.frame(slots, schema).with_columns(
            pl.Series("_at", times, pl.Int64),
            pl.Series("_mask", masks, pl.Int64),
            pl.Series("_number", numbers, pl.Int64),
            pl.Series(GROUP, self._keys.groups[slots], pl.UInt8),
        )
        slots = self._partials.slot[living]
        partials = self._keys.frame(slots, schema).with_columns(
            pl.Series("_start", self._partials.start[living], pl.Int64),
            pl.Series("_state", self._partials.state[living], pl.Int32),
            *(
                pl.Series(f"_event_{place}", self._partials.events[living, place], pl.Int64)
                for place in range(self._partials.events.shape[1])
            ),
            pl.Series(GROUP, self._keys.groups[slots], pl.UInt8),
        )
        rows = self._rows.frame()
        groups = pl.concat(
            [waiting.select("_number", GROUP)]
            + [
                partials.filter(pl.col("_state") > place).select(pl.col(f"_event_{place}").alias("_number"), GROUP)
                for place in range(self._partials.events.shape[1])
            ]
        ).unique()
        kept = rows.join(groups, on="_number", how="inner", maintain_order="left")
        return State(
            {"next_number": self._next_number}, {"waiting": waiting, "partials": partials, "rows": kept}, _VERSION
        )

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        state = State.saved(states, version=_VERSION, where=self._step.where)
        self._reset()
        self._next_number = state.meta["next_number"]
        rows = state.tables["rows"].drop(GROUP).sort("_number")
        self._rows.add(rows.drop("_number"), rows["_number"].to_numpy())
        waiting = state.tables["waiting"].sort("_number")
        self._waiting = np.empty((_WORDS, waiting.height), np.int64)
        self._waiting[_SLOT] = self._keys.slots(waiting)
        self._waiting[_TIME], self._waiting[_MASK] = waiting["_at"].to_numpy(), waiting["_mask"].to_numpy()
        self._waiting[_NUMBER] = waiting["_number"].to_numpy()
        partials = state.tables["partials"].sort("_start", "_event_0")
        slots = self._keys.slots(partials)
        events = partials.select(f"_event_{place}" for place in range(self._partials.events.shape[1])).to_numpy()
        self._partials.fill(
            partials["_start"].to_numpy(), partials["_state"].to_numpy(), slots, events, self._keys.capacity
        )
