"""Texts as runs of bytes: read out of a column, written as JSON, put together row by row, and made a column again.

Law: what is written as JSON is canonical (see `core.events.canonical_json`), byte for byte.

It is how an origin is made: a thousand rows with one compiled pass a part, and no Python object a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from styx_lab.core import text_kernel as k
from styx_lab.core.arrow import VIEW_WORDS, Bytes, borrow, lend
from styx_lab.core.batch import Int64s
from styx_lab.core.events import OFFSET, ORIGIN, PARTITION, SOURCE, canonical_json

__all__ = [
    "Runs",
    "byte_runs",
    "join_bytes",
    "join_runs",
    "json_parts",
    "json_runs",
    "origin_parts",
    "runs_column",
    "starts_of",
    "text_runs",
    "whole_runs",
]

_GREATEST = 2**31
"""A view's place in a buffer has 31 bits."""


class Runs(NamedTuple):
    """Bytes, and where each run begins in them and how long it is."""

    data: Bytes
    starts: Int64s
    lengths: Int64s

    def take(self, rows: Int64s) -> Runs:
        """These runs, of the same bytes."""
        return Runs(self.data, self.starts[rows], self.lengths[rows])


def starts_of(lengths: Int64s) -> Int64s:
    """Where runs of these lengths begin that lie one behind the other."""
    starts = np.zeros(len(lengths), np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    return starts


def text_runs(column: pl.Series) -> Runs:
    """The UTF-8 of a String column without nulls.

    >>> bytes(text_runs(pl.Series(["ab", "", "c"])).data)
    b'abc'
    """
    lent = borrow(column)
    lengths = lent.views[:, 0].astype(np.int64)
    starts = starts_of(lengths)
    data = np.empty(int(lengths.sum()), np.uint8)
    k.copy_texts(lent.views, lent.buffers, starts, data)
    return Runs(data, starts, lengths)


def runs_column(runs: Runs) -> pl.Series:
    """A String column of runs, whose bytes must be UTF-8 and may not change afterwards.

    >>> runs_column(text_runs(pl.Series(["ab", "a text of more than twelve bytes"]))).to_list()
    ['ab', 'a text of more than twelve bytes']
    """
    if len(runs.data) >= _GREATEST:
        half = len(runs.starts) // 2
        parts = [
            _packed(Runs(runs.data, *(array[part] for array in runs[1:]))) for part in (slice(half), slice(half, None))
        ]
        return pl.concat([runs_column(part) for part in parts])
    views = np.empty((len(runs.starts), VIEW_WORDS), np.int32)
    k.view_texts(*runs, views)
    return lend(views, runs.data)


def _packed(runs: Runs) -> Runs:
    return _joined([runs], len(runs.starts))


def json_runs(column: pl.Series) -> Runs:
    r"""Each value as canonical JSON.

    >>> bytes(json_runs(pl.Series(['a"b', None])).data), bytes(json_runs(pl.Series([True, False])).data)
    (b'"a\\"b"null', b'truefalse')
    """
    if column.null_count():
        return byte_runs([canonical_json(value) for value in column.to_list()])
    if column.dtype == pl.String:
        return _quoted(text_runs(column))
    if column.dtype.is_integer():
        return whole_runs(column.cast(pl.Int64).to_numpy().astype(np.int64))
    return byte_runs([canonical_json(value) for value in column.to_list()])


def _quoted(texts: Runs) -> Runs:
    lengths = np.empty(len(texts.starts), np.int64)
    k.quoted_lengths(*texts, lengths)
    starts = starts_of(lengths)
    data = np.empty(int(lengths.sum()), np.uint8)
    k.quote_texts(*texts, starts, lengths, data)
    return Runs(data, starts, lengths)


def json_parts(columns: Sequence[pl.Series | Runs]) -> list[Runs | str]:
    """The values of columns as canonical JSON, with commas between them: parts for `join_runs`.

    >>> join_runs(["[", *json_parts([pl.Series(["a"]), pl.Series([1])]), "]"], 1).to_list()
    ['["a",1]']

    Args:
        columns: each as a column, or as the UTF-8 of its texts.
    """
    parts: list[Runs | str] = []
    for column in columns:
        texts = column if isinstance(column, Runs) else None
        if isinstance(column, pl.Series) and column.dtype == pl.String and not column.null_count():
            texts = text_runs(column)
        if texts is None:
            assert isinstance(column, pl.Series)
            parts += [json_runs(column), ","]
        elif k.has_escapes(texts.data):
            parts += [_quoted(texts), ","]
        else:
            # As most texts are: nothing is written twice.
            parts += ['"', texts, '"', ","]
    return parts[:-1]


def whole_runs(values: Int64s) -> Runs:
    """Whole numbers in decimal."""
    data = np.empty(k.DIGITS * len(values), np.uint8)
    starts, lengths = np.empty(len(values), np.int64), np.empty(len(values), np.int64)
    k.write_wholes(values, data, starts, lengths)
    return Runs(data, starts, lengths)


def byte_runs(texts: Sequence[bytes]) -> Runs:
    """Runs of bytes that are there one by one."""
    lengths = np.array([len(text) for text in texts], np.int64)
    return Runs(_bytes(b"".join(texts)), starts_of(lengths), lengths)


def _bytes(text: bytes) -> Bytes:
    # The kernels take arrays that are writable.
    return np.frombuffer(bytearray(text), np.uint8)


def join_runs(parts: Iterable[Runs | str], height: int) -> pl.Series:
    """A String column: of each row its run of every part, one behind the other; a text is a part of all rows alike.

    >>> join_runs(["[", json_runs(pl.Series([1, -20])), "]"], 2).to_list()
    ['[1]', '[-20]']
    """
    return runs_column(_joined(parts, height))


def join_bytes(parts: Iterable[Runs | str], height: int) -> Runs:
    """As `join_runs`, as runs that lie one behind the other."""
    return _joined(parts, height)


def origin_parts(frame: pl.DataFrame) -> list[Runs | str]:
    """What identifies each row for ever (see `core.events.origins`), as parts of a text.

    >>> raw = pl.DataFrame({"_source": ["a"], "_partition": [0], "_offset": [7]})
    >>> join_runs(origin_parts(raw), 1).to_list()
    ['["a",0,7]']
    """
    if ORIGIN not in frame.columns:
        return ["[", *json_parts([frame[name] for name in (SOURCE, PARTITION, OFFSET)]), "]"]
    column = frame[ORIGIN]
    return [text_runs(column) if column.dtype == pl.String else json_runs(column)]


def _joined(parts: Iterable[Runs | str], height: int) -> Runs:
    written: list[Runs | Bytes] = []
    text = ""
    for part in [*parts, None]:
        # Texts that follow each other are one pass.
        if isinstance(part, str):
            text += part
            continue
        if text:
            written.append(_bytes(text.encode()))
            text = ""
        if part is not None:
            written.append(part)
    lengths = np.zeros(height, np.int64)
    for one in written:
        lengths += one.lengths if isinstance(one, Runs) else len(one)
    starts = starts_of(lengths)
    data, cursors = np.empty(int(lengths.sum()), np.uint8), starts.copy()
    for one in written:
        if isinstance(one, Runs):
            k.put_texts(data, cursors, *one)
        else:
            k.put_text(data, cursors, one)
    return Runs(data, starts, lengths)
