"""Whatever is wrong: one clear message that says what, where and what to do; an exit code; never a traceback."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from styx_lab.cli.failures import failure_of
from styx_lab.connectors import RecordingWriter
from styx_lab.core.schema import Schema
from styx_lab.samples.cards import CARDS_SCHEMA

HEAD = """
import styx_lab as styx
payments = styx.source("payments", schema={"ts": "int", "card_id": "str", "amount": "float"}, time="ts")
"""
FLOWS = {
    "unknown_column": ('flow = styx.flow("f", payments.filter("amuont > 5").to("out"))', 64, "amuont"),
    "duplicate_step": (
        'flow = styx.flow("f", payments.filter("amount > 5", name="big").filter("amount > 6", name="big").to("out"))',
        64,
        "big",
    ),
    "no_key": (
        'flow = styx.flow("f", payments.detect(styx.Pattern.begin("a").where("amount > 5"), name="d").to("o"))',
        64,
        "key",
    ),
    "syntax": ("flow = = 3", 64, "SyntaxError"),
    "name_error": ("flow = nothing_of_that_name", 64, "nothing_of_that_name"),
    "no_import": ("import no_such_library", 64, "no_such_library"),
    "a_number": ("flow = 3", 64, "this is no flow"),
    "raises": ('def flow(): raise KeyError("oh")', 64, "oh"),
    "no_attribute": ("stream = 3", 66, "flow"),
}  # fmt: skip


def check(done, code, *words):
    """The failure is told once, with its words, and once more as JSON."""
    assert done.code == code, done.err
    assert len(re.findall("^error: ", done.err, re.MULTILINE)) == 1
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err
    told = done.json
    assert told["exit_code"] == code
    assert set(told["error"]) == {"type", "what", "where", "got", "hint"}
    assert f"error: {told['error']['what']}" in done.err


@pytest.mark.parametrize("case", FLOWS)
def test_a_flow_file_that_is_wrong(styx, here, data, case):
    code_of_it, code, word = FLOWS[case]
    (here / f"bad_{case}.py").write_text(HEAD + code_of_it)
    check(styx("replay", f"bad_{case}.py:flow", "--input", data / "payments.jsonl", "--json"), code, word)


def test_an_error_in_a_flow_file_says_the_line(styx, here):
    (here / "bad_line.py").write_text(HEAD + '\n\nflow = payments.filter("amuont > 5")')
    assert "in bad_line.py, line 6" in styx("replay", "bad_line.py:flow").err
    (here / "bad_line2.py").write_text(HEAD + "\n\n1 / 0")
    assert "bad_line2.py, line 6" in styx("replay", "bad_line2.py:flow").err
    (here / "bad_line3.py").write_text(HEAD + "\n\n1 +")
    assert "bad_line3.py, line 6" in styx("replay", "bad_line3.py:flow").err


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("nowhere.py:flow", 66),
        ("nowhere.json", 66),
        ("no_such_package.flows:flow", 66),
        ("styx_lab.samples:no_such_name", 66),
        ("flows.py", 64),
        ("flow", 64),
        (":", 64),
        ("styx_lab:Flow", 64),
        ("..:x", 66),
    ],
)
def test_a_reference_that_names_no_flow(styx, here, reference, code):
    check(styx("replay", reference, "--input", "x.jsonl", "--json"), code)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_events(path: Path) -> None:
    with RecordingWriter(path, name="payments", schema=CARDS_SCHEMA, time="ts", key=["card_id"]):
        pass


def binary(path: Path) -> None:
    path.write_bytes(os.urandom(4096))


def others(path: Path) -> None:
    with RecordingWriter(path, name="payments", schema=Schema({"ts": "int", "other": "str"}), time="ts") as writer:
        writer.write([b'{"ts": 1}'], partition=[0], offset=[0], arrival=[1])


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("missing.jsonl", lambda path: None, 66),
        ("empty.jsonl", empty, 65),
        ("empty.recording.parquet", empty, 65),
        ("no_events.recording.parquet", no_events, 65),
        ("binary.parquet", binary, 65),
        ("binary.dat", binary, 65),
        ("folder.jsonl", Path.mkdir, 65),
        ("others.recording.parquet", others, 64),
    ],
)
def test_an_input_that_cannot_be_used(styx, here, data, name, make, code):
    make(here / name)
    check(styx("replay", f"{data / 'cli_flows.py'}:flow", "--input", name, "--json"), code)


def test_a_recording_that_was_changed(styx, here, data):
    changed = here / "changed.recording.parquet"
    content = bytearray((data / "payments.recording.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    check(styx("replay", f"{data / 'cli_flows.py'}:flow", "--input", changed, "--json"), 65)


def test_an_input_that_is_not_given_or_not_known(styx, data):
    flow = f"{data / 'cli_flows.py'}:flow"
    assert "--input payments=FILE" in styx("replay", flow).err
    check(styx("replay", flow, "--input", f"nobody={data / 'payments.jsonl'}", "--json"), 70, "payments")


def test_what_the_store_does_not_have(styx, here, data):
    (here / "bad_model.py").write_text(
        HEAD + 'flow = styx.flow("f", payments.score("fruad", into="risk").to("scored"))'
    )
    check(styx("replay", "bad_model.py:flow", "--input", data / "payments.jsonl", "--json"), 66, "fruad")
    check(styx("run", "nothing@3", "--input", data / "payments.jsonl", "--json"), 66, "nothing")
    check(styx("show", "nothing", "--json"), 66, "nothing")
    check(styx("show", "nothing", "--output", "out", "--json"), 66, "nothing")
    check(styx("stop", "nothing", "--json"), 66, "nothing")
    check(styx("savepoint", "nothing", "--json"), 66, "nothing")
    assert styx("jobs", "--json").json == {"jobs": []}
    assert list(here.glob(".styx")) == []


def test_a_store_that_is_none(styx, here):
    Path("store.db").write_text("this is no store\n" * 100)
    check(styx("jobs", "--store", "store.db", "--json"), 74, "store.db")


def test_examples_that_cannot_be_used(styx, here):
    check(styx("train", "m", "--examples", "no.csv", "--target", "t", "--json"), 66, "no.csv")
    Path("e.txt").write_text("a,t\n1,0\n")
    check(styx("train", "m", "--examples", "e.txt", "--target", "t", "--json"), 65, "e.txt")
    Path("e.csv").write_text("a,t\n1,0\n2,1\n")
    check(styx("train", "m", "--examples", "e.csv", "--target", "nothing", "--json"), 65, "nothing")


def test_golden_input_that_is_no_recording(styx, data, here):
    flow = f"{data / 'cli_flows.py'}:flow"
    check(styx("promote", flow, "--golden", data / "payments.jsonl", "--json"), 65, "recording")


def test_debug_shows_where_in_styx_it_came_from(styx, here, monkeypatch):
    done = styx("show", "nothing", "--debug")
    assert "Traceback" in done.err
    assert done.code == 66
    monkeypatch.setenv("STYX_DEBUG", "1")
    assert "Traceback" in styx("show", "nothing").err
    monkeypatch.setenv("STYX_DEBUG", "0")
    assert "Traceback" not in styx("show", "nothing").err


def test_an_error_that_nobody_thought_of():
    failure = failure_of(KeyError("sha256\nand more"))
    assert failure.exit_code == 70
    assert str(failure).splitlines()[0] == "error: unexpected KeyError: 'sha256\\nand more'"
    assert "--debug" in str(failure)
    json.dumps(failure.as_dict())


# A full disk, in three forms: the terminal's side, a limit on files, and a device that is always full.


def test_output_into_a_full_device(data, started, ended):
    with open("/dev/full", "w") as full:
        done = ended(started("sample", "--help", stdout=full))
        told = ended(started("show", "x", "--json", "--store", data / "no.db", stdout=full))
    assert (done.code, done.err.count("error: ")) == (73, 1)
    assert "No space left" in done.err
    assert told.code == 66
    assert "Traceback" not in told.err


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))


def test_files_that_cannot_grow(data, tmp_path, started, ended):
    shutil.copy(data / "cli_flows.py", tmp_path / "cli_full.py")
    sample = started("sample", "cards", "--events", 2_000, "--to", tmp_path / "s", "--json", preexec_fn=small_files)
    check(ended(sample), 73, str(tmp_path))
    assert list((tmp_path / "s").glob("payments.recording.parquet")) == []


def test_a_job_on_a_full_disk_loses_nothing(data, promoted, started, ended):
    given = ("--store", promoted, "--input", data / "payments.recording.parquet", "--batch", 50, "--commit-every", 0)
    full = ended(started("run", "testing", "--job", "full", *given, "--json", preexec_fn=tiny_files))
    check(full, 73)
    assert ended(started("run", "testing", "--job", "full", *given)).code == 0
    assert ended(started("run", "testing", "--job", "roomy", *given)).code == 0
    outputs = [
        ended(started("show", job, "--output", name, "--store", promoted)).out
        for name in ("notifications", "dead_letters")
        for job in ("full", "roomy")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[2] == outputs[3]
    assert outputs[0].count("\n") > 0


def tiny_files() -> None:
    # The journal outgrows this in the middle of the run.
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))


def test_a_reader_that_goes_ends_it_quietly(data, promoted, started, ended):
    run = ended(
        started("run", "testing", "--job", "pipe", "--store", promoted, "--input", data / "payments.recording.parquet")
    )
    assert run.code == 0, run.err
    show = started("show", "pipe", "--output", "notifications", "--store", promoted, stdin=subprocess.DEVNULL)
    show.stdout.close()
    assert show.wait(60) == 141
    assert show.stderr.read() == ""
    show.stderr.close()
