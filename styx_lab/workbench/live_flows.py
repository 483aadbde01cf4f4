"""Live: a flow on streamz, to be fed, tapped and watched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from styx_lab.core.ports import Lookup
from styx_lab.flow.flow import Flow
from styx_lab.operators.outside import Outside
from styx_lab.workbench.models import store_models

if TYPE_CHECKING:
    from styx_lab.engines.streamz import LiveFlow

__all__ = ["live"]


def live(flow: Flow, *, store: str | Path | None = None, lookups: Mapping[str, Lookup] | None = None) -> LiveFlow:
    """Start a flow on streamz; feed it with `emit`, tap any step, end it with `finish`.

    >>> import styx_lab as styx
    >>> payments = styx.source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
    >>> running = live(styx.flow("large", payments.filter("amount > 500").to("found")))
    >>> seen = running.frames("filter").map(lambda frame: frame["amount"].to_list()).sink_to_list()
    >>> running.emit({"ts": 1, "amount": 900.0})
    >>> seen
    [[900.0]]

    Args:
        flow: what to run.
        store: the store with its models; the default one where none is named.
        lookups: what the flow looks up in, by the names that its `lookup` steps use; they stay open.
    """
    from styx_lab.engines.plan import Inputs
    from styx_lab.engines.streamz import LiveFlow

    # Events come one dict or frame at a time, from one partition.
    inputs = {step.name: Inputs((0,), "frame") for step in flow.sources}
    return LiveFlow(flow, inputs, store_models(store), outside=Outside(lookups or {}))
