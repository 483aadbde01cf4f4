"""The stream of the examples in this folder."""

from __future__ import annotations

from styx_lab.flow.stream.source import source
from styx_lab.flow.stream.stream import Stream

__all__ = ["payments"]


def payments() -> Stream:
    """Payments by card.

    >>> payments().key
    ('card_id',)
    """
    return source("payments", schema={"ts": "int", "card_id": "str", "amount": "float"}, time="ts", key="card_id")
