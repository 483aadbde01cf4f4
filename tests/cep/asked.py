"""Conditions as functions, for a flow to carry."""

from __future__ import annotations


def rises(event, match):
    return all((one["tries"] or 0) < (event["tries"] or 0) for one in match["a"])


def declined(event, match):
    return event["status"] == "declined" and len(match["a"]) < 3


def ends(event, match):
    return event["tries"] == 3 and len(match["a"]) > 0
