"""What version 0.1 wrote must stay readable for ever: a bundle, and a job that was stopped in the middle of its input.

`STYX_GOLDEN=write` writes them anew; that is for a new format beside the old one, never instead of it.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from pathlib import Path
from threading import Event

import polars as pl
import pytest

import styx_lab as styx
from styx_lab import Flow, Pattern, Sliding, SqliteStore, workbench
from styx_lab.bundles.bundle import read_bundle
from styx_lab.bundles.verify import replay_golden
from styx_lab.connectors import RecordingSource, RecordingWriter
from styx_lab.core.events import canonical_json
from styx_lab.core.schema import Schema
from styx_lab.engines.runner.runner import RunSettings, run
from styx_lab.engines.runner.segments import read_output

GOLDEN = Path(__file__).parent.parent / "golden"
BUNDLE, JOB = GOLDEN / "bundle-format-1.zip", GOLDEN / "job-format-1"
SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}


def golden_flow() -> Flow:
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    pattern = Pattern.begin("declined").where("status = 'declined'").times(2).followed_by("drain").where("amount > 500")
    matches = payments.detect(pattern.within("10m"), name="testing", amount="drain.amount")
    customers = styx.table("customers", pl.DataFrame({"card_id": ["c0", "c1"], "segment": ["gold", None]}))
    told = matches.enrich(customers, on="card_id").notify("block", message="{card_id} {amount:.2f} {segment}")
    spent = payments.window(Sliding("20s", every="5s"), name="spending", n=styx.count(), spent=styx.sum("amount"))
    return styx.flow("golden", told.to("notifications"), spent.filter("n > 2").to("spent"), matches.late.to("late"))


def write_golden(folder: Path) -> None:
    recording = folder / "payments.recording.parquet"
    payloads = [
        canonical_json(
            {
                "ts": 1_700_000_000_000 + 900 * number - 700 * (number % 3),
                "card_id": f"c{number * 7 % 3}",
                "amount": 0.1 * (number * 977 % 9_000),
                "status": "declined" if number % 3 else "approved",
            }
        )
        for number in range(120)
    ]
    payloads[30], payloads[90] = b"{broken", payloads[0]
    with RecordingWriter(recording, name="payments", schema=Schema(SCHEMA), time="ts", key=["card_id"]) as writer:
        arrival = [1_700_000_000_000 + 900 * number for number in range(120)]
        writer.write(
            payloads, partition=[n % 2 for n in range(120)], offset=[n // 2 for n in range(120)], arrival=arrival
        )
    workbench.promote(golden_flow(), recording, store=folder / "store.db", clock=lambda: 1_700_000_000_000)
    with SqliteStore(folder / "store.db") as store:
        BUNDLE.write_bytes(store.get_bundle("golden")[1])
    shutil.rmtree(JOB, ignore_errors=True)
    stop = _StopAt(60)
    bundle = read_bundle(BUNDLE.read_bytes())
    source = RecordingSource(recording)
    settings = RunSettings(batch=10, commit_every=0)
    run(
        bundle.flow(),
        {"payments": source},
        bundle.open_model(),
        JOB,
        settings=settings,
        stop=stop.event,
        observers=[stop],
    )
    (JOB / "lock").unlink()
    # Which machine wrote it is nobody's business.
    lines = [json.loads(line[9:]) for line in (JOB / "journal").read_bytes().splitlines()]
    bodies = [
        canonical_json([kind, value | {"host": "host", "pid": 1} if "host" in value else value])
        for kind, value in lines
    ]
    (JOB / "journal").write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(body), body) for body in bodies))


class _StopAt:
    def __init__(self, count: int) -> None:
        self.event, self._count = Event(), count

    def begin(self) -> None: ...

    def finish(self) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def observe(self, counters: dict[str, dict[str, int]], watermark: int, newest: int) -> None:
        if counters["payments"]["read"] >= self._count:
            self.event.set()


@pytest.fixture(scope="module", autouse=True)
def golden(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.environ.get("STYX_GOLDEN") == "write":
        write_golden(tmp_path_factory.mktemp("golden"))


def test_the_golden_bundle_still_replays() -> None:
    bundle = read_bundle(BUNDLE.read_bytes())
    assert bundle.flow() == golden_flow()
    verified = replay_golden(bundle)
    assert verified.events == 120
    assert min(verified.outputs.values()) > 0


def test_the_golden_job_still_goes_on(tmp_path: Path) -> None:
    bundle = read_bundle(BUNDLE.read_bytes())
    recording = tmp_path / "payments.recording.parquet"
    recording.write_bytes(bundle.golden_recording("payments"))
    folder = tmp_path / "job"
    shutil.copytree(JOB, folder)
    outcome = run(bundle.flow(), {"payments": RecordingSource(recording)}, bundle.open_model(), folder)
    assert (outcome.state, outcome.count, outcome.replayed, outcome.warnings) == ("finished", 120, 0, ())
    for output in ("notifications", "spent", "late", "dead_letters"):
        lines = b"".join(line + b"\n" for line in read_output(folder / "out", output))
        assert lines == bundle.golden_output(output)
