"""Keys have slots by themselves, never by a hash: against a dict of Python values, with hashes that collide."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.key_store import ALL_TAGS, KeyStore
from styx_lab.core.keys import KeyIndex, key_json
from styx_lab.core.state import key_group
from styx_lab.errors import DataError

# Short, empty, of more than eight bytes, with NUL, with what JSON escapes, of two to four bytes a character.
TEXTS = [
    "",
    "\0",
    "\0\0",
    "a",
    "a\0",
    "ab",
    "b",
    "12345678",
    "123456789",
    "12345678\0",
    "é",
    "日本",
    "🂡",
    '"',
    "\\",
    "\n",
]
MORE = st.one_of(st.sampled_from(TEXTS), st.text(max_size=20))
VALUES: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "text": (pl.String(), MORE),
    "other": (pl.String(), MORE),
    "whole": (pl.Int64(), st.one_of(st.integers(-2, 2), st.integers(-(2**63), 2**63 - 1))),
    "flag": (pl.Boolean(), st.booleans()),
    "day": (pl.Date(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "moment": (
        pl.Datetime("ms", "UTC"),
        st.integers(-(10**12), 10**12).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)),
    ),
}
FEW_TAGS = [ALL_TAGS, 0, 1, 3]


def weak(columns: list[str], tags: int) -> KeyIndex:
    """An index whose hash has a few bits only, so that keys collide."""
    index = KeyIndex(columns)
    index._store = KeyStore(tags)
    return index


@st.composite
def batches(draw: st.DrawFn, *, nulls: bool = False) -> tuple[list[str], list[list[tuple[Any, ...]]]]:
    """Some columns, and batches of keys of them, of which some come again."""
    columns = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True))
    parts = [VALUES[name][1] if not nulls else st.none() | VALUES[name][1] for name in columns]
    pool = draw(st.lists(st.tuples(*parts), min_size=1, max_size=12))
    return columns, draw(st.lists(st.lists(st.sampled_from(pool), max_size=20), max_size=6))


def frame_of(columns: list[str], keys: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Keys as a frame, with a column more: a frame without columns has no rows."""
    made = {name: pl.Series([key[place] for key in keys], dtype=VALUES[name][0]) for place, name in enumerate(columns)}
    return pl.DataFrame({**made, "n": range(len(keys))})


def plain(columns: list[str], key: tuple[Any, ...]) -> Any:
    return key[0] if len(columns) == 1 else key


@given(batches(nulls=True), st.sampled_from(FEW_TAGS), st.data())
def test_slots_are_those_of_a_dict(made: Any, tags: int, data: st.DataObject) -> None:
    """Slots, keys, groups and columns, with keys released in between, against a dict of the values."""
    columns, rounds = made
    schema = {name: VALUES[name][0] for name in columns}
    index, known = weak(columns, tags), {}
    for keys in rounds:
        slots = index.slots(frame_of(columns, keys)).tolist()
        for key, slot in zip(keys, slots, strict=True):
            if key in known:
                assert known[key] == slot
            else:
                assert slot not in known.values()
                known[key] = slot
        assert len(index) == len(known)
        assert sorted(index.living.tolist()) == sorted(known.values())
        if data.draw(st.booleans()):
            groups = index.groups
            assert {key: groups[slot] for key, slot in known.items()} == {k: key_group(key_json(k)) for k in known}
        gone = data.draw(st.lists(st.sampled_from(sorted(known, key=repr)), unique=True)) if known else []
        index.release(np.array([known.pop(key) for key in gone], np.int64))
    slots = np.array(list(known.values()), np.int64)
    assert [index.keys[slot] for slot in slots] == [plain(columns, key) for key in known]
    assert index.texts(slots) == [key_json(key) for key in known]
    if columns:
        assert index.frame(slots, schema).equals(frame_of(columns, list(known)).select(columns))
    free = set(range(index.capacity)) - set(known.values())
    assert [index.keys[slot] for slot in free] == [None] * len(free)


@pytest.mark.parametrize("tags", FEW_TAGS)
def test_a_text_is_not_the_one_that_begins_like_it(tags: int) -> None:
    """Whichever comes first, and where their hashes are the same."""
    for texts in (TEXTS, TEXTS[::-1]):
        index = weak(["text"], tags)
        frame = pl.DataFrame({"text": texts})
        assert index.slots(frame).tolist() == index.slots(frame).tolist() == list(range(len(texts)))


@pytest.mark.parametrize("tags", FEW_TAGS)
def test_many_keys_grow_and_go(tags: int) -> None:
    """Thousands of keys, more than are read one at a time, and the room of those that went is used again."""
    count = 20_000 if tags == ALL_TAGS else 1_200
    index = weak(["text"], tags)
    held = 0
    for turn in range(6):
        cards = pl.DataFrame({"text": [f"card {turn} {number} " + "x" * (number % 40) for number in range(count)]})
        slots = index.slots(pl.concat([cards, cards]))
        assert (slots[:count] == slots[count:]).all()
        assert len(np.unique(slots)) == len(index) == count
        assert index.frame(slots[:count], {"text": pl.String()}).equals(cards)
        assert index.slots(cards[::-1]).tolist() == slots[:count][::-1].tolist()
        held = index.nbytes if turn == 1 else held
        index.release(slots[: count // 2])
        assert (index.slots(cards[count // 2 :]) == slots[count // 2 : count]).all()
        index.release(slots[count // 2 : count])
    assert (len(index), index.capacity) == (0, count)
    assert index.nbytes < 1.5 * held


def test_two_columns_are_told_apart_where_they_meet() -> None:
    index = KeyIndex(["text", "other"])
    keys = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("a\0", "b"), ("a", "\0b"), (None, "a"), ("a", None)]
    assert index.slots(frame_of(["text", "other"], keys)).tolist() == list(range(len(keys)))
    assert [index.keys[slot] for slot in range(len(keys))] == keys


def test_a_null_is_no_value() -> None:
    for name, near in (("text", ["", "\0", "ÿ"]), ("whole", [0, 255, -1]), ("flag", [False])):
        index = KeyIndex([name])
        assert index.slots(frame_of([name], [(key,) for key in [*near, None, *near]])).tolist() == [
            *range(len(near) + 1),
            *range(len(near)),
        ]
        assert index.keys[:] == [*near, None]


def test_keys_of_another_type_are_refused() -> None:
    index = KeyIndex(["k"])
    index.slots(pl.DataFrame({"k": ["1"]}))
    with pytest.raises(DataError, match="changed their types") as raised:
        index.slots(pl.DataFrame({"k": [1]}))
    assert re.search(r"key k.*k: Int64", str(raised.value))


def test_a_slot_that_was_never_given_has_no_key() -> None:
    with pytest.raises(IndexError, match="no such slot: 0"):
        KeyIndex(["k"]).keys[0]
