"""CSV lines and text columns: typed strictly, one line by itself."""

from __future__ import annotations

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.connectors.formats.columns import typed_columns
from styx_lab.connectors.formats.csv import decode_csv, fields_of
from styx_lab.connectors.formats.values import WrongValue
from styx_lab.core.schema import Schema

SCHEMA = Schema({"amount": "float", "card": "str", "count": "int", "ok": "bool", "ts": "datetime"})
HEADER = ["card", "amount", "count", "ok", "ts", "rest"]

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1, max_size=6)


@given(st.lists(text | st.sampled_from(['"', ",", '","', '""', " "]), min_size=1, max_size=5))
def test_fields_are_read_as_the_csv_module_writes_them(fields):
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    assert fields_of(out.getvalue()) == fields


@pytest.mark.parametrize("line", ['a,"b', 'a,"b"c', 'a"b', '"a""', 'a,b"'])
def test_quotes_that_do_not_match_are_refused(line):
    with pytest.raises(WrongValue, match="wrong_quotes"):
        fields_of(line)


def test_no_quotes_is_null_and_quotes_are_the_empty_text():
    assert fields_of(',"",') == [None, "", None]


def test_good_lines_and_every_kind_of_bad_line():
    lines = [
        b'"Smith, J.",3.5,7,true,2024-01-01T00:00:00Z,x',
        b"b,abc,1,true,0,x",
        b"c,1,1.5,true,0,x",
        b"d,1,99999999999999999999,true,0,x",
        b"e,1,1,yes,0,x",
        b"f,1,1,true,soon,x",
        b"g,1,1",
        b"h,1,1,true,0,x,y",
        b"",
        b"\xff,1,1,true,0,x",
        b'"i,1,1,true,0,x',
        b"j,1e999,1,true,0,x",
        b"k,inf,1,true,0,x",
        b" l ,,,,,",
        b"m,-.5e1,+7,FALSE,-1,",
    ]
    found = decode_csv(lines, HEADER, SCHEMA)
    assert found.dead == {
        1: "wrong_type: amount: expected float, got 'abc'",
        2: "wrong_type: count: expected int, got '1.5'",
        3: "out_of_range: count: '99999999999999999999' is no 64-bit int",
        4: "wrong_type: ok: expected bool, got 'yes'",
        5: "wrong_type: ts: expected datetime, got 'soon'",
        6: "wrong_columns: expected 6 fields, got 3",
        7: "wrong_columns: expected 6 fields, got 7",
        8: "empty",
        9: "not_utf8: byte 0",
        10: "wrong_quotes: in field 1",
        11: "out_of_range: amount: '1e999' is no 64-bit float",
        12: "wrong_type: amount: expected float, got 'inf'",
    }
    assert found.good.tolist() == [0, 13, 14]
    assert found.frame.schema == SCHEMA.polars
    rows = found.frame.with_columns(pl.col("ts").dt.epoch("ms")).rows()
    assert rows == [
        (3.5, "Smith, J.", 7, True, 1_704_067_200_000),
        (None, " l ", None, None, None),
        (-5.0, "m", 7, False, -1),
    ]


@given(st.lists(st.sampled_from([b"a,1", b"a,x", b"a", b"", b'"a,1', b'"a",1', b"a,1,2", b"\xff,1", b",", b"a,1e999"])))
def test_what_a_line_means_does_not_depend_on_its_neighbours(lines):
    schema = Schema({"n": "float", "s": "str"})
    whole = decode_csv(lines, ["s", "n"], schema)
    rows, dead = [], {}
    for index, line in enumerate(lines):
        one = decode_csv([line], ["s", "n"], schema)
        rows += one.frame.rows()
        if one.dead:
            dead[index] = one.dead[0]
    assert (whole.frame.rows(), whole.dead) == (rows, dead)
    assert len(whole.good) + len(whole.dead) == len(lines)


def test_nan_is_kept_for_the_caller_to_count():
    found = typed_columns({"a": pl.Series(["nan", "NaN", "1"])}, Schema({"a": "float"}))
    assert not found.dead
    assert found.frame["a"].is_nan().to_list() == [True, True, False]


@given(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.none() | st.floats(allow_infinity=False, allow_nan=False)),
)
def test_numbers_come_back_as_they_were_written(ints, floats):
    for word, values in (("int", ints), ("float", floats)):
        column = pl.Series("a", [None if value is None else repr(value) for value in values], dtype=pl.String)
        found = typed_columns({"a": column}, Schema({"a": word}))
        assert found.frame["a"].to_list() == values
