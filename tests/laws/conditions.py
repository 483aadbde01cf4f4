"""Conditions as functions of every sort, for the laws: a flow carries the source of this module."""

from __future__ import annotations


def more_tries(event, match):
    """Fails on an event without tries, and on four of them."""
    if event["tries"] == 4:
        raise ValueError("four tries")
    return all(event["tries"] >= one["tries"] for one in match["first"])


def settled(event, match):
    """Answers what is no answer where there is no amount."""
    if event["amount"] is None:
        return None
    return event["status"] == "ok" and event["amount"] > 100


def unchanged(event, match):
    """Tries to change what it is shown."""
    match["first"].clear()
    try:
        event["amount"] = 0.0
    except TypeError:
        return event["amount"] != 0.0
    return False
