"""Recordings: what goes in comes out, a changed byte is found, and a writer that dies leaves nothing half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from styx_lab.connectors import ParquetSource, Recording, RecordingSource, RecordingWriter
from styx_lab.connectors.formats import decode
from styx_lab.connectors.parquet_rows import BLOCK
from styx_lab.connectors.recording_about import METADATA_KEY, About
from styx_lab.connectors.recording_content import RECORDING_COLUMNS, ContentHash
from styx_lab.connectors.recording_seal import seal
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, InputMissingError, OutputError

SCHEMA = Schema({"card": "str", "amount": "float"})
# Pinned: this hash must never change, for recordings that were made must stay good.
PINNED = "0be587add7e3e03ef7267367da420d2950bfba575f7420e2ff03f63d8e751623"

int64 = st.integers(-(2**63), 2**63 - 1)
rows = st.lists(
    st.tuples(
        st.integers(0, 5),
        int64,
        int64,
        int64,
        st.none() | st.binary(max_size=5),
        st.lists(
            st.fixed_dictionaries(
                {
                    "key": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
                    "value": st.none() | st.binary(max_size=3),
                }
            ),
            max_size=3,
        ),
        st.none() | st.binary(max_size=20),
    ),
    min_size=1,
    max_size=20,
).map(lambda found: pl.DataFrame(found, schema=RECORDING_COLUMNS, orient="row"))


def small(folder, **more):
    path = folder / "small.recording.parquet"
    with RecordingWriter(path, name="small", schema=SCHEMA, key=["card"], **more) as writer:
        writer.write(
            [b'{"card":"a","amount":1}', None, b"junk"],
            partition=[0, 3, 0],
            offset=[10, 7, 11],
            arrival=[100, 101, 99],
            timestamp=[90, -1, 92],
            keys=[b"a", None, b""],
            headers=[[("h", b"1"), ("h", None)], [], [("ü", b"")]],
        )
        writer.write([b'{"card":"b","amount":2.5}'], partition=[1], offset=[0], arrival=[105])
    return path


def content(frame):
    found = ContentHash()
    found.update(frame)
    return found.hexdigest()


def everything(path):
    return pl.concat(list(Recording.open(path).blocks()))


@given(rows, st.integers(1, 6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_back_and_hash_the_same_however_they_are_cut(tmp_path, frame, size):
    path = tmp_path / "any.recording.parquet"
    with RecordingWriter(path, name="any", schema=SCHEMA) as writer:
        for piece in frame.iter_slices(size):
            writer.write_rows(piece)
    recording = Recording.open(path)
    recording.verify()
    assert recording.about.content_sha256 == content(frame)
    assert_frame_equal(everything(path), frame)


@given(rows, st.data())
def test_any_change_of_a_value_changes_the_hash(frame, data):
    row = data.draw(st.integers(0, frame.height - 1))
    name = data.draw(st.sampled_from(list(RECORDING_COLUMNS)))
    old = frame[name].to_list()[row]
    new = {
        "headers": [*(old if name == "headers" else []), {"key": "", "value": None}],
        "key": None if old == b"" else b"",
        "payload": None if old == b"" else b"",
    }.get(name, 5 if old != 5 else 6)
    values = frame[name].to_list()
    values[row] = new
    changed = frame.with_columns(pl.Series(name, values, dtype=RECORDING_COLUMNS[name]))
    assert content(changed) != content(frame)


def test_bytes_cannot_move_from_one_value_to_the_next():
    def of(payloads):
        return content(
            pl.DataFrame(
                [(0, 0, 0, 0, None, [], payload) for payload in payloads], schema=RECORDING_COLUMNS, orient="row"
            )
        )

    assert len({of([b"ab", b"c"]), of([b"a", b"bc"]), of([b"", b"abc"]), of([None, b"abc"]), of([b"abc"])}) == 5


def test_the_hash_is_the_one_that_was_always_given(tmp_path):
    assert Recording.open(small(tmp_path)).about.content_sha256 == PINNED


def test_describe_head_and_frame(tmp_path):
    recording = Recording.open(small(tmp_path, partitions=range(5), truth="none"))
    about = recording.describe()
    assert about["events"] == len(recording) == 4
    assert about["partitions"] == [0, 1, 2, 3, 4]
    assert (about["first_arrival"], about["last_arrival"]) == (100, 105)
    assert about["schema"] == {"card": "str", "amount": "float"}
    assert (about["name"], about["key"], about["time"], about["idle"], about["truth"]) == (
        "small",
        ["card"],
        None,
        [],
        "none",
    )
    assert recording.schema == SCHEMA
    frame = recording.frame()
    assert frame.columns == ["card", "amount", "_arrival", "_source", "_partition", "_offset"]
    assert frame.drop("_arrival").rows() == [("a", 1.0, "small", 0, 10), ("b", 2.5, "small", 1, 0)]
    assert frame["_arrival"].dt.epoch("ms").to_list() == [100, 105]
    head = recording.head(2)
    assert head["payload"].to_list() == ['{"card":"a","amount":1}', None]
    assert head["timestamp"].dt.epoch("ms").to_list() == [90, None]
    assert recording.frame(1, 1).height == 0


def test_the_source_hands_out_all_of_it(tmp_path):
    source = RecordingSource(small(tmp_path))
    arrivals = source.read(10)
    assert source.partitions == (0, 1, 3)
    assert arrivals.partition.tolist() == [0, 3, 0, 1]
    assert arrivals.offset.tolist() == [10, 7, 11, 0]
    assert arrivals.arrival.tolist() == [100, 101, 99, 105]
    assert arrivals.timestamp.tolist() == [90, -1, 92, -1]
    found = decode(arrivals, SCHEMA, format=source.format)
    assert found.dead == {1: "tombstone", 2: "not_json"}
    assert found.good.tolist() == [0, 3]


def test_more_events_than_a_block(tmp_path):
    count = BLOCK + 10
    path = tmp_path / "long.recording.parquet"
    with RecordingWriter(path, name="long", schema=SCHEMA) as writer:
        for start in range(0, count, 40_000):
            some = range(start, min(start + 40_000, count))
            writer.write(
                [b"%d" % number for number in some], partition=[0] * len(some), offset=list(some), arrival=list(some)
            )
    recording = Recording.open(path)
    recording.verify()
    assert everything(path)["offset"].to_list() == list(range(count))
    source = RecordingSource(path)
    source.seek({"row": BLOCK - 3})
    offsets = []
    while (arrivals := source.read(5)) is not None:
        offsets += arrivals.offset.tolist()
        assert arrivals.payloads == [b"%d" % offset for offset in arrivals.offset.tolist()]
    assert offsets == list(range(BLOCK - 3, count))


def test_cut_is_a_recording_of_those_rows(tmp_path):
    recording = Recording.open(small(tmp_path, partitions=[0, 1, 2, 3]))
    cut = recording.cut(1, 3, tmp_path / "cut.recording.parquet", name="piece")
    cut.verify()
    assert_frame_equal(everything(cut.path), everything(recording.path)[1:3])
    assert cut.about.partitions == [0, 1, 2, 3]
    assert cut.about.name == "piece"
    for start, stop in ((0, 0), (-1, 2), (3, 2), (0, 5)):
        with pytest.raises(DataError, match="4 events"):
            recording.cut(start, stop, tmp_path / "none.recording.parquet")


def test_a_changed_byte_anywhere_is_found(tmp_path):
    path = small(tmp_path)
    good = path.read_bytes()
    changed = tmp_path / "changed.recording.parquet"
    for place in [*range(0, len(good), 17), *range(len(good) - 10, len(good))]:
        changed.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        with pytest.raises(DataError):
            RecordingSource(changed)
    for size in range(0, len(good), 100):
        changed.write_bytes(good[:size])
        with pytest.raises(DataError):
            Recording.open(changed)


def test_a_byte_that_changes_while_it_is_open_is_found_by_verify(tmp_path):
    path = small(tmp_path)
    recording = Recording.open(path)
    good = path.read_bytes()
    path.write_bytes(good[:50] + b"x" + good[51:])
    with pytest.raises(DataError, match="was changed or damaged"):
        recording.verify()


def resealed(path, frame, text):
    frame.write_parquet(path, metadata={METADATA_KEY: text})
    seal(path)


def unsealed_text(path):
    return About.from_text(pl.read_parquet_metadata(path)[METADATA_KEY], where="here").to_text()


def test_events_that_are_not_those_of_the_content_hash_are_found_by_verify(tmp_path):
    path = small(tmp_path)
    resealed(path, everything(path).with_columns(pl.col("offset") + 1), unsealed_text(path))
    recording = Recording.open(path)
    with pytest.raises(DataError, match="its content hash should be"):
        recording.verify()


def test_a_description_that_cannot_be_used_is_found_when_it_is_opened(tmp_path):
    path = small(tmp_path)
    text, frame = unsealed_text(path), everything(path)
    for old, new, match in (
        ('"format": 1', '"format": 4', "form that is not known"),
        ('"format"', '"fromat"', "cannot be read"),
        ('{"name"', '"name"', "cannot be read"),
        ('"events": 4', '"events": 3', "it has 3 events; got 4"),
        ("file_sha256", "file_sha255", "has no seal"),
    ):
        assert old in text
        frame.write_parquet(path, metadata={METADATA_KEY: text.replace(old, new)})
        if "seal" not in match:
            seal(path)
        with pytest.raises(DataError, match=match):
            Recording.open(path)


def test_what_is_no_recording(tmp_path):
    with pytest.raises(InputMissingError):
        Recording.open(tmp_path / "none.recording.parquet")
    plain = tmp_path / "plain.recording.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(plain)
    with pytest.raises(DataError, match="not a recording"):
        Recording.open(plain)
    plain.write_bytes(b"\x00\x01\x02" * 100)
    with pytest.raises(DataError, match="not a recording"):
        RecordingSource(plain)


def test_an_empty_recording_is_written_and_refused_for_reading(tmp_path):
    path = tmp_path / "empty.recording.parquet"
    with RecordingWriter(path, name="empty", schema=SCHEMA):
        pass
    with pytest.raises(DataError, match="has no events"):
        Recording.open(path)
    with pytest.raises(DataError, match="has no events"):
        RecordingSource(path)


def test_an_error_while_writing_leaves_nothing(tmp_path):
    path = tmp_path / "half.recording.parquet"

    def fail():
        with RecordingWriter(path, name="half", schema=SCHEMA) as writer:
            writer.write([b"{}"], partition=[0], offset=[0], arrival=[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_is_replaced_only_when_the_new_one_is_whole(tmp_path):
    path = small(tmp_path)
    before = path.read_bytes()
    writer = RecordingWriter(path, name="new", schema=SCHEMA)
    writer.write([b"{}"], partition=[0], offset=[0], arrival=[0])
    assert path.read_bytes() == before
    writer.close()
    writer.close()
    assert Recording.open(path).about.name == "new"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="closed"):
        writer.write([b"{}"], partition=[0], offset=[0], arrival=[0])


@pytest.mark.parametrize(
    "more",
    [
        {"partition": [0, 1]},
        {"offset": ["x"]},
        {"offset": [1.5]},
        {"offset": np.array([1.5])},
        {"offset": [True]},
        {"arrival": [None]},
        {"partition": [2**40]},
        {"keys": ["text"]},
        {"headers": [[("h", 3)]]},
        {"headers": [[(b"h", b"")]]},
        {"headers": [[("h", b""), "x"]]},
    ],
)
def test_what_is_no_event_is_refused(tmp_path, more):
    with RecordingWriter(tmp_path / "bad.recording.parquet", name="bad", schema=SCHEMA) as writer:
        with pytest.raises(DataError):
            writer.write([b"{}"], **{"partition": [0], "offset": [0], "arrival": [0], **more})
        writer.write([b"{}"], partition=[0], offset=[0], arrival=[0])
    assert len(Recording.open(tmp_path / "bad.recording.parquet")) == 1


def test_names_are_checked(tmp_path):
    with pytest.raises(DataError, match="suffix"):
        RecordingWriter(tmp_path / "a.parquet", name="a", schema=SCHEMA)
    with pytest.raises(DataError, match="no column 'ts'"):
        RecordingWriter(tmp_path / "a.recording.parquet", name="a", schema=SCHEMA, time="ts")
    with pytest.raises(OutputError, match="cannot be written"):
        RecordingWriter(tmp_path / "none" / "a.recording.parquet", name="a", schema=SCHEMA)


def run(code, folder):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )


WRITE = """
    import os, resource, signal, sys
    import numpy as np
    from styx_lab.connectors import RecordingWriter
    from styx_lab.core.schema import Schema
    from styx_lab.errors import OutputError
    writer = RecordingWriter(sys.argv[1] + "/x.recording.parquet", name="x", schema=Schema({"a": "int"}))
    def more(count):
        zeros = np.zeros(count, np.int64)
        writer.write([os.urandom(40) for _ in zeros], partition=zeros, offset=zeros, arrival=zeros)
"""


def test_a_killed_writer_leaves_no_recording(tmp_path):
    done = run(WRITE + "\n    more(70_000)\n    os.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


# More events than are held in memory fail when they are put aside, fewer when the file is made.
@pytest.mark.parametrize("count", [70_000, 30_000])
def test_a_full_disk_is_an_output_error_and_leaves_nothing(tmp_path, count):
    # A limit on the size of files fails a write as a full disk does: with an error, at any place.
    code = f"""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    try:
        more({count})
        writer.close()
    except OutputError as error:
        print(error)
        sys.exit(error.exit_code)
    """
    done = run(WRITE + code, tmp_path)
    assert done.returncode == OutputError.exit_code, done.stderr
    assert "x.recording.parquet: the recording cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_about_comes_back(tmp_path):
    about = Recording.open(small(tmp_path)).about
    assert About.from_text(about.to_text(), where="here") == about


def test_a_recording_is_a_parquet_file_that_anything_can_read(tmp_path):
    path = small(tmp_path)
    assert ParquetSource(path, Schema({"offset": "int"})).read(2).columns["offset"].to_list() == [10, 7]
