"""Keys: from a key's value to a small number (its slot) and to its key group.

Law: a hash is an index, never an identity. Slots are found by the key itself, so no two cards can merge; a slot's
number shows in no output, so it may differ between a run and its recovery.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.events import canonical_json
from styx_lab.core.state import key_group

__all__ = ["KEY_TYPES", "KeyIndex", "key_json"]

KEY_TYPES: Final = (pl.String, pl.Int64, pl.Boolean, pl.Datetime, pl.Date)
"""What a key column may be. Floats may not: 0.1 + 0.2 is another key than 0.3."""


def key_json(values: tuple[Any, ...]) -> bytes:
    """A key's canonical bytes: the JSON list of its columns' values (times as ISO text).

    >>> key_json(("card-17", 3))
    b'["card-17",3]'
    """
    return canonical_json(values)


class KeyIndex:
    """Slots for the keys that live now: dense small numbers, used again after `release`.

    >>> index = KeyIndex(["card_id"])
    >>> index.slots(pl.DataFrame({"card_id": ["a", "b", "a"]})).tolist()
    [0, 1, 0]
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._slots: dict[Any, int] = {}
        self._free: list[int] = []
        self.keys: list[Any] = []
        """The key of each slot: the value itself, or a tuple of values; None for a free slot."""
        self._groups = np.zeros(0, np.uint8)
        self._ungrouped: list[int] = []

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def capacity(self) -> int:
        """One more than the greatest slot number given out so far."""
        return len(self.keys)

    def slots(self, frame: pl.DataFrame) -> np.ndarray:
        """int64 slot of each row's key; unknown keys get one."""
        if not self.columns:
            values: list[Any] = [()] * frame.height
        elif len(self.columns) == 1:
            values = frame[self.columns[0]].to_list()
        else:
            values = frame.select(self.columns).rows()
        known = self._slots
        found = list(map(known.get, values))
        if None in found:
            for place, slot in enumerate(found):
                if slot is None:
                    found[place] = known[values[place]] if values[place] in known else self._add(values[place])
        return np.array(found, np.int64)

    def _add(self, key: Any) -> int:
        if self._free:
            slot = self._free.pop()
            self.keys[slot] = key
        else:
            slot = len(self.keys)
            self.keys.append(key)
        self._ungrouped.append(slot)
        self._slots[key] = slot
        return slot

    @property
    def groups(self) -> np.ndarray:
        """uint8 key group of each slot; worked out for new keys when it is asked for, which is at a snapshot."""
        if len(self._groups) < len(self.keys):
            self._groups = np.concatenate([self._groups, np.zeros(len(self.keys) - len(self._groups), np.uint8)])
        for slot in self._ungrouped:
            key = self.keys[slot]
            if key is not None:
                self._groups[slot] = key_group(key_json(key if isinstance(key, tuple) else (key,)))
        self._ungrouped = []
        return self._groups

    def release(self, slots: np.ndarray) -> None:
        """Forget keys that have no state any more."""
        for slot in slots.tolist():
            del self._slots[self.keys[slot]]
            self.keys[slot] = None
            self._free.append(slot)

    def frame(self, slots: np.ndarray, schema: dict[str, pl.DataType]) -> pl.DataFrame:
        """The key columns of slots, one row each."""
        keys = [self.keys[slot] for slot in slots.tolist()]
        if not self.columns:
            return pl.DataFrame()
        if len(self.columns) == 1:
            name = self.columns[0]
            return pl.DataFrame({name: pl.Series(name, keys, dtype=schema[name])})
        return pl.DataFrame(keys, schema={name: schema[name] for name in self.columns}, orient="row")
