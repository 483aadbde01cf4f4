"""Replay: a flow over recorded events, at full speed, through streamz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styx_lab.core.ports import Observer
from styx_lab.engines.result import Result
from styx_lab.flow.flow import Flow
from styx_lab.operators.outside import Outside
from styx_lab.workbench.inputs import Inputs, open_inputs
from styx_lab.workbench.lookups import Lookups, opened_lookups
from styx_lab.workbench.models import store_models

__all__ = ["replay"]


def replay(
    flow: Flow,
    inputs: Inputs,
    *,
    store: str | Path | None = None,
    lookups: Lookups | None = None,
    batch: int = 10_000,
    observers: Sequence[Observer] = (),
    limit: int | None = None,
    rate: float | None = None,
) -> Result:
    """Run a flow over recorded events and give everything that came out.

    >>> import styx_lab as styx
    >>> payments = styx.source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
    >>> large = styx.flow("large", payments.filter("amount > 500").notify("tell", message="{amount}").to("told"))
    >>> replay(large, [{"ts": 1, "amount": 900.0}, {"ts": 2, "amount": 3.0}]).notifications["message"].to_list()
    ['900.0']

    Args:
        flow: what to run.
        inputs: a recording or file, a frame, a list of dicts; by source name where the flow has several.
        store: the store with its models; the default one where none is named.
        lookups: what the flow looks up in, by the names that its `lookup` steps use: objects, which stay open, or texts
            such as `sqlite:cards.db?table=limits`. They are asked anew.
        batch: events a batch; shows in no output.
        observers: told the counters after each batch (a monitor).
        limit: stop after so many events.
        rate: events a second, at most: for watching.

    Raises:
        InputMissingError, DataError, SchemaError: when an input cannot be read.
        ModelError, NotFoundError: when a model is missing or does not fit.
        RunError: when a lookup is missing or does not fit.
    """
    from styx_lab.engines.streamz import replay as run

    with opened_lookups(flow, lookups) as known:
        return run(
            flow,
            open_inputs(flow, inputs),
            store_models(store),
            outside=Outside(known),
            batch=batch,
            observers=observers,
            limit=limit,
            rate=rate,
        )
