"""The saved state of every kind of step: what was written once is read for ever, and goes on to the right output.

`STYX_GOLDEN=write python -m pytest tests/flow/test_golden_states.py` writes the states that are not there yet, and no
other: a state that is there stays as the version wrote it that gave it out. Patterns have none here yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import styx_lab as styx
from styx_lab import Flow, Stream
from styx_lab.connectors import MemoryLookup, MemorySource
from styx_lab.core.events import canonical_lines
from styx_lab.core.state import State, decode_state, encode_state
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Feed
from styx_lab.engines.plan import inputs_of
from styx_lab.errors import CheckpointError
from styx_lab.flow import aggregate as agg
from styx_lab.operators.outside import AnswersInMemory, Outside
from tests.engines.kit import no_model
from tests.golden.state_steps import Behind, Longest, Quiet

FOLDER = Path(__file__).parent.parent / "golden" / "states"
_EVENTS, _HALF = 60, 29
SCHEMA = {"ts": "int", "card": "str", "amount": "float", "status": "str"}
SUMS = {
    "n": agg.count(),
    "total": agg.sum("amount"),
    "mean": agg.mean("amount"),
    "most": agg.max("amount"),
    "last": agg.last("status"),
    "spread": agg.std("amount"),
}


def paid(name: str = "paid", **how: Any) -> Stream:
    return styx.source(name, schema=SCHEMA, time="ts", key="card", **(how or {"max_delay": "9ms"}))


def refunds() -> Stream:
    return paid().filter("amount > 60", name="refunds")


WINDOWS = paid().window(styx.Tumbling("20ms"), n=agg.count(), total=agg.sum("amount"))
EARLY = paid().window(styx.Tumbling("20ms"), trigger=styx.EveryEvents(1), total=agg.sum("amount"))
LIMITS = {"card": "str", "limit": "int"}
STEPS: dict[str, tuple[str, Stream]] = {
    "source-1": ("paid", paid().sort()),
    "source-punctuated-1": ("paid", paid(watermark=styx.Punctuated("CASE WHEN amount > 0 THEN ts END")).sort()),
    "source-own-1": ("paid", paid(watermark=styx.OwnWatermark(Behind)).sort()),
    "window-by-pane-1": ("window", paid().window(styx.Sliding("40ms", every="10ms"), **SUMS)),
    "window-by-window-1": ("window", paid().window(styx.Session("15ms"), allowed_lateness="20ms", **SUMS)),
    "window-of-events-1": (
        "window",
        paid().window(styx.Cumulating("40ms", step="10ms"), list=agg.collect("status"), half=agg.median("amount")),
    ),
    "window-custom-1": ("window", paid().window(styx.Tumbling("40ms"), long=agg.custom(Longest, "status"))),
    "window-processing-1": ("window", paid().window(styx.Tumbling("50ms"), clock="processing", **SUMS)),
    "interval-join-1": ("join", paid().interval_join(refunds(), "-15ms", "25ms", how="left", name="join")),
    "asof-join-1": ("join", paid().asof_join(refunds(), tolerance="40ms", name="join")),
    "window-join-1": ("join", paid().window_join(refunds(), styx.Session("15ms"), how="full", name="join")),
    "co-group-1": ("join", paid().co_group(refunds(), styx.Tumbling("30ms"), name="join")),
    "deduplicate-1": ("deduplicate", paid().deduplicate("status", within="30ms")),
    "cooldown-1": ("cooldown", paid().cooldown("40ms")),
    "sort-1": ("sort", paid().sort()),
    "top-1": ("top", EARLY.top(1, by="total")),
    "trend-1": ("trend", WINDOWS.trend("total", over=3)),
    "lookup-1": ("lookup", paid().lookup("limits", on="card", columns={"limit": "int"}, expire_after="30ms")),
    "process-clocked-1": ("process", paid().process(Quiet)),
}


def flow_of(name: str) -> Flow:
    return styx.flow("golden", STEPS[name][1].to("out"))


def begun(flow: Flow) -> tuple[Chain, Feed, MemoryLookup]:
    """A chain over sixty events, some of them late, of three keys; and what it looks up in."""
    events = [
        {
            "ts": 1_000 + 5 * n - 13 * (n % 4 == 3) + 20 * (n == 27),
            "card": "abc"[n * n % 3],
            "amount": 7.25 * (n % 13),
            "status": "xy" * (n % 3),
        }
        for n in range(_EVENTS)
    ]
    source = MemorySource(events, styx.Schema(SCHEMA), arrival=[2_000 + 6 * n for n in range(_EVENTS)])
    sources = {"paid": source}
    known = MemoryLookup([{"card": "a", "limit": 5}, {"card": "b", "limit": 7}], LIMITS, key="card")
    outside = Outside({"limits": known}, AnswersInMemory())
    return Chain(flow, inputs_of(sources), no_model, outside), Feed(sources), known


def lines(chain: Chain, feed: Feed, most: int = _EVENTS) -> Iterator[bytes]:
    while feed.count < most and (piece := feed.next(min(6, most - feed.count))) is not None:
        yield from canonical_lines(chain.feed(piece)["out"])
    if most == _EVENTS:
        yield from canonical_lines(chain.end(feed.count)["out"])


def states_of(flow: Flow) -> tuple[dict[str, State], Any, Any]:
    """The states in the middle, with the counters, and the place of the feed."""
    chain, feed, _ = begun(flow)
    list(lines(chain, feed, _HALF))
    states, counters = chain.snapshot()
    return dict(states), counters, feed.position()


def change(known: MemoryLookup) -> None:
    """In the middle something else is known outside: what was answered before stands all the same."""
    known.put([{"card": card, "limit": 9} for card in "abc"])


def rest_from(flow: Flow, states: dict[str, State], counters: Any, position: Any) -> tuple[int, list[bytes]]:
    """The watermark of a run that goes on from states, and what it gives."""
    chain, feed, known = begun(flow)
    change(known)
    chain.restore(states, counters)
    feed.seek(position)
    return chain.plan.watermark, list(lines(chain, feed))


@pytest.fixture(scope="module", autouse=True)
def golden() -> None:
    if os.environ.get("STYX_GOLDEN") == "write":
        for name, (step, _) in STEPS.items():
            path = FOLDER / f"{name}.state"
            if not path.exists():
                path.write_bytes(encode_state(states_of(flow_of(name))[0][step]))


@pytest.mark.parametrize("name", STEPS)
def test_a_state_that_was_saved_goes_on_to_the_right_output(name: str) -> None:
    flow, step = flow_of(name), STEPS[name][0]
    states, counters, position = states_of(flow)
    found = decode_state((FOLDER / f"{name}.state").read_bytes(), where=name)
    chain, feed, known = begun(flow)
    assert list(lines(chain, feed, _HALF))
    change(known)
    whole = (chain.plan.watermark, list(lines(chain, feed)))
    assert rest_from(flow, states | {step: found}, counters, position) == whole
    # What is in the file matters: from a state in which nothing came the output is another one.
    fresh, _ = begun(flow)[0].snapshot()
    assert rest_from(flow, states | {step: fresh[step]}, counters, position) != whole


def test_every_file_has_its_step() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(STEPS)


def test_a_state_of_another_step_is_refused() -> None:
    flow = flow_of("window-by-pane-1")
    states, counters, _ = states_of(flow)
    other = decode_state((FOLDER / "window-by-window-1.state").read_bytes(), where="other")
    with pytest.raises(CheckpointError):
        begun(flow)[0].restore(states | {"window": other}, counters)
