"""A flow as JSON: the same flow again, for ever."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest

import styx_lab as styx
from styx_lab import Flow, Pattern, Sliding, Tumbling, col
from styx_lab.errors import FlowError
from styx_lab.flow.steps import STEPS
from tests.flow.test_process_golden import processes

GOLDEN = Path(__file__).parent.parent / "golden" / "flow.json"
SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}
CUSTOMERS = pl.DataFrame({"card_id": ["a", "b"], "segment": ["gold", None]})


def every_verb() -> Flow:
    """A flow in which every verb stands."""
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    others = styx.source("others", schema=SCHEMA, time="ts", max_delay="5s").key_by("card_id")
    both = payments.union(others, name="both").with_columns(cents="amount * 100", large=col("amount") > 500)
    pattern = (
        Pattern.begin("declined").where(col("status") == "declined").times(2).consecutive()
        .next("probe").where("amount < 1")
        .followed_by("drain").where("amount > 500").where(col("status").is_in(["approved", "pending"]))
        .within("10m")
    )  # fmt: skip
    matches = both.detect(pattern, name="testing", amount="drain.amount", first=col("declined").struct.field("ts"))
    told = (
        matches.enrich(styx.table("customers", CUSTOMERS), on="card_id")
        .score("fraud@champion", into="risk")
        .filter(col("risk") > 0.8)
        .notify("block", message="Card {card_id}: {amount:.2f}")
        .to("notifications")
    )
    windows = both.window(
        Sliding("10m", every="1m"),
        name="spending",
        n=styx.count(),
        total=styx.sum("amount"),
        top=styx.max(col("cents")),
    )
    daily = both.window(Tumbling("1d"), name="daily", mean=styx.mean("amount"), low=styx.min("amount"))
    return styx.flow(
        "everything",
        told,
        matches.late.to("late_payments"),
        windows.select("card_id", "window_end", "total").to("spent"),
        daily.to("days"),
    )


def test_every_verb_is_in_it() -> None:
    assert {step.verb for flow in (every_verb(), processes()) for step in flow.steps} == STEPS.keys()


def test_json_gives_the_same_flow() -> None:
    flow = every_verb()
    again = Flow.from_json(flow.to_json())
    assert again == flow
    assert again.hash == flow.hash
    assert again.to_json() == flow.to_json()


def test_the_golden_flow_still_loads() -> None:
    flow = every_verb()
    if os.environ.get("STYX_GOLDEN") == "write":
        GOLDEN.write_text(flow.to_json())
    assert GOLDEN.read_text() == flow.to_json()
    golden = Flow.from_json(GOLDEN.read_text())
    assert golden == flow
    # The hash names a promoted flow: it may not change under it.
    assert golden.hash == "6e9f566cb38e7f27b2ba894a8ae9e7c00c2e6af93403de09cb467a441fd8f3ab"


def test_what_is_asked_of_a_flow() -> None:
    flow = every_verb()
    assert flow.outputs == ("notifications", "late_payments", "spent", "days")
    assert flow.notification_outputs == ("notifications",)
    assert flow.models == ("fraud@champion",)
    assert [source.name for source in flow.sources] == ["payments", "others"]
    assert flow.step("testing").verb == "detect"
    with pytest.raises(FlowError, match=r"no such step.*'nothing'"):
        flow.step("nothing")


def test_tables_come_back_by_their_hash() -> None:
    flow = every_verb()
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
    value = json.loads(every_verb().to_json())
    for step in value["steps"]:
        if step["name"] == "with_columns":
            step["columns"][0][1] = {"sql": "unknown * 2"}
    with pytest.raises(FlowError, match="unknown"):
        Flow.from_json(json.dumps(value))
