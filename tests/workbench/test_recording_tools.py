"""Cut, mask, merge: what is made of recordings is what a plain reading says, and what is hidden is gone."""

from __future__ import annotations

import hmac
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.connectors import Recording, RecordingWriter
from styx_lab.connectors.formats.json_members import is_object, members, replaced
from styx_lab.connectors.recording_merge import merge_recordings
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, ExpressionError, InputMissingError, NotFoundError
from styx_lab.workbench.recording_cuts import cut_recording
from styx_lab.workbench.recording_masks import mask_recording

SCHEMA = Schema({"ts": "int", "card": "str", "amount": "float"})
SECRET = "a key of more than sixteen bytes"


def write(path, events, idle=(), **more):
    """Events are (partition, offset, arrival, payload), decisions (row, partition, at)."""
    about = {"name": "payments", "schema": SCHEMA, "time": "ts", "key": ["card"], "truth": "from the till"} | more
    keys, headers = about.pop("keys", None), about.pop("headers", None)
    with RecordingWriter(path, **about) as writer:
        for row, (partition, offset, arrival, payload) in enumerate(events):
            for _, part, at in [one for one in idle if one[0] == row]:
                writer.idle(part, at=at)
            writer.write(
                [payload],
                partition=[partition],
                offset=[offset],
                arrival=[arrival],
                keys=keys and [keys[row]],
                headers=headers and [headers[row]],
            )
        for _, part, at in [one for one in idle if one[0] >= len(events)]:
            writer.idle(part, at=at)
    return Recording.open(path)


def rows_of(recording):
    recording.verify()
    return [
        row for block in recording.blocks() for row in block.select("partition", "offset", "arrival", "payload").rows()
    ]


def sequence(recording):
    """Events and decisions as they come in a replay."""
    found, rows, decisions = [], rows_of(recording), list(recording.about.idle)
    for row in range(len(rows) + 1):
        while decisions and decisions[0]["row"] <= row:
            one = decisions.pop(0)
            found.append(("idle", one["partition"], one["at"]))
        found += [("event", *rows[row])] if row < len(rows) else []
    return found


payloads = st.one_of(
    st.builds(
        lambda ts, card, amount: json.dumps({"ts": ts, "card": card, "amount": amount}).encode(),
        st.none() | st.integers(0, 20),
        st.sampled_from(["a", "b", None]),
        st.integers(-3, 3),
    ),
    st.sampled_from([None, b"junk", b'{"ts": 3, "card": 7}', b""]),
)
recorded = st.tuples(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), payloads), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 2), st.integers(0, 20)), max_size=4).map(sorted),
)


def build(folder, number, drawn):
    events, idle = drawn
    path = Path(folder) / f"{number}.recording.parquet"
    return write(path, [(part, at, when, data) for at, (part, when, data) in enumerate(events)], idle)


def plain(payload):
    """A slow reading: what the columns of an event are, or None."""
    try:
        found = json.loads(payload)
    except (ValueError, TypeError):
        return None
    card = found.get("card") if isinstance(found, dict) else 0
    return found if card is None or isinstance(card, str) else None


@settings(max_examples=60, deadline=None)
@given(
    recorded,
    st.none() | st.integers(0, 10),
    st.none() | st.integers(11, 20),
    st.sampled_from(["arrival", "event"]),
    st.sampled_from([None, "a", "b"]),
    st.booleans(),
    st.booleans(),
)
def test_a_cut_has_the_events_that_a_plain_reading_chooses(drawn, first, stop, by, key, large, keep):
    if first is None and stop is None and key is None and not large:
        return

    def inside(time):
        return (first is None or time >= first) and (stop is None or time < stop)

    def wanted(event):
        _, _, arrival, payload = event
        timed = first is not None or stop is not None
        if timed and by == "arrival" and not inside(arrival):
            return False
        if key is None and not large and not (timed and by == "event"):
            return True
        columns = plain(payload)
        if columns is None or (timed and by == "event" and columns["ts"] is None):
            return keep
        return (
            (key is None or columns["card"] == key)
            and (not large or columns["amount"] > 0)
            and (not timed or by == "arrival" or inside(columns["ts"]))
        )

    with tempfile.TemporaryDirectory() as folder:
        source = build(folder, 0, drawn)
        expected = [event for event in rows_of(source) if wanted(event)]
        arguments = {"from_time": first, "to_time": stop, "by": by, "key": key, "keep_undecodable": keep}
        arguments["where"] = "amount > 0" if large else None
        to = Path(folder) / "cut.recording.parquet"
        if not expected:
            with pytest.raises(DataError, match="no event is left"):
                cut_recording(source, to, **arguments)
            assert not to.exists()
            return
        made = cut_recording(source, to, **arguments)
        assert rows_of(made.recording) == expected
        assert (made.read, made.kept) == (len(source), len(expected))
        # Decisions between kept events are those of the original; offsets number its events.
        until = None if by == "event" else stop
        begun, decided = False, []
        places = {one[2] for one in sequence(made.recording) if one[0] == "event"}
        for one in sequence(source):
            chosen = one[0] == "event" and one[2] in places
            begun = begun or chosen
            told = one[0] == "idle" and (until is None or one[2] < until)
            if begun and (chosen or told):
                decided.append(one)
        found = sequence(made.recording)
        assert found[next(row for row, one in enumerate(found) if one[0] == "event") :] == decided


@settings(max_examples=60, deadline=None)
@given(st.lists(recorded, min_size=2, max_size=3))
def test_a_merge_takes_the_next_event_of_whoever_has_the_earliest(drawn):
    with tempfile.TemporaryDirectory() as folder:
        sources = [build(folder, number, one) for number, one in enumerate(drawn)]
        made = merge_recordings(sources, Path(folder) / "all.recording.parquet")
        numbers, fresh = {}, iter(range(100))
        every = [part for one in sources for part in one.about.partitions]
        for which, one in enumerate(sources):
            for part in one.about.partitions:
                numbers[which, part] = part if len(set(every)) == len(every) else next(fresh)
        waiting = [list(sequence(one)) for one in sources]
        expected = []
        while any(waiting):
            times = [
                (one[0][3] if one[0][0] == "event" else one[0][2], which) for which, one in enumerate(waiting) if one
            ]
            kind, part, *rest = waiting[which := min(times)[1]].pop(0)
            expected.append((kind, numbers.get((which, part), -1), *rest))
        assert sequence(made) == expected
        assert made.about.truth.startswith("from the till; merged by arrival from payments ")


def test_recordings_that_differ_are_not_merged(tmp_path):
    one = write(tmp_path / "1.recording.parquet", [(0, 0, 1, b"{}")])
    two = write(tmp_path / "2.recording.parquet", [(0, 0, 1, b"{}")], key=[])
    for others in ([one], [one, one], [one, two]):
        with pytest.raises(DataError):
            merge_recordings(others, tmp_path / "all.recording.parquet")
    with pytest.raises(DataError, match="one of those to read"):
        merge_recordings([one, write(tmp_path / "3.recording.parquet", [(0, 0, 1, b"{}")])], one.path)


def test_what_cannot_be_cut_is_refused(tmp_path):
    source = write(tmp_path / "1.recording.parquet", [(0, 0, 1, b'{"ts": 1, "card": "a", "amount": 2}')])
    before = source.path.read_bytes()
    with pytest.raises(DataError, match="one of those to read"):
        cut_recording(source, source.path, key="a")
    (tmp_path / "link.recording.parquet").symlink_to(source.path)
    with pytest.raises(DataError, match="one of those to read"):
        cut_recording(source, tmp_path / "link.recording.parquet", key="a")
    to = tmp_path / "2.recording.parquet"
    with pytest.raises(DataError, match="nothing says what"):
        cut_recording(source, to)
    with pytest.raises(DataError, match="not before"):
        cut_recording(source, to, from_time=datetime(2024, 1, 1, tzinfo=UTC), to_time="2023-01-01")
    with pytest.raises(DataError, match="columns of the key"):
        cut_recording(source, to, key={"crad": "a"})
    with pytest.raises(ExpressionError):
        cut_recording(source, to, where="amuont > 1")
    assert not to.exists()
    assert source.path.read_bytes() == before
    told = cut_recording(source, to, key={"card": "a"}).recording.about.truth
    assert (
        told == f"from the till; cut from {source.about.content_sha256}: one key of card; without what cannot be judged"
    )


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=4)
    | st.sampled_from(['"', "}", "\\", ","]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=3), values, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_members_are_those_of_a_plain_parser(value, indent, ascii_only):
    payload = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert is_object(payload)
    assert {name: json.loads(payload[start:stop]) for name, start, stop in members(payload)} == value
    same = [(start, stop, payload[start:stop]) for _, start, stop in members(payload)]
    assert replaced(payload, same) == payload
    nulls = [(start, stop, b"null") for _, start, stop in members(payload)]
    assert json.loads(replaced(payload, nulls)) == dict.fromkeys(value)


def everything(recording):
    """All bytes of a recording's file, and of its rows."""
    found = [recording.path.read_bytes()]
    for block in recording.blocks():
        for row in block.rows():
            found.append(repr(row).encode())
            found += [one for one in row if isinstance(one, bytes)]
    return b"\n".join(found)


def test_what_is_masked_is_nowhere_and_the_rest_stays_byte_for_byte(tmp_path):
    source = write(
        tmp_path / "1.recording.parquet",
        [
            (0, 7, 1, b'{ "amount":3.50, "card" : "secret-1", "ts":1e0 , "card":"secret-2", "more":{"card": 1}}'),
            (1, 8, 2, b'{"card": "secr\\u0065t-3", "amount": "wrong", "ts": 2}'),
            (0, 9, 3, b'{"card": "secret-4", "amo'),
            (0, 10, 4, None),
            (2, 11, 5, b'{"ts": 3, "amount": 1, "card": null}'),
        ],
        [(1, 1, 9), (5, -1, 10)],
        truth="of secret-1",
        keys=[None, b"k", b"secret-4", None, b"n"],
        headers=[[], [("h", b"1")], [("h", b"secret-4")], [], []],
    )
    made = mask_recording(source, tmp_path / "2.recording.parquet", mask={"card": "gone", "more": None})
    assert b"secret" not in everything(made.recording)
    assert rows_of(made.recording) == [
        (0, 7, 1, b'{ "amount":3.50, "card" : "gone", "ts":1e0 , "card":"gone", "more":null}'),
        (1, 8, 2, b'{"card": "gone", "amount": "wrong", "ts": 2}'),
        (0, 9, 3, b""),
        (0, 10, 4, None),
        (2, 11, 5, b'{"ts": 3, "amount": 1, "card": "gone"}'),
    ]
    (rows,) = made.recording.blocks()
    assert rows["key"].to_list() == [None, b"k", None, None, b"n"]
    assert made.recording.about.idle == source.about.idle
    assert (made.changed, made.undecodable, made.elsewhere) == (3, 1, 0)
    assert source.about.content_sha256 != made.recording.about.content_sha256
    dropped = mask_recording(source, tmp_path / "3.recording.parquet", mask={"card": "gone"}, undecodable="drop")
    assert [row[1] for row in rows_of(dropped.recording)] == [7, 8, 10, 11]


def test_the_same_value_has_the_same_hash(tmp_path, monkeypatch):
    monkeypatch.setenv("HASHES", SECRET)
    (tmp_path / "key").write_text(SECRET + "\n")
    source = write(
        tmp_path / "1.recording.parquet",
        [
            (0, 0, 1, b'{"card": "caf\\u00e9", "amount": 3, "ts": 1}'),
            (0, 1, 1, '{"card": "café", "amount": 3.0, "ts": 1}'.encode()),
            (0, 2, 1, b'{"card": "other", "amount": null, "ts": 1}'),
        ],
        keys=["café".encode(), b"other", None],
    )
    to = tmp_path / "2.recording.parquet"
    made = mask_recording(source, to, hashed=["card", "amount"], key="env:HASHES", kafka_key="hash")
    again = mask_recording(
        source, tmp_path / "3.recording.parquet", hashed=["card"], key=f"file:{tmp_path / 'key'}", kafka_key="drop"
    )
    frame = made.recording.frame()
    first, second, third = frame["card"].to_list()
    assert first == second == hmac.new(SECRET.encode(), "café".encode(), "sha256").hexdigest() != third
    assert frame["amount"][0] == frame["amount"][1]
    assert frame["amount"][2] is None
    assert again.recording.frame()["card"].to_list() == [first, second, third]
    (rows,) = made.recording.blocks()
    assert rows["key"].to_list() == [first.encode(), third.encode(), None]
    assert made.recording.schema == Schema({"ts": "int", "card": "str", "amount": "str"})
    assert "café".encode() not in everything(made.recording)
    assert SECRET.encode() not in everything(made.recording)


def test_what_would_not_hide_is_refused(tmp_path, monkeypatch):
    event = b'{"card": "card-1", "amount": 3, "ts": 1, "note": "by card-1"}'
    source = write(
        tmp_path / "1.recording.parquet",
        [(0, 0, 1, event), (0, 1, 1, None)],
        keys=[b"<card-1>", b"card-1"],
        headers=[[("h", b"card-1")], []],
    )
    to = tmp_path / "2.recording.parquet"
    gone = {"card": "x"}
    monkeypatch.setenv("SHORT", "short")
    for error, said, arguments in (
        (DataError, "Kafka key has a value", {"mask": gone}),
        (DataError, "a header has a value", {"mask": gone, "kafka_key": "keep"}),
        (DataError, "neither the schema", {"mask": ["crad"], "kafka_key": "keep"}),
        (DataError, "event time", {"mask": ["ts"]}),
        (DataError, "null makes every event", {"mask": ["card"]}),
        (DataError, "another type", {"mask": {"amount": "x"}}),
        (DataError, "either", {"mask": gone, "hashed": ["card"]}),
        (DataError, "nothing says", {}),
        (DataError, "hashes need a key", {"hashed": ["card"]}),
        (DataError, "names no place", {"hashed": ["card"], "key": SECRET}),
        (DataError, "fewer than 16", {"hashed": ["card"], "key": "env:SHORT"}),
        (NotFoundError, "not set", {"hashed": ["card"], "key": "env:NO_SUCH_KEY"}),
        (InputMissingError, "no such file", {"hashed": ["card"], "key": f"file:{tmp_path / 'no'}"}),
    ):
        with pytest.raises(error, match=said) as caught:
            mask_recording(source, to, **arguments)
        assert SECRET not in str(caught.value)
        assert not to.exists()
    with pytest.raises(DataError, match="tombstone"):
        mask_recording(write(tmp_path / "3.recording.parquet", [(0, 1, 1, None)], keys=[b"k"]), to, mask=gone)
    made = mask_recording(source, to, mask=gone, kafka_key="drop", headers="drop")
    assert made.elsewhere == 1
