"""Explain: what became of a key's events in a pattern: that of a flow over a recording, or one over events at hand.

Law (true): late events, watermarks and dead letters are those of the run, for the flow runs up to the step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.bundles.bundle import read_bundle
from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, RAW_COLUMNS, SOURCE, TIME
from styx_lab.core.operator import OUT, Emission
from styx_lab.core.ports import Lookup
from styx_lab.core.schema import RESERVED_PREFIX
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK, Duration, duration_ms
from styx_lab.engines.feed import Feed
from styx_lab.engines.plan import Plan, inputs_of
from styx_lab.errors import DataError, FlowError, OutputError
from styx_lab.flow.drawing.label import cut
from styx_lab.flow.event_time import TimeForm
from styx_lab.flow.flow import Flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import Detect, LookupJoin, Port, Score, SourceStep, Step, To
from styx_lab.flow.types import StreamType, raw_type
from styx_lab.operators.build import OpenModel
from styx_lab.operators.cep.explain.around import Around, At
from styx_lab.operators.cep.explain.explain import explain_key
from styx_lab.operators.cep.explain.explanation import Explanation
from styx_lab.operators.event_time import column_times
from styx_lab.operators.outside import Outside
from styx_lab.stores import SqliteStore
from styx_lab.workbench.flow_files import find_flow
from styx_lab.workbench.inputs import Inputs, open_inputs
from styx_lab.workbench.models import store_models

__all__ = ["Key", "explain", "explain_pattern", "explain_reference", "write_svg"]

Key = Any
"""A key's value; of a key of several columns a mapping or a sequence of values."""

_BATCH: Final = 10_000
_SHOWN: Final = 8
_WIDE: Final = 160


def explain(
    flow: Flow,
    inputs: Inputs,
    *,
    key: Key,
    at: At | None = None,
    step: str | None = None,
    store: str | Path | None = None,
    lookups: Mapping[str, Lookup] | None = None,
    open_model: OpenModel | None = None,
    batch: int = _BATCH,
) -> Explanation:
    """Explain what a flow's pattern made of one key of a recording: why a match came, or came not.

    >>> import styx_lab as styx
    >>> cards = styx.source("cards", schema={"ts": "int", "card": "str", "amount": "float"}, time="ts", key="card")
    >>> drain = (styx.Pattern.begin("small").where("amount < 1").followed_by("drain").where("amount > 500")
    ...          .within("10s"))
    >>> events = [{"ts": 1_000, "card": "c1", "amount": 0.5}, {"ts": 3_000, "card": "c1", "amount": 480.0},
    ...           {"ts": 15_000, "card": "c1", "amount": 900.0}, {"ts": 2_000, "card": "c2", "amount": 3.0}]
    >>> why = explain(styx.flow("drains", cards.detect(drain).to("found")), sorted(events, key=lambda one: one["ts"]),
    ...               key="c1")
    >>> print(why.answer)  # doctest: +NORMALIZE_WHITESPACE
    No match for card='c1'.
    Nearest: 1 of 2 steps (#1). The second, 'drain', came 4s too late, at 1970-01-01 00:00:15: the 10s ended at
        00:00:11.
    It took small 1970-01-01 00:00:01.

    The recording is run through the flow up to the step, so that late events, dead letters and watermarks are those of
    the run; what the step made of the key is then read slowly, from the same automaton. Models that stand behind the
    step are not opened.

    Args:
        flow: the flow.
        inputs: what it ran on: as for `replay`.
        key: the key's value; of several columns a mapping, or the values in order.
        at: the moment that is asked about: ISO 8601 text (`2026-11-24T10:40` means all of that minute), or a datetime;
            UTC where it says nothing else. All times without.
        step: the name of the `detect` step; may be left out where the flow has one.
        store: the store with models that stand before the step.
        lookups: what the flow looks up in before the step; they are asked anew.
        open_model: opens models by their reference, in place of the store.
        batch: events a batch; shows in nothing.

    Returns:
        The explanation: print it, or look at `answer`, `misses`, `table`, `happenings`, `events`, `svg`.

    Raises:
        FlowError: when the flow has no such step, or the key or time is none.
        DataError, InputMissingError, SchemaError: when an input cannot be read.
        RunError: when the run itself ends so.
    """
    detect = _step(flow, step)
    around = None if at is None else Around.of(at)
    types = flow.types()
    stream = types[detect.inputs[0]]
    values = _key_values(stream, key, where=detect.where)
    upto = _cut(flow, detect)
    outside = Outside(lookups or {})
    read: list[Batch] = []
    dead: list[pl.DataFrame] = []
    for got, lost in _input_of(upto, detect, inputs, open_model or store_models(store), outside, batch):
        read.append(got.keep(_of_key(got.frame, values)))
        dead += lost
    wanted = {port for one in flow.steps for port in one.inputs} | {Port(detect.name, OUT)}
    outputs = {name: kind for name, kind in detect.infer([stream]).items() if Port(detect.name, name) in wanted}
    text = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return explain_key(
        detect, stream, outputs, read, key=text, around=around, lost=_lost(values, dead), notes=_notes(flow, detect)
    )


def explain_reference(
    reference: str,
    inputs: Inputs,
    *,
    key: Key,
    at: At | None = None,
    step: str | None = None,
    store: str | Path | None = None,
) -> Explanation:
    """`explain` of a flow by reference: one written down somewhere (as for `styx replay`), or a promoted bundle.

    Raises:
        NotFoundError, InputMissingError: when there is none.
        FlowError, DataError, RunError: as `explain`.
    """
    if ":" in reference or reference.endswith(".json"):
        return explain(find_flow(reference).flow, inputs, key=key, at=at, step=step, store=store)
    with SqliteStore(store) as kept:
        _, data = kept.get_bundle(reference)
    bundle = read_bundle(data)
    return explain(bundle.flow(), inputs, key=key, at=at, step=step, open_model=bundle.open_model())


def write_svg(explanation: Explanation, path: Path) -> None:
    """Write the timeline to a file.

    Raises:
        OutputError: when it cannot be written.
    """
    try:
        path.write_text(explanation.svg, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"the picture cannot be written: {error.strerror or error}", where=str(path), hint="name another file"
        ) from error


def explain_pattern(
    pattern: Pattern,
    events: pl.DataFrame | Sequence[Mapping[str, Any]],
    *,
    time: str = TIME,
    by: str | Sequence[str] = (),
    key: Key = None,
    at: At | None = None,
    max_delay: Duration | None = None,
    unit: str = "ms",
) -> Explanation:
    """Explain what a pattern makes of events at hand; see `Pattern.explain`."""
    where = "pattern.explain()"
    around = None if at is None else Around.of(at)
    frame = _frame(events, time, where)
    names = (by,) if isinstance(by, str) else tuple(by)
    columns = [(name, dtype) for name, dtype in frame.schema.items() if not name.startswith(RESERVED_PREFIX)]
    stream = raw_type(columns, names)
    stream.need(names, where=f"{where}, by")
    pattern.check(stream.readable, where=where)
    step = Detect("pattern", (), pattern, ())
    whole = _one_batch(frame, stream, time, max_delay, TimeForm(unit), where)  # type: ignore[arg-type]
    text = ""
    if names:
        if key is None:
            known = frame.select(names).unique(maintain_order=True)
            said = ", ".join(str(row[0] if len(row) == 1 else row) for row in known.head(_SHOWN).rows())
            raise FlowError("say which key", where=where, hint=f"key= one of {said}")
        values = _key_values(stream, key, where=where)
        whole = whole.keep(_of_key(whole.frame, values))
        text = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return explain_key(step, stream, {}, [whole], key=text, around=around)


# A flow, up to its step.


def _step(flow: Flow, name: str | None) -> Detect:
    found = [step for step in flow.steps if isinstance(step, Detect)]
    if name is None:
        if len(found) != 1:
            what = "the flow has no detect step" if not found else "the flow has several detect steps: say which"
            hint = "step= one of " + ", ".join(step.name for step in found) if found else "detect(pattern)"
            raise FlowError(what, where=f"flow {flow.name!r}", hint=hint)
        return found[0]
    step = flow.step(name)
    if not isinstance(step, Detect):
        hint = f"one of {', '.join(one.name for one in found)}" if found else "the flow has none"
        raise FlowError("only a detect step can be explained", where=step.where, got=step.verb, hint=hint)
    return step


def _before(flow: Flow, step: Step) -> set[str]:
    """The names of the steps that a step depends on, itself among them."""
    found = {step.name}
    for one in reversed(flow.steps):
        if one.name in found:
            found |= {port.step for port in one.inputs}
    return found


def _cut(flow: Flow, detect: Detect) -> Flow:
    """The flow without what stands behind the step and must be opened: models, and what is looked up outside.

    The rest stays, also where it is not run: which sources meet decides how idle ones go along.
    """
    needed = _before(flow, detect)
    gone: set[str] = set()
    for step in flow.steps:
        opens = isinstance(step, Score | LookupJoin) and step.name not in needed
        if opens or any(port.step in gone for port in step.inputs):
            gone.add(step.name)
    kept = [step for step in flow.steps if step.name not in gone]
    if not any(isinstance(step, To) for step in kept):
        free = "explained"
        while any(step.name == free for step in kept):
            free += "_"
        kept.append(To(free, (Port(detect.name),)))
    return Flow(flow.name, tuple(kept))


def _input_of(
    flow: Flow, detect: Detect, inputs: Inputs, open_model: OpenModel, outside: Outside, batch: int
) -> Iterator[tuple[Batch, list[pl.DataFrame]]]:
    """What the step gets, batch by batch to the end of the input, and the dead letters before it."""
    needed = _before(flow, detect) - {detect.name}
    sources = open_inputs(flow, inputs)
    feed = Feed(sources)
    try:
        plan = Plan(flow, inputs_of(sources), open_model, outside)

        def passed(emissions: Mapping[str, Emission]) -> tuple[Batch, list[pl.DataFrame]]:
            ports: dict[Port, Batch] = {}
            dead: list[pl.DataFrame] = []
            for step in flow.steps:
                if step.name not in needed:
                    continue
                if isinstance(step, SourceStep):
                    emission = emissions[step.name]
                else:
                    emission = plan.operators[step.name].process([ports[port] for port in step.inputs])
                ports |= {Port(step.name, name): made for name, made in emission.ports.items()}
                if emission.dead is not None:
                    dead.append(emission.dead)
            return ports[detect.inputs[0]], dead

        while (piece := feed.next(batch)) is not None:
            yield passed(plan.take(piece))
        order = 2 * feed.count + 1
        yield passed({name: source.end(order) for name, source in plan.sources.items()})
    finally:
        feed.close()


def _lost(values: Mapping[str, Any], dead: Sequence[pl.DataFrame]) -> list[str]:
    """The dead letters before the step whose bytes name the key."""
    words = [json.dumps(value, ensure_ascii=False).encode() for value in values.values() if value is not None]
    found = []
    for letter in (row for letters in dead for row in letters.iter_rows(named=True)):
        payload = bytes(letter["payload"] or b"")
        if all(word in payload for word in words):
            said = f"{letter['reason']}: {letter['detail']}" if letter["detail"] else letter["reason"]
            text = cut(payload.decode(errors="replace"), _WIDE)
            found.append(f"at step {letter['step']!r}, {cut(said, _WIDE)}; it is {text}")
    return found


def _notes(flow: Flow, detect: Detect) -> list[str]:
    """What a reader should know of the steps behind."""
    notes = []
    behind: dict[str, None] = {}
    reached = {detect.name}
    for step in flow.steps:
        if any(port.step in reached for port in step.inputs):
            reached.add(step.name)
            if not isinstance(step, To) and step.verb not in ("with_columns", "select", "notify"):
                behind[f"{step.name} ({step.verb})" if step.name != step.verb else step.name] = None
    if behind:
        notes.append(f"a match of this step goes on through {', '.join(behind)}, which may hold it back or drop it")
    return notes


# Keys.


def _key_values(stream: StreamType, key: Key, *, where: str) -> dict[str, Any]:
    names = stream.key
    if isinstance(key, Mapping):
        given = dict(key)
        if set(given) != set(names):
            raise FlowError("not the columns of the key", where=where, got=sorted(given), hint=", ".join(names))
        values = [given[name] for name in names]
    elif len(names) == 1 and not isinstance(key, list | tuple):
        values = [key]
    elif isinstance(key, list | tuple) and len(key) == len(names):
        values = list(key)
    else:
        raise FlowError("the key has other columns", where=where, got=key, hint=f"values for {', '.join(names)}")
    known = dict(stream.columns)
    return {name: _as_type(value, known[name], name, where) for name, value in zip(names, values, strict=True)}


def _as_type(value: Any, dtype: pl.DataType, name: str, where: str) -> Any:
    """A key's value in the column's type; text as a person types it is read."""
    try:
        if isinstance(value, str) and dtype.is_integer():
            value = int(value)
        elif isinstance(value, str) and dtype.is_float():
            value = float(value)
        elif isinstance(value, str) and dtype == pl.Boolean():
            value = {"true": True, "false": False}[value.lower()]
        return pl.Series([value], dtype=dtype, strict=True)[0]
    except (TypeError, ValueError, KeyError, OverflowError, pl.exceptions.PolarsError) as error:
        raise FlowError(
            f"not a value of the key's column {name!r}", where=where, got=value, hint=f"a value of type {dtype}"
        ) from error


def _of_key(frame: pl.DataFrame, values: Mapping[str, Any]) -> np.ndarray:
    mask = np.ones(frame.height, np.bool_)
    for name, value in values.items():
        column = frame[name]
        same = column.is_null() if value is None else column.eq_missing(pl.Series([value], dtype=column.dtype))
        mask &= same.to_numpy()
    return mask


# Events at hand.


def _frame(events: pl.DataFrame | Sequence[Mapping[str, Any]], time: str, where: str) -> pl.DataFrame:
    if isinstance(events, pl.DataFrame):
        frame = events
    elif isinstance(events, list | tuple) and all(isinstance(one, Mapping) for one in events):
        try:
            frame = pl.DataFrame([dict(one) for one in events], infer_schema_length=None)
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            hint = "give each column values of one type"
            raise DataError(f"the events are no table: {error}", where=where, hint=hint) from error
    else:
        raise FlowError("not events", where=where, got=type(events).__name__, hint="a list of dicts, or a frame")
    if not frame.width:
        raise FlowError("there are no events", where=where, hint="an empty frame must have its columns")
    if time not in frame.columns:
        hint = f"time= one of {', '.join(frame.columns)}"
        raise FlowError("the events have no such column of event times", where=where, got=time, hint=hint)
    return frame


def _one_batch(
    frame: pl.DataFrame, stream: StreamType, time: str, max_delay: Duration | None, form: TimeForm, where: str
) -> Batch:
    """The events as a source would give them, to the end of input."""
    height = frame.height
    times, refused = column_times(frame[time], form) if height else (np.empty(0, np.int64), {})
    for row, why in refused.items():
        raise DataError("an event has no time", where=f"{where}, event {row}", got=why, hint="leave it out")
    made = frame.select(name for name in stream.names).with_columns(
        pl.Series(TIME, times).cast(RAW_COLUMNS[TIME]),
        pl.Series(ARRIVAL, times).cast(RAW_COLUMNS[ARRIVAL]),
        pl.Series(SOURCE, ["events"] * height, pl.String),
        pl.Series(PARTITION, np.zeros(height, np.int32)),
        pl.Series(OFFSET, np.arange(height)),
    )
    orders, marks = [], []
    if max_delay is not None:
        bound = duration_ms(max_delay, where=f"{where}, max_delay", zero=True)
        mark = MIN_WATERMARK
        for row, greatest in enumerate(np.maximum.accumulate(times).tolist() if height else ()):
            if greatest - bound - 1 > mark:
                mark = greatest - bound - 1
                orders.append(2 * row + 1)
                marks.append(mark)
    orders.append(2 * height + 1)
    marks.append(MAX_WATERMARK)
    count = len(marks)
    steps = Steps(np.array(orders, np.int64), np.array(marks, np.int64), np.zeros(count, np.int64))
    schema = stream.schema
    ready = made.select(pl.col(name).cast(schema[name]) for name in schema) if height else pl.DataFrame(schema=schema)
    return Batch(ready, 2 * np.arange(height, dtype=np.int64), steps=steps)
