"""The state of all keys, one store for each state that a process declares.

Laws: what has lived its time is not seen, whether it is still held or not, so that when it is swept out cannot show; a
store is a table, row by row, and back.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Any, Final

import polars as pl

from styx_lab.flow.process import DeclaredState
from styx_lab.flow.process.values import check_of
from styx_lab.operators.process.scope import NEVER

__all__ = ["ListStore", "MapStore", "Row", "Store", "ValueStore", "store_of"]

_END: Final = "_end"
_VALUE: Final = "_value"
_INNER: Final = "_inner"
_SAMPLE: Final = 64

Row = tuple[Any, Any, Any, int]
"""One value that is held: the key, the key in the map (or None), the value, and when it ends, epoch ms."""


class Store(ABC):
    """What the kinds have in common.

    Attributes:
        held: what is held, by key; the handles read and write it.
        check: how a value is checked.
        check_inner: how a map's key is checked.
        ttl: how long a value lives, ms; None for ever.
    """

    def __init__(self, name: str, state: DeclaredState[Any]) -> None:
        self.name = name
        self.held: dict[Any, Any] = {}
        self.check = check_of(state.type, f"state {name!r}")
        self.check_inner = check_of(state.key_type or "str", f"state {name!r}, key")
        self.ttl = state.ttl_ms
        self._dtype = state.dtype
        self._inner_dtype = state.key_dtype
        # When to look at a key again: none of what it holds ends before.
        self._looks: list[tuple[int, int, Any]] = []
        self._awaited: set[Any] = set()
        self._count = 0

    def next_number(self) -> int:
        """A number greater than all before."""
        self._count += 1
        return self._count

    def look_at(self, key: Any, end: int) -> None:
        """Sweep a key when the watermark reaches a time."""
        if key not in self._awaited:
            self._awaited.add(key)
            heappush(self._looks, (end, self.next_number(), key))

    def sweep(self, now: int) -> None:
        """Let go of what has ended."""
        again = []
        while self._looks and self._looks[0][0] <= now:
            _, _, key = heappop(self._looks)
            self._awaited.discard(key)
            end = self._sweep(key, now) if key in self.held else None
            if end is not None:
                again.append((key, end))
        for key, end in again:
            self.look_at(key, end)

    def clear(self) -> None:
        """Forget everything."""
        self.held.clear()
        self._looks, self._awaited = [], set()

    @abstractmethod
    def _sweep(self, key: Any, now: int) -> int | None:
        """Let go of what has ended of a key; gives when more of it does, None where nothing is left."""

    @abstractmethod
    def __len__(self) -> int:
        """How many values are held."""

    @abstractmethod
    def _rows(self) -> Iterator[Row]:
        """What is held."""

    @abstractmethod
    def _put(self, row: Row) -> None:
        """Hold a row again."""

    def table(self, now: int) -> tuple[list[Any], pl.DataFrame]:
        """What lives, as a table, with the key of each row."""
        rows = [row for row in self._rows() if row[3] > now]
        columns = [pl.Series(_VALUE, [row[2] for row in rows], self._dtype)]
        if self._inner_dtype is not None:
            columns.insert(0, pl.Series(_INNER, [row[1] for row in rows], self._inner_dtype))
        if self.ttl is not None:
            columns.append(pl.Series(_END, [row[3] for row in rows], pl.Int64))
        return [row[0] for row in rows], pl.DataFrame(columns)

    def fill(self, keys: list[Any], table: pl.DataFrame) -> None:
        """Hold a table's rows, in their order, and nothing else."""
        self.clear()
        inner = table[_INNER].to_list() if _INNER in table.columns else [None] * table.height
        ends = table[_END].to_list() if _END in table.columns else [NEVER] * table.height
        for row in zip(keys, inner, table[_VALUE].to_list(), ends, strict=True):
            self._put(row)
            if self.ttl is not None:
                self.look_at(row[0], row[3])

    def bytes(self) -> int:
        """About how many bytes are held: as many as if all were as the first few."""
        sample = list(islice(self._rows(), _SAMPLE))
        if not sample:
            return 0
        each = sum(sys.getsizeof(one) for row in sample for one in row) + 64 * len(sample)
        return each * len(self) // len(sample)


class ValueStore(Store):
    """One value a key: `held[key]` is the value and its end."""

    def _sweep(self, key: Any, now: int) -> int | None:
        end: int = self.held[key][1]
        if end > now:
            return end
        del self.held[key]
        return None

    def __len__(self) -> int:
        return len(self.held)

    def _rows(self) -> Iterator[Row]:
        return ((key, None, value, end) for key, (value, end) in self.held.items())

    def _put(self, row: Row) -> None:
        key, _, value, end = row
        self.held[key] = (value, end)


class ListStore(Store):
    """A list a key: `held[key]` is a list of values with their ends."""

    def _sweep(self, key: Any, now: int) -> int | None:
        left: list[tuple[Any, int]] = [one for one in self.held[key] if one[1] > now]
        if left:
            self.held[key] = left
            return min(end for _, end in left)
        del self.held[key]
        return None

    def __len__(self) -> int:
        return sum(map(len, self.held.values()))

    def _rows(self) -> Iterator[Row]:
        return ((key, None, value, end) for key, values in self.held.items() for value, end in values)

    def _put(self, row: Row) -> None:
        key, _, value, end = row
        self.held.setdefault(key, []).append((value, end))


class MapStore(Store):
    """A map a key: `held[key]` is a dict of values with their ends and their places in the order of adding."""

    def _sweep(self, key: Any, now: int) -> int | None:
        left: dict[Any, tuple[Any, int, int]] = {inner: one for inner, one in self.held[key].items() if one[1] > now}
        if left:
            self.held[key] = left
            return min(one[1] for one in left.values())
        del self.held[key]
        return None

    def __len__(self) -> int:
        return sum(map(len, self.held.values()))

    def _rows(self) -> Iterator[Row]:
        return (
            (key, inner, value, end) for key, entries in self.held.items() for inner, (value, end, _) in entries.items()
        )

    def _put(self, row: Row) -> None:
        key, inner, value, end = row
        self.held.setdefault(key, {})[inner] = (value, end, self.next_number())


_STORES: Final[dict[str, type[Store]]] = {
    "value": ValueStore,
    "list": ListStore,
    "map": MapStore,
    "broadcast": MapStore,
}


def store_of(name: str, state: DeclaredState[Any]) -> Store:
    """The store of a declared state."""
    return _STORES[state.kind](name, state)
