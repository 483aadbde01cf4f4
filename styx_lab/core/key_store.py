"""The room of `KeyIndex`: grows what is full, and packs the arena when half of it is dead.

Law: memory follows the most keys that lived at one time; a slot's number stays while its key lives.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from styx_lab.core import key_table as t
from styx_lab.core.batch import Int64s
from styx_lab.core.texts import Runs

__all__ = ["ALL_TAGS", "KeyStore"]

ALL_TAGS: Final = 2**31 - 1
"""The bits of a hash that are used: all."""
_LEAST: Final = 64


class KeyStore:
    """Slots for runs of bytes.

    >>> from styx_lab.core.key_bytes import encode_keys
    >>> import polars as pl
    >>> store = KeyStore()
    >>> store.slots(encode_keys([pl.Series(["a", "b", "a"])], 3)).tolist(), len(store)
    ([0, 1, 0], 2)

    Args:
        tags: the bits of a hash that are used; fewer make collisions, for tests.
    """

    def __init__(self, tags: int = ALL_TAGS) -> None:
        self._tags = tags
        self._arrays = t.KeyArrays(
            np.zeros(t.CONTROL_WORDS, np.int64),
            table=np.zeros(2 * _LEAST, np.int64),
            arena=np.empty(0, np.uint8),
            places=np.zeros((_LEAST, 2), np.int64),
            free=np.zeros(_LEAST, np.int64),
        )

    def __len__(self) -> int:
        return int(self._arrays.control[t.LIVE])

    @property
    def capacity(self) -> int:
        """One more than the greatest slot number given out so far."""
        return int(self._arrays.control[t.NEXT])

    @property
    def nbytes(self) -> int:
        """The memory that is held, bytes."""
        return sum(array.nbytes for array in self._arrays)

    def slots(self, keys: Runs) -> Int64s:
        """The slot of each key; unknown ones get one."""
        data, starts, lengths = keys
        slots = np.empty(len(starts), np.int64)
        row = 0
        while (row := t.find_slots(self._arrays, data, starts, lengths, self._tags, row, slots)) < len(starts):
            self._make_room(int(lengths[row]))
        return slots

    def living(self) -> Int64s:
        """The slots whose keys live."""
        return np.flatnonzero(self._arrays.places[: self.capacity, t.LENGTH] >= 0)

    def lives(self, slot: int) -> bool:
        """Whether a slot has a key."""
        return bool(self._arrays.places[slot, t.LENGTH] >= 0)

    def keys(self, slots: Int64s) -> Runs:
        """The bytes of slots' keys."""
        starts, lengths = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64)
        data = np.empty(t.lay_out(self._arrays, slots, starts, lengths), np.uint8)
        t.copy_keys(self._arrays, slots, starts, data)
        return Runs(data, starts, lengths)

    def release(self, slots: Int64s) -> None:
        """Forget keys; their slots can be used again."""
        t.drop_slots(self._arrays, slots, self._tags)

    def _make_room(self, length: int) -> None:
        """Room for one more key of some length, and for many more in all."""
        arrays, control = self._arrays, self._arrays.control
        if 2 * (control[t.LIVE] + 1) > len(arrays.table):
            table = np.zeros(2 * len(arrays.table), np.int64)
            t.rehash(arrays.table, table)
            arrays = arrays._replace(table=table)
        if control[t.USED] + length > len(arrays.arena):
            alive = int(control[t.USED] - control[t.DEAD])
            arena = np.empty(2 * (alive + length) + _LEAST, np.uint8)
            t.move_keys(arrays, arena)
            arrays = arrays._replace(arena=arena)
        if not control[t.FREE] and control[t.NEXT] == len(arrays.places):
            more = len(arrays.places)
            arrays = arrays._replace(
                places=np.concatenate([arrays.places, np.zeros((more, 2), np.int64)]),
                free=np.concatenate([arrays.free, np.zeros(more, np.int64)]),
            )
        self._arrays = arrays
