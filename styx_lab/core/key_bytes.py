"""Keys as bytes and back: the columns of a key as one run of bytes a row, and the canonical JSON of keys.

Law: two keys have the same bytes exactly when all their columns are equal, so bytes may be compared in their stead.

Bytes are no format: they live as long as the process. A single text is its UTF-8, a single number (or bool, or time,
as a number) its eight bytes. Of several columns it is a word whose bits say which are null, then each column: a number
as its word, a text as its length and its UTF-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import canonical_json
from styx_lab.core.key_table import put_words, take_words
from styx_lab.core.text_kernel import put_texts
from styx_lab.core.texts import Runs, byte_runs, runs_column, starts_of, text_runs

__all__ = ["any_null_text", "decode_keys", "encode_keys", "key_texts"]

_NULL_TEXT: Final = b"\xff"  # no UTF-8 begins so
_PLAIN_TYPES: Final = (pl.String, pl.Int64, pl.Boolean)
_ENCODE: Final = msgspec.json.Encoder().encode


def encode_keys(columns: Sequence[pl.Series], height: int) -> Runs:
    """The bytes of each row's key.

    >>> data, starts, lengths = encode_keys([pl.Series(["ab", "", "c"])], 3)
    >>> bytes(data), starts.tolist(), lengths.tolist()
    (b'abc', [0, 2, 2], [2, 0, 1])

    Args:
        columns: those of the key, of `KEY_TYPES`.
        height: how many rows they have (there may be no column).
    """
    if len(columns) == 1:
        (column,) = columns
        if column.dtype == pl.String:
            return _texts(column)
        words, nulls = _words(column)
        lengths = np.full(height, 8, np.int64) if nulls is None else np.where(nulls, 0, 8)
        return Runs(words.view(np.uint8), np.arange(height, dtype=np.int64) * 8, lengths)
    masks, lengths = np.zeros(height, np.int64), np.zeros(height, np.int64)
    parts: list[tuple[Int64s, Runs | None]] = []
    for place, column in enumerate(columns):
        nulls = column.is_null().to_numpy() if column.null_count() else None
        if nulls is not None:
            masks |= nulls.astype(np.int64) << place
        if column.dtype == pl.String:
            texts = _texts(column if nulls is None else column.fill_null(""))
            parts.append((texts.lengths, texts))
            lengths += texts.lengths
        else:
            parts.append((_words(column)[0], None))
    if columns:
        lengths += 8 * (1 + len(columns))
    starts = starts_of(lengths)
    data, cursors = np.empty(int(lengths.sum()), np.uint8), starts.copy()
    if columns:
        put_words(data, cursors, masks)
    for words, part in parts:
        put_words(data, cursors, words)
        if part is not None:
            put_texts(data, cursors, *part)
    return Runs(data, starts, lengths)


def decode_keys(keys: Runs, schema: dict[str, pl.DataType]) -> list[pl.Series]:
    """The columns whose bytes `encode_keys` gave."""
    data, starts, lengths = keys
    if len(schema) == 1:
        ((name, dtype),) = schema.items()
        if dtype == pl.String:
            if not any_null_text(keys):
                return [runs_column(keys).alias(name)]
            nulls = lengths == 1
            nulls[nulls] = data[starts[nulls]] == _NULL_TEXT[0]
            return [_named(name, runs_column(Runs(data, starts, np.where(nulls, 0, lengths))), nulls, dtype)]
        words = np.zeros(len(starts), np.int64)
        valid = lengths > 0
        found = np.empty(int(valid.sum()), np.int64)
        take_words(data, starts[valid], found)
        words[valid] = found
        return [_named(name, pl.Series(words), ~valid, dtype)]
    masks, cursors = np.empty(len(starts), np.int64), starts.copy()
    columns = []
    if schema:
        take_words(data, cursors, masks)
    for place, (name, dtype) in enumerate(schema.items()):
        words = np.empty(len(starts), np.int64)
        take_words(data, cursors, words)
        column = pl.Series(words)
        if dtype == pl.String:
            column = runs_column(Runs(data, cursors.copy(), words))
            cursors += words
        columns.append(_named(name, column, (masks >> place & 1).astype(np.bool_), dtype))
    return columns


def any_null_text(keys: Runs) -> bool:
    """Whether one of some keys of a single text is null."""
    short = keys.lengths == 1
    return bool(short.any()) and bool((keys.data[keys.starts[short]] == _NULL_TEXT[0]).any())


def key_texts(columns: Sequence[pl.Series], height: int) -> list[bytes]:
    r"""The canonical JSON of each row's key: the list of its columns' values.

    >>> key_texts([pl.Series(["a", 'b"c']), pl.Series([1, None])], 2)
    [b'["a",1]', b'["b\\"c",null]']
    """
    rows = zip(*(column.to_list() for column in columns), strict=True) if columns else [()] * height
    # What needs no other text than JSON's own is written four times as fast.
    plain = all(column.dtype in _PLAIN_TYPES for column in columns)
    return [*map(_ENCODE if plain else canonical_json, rows)]


def _words(column: pl.Series) -> tuple[Int64s, np.ndarray | None]:
    """A column as whole numbers (null as 0), and where it is null, if anywhere."""
    whole = column.to_physical().cast(pl.Int64)
    if not column.null_count():
        return np.array(whole.to_numpy(), np.int64), None
    return np.array(whole.fill_null(0).to_numpy(), np.int64), column.is_null().to_numpy()


def _texts(column: pl.Series) -> Runs:
    """A column's UTF-8."""
    if not column.null_count():
        return text_runs(column)
    return byte_runs([_NULL_TEXT if text is None else text.encode() for text in column.to_list()])


def _named(name: str, column: pl.Series, nulls: np.ndarray, dtype: pl.DataType) -> pl.Series:
    if dtype == pl.Date:
        column = column.cast(pl.Int32)
    column = column.cast(dtype).alias(name)
    return column.set(pl.Series(nulls), None) if nulls.any() else column
