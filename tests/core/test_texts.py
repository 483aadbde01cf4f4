"""Texts as runs of bytes: against Python's texts and `canonical_json`, however Polars happens to hold the column."""

from __future__ import annotations

import gc
from threading import Thread

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core import arrow
from styx_lab.core.events import canonical_json
from styx_lab.core.texts import Runs, join_runs, json_parts, json_runs, runs_column, text_runs

# Around the 12 bytes up to which a text lies in its view, with what JSON escapes, of one to four bytes a character.
EDGES = [
    "",
    "a",
    "x" * 11,
    "x" * 12,
    "x" * 13,
    "é" * 6,
    "é" * 7,
    "🂡" * 3,
    "🂡" * 4,
    *map(chr, range(40)),
    '"',
    "\\",
    "\x7f",
]
TEXTS = st.lists(st.one_of(st.sampled_from(EDGES), st.text(max_size=30)), max_size=20)
WHOLES = st.one_of(st.integers(-10, 10), st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), 2**63 - 1]))


@st.composite
def columns(draw: st.DrawFn) -> pl.Series:
    """Text columns in one piece and in several, whole, cut out and gathered."""
    column = pl.Series(draw(TEXTS), dtype=pl.String)
    for more in draw(st.lists(TEXTS, max_size=2)):
        column = pl.concat([column, pl.Series(more, dtype=pl.String)], rechunk=False)
    rows = draw(st.none() | st.lists(st.integers(0, len(column) - 1), max_size=20)) if len(column) else None
    if rows is not None:
        column = column.gather(rows)
    return column.slice(draw(st.integers(0, 3)), draw(st.none() | st.integers(0, 20)))


@given(columns())
def test_texts_are_read_and_made_again(column: pl.Series) -> None:
    runs = text_runs(column)
    assert bytes(runs.data).decode() == "".join(column.to_list())
    again = runs_column(runs)
    assert again.equals(column)
    assert pl.concat([again, again]).unique().sort().equals(column.unique().sort())


@given(columns(), st.data())
def test_rows_put_together_are_canonical_json(column: pl.Series, data: st.DataObject) -> None:
    height = len(column)
    numbers = pl.Series(data.draw(st.lists(WHOLES, min_size=height, max_size=height)), dtype=pl.Int64)
    flags = pl.Series(
        data.draw(st.lists(st.none() | st.booleans(), min_size=height, max_size=height)), dtype=pl.Boolean
    )
    made = join_runs(["[", *json_parts([column, numbers, flags]), "]"], height)
    rows = zip(column.to_list(), numbers.to_list(), flags.to_list(), strict=True)
    assert made.to_list() == [canonical_json(row).decode() for row in rows]
    assert join_runs([json_runs(column)], height).to_list() == [canonical_json(text).decode() for text in column]


def test_the_same_part_twice_is_written_twice() -> None:
    runs = text_runs(pl.Series(["a", "b"]))
    assert join_runs([runs, runs, "-", "", runs], 2).to_list() == ["aa-a", "bb-b"]


def test_what_is_lent_lives_as_long_as_a_column_reads_it() -> None:
    gc.collect()
    before = len(arrow._held)
    texts = [f"a text that is longer than twelve bytes, {number}" for number in range(100)]
    column = runs_column(text_runs(pl.Series(texts)))
    part = column.gather(np.arange(0, 100, 7))
    whole = pl.DataFrame({"a": pl.concat([part, column])}).filter(pl.col("a") != texts[0])
    assert len(arrow._held) == before + 1
    del column, part
    gc.collect()
    assert whole["a"].to_list() == [text for text in texts[::7] + texts if text != texts[0]]
    held = [whole]
    del whole
    # Polars gives it back in whatever thread lets go of it last.
    thread = Thread(target=held.clear)
    thread.start()
    thread.join()
    assert len(arrow._held) == before


def test_runs_may_lie_anywhere_in_their_bytes() -> None:
    data = np.frombuffer(bytearray(b"abcdefghijklmnopqrstuvwxyz"), np.uint8)
    runs = Runs(data, np.array([20, 0, 3]), np.array([2, 14, 0]))
    assert runs_column(runs).to_list() == ["uv", "abcdefghijklmn", ""]
    assert runs_column(runs.take(np.array([2, 0]))).to_list() == ["", "uv"]
