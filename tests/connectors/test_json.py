"""JSON decoding: each payload by itself, whatever stands beside it."""

from __future__ import annotations

import json
import math

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from styx_lab.connectors.formats.decoded import REASONS
from styx_lab.connectors.formats.json import DEEPEST, decode_json
from styx_lab.core.schema import TIME_DTYPE, Schema

SCHEMA = Schema({"a": "int", "b": "str", "c": "float", "d": "bool", "t": "datetime", "two words": "int"})

NASTY = [
    b'{"a":1},{"a":2}', b'{"a":1', b'"b":2}', b'{"a":"x}', b'{","b":"1"}', b'{"b":"x"},{"b":"y"}', b'{"b":"}',
    b'{"}":1}', b"{}", b"{", b"}", b"{}}", b"{{}", b"[]", b"[{}]", b"null", b"1", b'"x"', b"", b" ", b"\n", b"\x00",
    b"\xff\xfe", b'{"b":"\xff"}', b'{"other":"\xff"}', b'{"b":"\xc3\xa9"}', b'{"b":"\\ud800"}',
    b'{"b":"\\ud83d\\ude00"}', b'{"a":1} ', b'\xef\xbb\xbf{"a":1}', b'{"a":1}\n', b' {"a":1}', b'{"a":1,"a":2}',
    b'{"a":"x","a":2}', b'{"a":2,"a":"x"}', b'{"a":1.0}', b'{"a":1e3}', b'{"a":9223372036854775807}',
    b'{"a":9223372036854775808}', b'{"a":-9223372036854775809}', b'{"c":1}', b'{"c":1e999}', b'{"c":NaN}',
    b'{"c":"1"}', b'{"c":null}', b'{"d":1}', b'{"d":true}', b'{"t":0}', b'{"t":1.5}', b'{"t":"2024-01-01T00:00:00Z"}',
    b'{"t":"yesterday"}', b'{"t":99999999999999999}', b'{"t":true}', b'{"two words":7}', b'{"x":{"y":[1,{}]},"a":5}',
    b'{"x":1e999,"a":5}', b'{"a":01}', b'{"a":1,}', b'{"a":1}{"a":2}', b'{"a":1}]', b'[{"a":1}', b'{"x":' + b"[" * 63 +
    b"]" * 63 + b"}", b'{"x":' + b"[" * 64 + b"]" * 64 + b"}", b'{"x":' + b"[" * 70_000, b'{"c":' + b"9" * 400 + b"}",
    b'{"a":' + b"9" * 5_000 + b"}", b'{"b":"' + b"[" * 200 + b'"}', b"//", b",", b'{"a":1},',
]  # fmt: skip

payloads = st.lists(
    st.one_of(
        st.sampled_from(NASTY),
        st.binary(max_size=12),
        st.integers(-9, 9).map(lambda number: b'{"a":%d,"b":"x"}' % number),
        st.text(alphabet='{}[]",:\\ab1 ', max_size=14).map(str.encode),
    ),
    max_size=12,
)


def facts(found, start=0):
    rows = dict(zip((found.good + start).tolist(), found.frame.rows(), strict=True))
    return rows, {index + start: reason for index, reason in found.dead.items()}


@given(payloads, st.integers(1, 5))
@example(NASTY, 1)
@example([b'{"a":"x}', b'{","b":"1"}'], 2)
@example([b'{"a":1},{"a":2}', b""], 2)
# As many objects and braces as payloads, but the border is not where they part.
@example([b'{"a":1},{"a":2', b'"b":"x"}'], 1)
# Each begins and ends well and two objects come out, but a text runs over the border.
@example([b'{"a":1},{"b":"}', b'{"}'], 1)
def test_what_a_payload_means_does_not_depend_on_its_neighbours(given_payloads, size):
    whole = facts(decode_json(given_payloads, SCHEMA))
    rows, dead = {}, {}
    for start in range(0, len(given_payloads), size):
        some_rows, some_dead = facts(decode_json(given_payloads[start : start + size], SCHEMA), start)
        rows |= some_rows
        dead |= some_dead
    assert whole == (rows, dead)
    assert sorted([*rows, *dead]) == list(range(len(given_payloads)))
    assert {reason.partition(":")[0] for reason in dead.values()} <= set(REASONS)


@given(st.lists(st.fixed_dictionaries({}, optional={
    "a": st.none() | st.integers(-(2**63), 2**63 - 1),
    "b": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    "c": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "d": st.none() | st.booleans(),
    "two words": st.none() | st.integers(-5, 5),
    "other": st.lists(st.integers()),
})))  # fmt: skip
def test_good_events_come_out_as_they_went_in(events):
    found = decode_json([json.dumps(event).encode() for event in events], SCHEMA)
    assert not found.dead
    assert found.frame.schema == SCHEMA.polars
    names = ("a", "b", "c", "d", "two words")
    assert found.frame.select(names).rows() == [tuple(event.get(name) for name in names) for event in events]


def test_many_payloads_with_a_bad_one_here_and_there():
    good = [b'{"a":%d,"b":"x","c":0.5}' % number for number in range(3_000)]
    bad = {7: b"", 511: b"{", 512: b'{"a":"x"}', 2_999: b"\xff"}
    found = decode_json([bad.get(index, payload) for index, payload in enumerate(good)], SCHEMA)
    assert sorted(found.dead) == sorted(bad)
    assert found.frame["a"].to_list() == [index for index in range(3_000) if index not in bad] == found.good.tolist()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"b":"\xff"}', "not_utf8: byte 6"),
        (b'{"other":"\xff"}', "not_utf8: byte 10"),
        (b'{"a":1', "not_json"),
        (b'{"c":NaN}', "not_json"),
        (b'[{"a":1}]', "not_an_object: list"),
        (b"null", "not_an_object: NoneType"),
        (b'{"c":"1"}', "wrong_type: c: expected float, got str"),
        (b'{"a":1.0}', "wrong_type: a: expected int, got float"),
        (b'{"d":1}', "wrong_type: d: expected bool, got int"),
        (b'{"a":9223372036854775808}', "out_of_range: a: 9223372036854775808 is no 64-bit int"),
        (b'{"c":1e999}', "out_of_range: a number in it is no 64-bit float"),
        (b'{"t":"soon"}', "wrong_type: t: expected datetime, got 'soon'"),
        (b'{"t":1.5}', "wrong_type: t: expected datetime, got float"),
        (b'{"t":253402300800000}', "out_of_range: t: 253402300800000 is not in the years 1 to 9999"),
        (b'{"x":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}", "too_deep"),
    ],
)
def test_each_fault_has_its_reason(payload, reason):
    assert decode_json([payload], SCHEMA).dead == {0: reason}


def test_a_name_that_comes_twice_counts_the_last_time():
    found = decode_json([b'{"a":1,"a":2}', b'{"a":"x","a":3}', b'{"a":4,"a":"x"}'], SCHEMA)
    assert found.frame["a"].to_list() == [2, 3]
    assert list(found.dead) == [2]


def test_times_are_epoch_ms_or_iso_text():
    texts = [b'{"t":1500}', b'{"t":"1970-01-01T00:00:01.500Z"}', b'{"t":"1970-01-01T01:00:01.5+01:00"}', b'{"t":null}']
    column = decode_json(texts, SCHEMA).frame["t"]
    assert column.dtype == TIME_DTYPE
    assert column.dt.epoch("ms").to_list() == [1500, 1500, 1500, None]


def test_a_bad_time_takes_its_row_out_of_every_column():
    found = decode_json([b'{"a":1,"t":0}', b'{"a":2,"t":"soon"}', b"", b'{"a":3,"t":1}'], SCHEMA)
    assert found.frame["a"].to_list() == [1, 3]
    assert found.good.tolist() == [0, 3]
    assert list(found.dead) == [1, 2]


def test_nothing_gives_empty_columns_of_the_right_types():
    found = decode_json([], SCHEMA)
    assert found.frame.schema == SCHEMA.polars
    assert found.frame.height == 0
    assert decode_json([b""], SCHEMA).frame.schema == pl.Schema(SCHEMA.polars)


def test_a_whole_number_is_a_float():
    values = decode_json([b'{"c":3}', b'{"c":18446744073709551617}'], SCHEMA).frame["c"].to_list()
    assert values == [3.0, 2.0**64]
    assert all(math.isfinite(value) for value in values)
