"""Memory: what no later event can use is let go.

A stream in which each event has a key of its own takes no more room as it goes on.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import pytest

from styx_lab.core.ports import Arrivals
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Slice
from styx_lab.engines.plan import Inputs
from styx_lab.flow.steps import AsOfJoin, Detect, Step, WindowStep
from styx_lab.flow.window import Calendar, Counted, Global
from styx_lab.operators.outside import Outside
from tests.laws.verbs import MODELS, Case, all_cases, lookups

pytestmark = [pytest.mark.laws, pytest.mark.slow]

EVENTS: Final = 100_000
SLICE: Final = 5_000
MOST: Final = 20_000
"""Let go is many at once, so that something is held always."""
MANY_KEYS: Final = 70_000
"""A pattern lets go of keys when it has more than 65,536."""


def keeps(step: Step) -> bool:
    """Whether a step keeps something of every key for ever, or for a day, as its page says."""
    if isinstance(step, WindowStep):
        return isinstance(step.window, Global | Counted | Calendar)
    return isinstance(step, AsOfJoin) or (isinstance(step, Detect) and not step.pattern.within_ms)


def events(first: int, sources: tuple[str, ...]) -> Slice:
    number = np.arange(first, first + SLICE)
    frame = pl.DataFrame({"n": number}).select(
        ts=1_700_000_000_000 + 7 * pl.col("n"),
        card_id="c" + pl.col("n").cast(pl.String),
        amount=pl.col("n") % 1_000 + 0.5,
        status=pl.when(pl.col("n") % 3 == 0).then(pl.lit("ok")).otherwise(pl.lit("declined")),
        tries=pl.col("n") % 5,
    )
    arrivals, sequence = {}, {}
    for place, name in enumerate(sources):
        mine = number % len(sources) == place
        count = int(mine.sum())
        arrivals[name] = Arrivals(np.zeros(count, np.int32), number[mine], columns=frame.filter(pl.Series(mine)))
        sequence[name] = number[mine]
    return Slice(arrivals, sequence)


# What a process keeps is its class's matter.
@pytest.mark.parametrize("case", [case for case in all_cases() if "process" not in case.name], ids=str)
def test_a_stream_of_ever_new_keys_takes_no_more_room(case: Case) -> None:
    chain = Chain(case.flow, dict.fromkeys(case.sources, Inputs((0,), "frame")), MODELS.__getitem__, Outside(lookups()))
    for first in range(0, EVENTS, SLICE):
        chain.feed(events(first, case.sources))
    sizes = chain.plan.sizes()
    for step in case.flow.steps:
        if step.name in sizes and not keeps(step):
            for name, held in sizes[step.name].items():
                most = MANY_KEYS if step.verb == "detect" and name == "keys" else MOST
                assert held <= (1_000 * MOST if name == "bytes" else most), (step.name, name)
