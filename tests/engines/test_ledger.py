"""The ledger: every input event is counted once, by where it ended first."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import DEAD_SCHEMA
from styx_lab.core.operator import OUT, Emission
from styx_lab.engines.ledger import Ledger
from styx_lab.flow.flow import flow
from styx_lab.flow.pattern import Pattern
from styx_lab.testing import Script
from styx_lab.testing.strategies import payments


def _rows(*orders: int) -> Batch:
    return Batch(pl.DataFrame({"a": list(orders)}, schema={"a": pl.Int64}), np.array(orders, np.int64))


def _dead(count: int) -> pl.DataFrame:
    return pl.DataFrame(schema=DEAD_SCHEMA).clear(count)


def test_an_event_that_ends_in_two_ways_is_counted_once() -> None:
    """Two branches: an event that is late in both, or late in one and dead in the other, is one event."""
    stream = payments(bound_ms=0)
    one = stream.detect(Pattern.begin("a"), name="one")
    other = stream.detect(Pattern.begin("b"), name="other")
    keyed = stream.key_by("status")
    made = flow("branches", one.to("a"), other.to("b"), keyed.to("c"))
    script = (
        Script()
        .event({"card_id": "a", "status": "ok"}, at=100)
        .event({"card_id": "a", "status": "ok"}, at=50)
        .event({"card_id": "a", "status": None}, at=40)
        .event({"card_id": "a", "status": None}, at=200)
        .event({"card_id": None, "status": "ok"}, at=300)
        .end()
    )
    played = script.run(made)
    assert [played.counters[name]["late"] for name in ("one", "other")] == [2, 2]
    assert played.counters["key_by"]["dead"] == 2
    # 50 is late; 40 is late at the first step that it comes to; 200 has no status; the last has no card.
    assert played.summary == {"events": 5, "processed": 1, "late": 2, "dead": 2, "matches": 4, "notifications": 0}


def test_what_was_made_from_events_is_no_event() -> None:
    """A match that dies is counted at its step, not among the events."""
    stream = payments(bound_ms=0)
    matched = stream.detect(Pattern.begin("a"), status="a.status").key_by("status", name="again")
    script = Script().event({"card_id": "a", "status": None}, at=1).event({"card_id": "a", "status": "ok"}, at=2).end()
    played = script.run(flow("matches", matched.to("out")))
    assert played.counters["again"]["dead"] == 1
    assert played.summary == {"events": 2, "processed": 2, "late": 0, "dead": 0, "matches": 2, "notifications": 0}


def test_notes_add_up_over_slices_and_survive_json() -> None:
    made = flow("one", payments().filter("amount > 1").to("out"))
    source, kept, out = made.steps
    ledger = Ledger(made)
    for slice_ in range(3):
        rows = _rows(*range(10 * slice_, 10 * slice_ + 6, 2))
        ledger.note(source, [], Emission({OUT: rows}, dead=_dead(1), dead_order=np.array([7]), counts={"read": 4}))
        ledger.note(kept, [rows], Emission({OUT: rows.keep(np.array([True, False, True]))}, counts={"filtered": 1}))
        ledger.note(out, [rows], Emission({}))
        ledger.close_slice()
        # As a checkpoint keeps it.
        other = Ledger(made)
        other.from_json(json.loads(json.dumps(ledger.to_json())))
        ledger = other
    assert ledger.steps[source.name] | {"decoded": 9} == {
        "read": 12, "decoded": 9, "in": 12, "processed": 9, "late": 0, "dead": 3, "out": 9
    }  # fmt: skip
    assert ledger.steps["filter"] == {"in": 9, "processed": 9, "late": 0, "dead": 0, "out": 6, "filtered": 3}
    assert ledger.summary()["events"] == 12
    assert ledger.summary()["dead"] == 3


def test_counters_read_from_json_are_a_copy() -> None:
    made = flow("one", payments().to("out"))
    ledger = Ledger(made)
    kept = ledger.to_json()
    before = json.dumps(kept)
    ledger.note(made.steps[0], [], Emission({OUT: _rows(0)}, counts={"read": 1}))
    assert json.dumps(kept) == before
