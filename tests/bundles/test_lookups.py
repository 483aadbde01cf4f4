"""A flow that looks up outside is promoted with the answers it was given, and run with answers of its own."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import styx_lab as styx
from styx_lab import Flow, SqliteStore, workbench
from styx_lab.bundles.bundle import pack_bundle, read_bundle
from styx_lab.bundles.verify import replay_golden
from styx_lab.connectors import RecordingWriter
from styx_lab.core.schema import Schema
from styx_lab.errors import BundleError, RunError

SCHEMA = {"ts": "int", "card_id": "str"}


class Numbering:
    """Gives each answer a number of its own: asked again, it says something else."""

    name = "numbering"
    schema = {"card_id": pl.String(), "answer": pl.Int64()}

    def __init__(self) -> None:
        self.asked = 0

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        numbers = range(self.asked, self.asked + keys.height)
        self.asked += keys.height
        return keys.with_columns(pl.Series("answer", numbers, pl.Int64))

    def close(self) -> None:
        """Nothing is held."""


def looking() -> Flow:
    cards = styx.source("cards", schema=SCHEMA, time="ts", key="card_id")
    found = cards.lookup("numbering", on="card_id", columns={"answer": "int"}, expire_after="50ms")
    return styx.flow("looking", found.to("found"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "cards.recording.parquet"
    with RecordingWriter(path, name="cards", schema=Schema(SCHEMA), time="ts", key=["card_id"]) as writer:
        payloads = [json.dumps({"ts": 7 * number, "card_id": "abc"[number % 3]}).encode() for number in range(60)]
        places = list(range(60))
        writer.write(payloads, partition=[0] * 60, offset=places, arrival=[7 * number for number in places])
    return path


def test_a_bundle_has_the_answers_of_its_golden_output(recording: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    lookup = Numbering()
    promotion = workbench.promote(looking(), recording, store=store, lookups={"numbering": lookup})
    assert promotion.golden_outputs["found"] == 60
    assert lookup.asked > 3
    with SqliteStore(store) as kept:
        bundle = read_bundle(kept.get_bundle("looking")[1])
    assert replay_golden(bundle).outputs["found"] == 60
    with pytest.raises(RunError, match="not given"):
        workbench.run_bundle("looking", str(recording), store=store)
    again = Numbering()
    report = workbench.run_bundle("looking", str(recording), store=store, job="again", lookups={"numbering": again})
    assert report.outcome.counters["lookup"]["asked"] == again.asked == lookup.asked


def test_a_bundle_without_them_is_refused(recording: Path) -> None:
    found = looking().replay(recording, lookups={"numbering": Numbering()})
    lines = {name: [b"{}"] * len(frame) for name, frame in found.outputs.items()}
    golden = {"cards": recording.read_bytes()}
    data = pack_bundle(looking(), models={}, golden=golden, outputs=lines, modules={}, created="2024-01-01T00:00:00Z")
    with pytest.raises(BundleError, match="asks for other keys"):
        replay_golden(read_bundle(data))
