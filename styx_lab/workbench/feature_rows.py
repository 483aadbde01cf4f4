"""Features: the events of a recording as a model of the flow would see them, each with its label, to train on.

Law (serving sees what training saw): the flow itself makes the columns, by the same operators over the same sequence,
up to the step that scores; nothing is computed a second time in another way. So a column holds what was known when the
event came, and no more. How the recording is cut into batches shows nowhere.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from styx_lab.core.events import TIME, EventKind
from styx_lab.core.operator import OUT
from styx_lab.core.ports import Observer
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Feed
from styx_lab.engines.plan import DEAD_LETTERS, inputs_of
from styx_lab.errors import FlowError, ModelError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import Port, Score, SourceStep, Step, To
from styx_lab.operators.outside import Outside
from styx_lab.workbench.inputs import Inputs, open_inputs
from styx_lab.workbench.labels import Label, LabelPlan, Moment, Value, moment_ms, plan_label
from styx_lab.workbench.lookups import Lookups, opened_lookups
from styx_lab.workbench.models import store_models

__all__ = ["TrainingRows", "features", "training_rows"]

Unlabelled = Literal["drop", "keep", "error"]


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Events as a model of the flow would see them, each with its label.

    Attributes:
        frame: the event's columns, `_time` (its event time), and last the label.
        columns: the columns that serving sees too: all but `_time` and the label.
        key: those of them that the events are keyed by.
        label: the label's column, where one was asked for.
        flow: the flow's name.
        flow_hash: and what it means.
        step: the step whose events these are.
        counts: `events` read, `reached` the step, `labelled`, `unlabelled` and more, by name.
        dead: events that died on the way, by step and reason.
    """

    frame: pl.DataFrame
    columns: tuple[str, ...]
    key: tuple[str, ...]
    label: str | None
    flow: str
    flow_hash: str
    step: str
    counts: Mapping[str, int] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)


def features(
    flow: Flow,
    inputs: Inputs,
    *,
    label: Label | None = None,
    unlabelled: Unlabelled | None = None,
    **how: Any,
) -> pl.DataFrame:
    """Run a flow over recorded events up to the step that scores, and give those events, with labels, to train on.

    >>> import styx_lab as styx
    >>> schema = {"ts": "int", "card": "str", "amount": "float"}
    >>> payments = styx.source("payments", schema=schema, time="ts", key="card")
    >>> spent = payments.window(styx.Tumbling("10ms"), n=styx.count(), spent=styx.sum("amount"))
    >>> flow = styx.flow("cards", spent.score("fraud", into="risk").to("scored"))
    >>> events = [{"ts": 1, "card": "a", "amount": 900.0}, {"ts": 2, "card": "b", "amount": 3.0}]
    >>> chargebacks = pl.DataFrame({"card": ["a"], "fraud": [True]})
    >>> rows = flow.features(events, label=(chargebacks, "fraud"), otherwise=False)
    >>> rows.select("card", "n", "spent", "fraud").rows()
    [('a', 1, 900.0, True), ('b', 1, 3.0, False)]

    The answer has the event's own columns, as they come to the step, then `_time` (the event time), then the label.
    The model itself need not exist yet. All state and time are the flow's: a row holds what was known when its event
    came. An event without a label is left out, with a warning that says how many; see `unlabelled`.

    Args:
        flow: the flow.
        inputs: as for `replay`: a recording or file, a frame, a list of dicts; by source where there are several.
        label: a column of the event (serving would see it as well: do not train on it); SQL text or a Polars expression
            over the event, with a name of its own as `{"large": "amount > 500"}`; or `(table, "fraud")`, a column of a
            frame or file that was kept later; or `(table, None)`, whether the event is in it. None where no label is
            wanted.
        on: of a table, the columns by which an event finds its row: names that both have, or what a column of the
            table equals, as `{"payment_id": "drain.payment_id"}`. The flow's key where it is left out.
        known_at: of a table, its column that says since when a row is known (a time, ISO 8601 text, or epoch ms).
            Where a key has several rows the one known last counts; one without a time is not known yet.
        known_by: a cut: no label that became known after it is used, and no event after it.
        unlabelled: what becomes of events without a label: `drop`, `keep` (null) or `error`; dropped with a warning
            where nothing is said.
        otherwise: the label of an event that has none, where a table lists one kind only.
        step: a `score` step; or an output, or another step, whose events are wanted. The first `score` step where it is
            left out.
        store: the store with the models of steps before this one; the default one where none is named.
        lookups: what the flow looks up in, as for `replay`.
        batch: events a batch; shows in no answer.
        limit: stop after so many events.

    Raises:
        FlowError: on a wrong step, label or column.
        ModelError: when no event comes to the step, none has a label, or a key has two.
        InputMissingError, DataError, SchemaError: when an input cannot be read.
        RunError: when a lookup is missing or does not fit.
    """
    found = training_rows(flow, inputs, label=label, unlabelled=unlabelled or "drop", **how)
    left_out = found.counts.get("unlabelled", 0)
    if left_out and unlabelled is None:
        warnings.warn(
            f"flow {flow.name!r}, step {found.step!r}: {left_out:,} of {found.counts['reached']:,} events have no "
            "label and are left out (unlabelled='drop' says that they should be; otherwise=... labels them)",
            stacklevel=_callers_level(),
        )
    return found.frame


def training_rows(  # noqa: PLR0913 - each is a word of its own, by name
    flow: Flow,
    inputs: Inputs,
    *,
    label: Label | None = None,
    on: str | Sequence[str] | Mapping[str, Value] | None = None,
    known_at: str | None = None,
    known_by: Moment | None = None,
    unlabelled: Unlabelled = "drop",
    otherwise: Any = None,
    step: str | None = None,
    store: str | Path | None = None,
    lookups: Lookups | None = None,
    batch: int = 10_000,
    limit: int | None = None,
    observers: Sequence[Observer] = (),
) -> TrainingRows:
    """The same as `features`, with what was counted; see there for the arguments and errors."""
    chosen = _chosen(flow, step)
    where = f"flow {flow.name!r}, step {chosen.name!r}"
    port = chosen.inputs[0] if isinstance(chosen, Score | To) else Port(chosen.name, OUT)
    stream = flow.types()[port]
    if stream.kind is EventKind.NOTIFICATION:
        raise FlowError(
            "a notification is what came of an event, and nothing to learn from",
            where=where,
            hint="name the step before notify()",
        )
    if unlabelled not in ("drop", "keep", "error"):
        raise FlowError("unknown word for unlabelled", where=where, got=unlabelled, hint="drop, keep or error")
    cut = None if known_by is None else moment_ms(known_by, where=f"{where}, known_by")
    plan = None
    if label is not None:
        plan = plan_label(label, stream, where=f"{where}, label", on=on, known_at=known_at, known_by=cut)
    elif on is not None or known_at is not None or otherwise is not None:
        raise FlowError("on=, known_at= and otherwise= are for labels", where=where, hint="say label=")
    frame, counts, dead = _run(flow, port, inputs, store, lookups, batch, limit, observers)
    columns = [name for name in stream.names if plan is None or name != plan.name]
    if cut is not None:
        kept = frame.filter(pl.col(TIME).to_physical() <= cut)
        counts["after_cut"] = frame.height - kept.height
        frame = kept
    if not frame.height:
        raise ModelError(
            "no event reached the step",
            where=where,
            got={**counts, **dead},
            hint="look at the counters of flow.replay(...), step by step",
        )
    rows = frame.select(*columns, TIME)
    if plan is not None:
        rows = _labelled(rows, frame, plan, counts, unlabelled, otherwise)
    return TrainingRows(
        rows,
        tuple(columns),
        stream.key,
        None if plan is None else plan.name,
        flow.name,
        flow.hash,
        chosen.name,
        counts,
        dead,
    )


def _chosen(flow: Flow, name: str | None) -> Step:
    scoring = [step for step in flow.steps if isinstance(step, Score)]
    if name is not None:
        return flow.step(name)
    if not scoring:
        outputs = ", ".join(f"step={output!r}" for output in flow.outputs)
        raise FlowError(
            "the flow has no score step: say whose events are wanted", where=f"flow {flow.name!r}", hint=outputs
        )
    return scoring[0]


def _run(
    flow: Flow,
    port: Port,
    inputs: Inputs,
    store: str | Path | None,
    lookups: Lookups | None,
    batch: int,
    limit: int | None,
    observers: Sequence[Observer],
) -> tuple[pl.DataFrame, dict[str, int], dict[str, int]]:
    """The events of a port, in order; what was counted; what died before it."""
    part, output = _up_to(flow, port)
    frames: list[pl.DataFrame] = []
    dead: Counter[str] = Counter()

    def take(outputs: Mapping[str, pl.DataFrame]) -> None:
        frames.append(outputs[output])
        for step, reason, count in outputs[DEAD_LETTERS].group_by("step", "reason").len().iter_rows():
            dead[f"{step}: {reason}"] += count
        for observer in observers:
            observer.observe(chain.ledger.steps, chain.plan.watermark, chain.plan.newest)

    with opened_lookups(part, _known(part, lookups)) as known:
        sources = open_inputs(flow, inputs)
        feed = Feed(sources)
        try:
            chain = Chain(part, inputs_of(sources), store_models(store), Outside(known))
            chain.plan.go_as_in(flow)
            while limit is None or feed.count < limit:
                piece = feed.next(batch if limit is None else min(batch, limit - feed.count))
                if piece is None:
                    break
                take(chain.feed(piece))
            take(chain.end(feed.count))
        finally:
            feed.close()
    frame, summary = pl.concat(frames), chain.ledger.summary()
    counts = {"events": summary["events"], "late": summary["late"], "dead": summary["dead"], "reached": frame.height}
    return frame, counts, dict(sorted(dead.items()))


def _known(part: Flow, lookups: Lookups | None) -> Lookups | None:
    # A text for a lookup that only a later step asks is no slip of the pen.
    return None if lookups is None else {name: one for name, one in lookups.items() if name in part.lookups}


def _up_to(flow: Flow, port: Port) -> tuple[Flow, str]:
    """The part of a flow that makes the events of a port, with an output for them; all sources stay."""
    wanted = {port.step}
    for step in reversed(flow.steps):
        if step.name in wanted:
            wanted.update(one.step for one in step.inputs)
    steps = tuple(step for step in flow.steps if step.name in wanted or isinstance(step, SourceStep))
    output = "features"
    while any(step.name == output for step in steps):
        output += "_"
    return Flow(flow.name, (*steps, To(output, (port,)))), output


def _labelled(
    rows: pl.DataFrame, frame: pl.DataFrame, plan: LabelPlan, counts: dict[str, int], unlabelled: str, otherwise: Any
) -> pl.DataFrame:
    values, more = plan.values(frame)
    missing = values.null_count()
    counts |= {"labelled": len(values) - missing, "unlabelled": missing, **more}
    otherwise = False if plan.presence and otherwise is None else otherwise
    if otherwise is not None:
        values = values.fill_null(_of_type(otherwise, values.dtype, plan))
        counts |= {"unlabelled": 0, "labelled_otherwise": missing}
        missing = 0
    rows = rows.with_columns(values.alias(plan.name))
    if missing and unlabelled == "error":
        raise ModelError(
            "events without a label",
            where=plan.where,
            got=missing,
            hint="unlabelled='drop' leaves them out, otherwise=... labels them",
        )
    return rows.filter(pl.col(plan.name).is_not_null()) if missing and unlabelled == "drop" else rows


def _of_type(value: Any, dtype: pl.DataType, plan: LabelPlan) -> Any:
    """A label in the type of the others; a text may say it, as on a command line."""
    words = {"true": True, "false": False, "1": True, "0": False}
    try:
        if dtype == pl.Boolean():
            return words[str(value).lower()]
        if dtype.is_integer():
            found = int(value)
            if found != float(value):
                raise ValueError(value)
            return pl.Series([found], dtype=dtype)[0]
        if dtype.is_float():
            return float(value)
    except (KeyError, ValueError, TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise FlowError(
            "otherwise= is of another type than the labels", where=plan.where, got=value, hint=f"they are {dtype}"
        ) from error
    if not isinstance(value, str):
        raise FlowError(
            "otherwise= is of another type than the labels", where=plan.where, got=value, hint=f"they are {dtype}"
        )
    return value


def _callers_level() -> int:
    """Where a warning belongs: to the first caller outside this package, whichever way it came."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("styx_lab."):
        level, frame = level + 1, frame.f_back
    return level
