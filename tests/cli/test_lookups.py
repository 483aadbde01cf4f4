"""`--lookup`: what a flow looks up in, said on the command line; kept by a job for its next start."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest

FLOW = '''
import polars as pl

import styx_lab as styx

cards = styx.source("cards", schema={"ts": "int", "card": "str", "bank": "int"}, time="ts", key="card")
asks = cards.lookup("limits", on="card", columns={"limit": "float", "vip": "bool"}, expire_after="1h")
flow = styx.flow("looking", asks.to("found"))
two = styx.flow(
    "two",
    cards.lookup("limits", on="card", columns={"limit": "float"}, expire_after="1h", name="one")
    .lookup("limits", on="bank", columns={"vip": "bool"}, expire_after="1h", name="other")
    .to("found"),
)
plain = styx.flow("plain", cards.to("found"))


class Doubles:
    """A user's own."""

    name = "doubles"
    schema = {"card": pl.String(), "limit": pl.Float64(), "vip": pl.Boolean()}

    def find(self, keys):
        return keys.with_columns(limit=pl.lit(7.0), vip=pl.lit(True))

    def close(self):
        """Nothing is held."""


doubles = Doubles()
number = 5


def broken():
    raise KeyError("no such host")
'''


@pytest.fixture
def shop(here: Path, styx, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with events, a recording of them, a table of limits and flows that look up there."""
    events = [{"ts": 10 * n, "card": "abc"[n % 3], "bank": n % 2} for n in range(12)]
    (here / "cards.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events))
    with sqlite3.connect(here / "cards.db") as file:
        file.execute('create table limits (card text, bank integer, "limit" real, vip integer)')
        file.executemany("insert into limits values (?, ?, ?, ?)", [("a", 0, 100.0, 1), ("b", 1, 50, 0)])
        file.execute("create view others as select * from limits where card = 'b'")
    (here / "shop_flows.py").write_text(FLOW)
    from styx_lab.connectors import RecordingWriter
    from styx_lab.core.schema import Schema

    schema = Schema({"ts": "int", "card": "str", "bank": "int"})
    with RecordingWriter(here / "cards.recording.parquet", name="cards", schema=schema, time="ts", key=["card"]) as one:
        payloads = [json.dumps(event).encode() for event in events]
        one.write(payloads, partition=[0] * 12, offset=list(range(12)), arrival=[event["ts"] for event in events])
    # Every test has a module of that name in a folder of its own.
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.delitem(sys.modules, "shop_flows", raising=False)
    return here


def limits(path: Path) -> list[object]:
    return [json.loads(line)["limit"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("sqlite:cards.db", [100.0, 50.0, None]),
        ("sqlite:cards.db?table=limits&timeout=0.5", [100.0, 50.0, None]),
        ("sqlite:cards.db?table=others", [None, 50.0, None]),
        ("shop_flows.py:doubles", [7.0, 7.0, 7.0]),
        ("shop_flows.py:Doubles", [7.0, 7.0, 7.0]),
    ],
)
def test_replay(shop: Path, styx, where: str, expected: list[object]) -> None:
    done = styx("replay", "shop_flows.py:flow", "--input", "cards.jsonl", "--lookup", f"limits={where}", "--out", "out")
    assert done.code == 0, done.err
    assert limits(shop / "out" / "found.jsonl") == expected * 4


def test_two_steps_of_one_name_have_one_table(shop: Path, styx) -> None:
    how = ("--input", "cards.jsonl", "--lookup", "limits=sqlite:cards.db", "--out", "out")
    assert styx("replay", "shop_flows.py:two", *how).code == 0
    vips = [json.loads(line)["vip"] for line in (shop / "out" / "found.jsonl").read_text().splitlines()]
    assert vips == [True, False] * 6


def test_a_job_is_promoted_run_and_gone_on_with(shop: Path, styx, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ("--store", shop / "store.db")
    asked = ("--lookup", "limits=sqlite:cards.db")
    recording = ("cards.recording.parquet",)
    assert styx("promote", "shop_flows.py:flow", "--golden", *recording, *store).code == 70
    done = styx("promote", "shop_flows.py:flow", "--golden", *recording, *asked, *store)
    assert done.code == 0, done.err
    missing = styx("run", "looking", "--input", *recording, *store, "--job", "none")
    assert missing.code == 70
    assert "--lookup limits=sqlite:FILE?table=TABLE" in missing.err
    done = styx("run", "looking", "--input", *recording, *asked, *store, "--job", "first")
    assert done.code == 0, done.err
    out = [*(shop / "jobs" / "first" / "out" / "found").glob("*.jsonl")]
    assert [one for path in sorted(out) for one in limits(path)] == [100.0, 50.0, None] * 4
    # The job knows where from, also from another folder.
    (shop / "elsewhere").mkdir()
    monkeypatch.chdir(shop / "elsewhere")
    assert styx("run", "looking", *store, "--job", "first").code == 0
    about = json.loads((shop / "jobs" / "first" / "job.json").read_text())
    assert about["lookups"] == {"limits": f"sqlite:{shop.resolve() / 'cards.db'}"}
    (shop / "cards.db").unlink()
    gone = styx("run", "looking", *store, "--job", "first")
    assert (gone.code, "no such file" in gone.err) == (66, True)
    again = styx("run", "looking", *store, "--job", "first", "--lookup", f"limits={shop / 'shop_flows.py'}:doubles")
    assert again.code == 0, again.err


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("limits", 2, "does not say NAME=WHERE"),
        ("sqlite:cards.db", 2, "does not say NAME=WHERE"),
        ("limits=cards.db", 70, "does not say what to look up in"),
        ("limits=postgres://host/db", 70, "does not say what to look up in"),
        ("limit=sqlite:cards.db", 70, "looks up in nothing of that name"),
        ("limits=sqlite:gone.db", 66, "no such file"),
        ("limits=sqlite:cards.db?table=nobody", 65, "no such table"),
        ("limits=sqlite:cards.db?tabel=limits", 70, "does not say a table"),
        ("limits=sqlite:cards.db?timeout=soon", 70, "does not say a table"),
        ("limits=shop_flows.py:number", 64, "this is no lookup"),
        ("limits=shop_flows.py:nothing", 66, "no such name in the module"),
        ("limits=shop_flows.py:broken", 64, "no such host"),
        ("limits=nowhere.at_all:x", 66, "no such module"),
    ],
)
def test_what_is_wrong_is_said(shop: Path, styx, said: str, code: int, words: str) -> None:
    done = styx("replay", "shop_flows.py:flow", "--input", "cards.jsonl", "--lookup", said)
    assert (done.code, words in done.err) == (code, True), done.err


def test_a_name_is_said_once_and_for_a_flow_that_asks(shop: Path, styx) -> None:
    twice = ("--lookup", "limits=sqlite:cards.db") * 2
    assert "said twice" in styx("replay", "shop_flows.py:flow", "--input", "cards.jsonl", *twice).err
    assert "no lookup step" in styx("replay", "shop_flows.py:plain", "--input", "cards.jsonl", *twice[:2]).err
