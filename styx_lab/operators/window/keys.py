"""The keys of a window's results: their columns and the beginning of their origin, by slot.

Law: the origin of a result is the canonical JSON `[step, key..., window start ms, window end ms, firing]`; it
depends on the key's value, never on its slot.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import canonical_json
from styx_lab.core.key_bytes import key_texts
from styx_lab.core.keys import KeyIndex

__all__ = ["ResultKeys", "origin_ends"]

_PREFIX = "_prefix"
_NONE = -1
_PIECES = 8
_SHARE = 16


class ResultKeys:
    """Key columns and origins of results, made with no Python object a row: each key's text is made once and gathered.

    Args:
        step: the name of the step.
        schema: the key columns.
        index: the slots of the keys.
    """

    def __init__(self, step: str, schema: dict[str, pl.DataType], index: KeyIndex) -> None:
        # As columns of one value: to add a plain text, Polars makes a query.
        self._begin, self._end = pl.Series([f"[{canonical_json(step).decode()},"]), pl.Series([",["])
        self._schema = schema
        self._index = index
        self.clear()

    def clear(self) -> None:
        """Forget all keys."""
        self._texts = pl.DataFrame(schema={**self._schema, _PREFIX: pl.String})
        self._at = np.zeros(0, np.int64)
        self._known = 0
        self._gathered = 0

    def forget(self, slots: Int64s) -> None:
        """These slots are free, or will be other keys."""
        slots = slots[slots < len(self._at)]
        self._known -= int((self._at[slots] != _NONE).sum())
        self._at[slots] = _NONE

    def columns(self, slots: Int64s) -> tuple[list[pl.Series], pl.Series]:
        """The key columns of results, and their origins as far as the key goes; `origin_ends` are to follow."""
        if self._index.capacity > len(self._at):
            more = np.full(self._index.capacity + self._index.capacity // 4 - len(self._at), _NONE, np.int64)
            self._at = np.concatenate([self._at, more])
        at = self._at[slots]
        missing = slots[at == _NONE]
        if len(missing):
            self._learn(_distinct(missing, len(self._at)))
            at = self._at[slots]
        self._in_one_piece(len(at))
        texts = self._texts[at]
        return [texts.get_column(name) for name in self._schema], texts.get_column(_PREFIX)

    def _learn(self, slots: Int64s) -> None:
        if len(self._texts) > 2 * self._known + 1024:
            # More is dead than lives: begin again with the living.
            living = np.flatnonzero(self._at != _NONE)
            slots = np.concatenate([living, slots])
            self.clear()
            self._at = np.full(self._index.capacity, _NONE, np.int64)
        frame = self._index.frame(slots, self._schema)
        texts = pl.Series(key_texts(frame.get_columns(), len(slots)), dtype=pl.Binary).cast(pl.String)
        prefixes = self._begin + texts + self._end
        self._at[slots] = np.arange(len(self._texts), len(self._texts) + len(slots))
        learnt = pl.DataFrame([*frame.get_columns(), prefixes.alias(_PREFIX)])
        self._texts = pl.concat([self._texts, learnt], rechunk=False)
        self._known += len(slots)

    def _in_one_piece(self, rows: int) -> None:
        """Gathering from pieces costs 30 ns more a row, putting them together 2 ns for each text that is there."""
        pieces = self._texts.n_chunks()
        self._gathered += rows
        if pieces > _PIECES or (pieces > 1 and _SHARE * self._gathered > len(self._texts)):
            self._texts = self._texts.rechunk()
            self._gathered = 0


def origin_ends(starts: Int64s, ends: Int64s) -> list[str]:
    """How the origins of windows end, that go from `starts` to `ends` (ms) and fire once."""
    return [f"{start},{end},0]]" for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def _distinct(slots: Int64s, capacity: int) -> Int64s:
    """The slots, each once, rising."""
    if 16 * len(slots) < capacity:
        return np.unique(slots)
    # Marking them costs a tenth of sorting or hashing them.
    marked = np.zeros(capacity, np.bool_)
    marked[slots] = True
    return np.flatnonzero(marked)
