"""Keys: from a key's value to a small number (its slot) and to its key group.

Law: a hash is an index, never an identity. Slots are found by the key itself, so no two cards can merge; a slot's
number shows in no output, so it may differ between a run and its recovery.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
import polars as pl

from styx_lab.core.events import canonical_json
from styx_lab.core.state import KEY_GROUPS
from styx_lab.errors import DataError

if TYPE_CHECKING:
    from styx_lab.core.texts import Runs

__all__ = ["KEY_TYPES", "KeyIndex", "key_json"]

KEY_TYPES: Final = (pl.String, pl.Int64, pl.Boolean, pl.Datetime, pl.Date)
"""What a key column may be. Floats may not: 0.1 + 0.2 is another key than 0.3."""
_NO_GROUP: Final = 255


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

    Keys are kept as bytes in flat arrays, with no Python object each: a million cards of 16 digits take 80 MB.

    Args:
        columns: the columns of the key; none where all events have one key.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        # Numba is loaded by who runs a flow, not by who says one.
        from styx_lab.core.key_store import KeyStore

        self.columns = tuple(columns)
        self._store = KeyStore()
        self._types: dict[str, pl.DataType] | None = None
        self._groups = np.zeros(0, np.uint8)

    def __len__(self) -> int:
        return len(self._store)

    @property
    def capacity(self) -> int:
        """One more than the greatest slot number given out so far."""
        return self._store.capacity

    @property
    def nbytes(self) -> int:
        """The memory that the keys take, bytes."""
        return self._store.nbytes + self._groups.nbytes

    @property
    def keys(self) -> Sequence[Any]:
        """The key of each slot: the value itself, or a tuple of values; None for a free slot. For messages: slow."""
        return _Keys(self)

    def key(self, slot: int) -> Any:
        """The key of one slot, as `keys` has it."""
        if not self._store.lives(slot):
            return None
        values = self.frame(np.array([slot], np.int64), self._types or {})
        row = values.row(0) if self.columns else ()
        return row[0] if len(self.columns) == 1 else row

    @property
    def living(self) -> np.ndarray:
        """int64, the slots in use, rising."""
        return self._store.living()

    def slots(self, frame: pl.DataFrame) -> np.ndarray:
        """int64 slot of each row's key; unknown keys get one.

        Raises:
            DataError: when a column is of another type than before.
        """
        from styx_lab.core.key_bytes import encode_keys

        columns = [frame.get_column(name) for name in self.columns]
        types = {column.name: column.dtype for column in columns}
        if self._types is None:
            self._types = types
        elif self._types != types:
            raise DataError(
                "the columns of a key changed their types",
                where=f"key {', '.join(self.columns)}",
                got=", ".join(f"{name}: {dtype}" for name, dtype in types.items()),
                hint="cast them to " + ", ".join(f"{name}: {dtype}" for name, dtype in self._types.items()),
            )
        return self._store.slots(encode_keys(columns, frame.height))

    @property
    def groups(self) -> np.ndarray:
        """uint8 key group of each slot; worked out for new keys when it is asked for, which is at a snapshot."""
        more = self.capacity - len(self._groups)
        if more:
            self._groups = np.concatenate([self._groups, np.full(more, _NO_GROUP, np.uint8)])
        living = self._store.living()
        new = living[self._groups[living] == _NO_GROUP]
        if len(new):
            self._groups[new] = [zlib.crc32(text) % KEY_GROUPS for text in self.texts(new)]
        return self._groups

    def texts(self, slots: np.ndarray) -> list[bytes]:
        """The canonical JSON of slots' keys (see `key_json`)."""
        from styx_lab.core.key_bytes import key_texts

        if not len(slots):
            return []
        frame = self.frame(slots, self._types or {})
        return key_texts(frame.get_columns(), len(slots))

    def release(self, slots: np.ndarray) -> None:
        """Forget keys that have no state any more."""
        self._store.release(np.array(slots, np.int64))
        self._groups[slots[slots < len(self._groups)]] = _NO_GROUP

    def frame(self, slots: np.ndarray, schema: dict[str, pl.DataType]) -> pl.DataFrame:
        """The key columns of slots, one row each."""
        from styx_lab.core.key_bytes import decode_keys

        if not self.columns:
            return pl.DataFrame()
        keys = self._store.keys(np.array(slots, np.int64))
        return pl.DataFrame(decode_keys(keys, {name: schema[name] for name in self.columns}))

    def frame_and_json(
        self, slots: np.ndarray, schema: dict[str, pl.DataType]
    ) -> tuple[pl.DataFrame, list[Runs | str]]:
        """The key columns of slots, and their values as canonical JSON with commas between them, for `join_runs`."""
        from styx_lab.core.key_bytes import any_null_text, decode_keys
        from styx_lab.core.texts import json_parts

        if not self.columns:
            return pl.DataFrame(), []
        keys = self._store.keys(np.array(slots, np.int64))
        columns = decode_keys(keys, {name: schema[name] for name in self.columns})
        if len(columns) == 1 and columns[0].dtype == pl.String and not any_null_text(keys):
            # The bytes of such keys are their texts.
            return pl.DataFrame(columns), json_parts([keys])
        return pl.DataFrame(columns), json_parts(columns)


class _Keys(Sequence[Any]):
    """The keys by slot, as Python values."""

    def __init__(self, index: KeyIndex) -> None:
        self._index = index

    def __len__(self) -> int:
        return self._index.capacity

    @overload
    def __getitem__(self, slot: int) -> Any: ...

    @overload
    def __getitem__(self, slot: slice) -> list[Any]: ...

    def __getitem__(self, slot: int | slice) -> Any:
        if isinstance(slot, slice):
            return [self[one] for one in range(*slot.indices(len(self)))]
        if not 0 <= slot < len(self):
            raise IndexError(f"no such slot: {slot}")
        return self._index.key(slot)
