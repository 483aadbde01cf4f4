"""Observers, told of a run: how every engine does it.

Law: a run is not held up. The counters are there already; figures cost something, so they are worked out only for an
observer that asks, when it asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from styx_lab.core.ports import Observer
from styx_lab.engines.ledger import Ledger
from styx_lab.engines.plan import Plan

__all__ = ["tell"]


def tell(observers: Sequence[Observer], ledger: Ledger, plan: Plan) -> None:
    """Tell observers the counters, and those that take figures where to ask for them (see `Observer`)."""
    for observer in observers:
        take = getattr(observer, "take_figures", None)
        if take is not None:
            take(plan.figures)
        observer.observe(ledger.steps, plan.watermark, plan.newest)
