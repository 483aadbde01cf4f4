"""The flow's one sequence of input: several sources merged in order of arrival, cut into slices, numbered.

Law: the sequence depends on the sources alone, never on how large the slices are. Sources are merged by arrival time
(by their running count where one of them did not record it), ties in the order of the flow's sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from styx_lab.core.batch import Int64s
from styx_lab.core.ports import Arrivals, Source
from styx_lab.errors import DataError

__all__ = ["Feed", "Slice", "cut"]


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of the sequence: each source's arrivals, and their numbers in the whole."""

    arrivals: Mapping[str, Arrivals]
    sequence: Mapping[str, Int64s]

    def __len__(self) -> int:
        return sum(len(arrivals) for arrivals in self.arrivals.values())


class _Reader:
    """One source with what was read from it and not handed out yet."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.ended = False
        self._from = source.position()
        self._held: Arrivals | None = None
        self._at = 0
        self._count = 0
        self._latest = np.iinfo(np.int64).min

    def __len__(self) -> int:
        return 0 if self._held is None else len(self._held) - self._at

    def fill(self, most: int) -> None:
        if self.ended or len(self):
            return
        self._from = self.source.position()
        self._held, self._at = self.source.read(most), 0
        self.ended = self._held is None

    def keys(self, *, by_arrival: bool) -> Int64s:
        held = self._held
        if held is None:
            return np.empty(0, np.int64)
        if by_arrival and held.arrival is not None:
            return np.maximum(np.maximum.accumulate(held.arrival), self._latest)[self._at :]
        return np.arange(self._count, self._count + len(self), dtype=np.int64)

    def take(self, count: int) -> Arrivals:
        assert self._held is not None
        taken = cut(self._held, self._at, self._at + count)
        if taken.arrival is not None and count:
            self._latest = max(self._latest, int(taken.arrival.max()))
        self._at += count
        self._count += count
        return taken

    def position(self) -> dict[str, Any]:
        latest = None if self._latest == np.iinfo(np.int64).min else int(self._latest)
        return {"from": self._from, "skip": self._at, "count": self._count, "latest": latest}

    def seek(self, position: Mapping[str, Any]) -> None:
        self.source.seek(position["from"])
        self._held, self._at, self.ended = None, 0, False
        self._from = position["from"]
        # The piece that was cut off before is read again and dropped; a source may give it in several reads.
        left = position["skip"]
        while left:
            self._from = self.source.position()
            self._held = self.source.read(left)
            if self._held is None:
                raise DataError("the source is shorter than it was", where=self.source.name, hint="give the same input")
            self._at = len(self._held)
            left -= self._at
        self._count = position["count"]
        self._latest = np.iinfo(np.int64).min if position["latest"] is None else position["latest"]


class Feed:
    """Reads sources as one sequence.

    Args:
        sources: the opened sources by the name of their step, in the flow's order.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._readers = {name: _Reader(source) for name, source in sources.items()}
        self.count = 0
        """How many events were handed out so far."""

    def next(self, most: int) -> Slice | None:
        """The next slice of at most `most` events; empty when none are there now; None at the end of all sources."""
        for reader in self._readers.values():
            reader.fill(most)
        if all(reader.ended and not len(reader) for reader in self._readers.values()):
            return None
        if len(self._readers) == 1:
            ((name, reader),) = self._readers.items()
            taken = reader.take(min(most, len(reader)))
            sequence = np.arange(self.count, self.count + len(taken), dtype=np.int64)
            self.count += len(taken)
            return Slice({name: taken}, {name: sequence})
        return self._merge(most)

    def _merge(self, most: int) -> Slice:
        readers = list(self._readers.values())
        by_arrival = all(reader._held is None or reader._held.arrival is not None for reader in readers)
        keys = [reader.keys(by_arrival=by_arrival) for reader in readers]
        safe = []
        for place, own in enumerate(keys):
            count = len(own)
            for other, (theirs, reader) in enumerate(zip(keys, readers, strict=True)):
                if other == place or reader.ended:
                    continue
                if not len(theirs):
                    count = 0
                    continue
                # What the other source has not shown yet comes at its last key or later.
                side: Literal["left", "right"] = "right" if place < other else "left"
                count = min(count, int(np.searchsorted(own, theirs[-1], side=side)))
            safe.append(count)
        merged = np.concatenate([own[:count] for own, count in zip(keys, safe, strict=True)])
        owner = np.repeat(np.arange(len(readers)), safe)
        chosen = owner[np.lexsort((owner, merged))][:most]
        arrivals, sequence = {}, {}
        for place, (name, reader) in enumerate(self._readers.items()):
            sequence[name] = self.count + np.flatnonzero(chosen == place).astype(np.int64)
            if len(sequence[name]):
                arrivals[name] = reader.take(len(sequence[name]))
            else:
                del sequence[name]
        self.count += len(chosen)
        return Slice(arrivals, sequence)

    def position(self) -> dict[str, Any]:
        """Where the next slice begins, as JSON."""
        return {"count": self.count, "sources": {name: reader.position() for name, reader in self._readers.items()}}

    def seek(self, position: Mapping[str, Any]) -> None:
        """Go to a position that `position()` gave."""
        self.count = position["count"]
        for name, reader in self._readers.items():
            reader.seek(position["sources"][name])

    def close(self) -> None:
        """Close every source."""
        for reader in self._readers.values():
            reader.source.close()


def cut(arrivals: Arrivals, start: int, stop: int) -> Arrivals:
    """A piece of some arrivals."""
    if start == 0 and stop == len(arrivals):
        return arrivals

    def moved(marked: Mapping[int, Any] | None) -> dict[int, Any] | None:
        return None if marked is None else {row - start: one for row, one in marked.items() if start <= row < stop}

    return Arrivals(
        arrivals.partition[start:stop],
        arrivals.offset[start:stop],
        None if arrivals.arrival is None else arrivals.arrival[start:stop],
        None if arrivals.timestamp is None else arrivals.timestamp[start:stop],
        None if arrivals.payloads is None else arrivals.payloads[start:stop],
        None if arrivals.columns is None else arrivals.columns[start:stop],
        moved(arrivals.broken),
        moved(arrivals.broken_payloads),
    )
