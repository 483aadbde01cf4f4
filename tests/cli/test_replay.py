"""`styx sample`, `styx replay`, `styx train`, `styx doctor`: what they print, and what they write."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from styx_lab.workbench.flow_files import find_flow

NONE = sha256(b"").hexdigest()


def test_sample_writes_what_it_says(styx, here):
    done = styx("sample", "cards", "--events", 1_000, "--json")
    assert done.code == 0
    assert done.json["events"] == 1_000
    assert {path.name for path in (here / "sample_data").iterdir()} == {
        file.rpartition("/")[2] for file in done.json["files"].values()
    }


def test_replay_gives_counters_that_add_up_and_writes_what_it_hashed(styx, here, data):
    done = styx("replay", f"{data / 'cli_flows.py'}:flow", "--input", data / "payments.jsonl", "--out", "out", "--json")
    assert done.code == 0, done.err
    told = done.json
    summary = told["summary"]
    assert summary["events"] == summary["processed"] + summary["late"] + summary["dead"] == 2_000
    assert summary["notifications"] > 0
    for name, output in told["outputs"].items():
        written = (here / "out" / f"{name}.jsonl").read_bytes()
        assert sha256(written).hexdigest() == output["sha256"]
        assert written.count(b"\n") == output["rows"]
    assert list((here / "out").glob(".*")) == []


def test_the_forms_of_a_flow_and_the_size_of_a_batch_change_nothing(styx, here, data, monkeypatch):
    flow = find_flow(f"{data / 'cli_flows.py'}:flow").flow
    (here / "flow.json").write_text(flow.to_json())
    monkeypatch.syspath_prepend(str(data))
    forms = ["cli_flows:flow", "cli_flows:make", f"{data / 'cli_flows.py'}:make", "flow.json"]
    given = f"payments={data / 'payments.jsonl'}"
    answers = [styx("replay", form, "--input", given, "--batch", 77, "--json") for form in forms]
    assert [done.code for done in answers] == [0] * 4
    assert {json.dumps(done.json["outputs"]) for done in answers} == {json.dumps(answers[0].json["outputs"])}
    assert answers[0].json["outputs"]["notifications"]["sha256"] != NONE


def test_replay_shows_a_table_and_stops_at_the_limit(styx, data):
    done = styx(
        "replay", f"{data / 'cli_flows.py'}:flow", "--input", data / "payments.recording.parquet", "--limit", 500
    )
    assert done.code == 0
    assert done.out.startswith("500 events, ")
    assert "card-" in done.out
    assert max(map(len, done.out.splitlines())) < 120


def test_what_an_event_says_cannot_command_the_terminal(styx, here, data):
    events = [
        {"payment_id": "p", "ts": 1, "card_id": "\x1b[2J[red]c", "amount": 1.0, "status": "declined"},
        {"payment_id": "q", "ts": 2, "card_id": "\x1b[2J[red]c", "amount": 900.0, "status": "approved"},
    ]
    (here / "odd.jsonl").write_text("\n".join(map(json.dumps, events)))
    done = styx("replay", f"{data / 'cli_flows.py'}:flow", "--input", "odd.jsonl")
    assert "\x1b" not in done.out
    assert "Card \\x1b[2J[red]c: 900.00" in done.out


def test_binary_lines_become_dead_letters(styx, here, data):
    (here / "binary.jsonl").write_bytes(bytes(range(256)) * 20)
    done = styx("replay", f"{data / 'cli_flows.py'}:flow", "--input", "binary.jsonl", "--json")
    assert done.code == 0
    assert (
        done.json["summary"]["events"] == done.json["summary"]["dead"] == done.json["outputs"]["dead_letters"]["rows"]
    )


def test_doctor_finds_the_store_and_says_whether_all_is_sound(styx, here):
    done = styx("doctor", "--json", "--store", here / "home" / "store.db")
    states = {finding["name"]: finding["state"] for finding in done.json["findings"]}
    assert states["store"] == "ok"
    assert done.code == (1 if "fail" in states.values() else 0)
    assert done.json["sound"] == (done.code == 0)


@pytest.mark.slow
def test_train_keeps_a_model_that_show_finds(styx, here, data):
    done = styx(
        "train", "fraud", "--examples", data / "history.parquet", "--target", "fraud", "--alias", "champion", "--json"
    )
    assert done.code == 0, done.err
    assert done.json["model"] == "fraud@1"
    assert 0.5 < done.json["report"]["auc"] <= 1
    assert styx("show", "fraud@champion", "--json").json["sha256"] == done.json["sha256"]
    assert "LogisticRegression" in styx("show", "fraud").out
