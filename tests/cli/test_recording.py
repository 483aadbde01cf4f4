"""`styx recording`: the commands give what the actions do, and say what they left out."""

from __future__ import annotations

import pytest

from styx_lab.connectors import Recording, RecordingWriter
from styx_lab.core.schema import Schema


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.recording.parquet"
    schema = Schema({"card": "str", "amount": "float"})
    with RecordingWriter(path, name="small", schema=schema, key=["card"]) as writer:
        events = [b'{"card": "card-1", "amount": 1}', b'{"card": "card-2", "amount": 9}', b"junk"]
        writer.write(events, partition=[0, 1, 0], offset=[0, 0, 1], arrival=[1_000, 2_000, 3_000])
    return path


def test_describe_and_head(styx, small):
    assert "card: str, amount: float" in styx("recording", "describe", str(small)).out
    assert styx("recording", "describe", str(small), "--json").json["events"] == 3
    assert "card-1" in styx("recording", "head", str(small), "-n", "1").out
    assert len(styx("recording", "head", str(small), "-n", "2", "--json").json["events"]) == 2
    assert styx("recording", "head", str(small) + "x").code == 66


def test_cut(styx, small, tmp_path):
    to = tmp_path / "cut.recording.parquet"
    for chosen in (["--key", "card-2"], ["--key", "card=card-2"], ["--where", "amount > 5"]):
        done = styx("recording", "cut", str(small), *chosen, "-o", str(to))
        assert done.code == 0
        assert "1 events in" in done.out
        assert "1 events could not be judged, of which 0 were kept" in done.err
        assert Recording.open(to).frame()["card"].to_list() == ["card-2"]
    done = styx("recording", "cut", str(small), "--from", "1970-01-01T00:00:02Z", "-o", str(to), "--json")
    assert (done.json["kept"], done.json["unjudged"]) == (2, 0)
    assert styx("recording", "cut", str(small), "--key", "none", "-o", str(to)).code == 65
    assert styx("recording", "cut", str(small), "--key", "card-1", "-o", str(small)).code == 65
    assert styx("recording", "cut", str(small), "-o", str(to)).code == 2


def test_mask_and_merge(styx, small, tmp_path, monkeypatch):
    monkeypatch.setenv("HASH_KEY", "0123456789abcdef")
    to, both = tmp_path / "masked.recording.parquet", tmp_path / "both.recording.parquet"
    done = styx("recording", "mask", str(small), "--mask", "card=gone", "--mask", "amount", "-o", str(to))
    assert (done.code, "1 payloads are no JSON objects and were emptied" in done.err) == (0, True)
    assert Recording.open(to).frame().select("card", "amount").rows() == [("gone", None)] * 2
    merged = styx("recording", "merge", str(small), str(to), "-o", str(both), "--json").json["recording"]
    assert (merged["events"], merged["partitions"]) == (6, [0, 1, 2, 3])
    hashed = ["recording", "mask", str(small), "--hash", "card", "-o", str(to)]
    assert styx(*hashed).code == 2
    assert styx(*hashed, "--hash-key", "env:NO_SUCH_KEY").code == 66
    assert styx(*hashed, "--hash-key", "env:HASH_KEY", "--json").json["changed"] == 2
