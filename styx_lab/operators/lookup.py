"""Look-up outside the flow, with a cache that expires.

Laws (re-chunking, crash anywhere): who is asked for, when, and which answers are kept is a function of the sequence,
by the data clock; only what is answered comes from outside, and `outside.py` keeps it before it is used.

Questions are numbered, and asked in the order of the data clock. So the oldest answer expires first and is the first to
go where there are too many: the answers in force are those from one number (`head`) on, and each key has at most one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.compiled import njit
from styx_lab.core.events import ARRIVAL, dead_letters
from styx_lab.core.keys import KeyIndex
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.core.size import held_bytes
from styx_lab.core.state import GROUP, State
from styx_lab.flow.steps import LookupJoin
from styx_lab.flow.types import StreamType
from styx_lab.operators.outside import ERROR, FOUND, Outside

__all__ = ["LookupOperator"]

_VERSION: Final = 1
_NEVER: Final = -(2**62)
_NONE: Final = -1
_MANY_CHUNKS: Final = 64
_QUESTION: Final = "_question"
_ASKED_AT: Final = "_asked_at"


@njit(cache=True, nogil=True, error_model="numpy")
def _questions(  # type: ignore[no-untyped-def]  # noqa: PLR0913 - an array taken out of a tuple costs 10 ns an event
    slots, clocks, last, times, owners, base, head, after, expire, keep, used, rows
):
    """Which question answers each row (-1: none), and which rows ask one; gives the new `head` and `after`.

    `last` has each slot's newest question; `times` and `owners` what was asked when and of whom, from `base` on.
    """
    first = after
    for row in range(len(slots)):
        slot = slots[row]
        if slot < 0:
            used[row] = -1
            continue
        now = clocks[row]
        while head < after and now - times[head - base] >= expire:
            head += 1
        if last[slot] >= head:
            used[row] = last[slot]
            continue
        last[slot] = after
        times[after - base] = now
        owners[after - base] = slot
        rows[after - first] = row
        used[row] = after
        after += 1
        if after - head > keep:
            head += 1
    return head, after


class LookupOperator(Operator):
    """Runs a `LookupJoin`; counts the questions (`asked`) and the events whose key is null or unknown (`not_found`).

    State: the data clock, the number of the next question, and the answers in force with their keys.

    Raises:
        RunError: when what it looks up in is not given, or has other columns.
    """

    def __init__(self, step: LookupJoin, output: StreamType, outside: Outside) -> None:
        self._step = step
        self._outside = outside
        self._names = list(output.schema)
        self._keys_schema = {name: output.schema[name] for name in step.on}
        self._columns = list(step.columns)
        outside.check(step, {**self._keys_schema, **step.columns.polars})
        self._empty = pl.DataFrame(
            schema={**self._keys_schema, **step.columns.polars, FOUND: pl.Boolean(), ERROR: pl.String()}
        )
        self._clear()

    def _clear(self) -> None:
        self._keys = KeyIndex(self._step.on)
        self._clock = _NEVER
        self._head = self._after = 0
        self._last: Int64s = np.empty(0, np.int64)
        self._times: Int64s = np.empty(0, np.int64)
        self._owners: Int64s = np.empty(0, np.int64)
        self._answers = self._empty

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        if not len(batch):
            columns = [pl.lit(None, dtype).alias(name) for name, dtype in self._step.columns.polars.items()]
            return Emission({OUT: batch.with_frame(batch.frame.with_columns(columns).select(self._names))})
        used, asked = self._ask(batch.frame)
        place = pl.Series(used - (self._after - self._answers.height)).set(pl.Series(used == _NONE), None)
        answers = self._answers.select(*self._columns, FOUND, ERROR).select(pl.all().gather(place))
        self._forget()
        failed = answers[ERROR].is_not_null().to_numpy()
        missing = ~answers[FOUND].fill_null(value=False).to_numpy() & ~failed
        frame = batch.frame.with_columns(answers.get_columns()[: len(self._columns)]).select(self._names)
        counts = {"asked": asked, "not_found": int(missing.sum())}
        policy = self._step.missing
        dead = failed | missing if policy == "dead" else failed
        lost = dead | missing if policy == "drop" else dead
        out = batch.with_frame(frame).keep(~lost)
        if not dead.any():
            return Emission({OUT: out}, counts=counts)
        reasons = [
            f"not_found: in {self._step.lookup}" if error is None else f"lookup_failed: {error}"
            for error in answers[ERROR].filter(pl.Series(dead)).to_list()
        ]
        letters = dead_letters(self._step.name, batch.frame.filter(pl.Series(dead)), reasons)
        return Emission({OUT: out}, dead=letters, dead_order=batch.order[dead], counts=counts)

    def _ask(self, frame: pl.DataFrame) -> tuple[Int64s, int]:
        """The number of the question that answers each row, -1 for a null key; and how many were asked now."""
        height = frame.height
        arrived = frame[ARRIVAL].dt.epoch("ms").to_numpy()
        clocks = np.maximum.accumulate(np.maximum(arrived, self._clock))
        self._clock = int(clocks[-1])
        keys = frame.select(self._step.on)
        valid = ~keys.select(pl.any_horizontal(pl.all().is_null())).to_series().to_numpy()
        slots = np.full(height, _NONE, np.int64)
        slots[valid] = self._keys.slots(keys if valid.all() else keys.filter(pl.Series(valid)))
        more = self._keys.capacity - len(self._last)
        if more > 0:
            self._last = np.concatenate([self._last, np.full(more + len(self._last), _NONE, np.int64)])
        base, first = self._after - len(self._times), self._after
        room = np.empty(height, np.int64)
        times, owners = np.concatenate([self._times, room]), np.concatenate([self._owners, room])
        used, rows = np.empty(height, np.int64), np.empty(height, np.int64)
        self._head, self._after = _questions(
            slots,
            clocks,
            self._last,
            times,
            owners,
            base,
            self._head,
            self._after,
            self._step.expire_ms,
            self._step.keep,
            used,
            rows,
        )
        asked = self._after - first
        self._times, self._owners = times[: self._after - base], owners[: self._after - base]
        if asked:
            found = self._outside.ask(self._step, first, keys[rows[:asked]])
            self._answers = pl.concat([self._answers, found.select(self._empty.columns)], rechunk=False)
            if self._answers.n_chunks() > _MANY_CHUNKS:
                self._answers = self._answers.rechunk()
        return used, asked

    def _forget(self) -> None:
        """Let go of answers that are not in force any more, and of their keys."""
        gone = self._head - (self._after - len(self._times))
        if not gone:
            return
        numbers = np.arange(self._head - gone, self._head)
        owners = self._owners[:gone]
        known = owners != _NONE
        # A key that was asked again since has a newer answer.
        idle = owners[known][self._last[owners[known]] == numbers[known]]
        self._last[idle] = _NONE
        self._keys.release(idle)
        self._times, self._owners = self._times[gone:].copy(), self._owners[gone:].copy()
        self._answers = self._answers[gone:]

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        # What is outside is not held here.
        held = held_bytes([self._keys, self._last, self._times, self._owners, self._answers])
        return {"keys": len(self._keys), "bytes": held}

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        known = np.flatnonzero(self._owners != _NONE)
        cache = self._answers.with_columns(
            pl.Series(_QUESTION, np.arange(self._head, self._after), pl.Int64),
            pl.Series(_ASKED_AT, self._times, pl.Int64),
        )[known].with_columns(pl.Series(GROUP, self._keys.groups[self._owners[known]], pl.UInt8))
        meta = {"clock": self._clock, "head": self._head, "after": self._after}
        return State(meta, {"cache": cache}, _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        state = State.saved(states, version=_VERSION, where=self._step.where)
        self._clear()
        self._clock, self._head, self._after = (state.meta[name] for name in ("clock", "head", "after"))
        cache = state.tables["cache"]
        # Of some key groups only, there are numbers between that nobody here asks for.
        numbers = pl.DataFrame({_QUESTION: np.arange(self._head, self._after)}, schema={_QUESTION: pl.Int64()})
        whole = numbers.join(cache, on=_QUESTION, how="left", maintain_order="left")
        self._answers = whole.select(self._empty.columns)
        self._times = whole[_ASKED_AT].fill_null(strategy="forward").fill_null(strategy="backward").to_numpy().copy()
        self._owners = np.full(whole.height, _NONE, np.int64)
        if cache.is_empty():
            self._times = np.full(whole.height, self._clock, np.int64)
            return
        slots = self._keys.slots(cache.select(self._step.on))
        self._last = np.full(self._keys.capacity, _NONE, np.int64)
        self._last[slots] = cache[_QUESTION].to_numpy()
        self._owners[cache[_QUESTION].to_numpy() - self._head] = slots
