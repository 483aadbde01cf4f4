"""A process as JSON, and its saved state: what was written once is read for ever."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import styx_lab as styx
from styx_lab import Flow
from styx_lab.core.operator import OUT, Operator
from styx_lab.core.state import decode_state, encode_state
from styx_lab.operators.build import build
from styx_lab.testing import Script
from tests.golden.process_steps import Spends

FOLDER = Path(__file__).parent.parent / "golden"
FLOW, STATE = FOLDER / "flow-process.json", FOLDER / "process-1.state"
SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}


def processes() -> Flow:
    """A flow with a process of every kind of input."""
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    refunds = payments.filter("status = 'refund'")
    limits = styx.source("limits", schema=SCHEMA, time="ts")
    spends = payments.process(Spends, name="spends", others={"refund": refunds}, broadcast={"limit": limits})
    return styx.flow("spending", spends.to("out"))


def played() -> tuple[bytes, list[dict[str, Any]]]:
    """The state of the process after half of some events, and what it gives for the other half, from a saved state."""
    flow = processes()
    source = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    script = Script()
    for number in range(30):
        status = ("paid", "refund", "lost")[number % 3]
        fields = {"card_id": f"c{number % 4}", "amount": 10.5 * number, "status": status}
        script = script.event(fields, at=1_700_000_000_000 + 3_000 * number)
    halves = script.end().batch(source).slices(15)

    def opened() -> Operator:
        return build(flow.step("spends"), flow, flow.types(), lambda _: pytest.fail("no model"))

    one = opened()
    one.process([halves[0]] * 3)
    state = encode_state(one.snapshot())
    two = opened()
    two.restore([decode_state(STATE.read_bytes() if STATE.exists() else state, where="golden")])
    out = two.process([halves[1]] * 3).ports[OUT].frame
    one.process([halves[1]] * 3)
    return state, out.select("card_id", "total", "kinds", "quiet").rows(named=True)


@pytest.fixture(scope="module", autouse=True)
def golden() -> None:
    if os.environ.get("STYX_GOLDEN") == "write":
        FLOW.write_text(processes().to_json())
        STATE.unlink(missing_ok=True)
        STATE.write_bytes(played()[0])


def test_the_golden_flow_still_loads() -> None:
    assert FLOW.read_text() == processes().to_json()
    found = Flow.from_json(FLOW.read_text())
    assert found == processes()
    assert found.step("spends").summary() == "Spends, on refund, on limit: total, kinds, quiet"
    # The hash names a promoted flow: it may not change under it.
    assert found.hash == "b85e48791eaf20c2a176693a20a2596ca800563d7c92737e5e534678530909f0"


def test_the_golden_state_still_goes_on() -> None:
    _, rows = played()
    assert len(rows) == 15 + 20
    assert rows[0] == {"card_id": "c3", "total": 31.5, "kinds": "4 paid:2 refund:1 lost:1", "quiet": False}
    # The last of c1 came at 87 s, and the timer is of 97 s: five of its eight came within the minute before.
    assert rows[-1] == {"card_id": "c1", "total": -220.5, "kinds": "5 refund:3 lost:3 paid:2", "quiet": True}
    assert sum(row["total"] for row in rows) == -2583.0
