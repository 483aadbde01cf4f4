"""Every source of the room: all events once, in order, from any position, in pieces of any size."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from styx_lab.connectors import (
    CsvSource,
    JsonLinesSource,
    MemorySource,
    ParquetSource,
    RecordingSource,
    RecordingWriter,
    open_source,
)
from styx_lab.connectors.formats import decode
from styx_lab.connectors.lines import LONGEST
from styx_lab.core.ports import Source
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, InputMissingError, SchemaError

SCHEMA = Schema({"card": "str", "amount": "float"})
EVENTS = [{"card": f"card-{number % 3}", "amount": number / 2} for number in range(23)]
LINES = [b'{"card":"card-%d","amount":%.1f}' % (number % 3, number / 2) for number in range(23)]
KINDS = ["dicts", "iterator", "payloads", "frame", "jsonl", "csv", "parquet", "recording"]


def make(kind, folder):
    match kind:
        case "dicts":
            return MemorySource(EVENTS, SCHEMA)
        case "iterator":
            return MemorySource(iter(EVENTS), SCHEMA)
        case "payloads":
            return MemorySource(LINES, SCHEMA)
        case "frame":
            return MemorySource(pl.DataFrame(EVENTS), SCHEMA)
        case "jsonl":
            path = folder / "events.jsonl"
            path.write_bytes(b"\n".join(LINES) + b"\n")
        case "csv":
            path = folder / "events.csv"
            path.write_text("amount,card\n" + "".join(f"{event['amount']},{event['card']}\n" for event in EVENTS))
        case "parquet":
            path = folder / "events.parquet"
            pl.DataFrame(EVENTS).write_parquet(path, row_group_size=5)
        case _:
            path = folder / "events.recording.parquet"
            with RecordingWriter(path, name="events", schema=SCHEMA) as writer:
                offset = np.arange(23)
                writer.write(LINES, partition=offset % 2, offset=offset // 2, arrival=offset * 10)
    return open_source(path, SCHEMA)


def drain(source, size):
    """Every event read in pieces: partition, offset and columns."""
    rows = []
    while (arrivals := source.read(size)) is not None:
        assert 0 < len(arrivals) <= size
        found = decode(arrivals, SCHEMA, format=source.format, header=getattr(source, "header", ()))
        assert not found.dead
        places = zip(arrivals.partition.tolist(), arrivals.offset.tolist(), strict=True)
        rows += [(*place, *row) for place, row in zip(places, found.frame.rows(), strict=True)]
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_is_one(kind, tmp_path):
    source = make(kind, tmp_path)
    assert isinstance(source, Source)
    rows = drain(source, 1_000)
    assert [row[2:] for row in rows] == [(event["card"], event["amount"]) for event in EVENTS]
    assert {row[0] for row in rows} == set(source.partitions)
    for part in source.partitions:
        offsets = [row[1] for row in rows if row[0] == part]
        assert offsets == list(range(len(offsets)))
    assert source.read(5) is None
    source.close()
    source.close()


@pytest.mark.parametrize("kind", KINDS)
def test_any_size_of_piece_and_any_place_to_go_on_from(kind, tmp_path):
    whole = drain(make(kind, tmp_path), 1_000)
    for size in (1, 2, 7, 22, 23, 24):
        assert drain(make(kind, tmp_path), size) == whole
    for before in range(24):
        first = make(kind, tmp_path)
        taken = 0
        while taken < before:
            taken += len(first.read(before - taken))
        position = first.position()
        other = make(kind, tmp_path)
        other.seek(position)
        assert other.position() == position
        assert drain(other, 4) == whole[before:]
        first.read(3)
        first.seek(position)
        assert drain(first, 4) == whole[before:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "position", [None, 3, {}, {"row": -1}, {"row": "x", "byte": 0}, {"row": 99}, {"row": 1, "byte": 5}]
)
def test_a_position_that_is_none_is_refused(kind, position, tmp_path):
    with pytest.raises(DataError, match=r"position|fewer"):
        make(kind, tmp_path).seek(position)


@given(
    st.lists(st.one_of(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"")), st.just(b"")), max_size=12),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n"]),
    st.integers(1, 5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_those_of_the_file(tmp_path, lines, ended, end, size):
    lines = [*(line.rstrip(b"\r") for line in lines), b"last"]
    path = tmp_path / "any.jsonl"
    path.write_bytes(end.join(lines) + (end if ended else b""))
    source = JsonLinesSource(path)
    found = []
    while (arrivals := source.read(size)) is not None:
        assert arrivals.offset.tolist() == list(range(len(found), len(found) + len(arrivals)))
        found += arrivals.payloads
        again = JsonLinesSource(path)
        again.seek(source.position())
        rest = again.read(1_000)
        assert found + (list(rest.payloads) if rest else []) == lines
    assert found == lines


def test_blank_lines_are_dead_letters_but_not_the_end_of_the_file(tmp_path):
    path = tmp_path / "blank.jsonl"
    path.write_bytes(b'\n{"card":"a"}\n  \n\n')
    arrivals = JsonLinesSource(path).read(10)
    assert decode(arrivals, SCHEMA).dead == {0: "empty", 2: "empty", 3: "empty"}


def test_a_line_that_is_too_long_is_a_dead_letter_wherever_reading_began(tmp_path):
    path = tmp_path / "long.jsonl"
    long, longer = b"x" * (LONGEST + 1), b"y" * (3 * LONGEST)
    path.write_bytes(
        b"\n".join([b'{"card":"a"}', long, b'{"card":"b"}', longer, b"z" * LONGEST, b'{"card":"c"}', long])
    )
    whole = []
    source = JsonLinesSource(path)
    positions = [source.position()]
    while (arrivals := source.read(1)) is not None:
        whole.append((arrivals.payloads[0], (arrivals.broken or {}).get(0)))
        positions.append(source.position())
    assert [reason for _, reason in whole] == [
        None,
        f"too_long: {len(long)} bytes, more than {LONGEST}",
        None,
        f"too_long: {len(longer)} bytes, more than {LONGEST}",
        None,
        None,
        f"too_long: {len(long)} bytes, more than {LONGEST}",
    ]
    assert whole[1][0] == b"x" * 1024
    for row, position in enumerate(positions):
        again = JsonLinesSource(path)
        again.seek(position)
        arrivals = again.read(100)
        found = [] if arrivals is None else list(zip(arrivals.payloads, range(len(arrivals)), strict=True))
        assert [(payload, (arrivals.broken or {}).get(index)) for payload, index in found] == whole[row:]
    assert decode(source_read(path), SCHEMA).frame["card"].to_list() == ["a", "b", "c"]


def source_read(path):
    return JsonLinesSource(path).read(100)


def test_csv_header_may_have_a_mark_quotes_and_further_columns(tmp_path):
    path = tmp_path / "marked.csv"
    path.write_bytes(b'\xef\xbb\xbf"card",other,amount\r\na,x,1\r\n')
    source = CsvSource(path, SCHEMA)
    assert source.header == ("card", "other", "amount")
    assert drain(source, 10) == [(0, 0, "a", 1.0)]


def test_csv_with_a_header_alone_has_no_events(tmp_path):
    path = tmp_path / "header.csv"
    path.write_bytes(b"card,amount")
    source = CsvSource(path, SCHEMA)
    assert source.read(5) is None
    source.seek(source.position())
    assert source.read(5) is None


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        (b"card,card\n", DataError, "the name of another"),
        (b"card,,amount\n", DataError, "has no name"),
        (b"\xff\xfe\n", DataError, "cannot be read"),
        (b'"card\n', DataError, "cannot be read"),
        (b"card,sum\n", SchemaError, "no column 'amount'"),
    ],
)
def test_csv_headers_that_are_none(content, error, match, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(error, match=match):
        CsvSource(path, SCHEMA)


def test_dictionaries_are_checked_as_json_is():
    events = [
        {"card": "a", "amount": np.float64(1)},
        {"card": "b", "amount": np.int64(2)},
        {"card": 3, "amount": 1.0},
        {"card": "c", "amount": "1"},
        {"card": "\ud800", "amount": 1.0},
        {"card": "d", "amount": float("inf")},
        {"card": "e", "amount": True},
        {},
    ]
    source = MemorySource(events, SCHEMA)
    found = decode(source.read(100), SCHEMA, format=source.format)
    assert found.frame.rows() == [("a", 1.0), ("b", 2.0), (None, None)]
    assert found.dead == {
        2: "wrong_type: card: expected str, got int",
        3: "wrong_type: amount: expected float, got str",
        4: "not_utf8: card",
        5: "out_of_range: amount: inf is no 64-bit float",
        6: "wrong_type: amount: expected float, got bool",
    }


def test_memory_may_be_given_partitions_and_arrivals():
    source = MemorySource(EVENTS[:4], SCHEMA, partition=[2, 0, 2, 0], arrival=[5, 6, 7, 8])
    assert source.partitions == (0, 2)
    source.read(1)
    arrivals = source.read(10)
    assert arrivals.partition.tolist() == [0, 2, 0]
    assert arrivals.offset.tolist() == [0, 1, 1]
    assert arrivals.arrival.tolist() == [6, 7, 8]
    with pytest.raises(DataError, match="one arrival for each event"):
        MemorySource(EVENTS, SCHEMA, arrival=[1])
    with pytest.raises(DataError, match="must all be payloads"):
        MemorySource([b"{}", {}], SCHEMA).read(5)


def test_no_events_in_memory():
    for nothing in ([], iter(()), pl.DataFrame(schema=SCHEMA.polars)):
        assert MemorySource(nothing, SCHEMA).read(5) is None


@pytest.mark.parametrize("name", ["none.jsonl", "none.csv", "none.parquet", "none.recording.parquet"])
def test_a_file_that_is_not_there(name, tmp_path):
    with pytest.raises(InputMissingError, match=name):
        open_source(tmp_path / name, SCHEMA)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("empty.jsonl", b"", "is empty"),
        ("empty.parquet", b"", "is empty"),
        ("text.parquet", b"hello", "not a Parquet file"),
        ("cut.parquet", b"PAR1 hello", "cannot be read"),
        ("events.txt", b"hello", "no source reads"),
        ("events", b"hello", "no source reads"),
        ("packed.jsonl", gzip.compress(b"{}", mtime=0), "packed with gzip"),
        ("packed.csv.gz", gzip.compress(b"{}", mtime=0), "packed with gzip"),
    ],
)
def test_files_that_no_source_reads(name, content, match, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=match):
        open_source(tmp_path / name, SCHEMA)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match="not a file"):
        open_source(tmp_path, SCHEMA)


def test_the_content_decides_before_the_suffix(tmp_path):
    path = tmp_path / "really.jsonl"
    pl.DataFrame(EVENTS).write_parquet(path)
    assert isinstance(open_source(path, SCHEMA), ParquetSource)
    with pytest.raises(SchemaError, match="needs a schema"):
        open_source(path)
    make("recording", tmp_path)
    assert isinstance(open_source(tmp_path / "events.recording.parquet"), RecordingSource)


def test_parquet_of_other_types_is_refused_when_it_is_opened(tmp_path):
    path = tmp_path / "other.parquet"
    pl.DataFrame({"card": [1], "amount": [1.0]}).write_parquet(path)
    with pytest.raises(SchemaError, match=r"column 'card' .*expected str; got 'Int64'"):
        ParquetSource(path, SCHEMA)


def test_a_binary_file_is_all_dead_letters(tmp_path):
    path = tmp_path / "binary.jsonl"
    path.write_bytes(bytes(range(128, 256)) * 8 + b"\n" + b"\x00\x01")
    found = decode(source_read(path), SCHEMA)
    assert {reason.partition(":")[0] for reason in found.dead.values()} == {"not_utf8", "not_json"}
    assert len(found.good) == 0
