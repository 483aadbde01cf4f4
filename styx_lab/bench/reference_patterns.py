"""The right answers of the general patterns: Flink's own where it was asked, else those of the slow reading.

Law (oracle): the slow reading shares the automaton with the product, and nothing of its conditions, columns or kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from styx_lab.bench.answers import Answer, matches_answer
from styx_lab.bench.patterns import FLINK_EVENTS, GENERAL, Asked
from styx_lab.bench.payments import Payments
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.flow.pattern import Call, Part, Where
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.reading.keyed import KeyedReading

__all__ = ["SLOW_EVENTS", "matches_of", "right_answer"]

SLOW_EVENTS: Final = 20_000
"""So many payments the slow reading can read in a few seconds."""


def right_answer(name: str, data: Payments) -> Answer:
    """The answer of a general pattern: Flink's for its number of payments, else read slowly.

    >>> from styx_lab.bench.payments import payments
    >>> right_answer("combinations", payments(3_000)).count
    281

    Args:
        name: of `GENERAL`.
        data: the payments.
    """
    return GENERAL[name].answer if len(data) == FLINK_EVENTS else matches_answer(matches_of(name, data))


def matches_of(name: str, data: Payments) -> Iterator[list[int]]:
    """The matches, as the event ids of each: part by part in the pattern's order.

    Args:
        name: of `GENERAL`.
        data: the payments.
    """
    general = GENERAL[name]
    parts = [part for whole in general.pattern.parts for part in (whole.group or (whole,))]
    plain = {_leaf(part): general.plain[part.name] for part in parts}

    def holds(leaf: Where | Call, event: Asked, taken: Sequence[tuple[str, Asked]]) -> bool:
        return plain[leaf](event, taken)

    keys = KeyedReading[Asked](build_automaton(general.pattern.parts, general.pattern.after_match), holds)
    for event in data.columns.iter_rows(named=True):
        keys.event(event["card_id"], event, event["ts"])
    for _, emission in keys.watermark(MAX_WATERMARK):
        if emission.kind == "match":
            yield [event["event_id"] for part in parts for event in emission.parts.get(part.name, ())]


def _leaf(part: Part) -> Where | Call:
    if not isinstance(part.condition, Where | Call):
        raise TypeError(f"a condition of {part.name!r} has parts of its own")
    return part.condition
