"""Cases of windows over one input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.core.time import MAX_WATERMARK, distance_text
from styx_lab.errors import FlowError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.steps import WindowStep
from styx_lab.flow.trigger import AtEnd, AtEndOfInput, Every, EveryEvents, Never, Trigger
from styx_lab.flow.window import Counted, Cumulating, Global, Session, Sliding, Tumbling, Window
from styx_lab.operators.window import window_operator
from styx_lab.testing.windows.case import Case
from styx_lab.testing.windows.family import Running
from styx_lab.testing.windows.script import stream

__all__ = ["said_firing", "said_window", "window"]

_AGGREGATES: Final[dict[str, Aggregate]] = {
    "count": agg.count(),
    "sum": agg.sum("value"),
    "min": agg.min("value"),
    "max": agg.max("value"),
    "avg": agg.mean("value"),
    "collect": agg.collect("index"),
}


def said_window(assigner: dict[str, Any]) -> Window:
    """The window of a case's assigner."""

    def length(name: str) -> str:
        return distance_text(assigner.get(name, 0))

    match assigner["type"]:
        case "tumbling":
            return Tumbling(length("size"), offset=length("offset"))
        case "sliding":
            return Sliding(length("size"), every=length("slide"), offset=length("offset"))
        case "cumulating":
            return Cumulating(length("size"), step=length("step"), offset=length("offset"))
        case "session":
            return Session(gap_from=assigner["gapField"]) if "gapField" in assigner else Session(length("gap"))
        case "count":
            return Counted(assigner["size"], every=assigner.get("slide"))
        case "global" | "globalEnd":
            return Global()
    raise FlowError("no such assigner", where="case", got=assigner["type"])


_FOR_EVER_MS: Final = 3_660_000 * 86_400_000
"""A lateness that no case can outlast: the longest that there is."""


class Said(TypedDict):
    """The arguments of `window()` and its like that say when windows fire."""

    trigger: Trigger | None
    discarding: bool
    allowed_lateness: str


def said_firing(op: Mapping[str, Any]) -> Said:
    """When the windows of a case's operator fire."""
    trigger, discarding = op.get("trigger"), False
    while trigger is not None and trigger["type"] == "purging":
        trigger, discarding = trigger["of"], True
    defaults: dict[str, Trigger] = {"global": Never(), "globalEnd": AtEndOfInput()}
    default = defaults.get(op["assigner"]["type"])
    made = default if trigger is None else _trigger(trigger)
    lateness = min(op.get("lateness", 0), _FOR_EVER_MS)
    return {"trigger": made, "discarding": discarding, "allowed_lateness": distance_text(lateness)}


def _trigger(trigger: dict[str, Any]) -> Trigger:
    match trigger["type"]:
        case "eventTime":
            return AtEnd()
        case "count":
            return EveryEvents(trigger["n"])
        case "continuousEventTime":
            return Every(distance_text(trigger["interval"]))
    raise FlowError("no such trigger", where="case", got=trigger["type"])


def window(case: Case) -> Running:
    """A window with aggregates.

    Raises:
        FlowError: when it cannot be built, or would not end with its input.
    """
    names: list[str] = list(case.op["aggregate"])
    given = stream(case)
    how = said_firing(case.op)
    aggregates: dict[str, Any] = {name: _AGGREGATES[name] for name in names}
    made = given.window(said_window(case.op["assigner"]), **how, **aggregates)
    step = made.steps[-1]
    assert isinstance(step, WindowStep)
    if case.ends:
        # A case without an end may have what no flow may.
        step.check_ending()
    edged = "window_start" in made.columns

    def results(frame: pl.DataFrame) -> list[dict[str, Any]]:
        times = [name for name in (TIME, "window_start", "window_end") if name in frame.columns]
        told = []
        for row in frame.with_columns(pl.col(times).to_physical()).iter_rows(named=True):
            told.append(
                {
                    **({"key": row["key"]} if case.keyed else {}),
                    "window": [row["window_start"], row["window_end"]] if edged else None,
                    "values": {name: row[name] for name in names},
                    "ts": row[TIME] if edged else MAX_WATERMARK,
                }
            )
        return told

    return Running(window_operator(step, given.type), results)
