"""The cases of the group of patterns: W3 by both matchers beside its limit by hand, and the general patterns.

Law: as for the works, what is measured is what a user runs; the matcher is chosen by what the flow says, nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

import polars as pl

from styx_lab.bench.answers import Answer, matches_answer
from styx_lab.bench.cases import difference, handwritten_cases
from styx_lab.bench.group_cases import case_names, run_flow, slices_of, stream_of
from styx_lab.bench.harness import Case
from styx_lab.bench.patterns import FLINK_EVENTS, GENERAL, drains
from styx_lab.bench.payments import Payments, payments
from styx_lab.bench.reference import expected
from styx_lab.bench.reference_patterns import SLOW_EVENTS, right_answer
from styx_lab.bench.workloads import flow_cases
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps.detect import MOST_PARTIALS

__all__ = ["general_cases", "w3_cases"]

_INCLUDES: Final = "from decoded frames to frames of matches, with all columns of their events"


def w3_cases(batch: int, events: int) -> dict[str, Case]:
    """W3 by the matcher of chains (which the product chooses), by that of all patterns, and by hand.

    Args:
        batch: events in a batch.
        events: how many payments.
    """
    data = payments(events)
    # A bound on partial matches that is not the usual one is beyond the matcher of chains.
    bounded = flow("w3", stream_of().detect(drains(), max_partials=MOST_PARTIALS - 1).to("out"))
    general = _case(bounded, drains(), data, data, expected("W3", data), batch, f"{_INCLUDES}; as patterns that fork")
    name, _ = case_names("W3", batch)
    return (
        flow_cases("W3", batch, events) | {f"{name}, general matcher": general} | handwritten_cases("W3", batch, events)
    )


def general_cases(name: str, batch: int, events: int) -> dict[str, Case]:
    """One of the general patterns as a flow; nobody wrote these by hand.

    Args:
        name: of `GENERAL`.
        batch: events in a batch.
        events: how many payments; other than `FLINK_EVENTS`, the answer is checked on the first 20,000 of them.
    """
    general, data = GENERAL[name], payments(events)
    checked = data if events == FLINK_EVENTS else payments(min(events, SLOW_EVENTS))
    made = flow(name, stream_of().detect(general.pattern).to("out"))
    said = _INCLUDES if len(checked) == events else f"{_INCLUDES}; answer of the first {len(checked):,} events"
    case = _case(made, general.pattern, data, checked, right_answer(name, checked), batch, said)
    return {case_names(general.title, batch)[0]: case}


def _case(
    made: Flow, pattern: Pattern, data: Payments, checked: Payments, right: Answer, batch: int, includes: str
) -> Case:
    def run(over: Payments) -> Iterator[pl.DataFrame]:
        return run_flow(lambda: made, ("payments",), slices_of(over, batch))

    timed = partial(run_flow, lambda: made, ("payments",), slices_of(data, batch))

    def work() -> int:
        deque(timed(), maxlen=0)
        return len(data)

    return Case(work, lambda: difference(_answer(run(checked), pattern), right), includes)


def _answer(outputs: Iterable[pl.DataFrame], pattern: Pattern) -> Answer:
    """Of each match the event ids, part by part; those of a part that takes several in the order in which they came."""
    whole = pl.concat(outputs)
    parts = [whole[name].struct.field("event_id") for name in pattern.columns]
    lists = [
        ids.to_list() if isinstance(ids.dtype, pl.List) else [[] if one is None else [one] for one in ids.to_list()]
        for ids in parts
    ]
    return matches_answer([event for part in match for event in part or ()] for match in zip(*lists, strict=True))
