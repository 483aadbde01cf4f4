"""The drift of a model's inputs, wherever a person looks: replay, run, jobs, show; a bundle carries what it needs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import styx_lab
from styx_lab import Flow, SqliteStore, workbench
from styx_lab.connectors import RecordingWriter
from styx_lab.core.events import canonical_json
from styx_lab.core.schema import Schema
from styx_lab.models.profile import profile_rows
from tests.cli.conftest import Styx

pytestmark = pytest.mark.slow

SCHEMA = {"ts": "int", "x": "float"}
PMML = (
    b'<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><DataDictionary>'
    b'<DataField name="y" optype="continuous" dataType="double"/>'
    b'<DataField name="x" optype="continuous" dataType="double"/></DataDictionary>'
    b'<RegressionModel functionName="regression"><MiningSchema><MiningField name="y" usageType="target"/>'
    b'<MiningField name="x"/></MiningSchema><RegressionTable intercept="1">'
    b'<NumericPredictor name="x" coefficient="2"/></RegressionTable></RegressionModel></PMML>'
)
TRAINED = pl.DataFrame({"x": [float(place % 100) for place in range(1000)]})
EVENTS = [{"ts": place, "x": None if place % 10 == 0 else float(place % 100) + 60} for place in range(1_000)]


def judged() -> Flow:
    events = styx_lab.source("events", schema=SCHEMA, time="ts")
    scored = events.score("price", into="price", on_error={"missing": None}, name="judge")
    return styx_lab.flow("judged", scored.to("out"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A store with a model that has a profile, a promoted flow and a finished job; and a recording."""
    folder = tmp_path_factory.mktemp("drift")
    recording, store = folder / "events.recording.parquet", folder / "store.db"
    with RecordingWriter(recording, name="events", schema=Schema(SCHEMA), time="ts", key=[]) as writer:
        writer.write([canonical_json(event) for event in EVENTS], partition=[0] * 1_000, offset=range(1_000), arrival=[
            event["ts"] for event in EVENTS
        ])  # fmt: skip
    with SqliteStore(store) as kept:
        kept.put_model("price", PMML, meta={"profile": profile_rows(TRAINED)})
        kept.put_model("plain", PMML)
    workbench.promote(judged(), recording, store=store)
    # What the bundle carries is what the job uses: the store's model has no part in it any more.
    with SqliteStore(store) as kept:
        kept.put_model("price", PMML.replace(b'"2"', b'"3"'))
    workbench.run_bundle("judged", recording, job="night", store=store)
    return store, recording


def test_a_replay_and_a_job_tell_the_same_drift(shop: tuple[Path, Path]) -> None:
    store, recording = shop
    report = workbench.run_bundle("judged", recording, job="day", store=store)
    told = report.outcome.figures["judge"]["x"]
    assert (told["rows"], told["null_rate"], told["nan_rate"], told["note"]) == (1_000, 0.1, 0.0, None)
    assert told["psi"] > 0.25
    assert report.outcome.counters["judge"]["missing"] == 100
    kept = next(job for job in workbench.list_jobs(store=store) if job.job == "night")
    assert kept.counters["judge"]["inputs"] == {"x": told}
    with SqliteStore(store) as known:
        known.put_model("price", PMML, meta={"profile": profile_rows(TRAINED)})
    result = judged().replay(recording, store=store)
    assert result.drift("judge").row(0, named=True) == {"input": "x", **told}
    assert result.drift().equals(result.drift("judge"))


def test_the_command_shows_it(shop: tuple[Path, Path], styx: Styx) -> None:
    store, _ = shop
    shown = styx("show", "night", "--store", store).out
    line = next(line.split() for line in shown.splitlines() if line.strip().startswith("judge") and "%" in line)
    assert line[:7] == ["judge", "x", "1,000", "10.00", "%", "0.00", "%"]
    assert float(line[7]) > 0.25
    assert "100 missing" in shown
    listed = styx("jobs", "--store", store).out
    assert f"{line[7]} x" in listed
    as_json = styx("show", "night", "--store", store, "--json").json
    assert as_json["counters"]["judge"]["inputs"]["x"]["rows"] == 1_000


def test_a_replay_without_a_profile_says_so(shop: tuple[Path, Path], styx: Styx, tmp_path: Path) -> None:
    store, recording = shop
    flow = tmp_path / "plain.py"
    flow.write_text(
        "import styx_lab as styx\n"
        f"events = styx.source('events', schema={SCHEMA}, time='ts')\n"
        "flow = styx.flow('plain', events.score('plain', into='price', on_error='null').to('out'))\n"
    )
    told = styx("replay", f"{flow}:flow", "--input", recording, "--store", store)
    assert told.code == 0, told.err
    line = next(line for line in told.out.splitlines() if "10.00 %" in line)
    assert "no profile is kept with the model" in line
    as_json = styx("replay", f"{flow}:flow", "--input", recording, "--store", store, "--json").json
    assert as_json["inputs"]["score"]["x"]["psi"] is None
