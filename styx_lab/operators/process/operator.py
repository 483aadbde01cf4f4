"""A user's own Python, run for each event and timer: any event -> BusinessEvents.

Laws: an event is taken in full against the watermark as it was; at a watermark step timers are taken in order of time,
of equal ones in the order of setting, those that they set and that are due among them; timers of processing time are,
when the clock moves, before the event or step that moved it; an event or timer that fails leaves no trace but its dead
letter; state goes by event time alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s, Steps
from styx_lab.core.events import ARRIVAL, TIME, dead_letters
from styx_lab.core.keys import key_json
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.core.schema import TIME_DTYPE, dtype_to_json
from styx_lab.core.state import GROUP, State, key_group
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import CheckpointError, FlowError
from styx_lab.flow.process import Context, Emitted, Event
from styx_lab.flow.process.process import EVENT, PROCESSING_TIMER, RUNS, TIMER, Process, declaration, shared
from styx_lab.flow.process.values import moment
from styx_lab.flow.steps import ProcessStep
from styx_lab.flow.types import StreamType
from styx_lab.operators.carried import load, object_of
from styx_lab.operators.process.context import RunningContext
from styx_lab.operators.process.given import PROCESSING_PORT, TIMER_PORT, Given, key_columns
from styx_lab.operators.process.handles import handle_of
from styx_lab.operators.process.scope import NO_KEY, Scope
from styx_lab.operators.process.stores import Store, store_of
from styx_lab.operators.process.timers import Timers
from styx_lab.operators.process.turns import Slice, Turn, turns_of
from styx_lab.operators.union import lowest_steps
from styx_lab.operators.window.by_window.clock import PLACES, TAKEN, ProcessingClock

__all__ = ["ProcessOperator"]

_VERSION: Final = 1
_STATE: Final = "state "
_TIMERS: Final = "timers"
_PROCESSING_TIMERS: Final = "processing_timers"
_CLOCK: Final = "clock"
_DECLARED: Final = ("key", "states", "processing_timers")
"""What a state says of the class that wrote it."""
_AT: Final = "_at"
_NUMBER: Final = "_number"


class ProcessOperator(Operator):
    """Runs a `ProcessStep`.

    Port: `out`. Counters: `timers` (those that were taken), `dead_timers` (those that failed).

    Args:
        step: the spec.
        streams: the types of its inputs.
        output: the type of what it gives.

    Raises:
        FlowError: when the class cannot be made of the source that the step carries.
    """

    def __init__(self, step: ProcessStep, streams: Sequence[StreamType], output: StreamType) -> None:
        self._step = step
        self._streams = streams
        self._output = output.schema
        key = streams[0].key
        self._key = {name: self._output[name] for name in key}
        self._names = [stream.names for stream in streams]
        inputs = (EVENT, *step.others, *step.broadcast)
        # Without a key, all events are of one; a broadcast event is of none.
        self._keys = [stream.key if key else () for stream in streams[: len(inputs) - len(step.broadcast)]]
        self._scope, self._timers, self._processing = Scope(), Timers(), Timers()
        self._given = Given(step.name, step.output, self._key, inputs)
        process = _made(step)
        self._stores: dict[str, Store] = {name: store_of(name, state) for name, state in step.states}
        self._shared = frozenset(shared(step.states))
        for name, state in step.states:
            vars(process)[name] = handle_of(state, self._stores[name], self._scope)
        self._methods = [getattr(process, f"on_{name}") for name in inputs]
        self._takers: dict[int, Callable[[datetime, Context], Emitted]] = {
            TIMER_PORT: process.on_timer,
            PROCESSING_PORT: process.on_processing_timer,
        }
        has = {
            TIMER: type(process).on_timer is not Process.on_timer,
            PROCESSING_TIMER: step.processing_timers,
        }
        self._context = RunningContext(self._scope, self._timers, self._processing, self._given, has=has)
        self._clock = ProcessingClock() if step.processing_timers else None
        self._watermark: int | None = None
        self._groups: dict[Any, int] = {}

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """Take each event, and at each step the timers that are due."""
        steps = inputs[0].steps if len(inputs) == 1 else lowest_steps(inputs)
        before = min(batch.before for batch in inputs)
        slice_ = self._slice(inputs, before, steps)
        self._run(inputs, slice_)
        self._watermark = slice_.watermark
        for store in self._stores.values():
            store.sweep(slice_.watermark)
        self._timers.tidy()
        self._processing.tidy()
        frame, order = self._given.frame([batch.frame for batch in inputs], self._output)
        dead, dead_order, lost_order = self._letters(inputs, slice_)
        counts = {"timers": slice_.fired}
        if slice_.lost:
            counts["dead_timers"] = len(slice_.lost)
        return Emission(
            {OUT: Batch(frame, order, before, steps)},
            dead=dead,
            dead_order=dead_order,
            lost_order=lost_order,
            counts=counts,
        )

    def _slice(self, inputs: Sequence[Batch], before: int, steps: Steps) -> Slice:
        if self._clock is None:
            return Slice(turns_of(steps, None), before, MIN_WATERMARK)
        now = self._clock.now
        return Slice(turns_of(steps, self._clock.follow_all(inputs, before, steps)), before, now)

    def _run(self, inputs: Sequence[Batch], slice_: Slice) -> None:
        scope, given, context, methods = self._scope, self._given, self._context, self._methods
        turns, at, end = slice_.turns, 0, len(slice_.turns)
        keyed = len(self._keys)
        for order, port, row, ms, key, event in self._events(inputs):
            place = PLACES * order + TAKEN
            while at < end and turns[at].place < place:
                self._turn(slice_, turns[at])
                at += 1
            watermark = slice_.watermark
            scope.key, scope.time, scope.now, scope.watermark = key, ms, watermark, watermark
            scope.clock = slice_.clock
            scope.written = ms if ms > watermark else watermark
            scope.broadcasting = port >= keyed
            length = len(given.rows)
            given.cause = (order, ms, key, port, row)
            try:
                said = methods[port](event, context)
                if said is not None:
                    if scope.broadcasting:
                        for one in [said] if isinstance(said, Mapping) else said:
                            context.emit(one)
                    else:
                        given.take(said)
            except Exception as error:
                scope.undo()
                given.cut(length)
                slice_.dead.append((port, row, order, _reason(error)))
            scope.log.clear()
        for turn in turns[at:]:
            self._turn(slice_, turn)

    def _events(self, inputs: Sequence[Batch]) -> Iterator[tuple[int, int, int, int, Any, Event]]:
        """Each event with its place, input, row, time and key: in order of place, then of input."""
        parts = [self._of_input(port, batch) for port, batch in enumerate(inputs)]
        if len(parts) == 1:
            return parts[0]
        order = np.concatenate([batch.order for batch in inputs])
        whole = [one for part in parts for one in part]
        return iter([whole[place] for place in np.argsort(order, kind="stable").tolist()])

    def _of_input(self, port: int, batch: Batch) -> Iterator[tuple[int, int, int, int, Any, Event]]:
        names, frame = self._names[port], batch.frame
        times = frame[TIME].to_physical().to_list()
        rows = frame.select(names).rows()
        keys = self._keys_of(port, frame)
        for number, (order, ms, key, row) in enumerate(zip(batch.order.tolist(), times, keys, rows, strict=True)):
            event = Event(zip(names, row, strict=True))
            event.ms = ms
            yield order, port, number, ms, key, event

    def _keys_of(self, port: int, frame: pl.DataFrame) -> Sequence[Any]:
        if port >= len(self._keys):
            return [NO_KEY] * frame.height
        columns = self._keys[port]
        if not columns:
            return [()] * frame.height
        return frame[columns[0]].to_list() if len(columns) == 1 else frame.select(columns).rows()

    def _turn(self, slice_: Slice, turn: Turn) -> None:
        """Move the clock or the watermark, and take the timers that are due."""
        before = slice_.watermark
        if turn.mark is None:
            passed, slice_.clock = slice_.clock, turn.clock
            if turn.clock > passed:
                self._take(slice_, turn, PROCESSING_PORT, turn.clock, passed, before)
            return
        slice_.watermark = turn.mark
        if turn.ends:
            slice_.end({TIMER_PORT: self._timers, PROCESSING_PORT: self._processing})
        # A tick moves the clock alone.
        if turn.mark > before and self._timers.waits_for(turn.mark):
            self._take(slice_, turn, TIMER_PORT, turn.mark, before, before)
        if turn.ends:
            # What the clock has not come to is due all the same, and what these timers set.
            again, clock = 0, slice_.clock
            while self._processing or self._timers:
                self._take(slice_, turn, PROCESSING_PORT, MAX_WATERMARK, clock, before, again=again)
                again += 1
                self._take(slice_, turn, TIMER_PORT, MAX_WATERMARK, before, before, again=again)

    def _take(
        self, slice_: Slice, turn: Turn, kind: int, until: int, passed: int, before: int, *, again: int = 0
    ) -> None:
        """Take the timers of one kind that are due.

        Args:
            slice_, turn: where that happens.
            kind: of event time or of processing time.
            until, passed: how far the watermark or the clock has come, and how far it was before.
            before: the watermark before.
            again: how often the timers of this turn were taken already.
        """
        scope, given, clocked = self._scope, self._given, kind == PROCESSING_PORT
        timers, taker = self._processing if clocked else self._timers, self._takers[kind]
        if not timers.waits_for(until):
            return
        scope.watermark, scope.broadcasting = slice_.watermark, False
        while (due := timers.due(until)) is not None:
            time, number, key = due
            # What waited for a time that had passed is due now, and no sooner; what it gives must not be late.
            late = time <= passed
            said = [time, passed] if late else [time]
            given.timers.append(([*said, again] if again else said, turn.clock))
            if clocked:
                at = max(turn.newest, before + 1)
                scope.time, scope.now, scope.written = at, before, max(turn.newest, before)
                scope.clock, scope.firing_clock = max(slice_.clock, time), time
            else:
                at = before + 1 if late else time
                scope.time, scope.firing, scope.clock = time, time, slice_.clock
                scope.now = scope.written = before if late else time
            given.cause = (turn.order, at, key, kind, len(given.timers) - 1)
            endless = slice_.endless(kind, number, key)
            if endless is not None:
                for one in (self._timers, self._processing):
                    one.drop(key)
                slice_.lost.append((key, scope.time, turn.order, turn.clock, endless))
                continue
            scope.key = key
            scope.now = slice_.now(key, scope.now)
            length = len(given.rows)
            slice_.fired += 1
            try:
                said_by_it = taker(moment(time), self._context)
                if said_by_it is not None:
                    given.take(said_by_it)
            except Exception as error:
                scope.undo()
                given.cut(length)
                why = f" at {moment(time).isoformat()} of processing time" if clocked else ""
                slice_.lost.append((key, scope.time, turn.order, turn.clock, _reason(error, why)))
            else:
                slice_.reach(key, scope.now)
            scope.log.clear()
        scope.firing = scope.firing_clock = None

    def _letters(self, inputs: Sequence[Batch], slice_: Slice) -> tuple[pl.DataFrame | None, Int64s, Int64s]:
        letters, orders = [], list[int]()
        for port, batch in enumerate(inputs):
            mine = [(row, order, reason) for place, row, order, reason in slice_.dead if place == port]
            if mine:
                rows = batch.frame[[row for row, _, _ in mine]]
                letters.append(dead_letters(self._step.name, rows, [reason for _, _, reason in mine]))
                orders += [order for _, order, _ in mine]
        if slice_.lost:
            keys, times, _, clocks, reasons = zip(*slice_.lost, strict=True)
            rows = pl.DataFrame(
                [
                    *key_columns(keys, self._key),
                    pl.Series(TIME, times, pl.Int64).cast(TIME_DTYPE),
                    pl.Series(ARRIVAL, clocks, pl.Int64).cast(TIME_DTYPE),
                ]
            )
            letters.append(dead_letters(self._step.name, rows, reasons))
        lost = np.array([one[2] for one in slice_.lost], np.int64)
        return pl.concat(letters) if letters else None, np.array(orders, np.int64), lost

    def _meta(self) -> dict[str, Any]:
        return {
            "key": [dtype_to_json(dtype) for dtype in self._key.values()],
            "states": [[name, state.to_json()] for name, state in self._step.states],
            **({"processing_timers": True} if self._clock is not None else {}),
        }

    def snapshot(self) -> State:
        """A table for each state (`state NAME`) and one for each kind of timers; a broadcast state's belongs to no key.

        Where there are timers of processing time the clock is a table, too.
        """
        now = MAX_WATERMARK if self._watermark is None else self._watermark
        tables = {name: store.table(now) for name, store in self._stores.items()}
        kinds = {_TIMERS: self._timers.rows(), _PROCESSING_TIMERS: self._processing.rows()}
        living = {key for name, (keys, _) in tables.items() if name not in self._shared for key in keys}
        living.update(key for rows in kinds.values() for key, _, _ in rows)
        known = self._groups
        self._groups = {
            key: known[key] if key in known else key_group(key_json(key if isinstance(key, tuple) else (key,)))
            for key in living
        }
        found = {
            _STATE + name: table if name in self._shared else self._with_keys(keys, table)
            for name, (keys, table) in tables.items()
        }
        meta = self._meta() | {"watermark": self._watermark, "next_timer": self._timers.next_number}
        found[_TIMERS] = self._timer_table(kinds[_TIMERS])
        if self._clock is not None:
            found |= {_PROCESSING_TIMERS: self._timer_table(kinds[_PROCESSING_TIMERS]), _CLOCK: self._clock.columns()}
            meta["next_processing_timer"] = self._processing.next_number
        return State(meta, found, _VERSION)

    def _timer_table(self, timers: list[tuple[Any, int, int]]) -> pl.DataFrame:
        at = pl.DataFrame(
            {
                _AT: pl.Series([time for _, time, _ in timers], dtype=pl.Int64),
                _NUMBER: pl.Series([number for _, _, number in timers], dtype=pl.Int64),
            }
        )
        return self._with_keys([key for key, _, _ in timers], at)

    def _with_keys(self, keys: Sequence[Any], table: pl.DataFrame) -> pl.DataFrame:
        groups = pl.Series(GROUP, [self._groups[key] for key in keys], pl.UInt8)
        return pl.DataFrame([*key_columns(keys, self._key), *table.get_columns(), groups])

    def restore(self, states: Sequence[State]) -> None:
        """Go on from parts of a snapshot.

        Raises:
            CheckpointError: when they do not belong together, or another process declared them.
        """
        state = State.union(states, where=self._step.where)
        saved = {name: value for name, value in state.meta.items() if name in _DECLARED}
        if state.version != _VERSION or saved != self._meta():
            raise CheckpointError(
                "this state was saved by a class that declared other state, or for another key",
                where=self._step.where,
                got=saved,
                hint="start the changed step without its old state, or give it a new name",
            )
        self._watermark = state.meta["watermark"]
        for name, store in self._stores.items():
            table = state.tables[_STATE + name]
            store.fill([()] * table.height if name in self._shared else self._keys_in(table), table)
        self._timers.fill(self._timers_in(state.tables[_TIMERS]), state.meta["next_timer"])
        if self._clock is not None:
            rows = self._timers_in(state.tables[_PROCESSING_TIMERS])
            self._processing.fill(rows, state.meta["next_processing_timer"])
            self._clock.put_back(state.tables[_CLOCK])

    def _timers_in(self, table: pl.DataFrame) -> list[tuple[Any, int, int]]:
        return list(zip(self._keys_in(table), table[_AT].to_list(), table[_NUMBER].to_list(), strict=True))

    def _keys_in(self, table: pl.DataFrame) -> list[Any]:
        names = list(self._key)
        if not names:
            return [()] * table.height
        return table[names[0]].to_list() if len(names) == 1 else table.select(names).rows()

    @property
    def waits_for_clock(self) -> bool:
        """See `Operator.waits_for_clock`."""
        return len(self._processing) > 0

    def size(self) -> Mapping[str, int]:
        """The keys that have state or timers, the timers, the values held, and about how many bytes those are."""
        held = [store.held.keys() for name, store in self._stores.items() if name not in self._shared]
        return {
            "keys": len(set(self._timers.keys).union(self._processing.keys, *held)),
            "timers": len(self._timers) + len(self._processing),
            "values": sum(len(store) for store in self._stores.values()),
            "bytes": sum(store.bytes() for store in self._stores.values()),
        }


def _reason(error: Exception, where: str = "") -> str:
    return f"process_failed: {type(error).__name__}{where}: {' '.join(str(error).split())}"


def _made(step: ProcessStep) -> Process:
    """An object of the step's class, to be run; what stands for its state is still to be put in.

    Raises:
        FlowError: when the class declares something else than the flow says, or an object cannot be made.
    """
    process = load(step.code, Process, where=step.where)
    found = declaration(process, where=step.where)
    if (found.states, found.output, found.processing_timers) != (step.states, step.output, step.processing_timers):
        raise FlowError(
            "the class in the module's file declares other state, columns or timers than the one that was imported",
            where=f"{step.where}, class {step.code.name}",
            hint=f"import {step.code.module} again, and make the flow again",
        )
    one = object_of(process, where=step.where)
    vars(one)[RUNS] = True
    return one
