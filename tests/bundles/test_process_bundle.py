"""A promoted flow with a user's own class: the bundle carries its source, and a clean process runs it."""

from __future__ import annotations

import json
from pathlib import Path

import styx_lab as styx
from styx_lab import SqliteStore, workbench
from styx_lab.bundles.bundle import read_bundle
from styx_lab.bundles.verify import replay_golden
from styx_lab.connectors import RecordingWriter
from styx_lab.core.events import canonical_json
from styx_lab.core.schema import Schema
from tests.laws.steps import Everything

SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str", "tries": "int"}


def test_a_class_of_ones_own_is_promoted(tmp_path: Path) -> None:
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="20ms")
    flow = styx.flow("told", payments.process(Everything).notify("tell", message="{card_id} {what}").to("told"))
    recording = tmp_path / "payments.recording.parquet"
    payloads = [
        canonical_json(
            {"ts": 7 * n - 11 * (n % 3), "card_id": f"c{n % 3}", "amount": 1.5 * n, "status": "ok", "tries": n % 5}
        )
        for n in range(80)
    ]
    with RecordingWriter(recording, name="payments", schema=Schema(SCHEMA), time="ts", key=["card_id"]) as writer:
        count = len(payloads)
        writer.write(payloads, partition=[0] * count, offset=range(count), arrival=[7 * n for n in range(count)])
    promotion = workbench.promote(flow, recording, store=tmp_path / "store.db")
    assert promotion.golden_outputs["told"] > 80
    assert promotion.golden_outputs["dead_letters"] == 16
    with SqliteStore(tmp_path / "store.db") as store:
        bundle = read_bundle(store.get_bundle("told@1")[1])
    assert bundle.flow() == flow
    assert replay_golden(bundle).outputs == promotion.golden_outputs
    assert "class Everything(Process):" in json.loads(bundle.files["flow.json"])["steps"][1]["code"]["source"]
