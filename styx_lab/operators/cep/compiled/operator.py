"""Pattern detection: RawEvents -> BusinessEvents.

Laws: events of a key are taken in order of event time once the watermark has passed them, so arrival order within the
bound changes nothing; an event at or below the watermark when it comes is late, and goes to `.late`. What comes out
comes at the watermark step that released it, for a key in Flink's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.epoch import epoch_ms
from styx_lab.core.events import TIME
from styx_lab.core.keys import KeyIndex
from styx_lab.core.operator import LATE, OUT, Emission, Operator
from styx_lab.core.state import GROUP, State
from styx_lab.flow.expression.values import evaluate
from styx_lab.flow.pattern.conditions import Call
from styx_lab.flow.pattern.lookback import comparable
from styx_lab.flow.steps import Detect
from styx_lab.flow.steps.detect import TIMED_OUT
from styx_lab.flow.types import StreamType
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.compiled import layout
from styx_lab.operators.cep.compiled.arrivals import Waiting
from styx_lab.operators.cep.compiled.functions import Functions
from styx_lab.operators.cep.compiled.matcher import Matcher
from styx_lab.operators.cep.compiled.program import Events
from styx_lab.operators.cep.compiled.tables import Read, compile_automaton
from styx_lab.operators.cep.compiled.texts import Texts
from styx_lab.operators.cep.found import AT, KIND, STEP, Found, nothing
from styx_lab.operators.cep.matches import Layout, frame_of, with_computed
from styx_lab.operators.rows import EventRows
from styx_lab.operators.values import Values, values_of

__all__ = ["DetectOperator"]

_VERSION: Final = 2
_MANY: Final = 65_536  # fewer keys or texts are not worth sweeping for
_MANY_ROWS: Final = 4_096


class DetectOperator(Operator):
    """Runs a `Detect`.

    State, per key: events that the watermark has not passed yet; partial matches and matches that a skip strategy holds
    back; the rows of the events in them. All of it goes once no match can use it.

    Args:
        step: the step.
        stream: what comes in.
        outputs: what goes out, by port; partial matches that time out are told where that port is among them.
    """

    def __init__(self, step: Detect, stream: StreamType, outputs: Mapping[str, StreamType]) -> None:
        self._step = step
        self._stream = stream
        self._outputs = {port: outputs[port].schema for port in (OUT, TIMED_OUT) if port in outputs}
        # To make a frame of so many types takes longer than to take a small batch.
        self._nothing = {port: pl.DataFrame(schema=schema) for port, schema in self._outputs.items()}
        self._columns = dict(step.columns)
        self._parts = {name: isinstance(_a_field(dtype), pl.List) for name, dtype in step.parts(stream).items()}
        self._automaton = build_automaton(step.pattern.parts, step.pattern.after_match)
        self.emitted: np.ndarray = nothing().rows
        """Of the last batch, as `Found.rows`: matches and timeouts in the order in which they came, with true times."""
        self._reset()

    def _reset(self) -> None:
        self._texts = Texts()
        step = self._step
        self._compiled = compile_automaton(
            self._automaton,
            self._stream.readable,
            self._texts,
            where=step.where,
            timeouts=TIMED_OUT in self._outputs,
            most=step.max_partials,
            beyond=step.overflow,
        )
        self._read = {f"read.{place}": read.expression for place, read in enumerate(self._compiled.reads)}
        numbers = {part: number for number, part in enumerate(self._compiled.parts)}
        fields = (*dict(self._stream.columns), TIME)
        self._layout = Layout(step.name, self._parts, {name: numbers[name] for name in self._parts}, fields)
        self._functions = Functions(
            step,
            list(dict(self._stream.columns)),
            self._compiled.parts,
            [Call(one) for one in self._compiled.functions],
        )
        self._keys = KeyIndex(self._stream.key)
        self._matcher = Matcher.empty(self._compiled, step.where)
        self._rows = EventRows(self._stream.schema)
        self._waiting = self._none_waiting()
        self._next_number = 0
        self._dropped = 0
        # Whether all events since the start came after the epoch; see `_wanted`.
        self._after_epoch = True

    def _none_waiting(self) -> Waiting:
        exact = sum(read.kind != "float" for read in self._compiled.reads)
        by = None if self._step.order_by is None else self._stream.readable[self._step.order_by]
        return Waiting.none(self._compiled.words, len(self._compiled.reads) - exact, exact, by)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        late = epoch_ms(batch.frame[TIME]) <= batch.watermarks()
        taken = values_of(self._step.name, batch.keep(~late), self._read, self._compiled.leaves)
        self._take(taken)
        found = self._release(batch)
        return self._said(batch, late, taken, found)

    def _take(self, taken: Values) -> None:
        frame, values = taken.batch.frame, taken.frame
        if frame.is_empty():
            return
        compiled = self._compiled
        told = [taken.told[leaf] for leaf in compiled.leaves]
        # A function may be asked about any event.
        useful = np.ones(frame.height, np.bool_) if compiled.functions else compiled.useful(told, frame.height)
        numbers = np.arange(self._next_number, self._next_number + frame.height)
        self._next_number += frame.height
        # Only events that meet some condition can be part of a match; others matter where one must not lie between.
        self._rows.add_some(frame, numbers, useful)
        times = epoch_ms(frame[TIME])
        wanted = self._wanted(told, times, taken.batch.watermarks())
        if wanted is not None:
            frame, values = (
                frame.filter(pl.Series(wanted)),
                values.filter(pl.Series(wanted)) if values.width else values,
            )
            told = [truth[wanted] for truth in told]
            times, numbers = times[wanted], numbers[wanted]
        floats, ints, nulls = self._looked_at(values, frame.height)
        events = Events(
            np.array(times, np.int64),
            self._keys.slots(frame),
            numbers,
            compiled.bits(told, frame.height),
            floats,
            ints,
            nulls,
            np.empty(0, np.int64),
        )
        by = None if self._step.order_by is None else frame[self._step.order_by]
        self._waiting = self._waiting.and_these(Waiting(events, compiled.can_start(told, frame.height), by))

    def _wanted(self, told: Sequence[np.ndarray], times: np.ndarray, watermarks: Int64s) -> np.ndarray | None:
        """Which events can change anything; None where all can.

        A partial match that began at the epoch or before has no timer in Flink: any event of its key may end it.
        """
        if not self._compiled.inert:
            return None
        if self._after_epoch and not (times > 0).all():
            self._after_epoch = False
            first = int(np.argmax(times <= 0))
        else:
            first = len(times)
        if not self._after_epoch and first == len(times):
            return None
        wanted = watermarks <= 0
        wanted[first:] = True
        for truth in told:
            wanted |= truth
        return None if wanted.all() else wanted

    def _looked_at(self, values: pl.DataFrame, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What programs read of events: doubles, whole numbers, and where there is a null."""
        reads = [(read, values[f"read.{place}"]) for place, read in enumerate(self._compiled.reads)]
        return _matrices(reads, height, self._texts)

    def _release(self, batch: Batch) -> Found:
        if not len(batch.steps):
            return nothing()
        ripe, self._waiting = self._waiting.until(batch.after, descending=self._step.descending)
        if not len(ripe) and not self._matcher.is_due(batch.after):
            return nothing()
        events = ripe.events
        if self._compiled.compares_texts:
            events = events._replace(ranks=self._texts.ranks())
        self._functions.begin(self._rows, events.numbers)
        return self._matcher.run(events, ripe.can_start, batch.steps.mark, self._keys, self._functions.ask)

    def _said(self, batch: Batch, late: np.ndarray, taken: Values, found: Found) -> Emission:
        steps = batch.steps
        dead = [] if taken.dead is None else [taken.dead]
        counts: dict[str, int] = {}
        ports = {LATE: batch.keep(late)}
        lost = []
        timely = _in_time(found.rows, batch)
        for kind, (port, schema) in enumerate(self._outputs.items()):
            rows = timely[timely[:, KIND] == kind]
            frame = self._nothing[port]
            if len(rows):
                frame = frame_of(self._layout, schema, rows, found.events, self._rows, self._keys, batch)
            made = Batch(frame, steps.order[rows[:, STEP]], batch.before, steps)
            values = self._with_columns(made, port)
            ports[port] = values.batch
            counts["matches" if port == OUT else TIMED_OUT] = len(values.batch)
            if values.dead is not None:
                dead.append(values.dead)
                lost.append(values.dead_order)
                counts["dead_matches"] = len(values.dead_order)
        failed = self._functions.failed(batch)
        if failed is not None:
            dead.append(failed[0])
            lost.append(failed[1])
            counts["failed_conditions"] = len(failed[1])
        dropped = self._matcher.dropped - self._dropped
        if dropped:
            counts["dropped_partial_matches"] = dropped
            self._dropped = self._matcher.dropped
        self.emitted = found.rows
        self._forget()
        return Emission(
            ports,
            dead=pl.concat(dead) if dead else None,
            dead_order=taken.dead_order,
            lost_order=np.concatenate(lost) if lost else np.empty(0, np.int64),
            late_order=batch.order[late],
            counts=counts,
        )

    def _with_columns(self, matched: Batch, port: str) -> Values:
        """The matches with the columns that the flow asks for, over their parts; a timeout has none."""
        columns = self._columns if port == OUT else {}
        values = values_of(self._step.name, matched, columns if len(matched) else {})
        if not len(values.batch):
            return Values(values.batch.with_frame(self._nothing[port]), values.frame, values.dead, values.dead_order)
        frame = with_computed(values.batch.frame, values.frame, self._outputs[port])
        return Values(values.batch.with_frame(frame), values.frame, values.dead, values.dead_order)

    def _forget(self) -> None:
        """Let go of rows, keys and texts that nothing can use, once they are more than half of all.

        What is needed is no more than what waits and what was taken; so a sweep always finds enough to be paid for.
        """
        matcher, waiting = self._matcher, self._waiting
        needed = len(waiting) + matcher.taken_events
        if len(self._rows) > 2 * needed + _MANY_ROWS:
            taken = matcher.nodes[matcher.living_nodes(), layout.NUMBER]
            self._rows.keep(np.concatenate([waiting.events.numbers, np.unique(taken)]))
        if len(self._keys) > 2 * (needed + matcher.timers_set) + _MANY:
            slots = np.union1d(waiting.events.slots, matcher.living_slots())
            gone = np.setdiff1d(self._keys.living, slots)
            matcher.forget(gone)
            self._keys.release(gone)
        if len(self._texts) > 2 * needed * waiting.events.ints.shape[1] + _MANY:
            nodes = matcher.living_nodes()
            self._texts.keep(np.concatenate([waiting.events.ints.ravel(), matcher.node_ints[nodes].ravel()]))

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return {
            "keys": len(self._keys),
            "waiting": len(self._waiting),
            "partial_matches": len(self._matcher),
            "events": len(self._rows),
        }

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        schema = {name: self._stream.schema[name] for name in self._stream.key}
        matched = self._matcher.snapshot(self._keys, schema)
        events = self._waiting.events
        groups = self._keys.groups
        waiting = self._keys.frame(events.slots, schema).with_columns(
            pl.Series("_number", events.numbers, pl.Int64),
            pl.Series("_at", events.times, pl.Int64),
            pl.Series("_can_start", self._waiting.can_start, pl.Boolean),
            *(pl.Series(f"_bits_{word}", events.bits[:, word], pl.Int64) for word in range(self._compiled.words)),
            *self._saved_reads(events),
            *([] if self._waiting.by is None else [self._waiting.by.alias("_by")]),
            pl.Series(GROUP, groups[events.slots], pl.UInt8),
        )
        used = pl.concat([table.select("_number", GROUP) for table in (waiting, matched["nodes"])]).unique()
        rows = self._rows.frame().join(used, on="_number", how="inner", maintain_order="left")
        meta = {"next_number": self._next_number, "after_epoch": self._after_epoch, **self._matcher.meta()}
        return State(meta, {**matched, "waiting": waiting, "rows": rows}, _VERSION)

    def _saved_reads(self, events: Events) -> list[pl.Series]:
        """What programs read of waiting events, as it is told apart from numbers of texts."""
        saved = []
        at = {"float": 0, "int": 0}
        by_number = self._texts.by_number()
        for place, read in enumerate(self._compiled.reads):
            kind = "float" if read.kind == "float" else "int"
            values = (events.floats if kind == "float" else events.ints)[:, at[kind]]
            nulls = events.nulls[:, at[kind] if kind == "float" else events.floats.shape[1] + at[kind]]
            at[kind] += 1
            if read.kind == "text":
                series = pl.Series([by_number.get(number) for number in values.tolist()], dtype=pl.String)
            else:
                series = pl.Series(values)
            told = pl.select(pl.when(pl.Series(~nulls)).then(pl.lit(series))).to_series()
            saved.append(told.alias(f"_read_{place}"))
        return saved

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        state = State.saved(states, version=_VERSION, where=self._step.where)
        self._reset()
        self._next_number, self._after_epoch = state.meta["next_number"], state.meta["after_epoch"]
        rows = state.tables["rows"].drop(GROUP).sort("_number")
        self._rows.add(rows.drop("_number"), rows["_number"].to_numpy())
        waiting = state.tables["waiting"].sort("_number")
        reads = [(read, waiting[f"_read_{place}"]) for place, read in enumerate(self._compiled.reads)]
        floats, ints, nulls = _matrices(reads, waiting.height, self._texts)
        events = Events(
            waiting["_at"].to_numpy().copy(),
            self._keys.slots(waiting),
            waiting["_number"].to_numpy().copy(),
            np.ascontiguousarray(waiting.select(f"_bits_{word}" for word in range(self._compiled.words)).to_numpy()),
            floats,
            ints,
            nulls,
            np.empty(0, np.int64),
        )
        by = None if self._step.order_by is None else waiting["_by"]
        self._waiting = Waiting(events, waiting["_can_start"].to_numpy().copy(), by)
        self._matcher.restore(state.tables, state.meta, self._keys, self._fields_of)
        self._dropped = self._matcher.dropped

    def _fields_of(self, numbers: Int64s) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What look-backs read of events that were taken, from their rows."""
        fields = self._compiled.fields
        frame = evaluate(self._rows.find(numbers), {f"{place}": read.expression for place, read in enumerate(fields)})
        return _matrices([(read, frame[f"{place}"]) for place, read in enumerate(fields)], len(numbers), self._texts)


def _a_field(dtype: pl.DataType) -> Any:
    assert isinstance(dtype, pl.Struct)
    return dtype.fields[0].dtype


def _in_time(rows: np.ndarray, batch: Batch) -> np.ndarray:
    """What was found, with times that are not late for the next step.

    A gap that has grown too long shows when its key is looked at again, which can be long after. Its time is then the
    first that the watermark of before has not passed, and not when it was due: that the watermark has passed.
    """
    before = np.concatenate([np.array([batch.before], np.int64), batch.steps.mark])[rows[:, STEP]]
    made = rows.copy()
    made[:, AT] = np.maximum(rows[:, AT], before + 1)
    return made


def _matrices(
    reads: Sequence[tuple[Read, pl.Series]], height: int, texts: Texts
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns as the matcher reads them: floats, whole numbers (texts by number), and nulls of both, floats first."""
    floats, ints, float_nulls, int_nulls = [], [], [], []
    for read, values in reads:
        null = values.is_null().to_numpy()
        if read.kind == "float":
            floats.append(values.cast(pl.Float64).fill_null(0.0).to_numpy())
            float_nulls.append(null)
            continue
        if read.kind == "text":
            ints.append(texts.numbers(values))
        else:
            ints.append(comparable(values).cast(pl.Int64).fill_null(0).to_numpy())
        int_nulls.append(null)
    return (
        np.column_stack(floats).astype(np.float64) if floats else np.empty((height, 0)),
        np.column_stack(ints).astype(np.int64) if ints else np.empty((height, 0), np.int64),
        np.column_stack([*float_nulls, *int_nulls]) if reads else np.empty((height, 0), np.bool_),
    )
