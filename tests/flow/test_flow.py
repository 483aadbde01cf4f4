"""A flow as JSON: the same flow again, for ever."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from styx_lab import Flow
from styx_lab.errors import FlowError
from styx_lab.flow.steps import STEPS
from tests.flow.golden_flows import CUSTOMERS, GOLDEN_FLOWS, HASHES, first_verbs

GOLDEN = Path(__file__).parent.parent / "golden"
SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}
NAMES = pytest.mark.parametrize("name", GOLDEN_FLOWS)


def test_every_verb_is_in_one() -> None:
    assert {step.verb for made in GOLDEN_FLOWS.values() for step in made().steps} == STEPS.keys()


@NAMES
def test_json_gives_the_same_flow(name: str) -> None:
    flow = GOLDEN_FLOWS[name]()
    again = Flow.from_json(flow.to_json())
    assert again == flow
    assert again.hash == flow.hash
    assert again.to_json() == flow.to_json()


@NAMES
def test_the_golden_flow_still_loads(name: str) -> None:
    flow, golden = GOLDEN_FLOWS[name](), GOLDEN / f"{name}.json"
    if os.environ.get("STYX_GOLDEN") == "write":
        golden.write_text(flow.to_json())
    assert golden.read_text() == flow.to_json()
    again = Flow.from_json(golden.read_text())
    assert again == flow
    assert again.hash == HASHES.get(name, again.hash)


def test_joins_say_what_they_do() -> None:
    flow = GOLDEN_FLOWS["flow-joins"]()
    assert [flow.step(name).summary() for name in ("near", "limits")] == [
        "(-5m, 1h], left",
        "left, within 30d, until amount = 0",
    ]


def test_what_is_asked_of_a_flow() -> None:
    flow = first_verbs()
    assert flow.outputs == ("notifications", "late_payments", "spent", "days")
    assert flow.notification_outputs == ("notifications",)
    assert flow.models == ("fraud@champion",)
    assert [source.name for source in flow.sources] == ["payments", "others"]
    assert flow.step("testing").verb == "detect"
    with pytest.raises(FlowError, match=r"no such step.*'nothing'"):
        flow.step("nothing")


def test_tables_come_back_by_their_hash() -> None:
    flow = first_verbs()
    (table,) = flow.tables
    without = Flow.from_json(flow.to_json())
    with pytest.raises(FlowError, match="rows are not here"):
        _ = without.tables[0].frame
    again = Flow.from_json(flow.to_json(), {table.sha256: CUSTOMERS})
    assert again.tables[0].frame.equals(CUSTOMERS)
    with pytest.raises(FlowError, match="content has changed"):
        Flow.from_json(flow.to_json(), {table.sha256: CUSTOMERS.head(1)})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no flow"),
        ('{"format": 99}', "format this version does not know"),
        ('{"format": 1, "flow": "f"}', "incomplete"),
        ('{"format": 1, "flow": "f", "steps": [{"name": "x", "verb": "fly", "inputs": []}]}', "unknown verb.*'fly'"),
        (('{"format": 1, "flow": "f", "steps": [{"name": "x", "verb": "filter", "inputs": [["y", "out"]], '
         '"condition": {"sql": "a"}}]}'), "incomplete|not there|output"),
    ],
)  # fmt: skip
def test_what_is_no_flow_is_refused(text: str, words: str) -> None:
    with pytest.raises(FlowError, match=words):
        Flow.from_json(text)


def test_a_stored_flow_is_checked_as_a_built_one() -> None:
    value = json.loads(first_verbs().to_json())
    for step in value["steps"]:
        if step["name"] == "with_columns":
            step["columns"][0][1] = {"sql": "unknown * 2"}
    with pytest.raises(FlowError, match="unknown"):
        Flow.from_json(json.dumps(value))
