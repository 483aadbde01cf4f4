"""The rows of events that an operator may still need, found by their number.

Law: memory grows with what is needed; a sweep is paid for by the rows that came since the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.pick import pick, pick_of

__all__ = ["EventRows"]

_NUMBER: Final = "_number"
_FEW: Final = 4096
_SPARSE: Final = 16
"""Rows are looked up one by one where they are fewer than one of so many numbers."""
_CHUNKS: Final = 32
_CHUNK_ROWS: Final = 8192
"""Rows are put into one piece when there are more pieces than so many, and than one for so many rows."""
_FILTERED: Final = 1024
"""Frames of fewer rows are kept whole until the next sweep."""


class EventRows:
    """Rows in order of their numbers.

    >>> rows = EventRows({"a": pl.String()})
    >>> rows.add(pl.DataFrame({"a": ["x", "y"]}), np.array([3, 7]))
    >>> rows.find(np.array([7, 7]))["a"].to_list()
    ['y', 'y']
    """

    def __init__(self, schema: dict[str, pl.DataType]) -> None:
        # As one column of structs: it is longer for a pointer a frame, and rows of it are found without a query.
        self._rows = pl.DataFrame(schema=schema).to_struct("")
        self._numbers = np.empty(0, np.int64)
        # Whether a row was asked for; others of a small frame are there until the next sweep, and in no snapshot.
        self._asked = np.empty(0, np.bool_)
        self._added: list[tuple[pl.DataFrame, Int64s, np.ndarray]] = []
        self._count = 0
        self._swept = 0

    def __len__(self) -> int:
        return self._count

    def add(self, frame: pl.DataFrame, numbers: Int64s) -> None:
        """Keep rows; their numbers are greater than all before."""
        self._add(frame, numbers, np.ones(frame.height, np.bool_))

    def _add(self, frame: pl.DataFrame, numbers: Int64s, asked: np.ndarray) -> None:
        if frame.height:
            self._added.append((frame, numbers, asked))
            self._count += frame.height

    def add_some(self, frame: pl.DataFrame, numbers: Int64s, some: np.ndarray) -> None:
        """Keep the rows where `some` is true, and of a small frame the others, too, until the next sweep."""
        if frame.height < _FILTERED and some.any():
            # A filter is a query, which costs more than it would save.
            self._add(frame, numbers, some)
        else:
            self.add(frame.filter(pl.Series(some)), numbers[some])

    def _whole(self) -> pl.Series:
        if self._added:
            for frame, _, _ in self._added:
                self._rows.append(frame.to_struct(""))
            self._numbers = np.concatenate([self._numbers, *(numbers for _, numbers, _ in self._added)])
            self._asked = np.concatenate([self._asked, *(asked for _, _, asked in self._added)])
            self._added = []
            if self._rows.n_chunks() > max(_CHUNKS, len(self._rows) // _CHUNK_ROWS):
                # To look into many pieces takes longer than to put them together now and then.
                self._rows = self._rows.rechunk()
        return self._rows

    def find(self, numbers: Int64s, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of these numbers, in that order, with all columns or with some."""
        rows, places = self._whole(), np.searchsorted(self._numbers, numbers)
        if columns is None:
            return pick_of(rows, places).struct.unnest()
        frame = rows.struct.unnest()
        return pick(pl.DataFrame([frame.get_column(name) for name in columns]), places)

    @property
    def worth_sweeping(self) -> bool:
        """Whether the rows have more than doubled since the last sweep."""
        return self._count > 2 * self._swept + _FEW

    def keep(self, numbers: Int64s) -> None:
        """Forget all rows but these."""
        frame = self._whole().struct.unnest()
        kept = self._named(numbers) & self._asked
        self._rows = frame.filter(pl.Series(kept)).rechunk().to_struct("")
        self._numbers, self._asked = self._numbers[kept], self._asked[kept]
        self._count = self._swept = len(self._rows)

    def _named(self, numbers: Int64s) -> np.ndarray:
        """For each row whether its number is one of these."""
        kept = np.zeros(len(self._numbers), np.bool_)
        if not len(kept):
            return kept
        first, last = self._numbers[0], self._numbers[-1]
        if last - first < _SPARSE * len(kept):
            # They lie close together, as most do: to mark them takes neither a search nor a sort.
            marked = np.zeros(last - first + 1, np.bool_)
            marked[numbers[(numbers >= first) & (numbers <= last)] - first] = True
            found: np.ndarray = marked[self._numbers - first]
            return found
        places = np.searchsorted(self._numbers, numbers)
        found = places < len(kept)
        found[found] = self._numbers[places[found]] == numbers[found]
        kept[places[found]] = True
        return kept

    def frame(self) -> pl.DataFrame:
        """All rows that were asked to be kept, with their numbers in `_number`."""
        numbered = self._whole().struct.unnest().with_columns(pl.Series(_NUMBER, self._numbers, pl.Int64))
        return numbered if self._asked.all() else numbered.filter(pl.Series(self._asked))
