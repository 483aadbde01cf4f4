"""The answer of every decoder: the good events as columns, the others as dead letters with a reason.

Law: `good` and the keys of `dead` part the input between them: read = decoded + dead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s

__all__ = ["REASONS", "Decoded", "split_good"]

REASONS: Final[Mapping[str, str]] = {
    "empty": "there is nothing but white space",
    "tombstone": "the payload is null: the source says that the key was deleted",
    "not_utf8": "some byte is no UTF-8",
    "not_json": "the text is not JSON",
    "not_an_object": "the JSON is no object",
    "too_deep": "the JSON is nested more than 64 levels deep",
    "wrong_type": "a column is not of the schema's type",
    "out_of_range": "a number or time does not fit the schema's type",
    "wrong_columns": "a line of CSV has more or fewer fields than the header",
    "wrong_quotes": "a line of CSV has quotes that do not match (a quoted line break is not supported)",
    "too_long": "a line is longer than a source will take",
}
"""Every reason word and what it means. A reason is the word, or the word, `: ` and detail."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The good events as columns, and why the others are dead letters.

    >>> from styx_lab.connectors.formats import decode_json
    >>> from styx_lab.core.schema import Schema
    >>> decoded = decode_json([b'{"a": 1}', b"", b'{"a": 3}'], Schema({"a": "int"}))
    >>> decoded.frame["a"].to_list(), decoded.good.tolist(), decoded.dead
    ([1, 3], [0, 2], {1: 'empty'})

    Attributes:
        frame: the schema's columns, one row a good event, in order.
        good: int64, for each row of `frame` the index it had in the input.
        dead: reason by index; the first word, up to `:`, is one of `REASONS`.
    """

    frame: pl.DataFrame
    good: Int64s
    dead: dict[int, str]


def split_good(count: int, dead: Mapping[int, str]) -> Int64s:
    """The indices of `count` events that are not dead, in order.

    >>> split_good(4, {1: "empty"}).tolist()
    [0, 2, 3]
    """
    if not dead:
        return np.arange(count, dtype=np.int64)
    alive = np.ones(count, dtype=np.bool_)
    alive[list(dead)] = False
    return np.flatnonzero(alive).astype(np.int64, copy=False)
