"""From a card to its slot, a small number, for whole columns at a time.

Law: a hash is an index, never an identity: the cards that slots stand for are compared with the column.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import polars as pl

from styx_lab.bench.kernels import find_slots
from styx_lab.errors import DataError

__all__ = ["CardSlots", "CardsByDict", "CardsByHash", "card_slots"]

_DICT_BELOW = 1_000


class CardSlots(Protocol):
    """Numbers cards from 0 on, in order of first appearance."""

    def __len__(self) -> int: ...

    def slots(self, column: pl.Series) -> np.ndarray:
        """int64, the slot of each card of a column; unknown ones get the next."""

    def names(self, slots: np.ndarray) -> pl.Series:
        """The cards of slots."""


class CardsByDict:
    """A dictionary: the better one for small batches."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def slots(self, column: pl.Series) -> np.ndarray:
        """int64, the slot of each card of a column."""
        known = self._slots
        found = [known.setdefault(card, len(known)) for card in column.to_list()]
        if len(known) > len(self._names):
            self._names = list(known)
        return np.array(found, np.int64)

    def names(self, slots: np.ndarray) -> pl.Series:
        """The cards of slots."""
        names = self._names
        return pl.Series([names[slot] for slot in slots.tolist()], dtype=pl.String())


class CardsByHash:
    """A table of 64-bit hashes, compared with the cards themselves: the better one for batches of thousands."""

    def __init__(self) -> None:
        self._names = pl.Series([], dtype=pl.String())
        self._table(1 << 16)

    def _table(self, size: int) -> None:
        self._hashes = np.zeros(size, np.uint64)
        self._table_slots = np.full(size, -1, np.int64)

    def __len__(self) -> int:
        return len(self._names)

    def slots(self, column: pl.Series) -> np.ndarray:
        """int64, the slot of each card of a column.

        Raises:
            DataError: when two cards have the same 64-bit hash.
        """
        if 2 * (len(self) + len(column)) > len(self._hashes):
            self._grow(4 * (len(self) + len(column)))
        slots, first_rows = np.empty(len(column), np.int64), np.empty(len(column), np.int64)
        new = find_slots(column.hash().to_numpy(), self._hashes, self._table_slots, slots, first_rows, len(self))
        if new:
            self._names = pl.concat([self._names, column.gather(first_rows[:new])]).rechunk()
        if not (self._names.gather(slots) == column).all():
            raise DataError("two cards have the same hash", where="bench")
        return slots

    def _grow(self, least: int) -> None:
        self._table(1 << least.bit_length())
        known = self._names.hash().to_numpy()
        slots, first_rows = np.empty(len(known), np.int64), np.empty(len(known), np.int64)
        find_slots(known, self._hashes, self._table_slots, slots, first_rows, 0)

    def names(self, slots: np.ndarray) -> pl.Series:
        """The cards of slots."""
        return self._names.gather(slots)


def card_slots(batch: int) -> CardSlots:
    """What serves batches of that many rows better."""
    return CardsByDict() if batch < _DICT_BELOW else CardsByHash()
