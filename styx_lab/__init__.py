"""Styx Lab: prototype event patterns on recorded data, judge them with a PMML model, promote the same graph to a
runner.

>>> import styx_lab as styx
>>> schema = {"ts": "int", "card_id": "str", "amount": "float"}
>>> payments = styx.source("payments", schema=schema, time="ts", key="card_id")
>>> large = payments.filter("amount > 500").notify("large", message="Card {card_id}: {amount:.2f}").to("notifications")
>>> styx.flow("large-payments", large).replay([{"ts": 1, "card_id": "a", "amount": 912.5}]).notifications["message"][0]
'Card a: 912.50'

Importing this loads nothing heavy: every name is loaded on first use (PEP 562).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from styx_lab.flow.verbs import offer

if TYPE_CHECKING:
    from polars import col

    from styx_lab.connectors import MemoryLookup, Recording, SqliteLookup
    from styx_lab.core.events import SOURCE_TIMESTAMP
    from styx_lab.core.schema import Schema
    from styx_lab.engines.result import Result
    from styx_lab.engines.runner.runner import RunSettings
    from styx_lab.errors import StyxError
    from styx_lab.flow.aggregate import (
        UserAggregate,
        collect,
        count,
        custom,
        expr,
        first,
        last,
        max,
        mean,
        median,
        min,
        n_unique,
        quantile,
        std,
        sum,
        top_k,
        var,
    )
    from styx_lab.flow.flow import Flow, flow
    from styx_lab.flow.pattern import AfterMatch, Pattern, matched
    from styx_lab.flow.process import BroadcastState, ListState, MapState, Process, ValueState
    from styx_lab.flow.stream import Stream, source
    from styx_lab.flow.table import table
    from styx_lab.flow.trigger import AtEnd, AtEndOfInput, Every, EveryEvents, Never, When
    from styx_lab.flow.watermark import Ascending, BoundedDelay, OwnWatermark, Punctuated
    from styx_lab.flow.window import Calendar, Counted, Cumulating, Global, Session, Sliding, Tumbling
    from styx_lab.lab import Monitor, load_ipython_extension
    from styx_lab.stores import SqliteStore
    from styx_lab.workbench import list_jobs, live, promote, replay, run_bundle, show, train

__all__ = [
    "SOURCE_TIMESTAMP",
    "AfterMatch",
    "Ascending",
    "AtEnd",
    "AtEndOfInput",
    "BoundedDelay",
    "BroadcastState",
    "Calendar",
    "Counted",
    "Cumulating",
    "Every",
    "EveryEvents",
    "Flow",
    "Global",
    "ListState",
    "MapState",
    "MemoryLookup",
    "Monitor",
    "Never",
    "OwnWatermark",
    "Pattern",
    "Process",
    "Punctuated",
    "Recording",
    "Result",
    "RunSettings",
    "Schema",
    "Session",
    "Sliding",
    "SqliteLookup",
    "SqliteStore",
    "Stream",
    "StyxError",
    "Tumbling",
    "UserAggregate",
    "ValueState",
    "When",
    "col",
    "collect",
    "count",
    "custom",
    "expr",
    "first",
    "flow",
    "last",
    "list_jobs",
    "live",
    "load_ipython_extension",
    "matched",
    "max",
    "mean",
    "median",
    "min",
    "n_unique",
    "promote",
    "quantile",
    "replay",
    "run_bundle",
    "show",
    "source",
    "std",
    "sum",
    "table",
    "top_k",
    "train",
    "var",
]

_HOMES: Final = {
    "AfterMatch": "styx_lab.flow.pattern",
    "AtEnd": "styx_lab.flow.trigger",
    "AtEndOfInput": "styx_lab.flow.trigger",
    "BroadcastState": "styx_lab.flow.process",
    "Ascending": "styx_lab.flow.watermark",
    "BoundedDelay": "styx_lab.flow.watermark",
    "Calendar": "styx_lab.flow.window",
    "Counted": "styx_lab.flow.window",
    "Cumulating": "styx_lab.flow.window",
    "Every": "styx_lab.flow.trigger",
    "EveryEvents": "styx_lab.flow.trigger",
    "Global": "styx_lab.flow.window",
    "Never": "styx_lab.flow.trigger",
    "OwnWatermark": "styx_lab.flow.watermark",
    "Punctuated": "styx_lab.flow.watermark",
    "Flow": "styx_lab.flow.flow",
    "ListState": "styx_lab.flow.process",
    "MapState": "styx_lab.flow.process",
    "MemoryLookup": "styx_lab.connectors",
    "Monitor": "styx_lab.lab",
    "Pattern": "styx_lab.flow.pattern",
    "Process": "styx_lab.flow.process",
    "Recording": "styx_lab.connectors",
    "Result": "styx_lab.engines.result",
    "RunSettings": "styx_lab.engines.runner.runner",
    "SOURCE_TIMESTAMP": "styx_lab.core.events",
    "Schema": "styx_lab.core.schema",
    "Session": "styx_lab.flow.window",
    "Sliding": "styx_lab.flow.window",
    "SqliteLookup": "styx_lab.connectors",
    "SqliteStore": "styx_lab.stores",
    "Stream": "styx_lab.flow.stream",
    "StyxError": "styx_lab.errors",
    "Tumbling": "styx_lab.flow.window",
    "UserAggregate": "styx_lab.flow.aggregate",
    "ValueState": "styx_lab.flow.process",
    "When": "styx_lab.flow.trigger",
    "col": "polars",
    "collect": "styx_lab.flow.aggregate",
    "count": "styx_lab.flow.aggregate",
    "custom": "styx_lab.flow.aggregate",
    "expr": "styx_lab.flow.aggregate",
    "first": "styx_lab.flow.aggregate",
    "last": "styx_lab.flow.aggregate",
    "list_jobs": "styx_lab.workbench",
    "live": "styx_lab.workbench",
    "load_ipython_extension": "styx_lab.lab",
    "unload_ipython_extension": "styx_lab.lab",
    "matched": "styx_lab.flow.pattern",
    "max": "styx_lab.flow.aggregate",
    "mean": "styx_lab.flow.aggregate",
    "median": "styx_lab.flow.aggregate",
    "min": "styx_lab.flow.aggregate",
    "n_unique": "styx_lab.flow.aggregate",
    "promote": "styx_lab.workbench",
    "quantile": "styx_lab.flow.aggregate",
    "replay": "styx_lab.workbench",
    "run_bundle": "styx_lab.workbench",
    "show": "styx_lab.workbench",
    "source": "styx_lab.flow.stream",
    "std": "styx_lab.flow.aggregate",
    "sum": "styx_lab.flow.aggregate",
    "table": "styx_lab.flow.table",
    "top_k": "styx_lab.flow.aggregate",
    "train": "styx_lab.workbench",
    "var": "styx_lab.flow.aggregate",
}


def _action(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(import_module("styx_lab.workbench"), name)
    return found


# A flow's short forms (`flow.replay(...)`) are the workbench's actions; no lower floor looks up to find them.
offer(_action)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
