"""A promoted flow with a user's own classes: the bundle carries their source, and a clean process runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import styx_lab as styx
from styx_lab import OwnWatermark, SqliteStore, Tumbling, workbench
from styx_lab.bundles.bundle import read_bundle
from styx_lab.bundles.verify import replay_golden
from styx_lab.connectors import RecordingWriter
from styx_lab.core.events import canonical_json
from styx_lab.core.schema import Schema
from styx_lab.lab.module_cells import write_module
from tests.laws.steps import Everything

SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str", "tries": "int"}


OWN = """\
from styx_lab import Process


class Greatest:
    def __init__(self):
        self.greatest = 0

    def on_event(self, time, event):
        self.greatest = max(self.greatest, time)
        return self.greatest

    def snapshot(self):
        return self.greatest

    def restore(self, state):
        self.greatest = state


class Longest:
    output = "int"

    def create(self):
        return 0

    def add(self, acc, value):
        return max(acc, len(value))

    def merge(self, acc, other):
        return max(acc, other)

    def result(self, acc):
        return acc


class Doubled(Process):
    output = {"twice": "int"}

    def on_event(self, event, context):
        return {"twice": 2 * event["longest"]}
"""


def recorded(folder: Path) -> Path:
    recording = folder / "payments.recording.parquet"
    payloads = [
        canonical_json(
            {"ts": 7 * n - 11 * (n % 3), "card_id": f"c{n % 3}", "amount": 1.5 * n, "status": "ok", "tries": n % 5}
        )
        for n in range(80)
    ]
    with RecordingWriter(recording, name="payments", schema=Schema(SCHEMA), time="ts", key=["card_id"]) as writer:
        count = len(payloads)
        writer.write(payloads, partition=[0] * count, offset=range(count), arrival=[7 * n for n in range(count)])
    return recording


def test_a_class_of_ones_own_is_promoted(tmp_path: Path) -> None:
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="20ms")
    flow = styx.flow("told", payments.process(Everything).notify("tell", message="{card_id} {what}").to("told"))
    recording = recorded(tmp_path)
    promotion = workbench.promote(flow, recording, store=tmp_path / "store.db")
    assert promotion.golden_outputs["told"] > 80
    assert promotion.golden_outputs["dead_letters"] == 16
    with SqliteStore(tmp_path / "store.db") as store:
        bundle = read_bundle(store.get_bundle("told@1")[1])
    assert bundle.flow() == flow
    assert replay_golden(bundle).outputs == promotion.golden_outputs
    assert "class Everything(Process):" in json.loads(bundle.files["flow.json"])["steps"][1]["code"]["source"]


def test_every_kind_of_class_runs_where_its_module_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    write_module("cell_own", OWN, tmp_path / "modules")
    own = sys.modules["cell_own"]
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", watermark=OwnWatermark(own.Greatest))
    windows = payments.window(Tumbling("20ms"), longest=styx.custom(own.Longest, "status"))
    flow = styx.flow("owned", windows.process(own.Doubled).to("doubled"), windows.late.to("late"))
    promotion = workbench.promote(flow, recorded(tmp_path), store=tmp_path / "store.db")
    assert promotion.golden_outputs["doubled"] > 10
    assert promotion.golden_outputs["late"] > 0
    (tmp_path / "modules" / "cell_own.py").unlink()
    for name in set(sys.modules) - before:
        if name == "cell_own" or name.startswith("styx_carried_"):
            del sys.modules[name]
    with SqliteStore(tmp_path / "store.db") as store:
        bundle = read_bundle(store.get_bundle("owned@1")[1])
    assert bundle.flow() == flow
    assert replay_golden(bundle).outputs == promotion.golden_outputs
    assert "cell_own" not in sys.modules
