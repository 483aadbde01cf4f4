"""Functions for the tests of explanations."""

from __future__ import annotations

from typing import Any


def large(event: Any, match: Any) -> bool:
    """Whether the event is more than the part `a` had, ten times over."""
    return event["amount"] is not None and event["amount"] > 10 * sum(one["amount"] for one in match["a"])


def raising(event: Any, match: Any) -> bool:
    """The same; an event without an amount raises."""
    return bool(event["amount"] > 10 * match["a"][0]["amount"])
