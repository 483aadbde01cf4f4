"""The flow's one sequence of input: several sources merged in order of arrival, cut into slices, numbered.

Law: the sequence depends on the sources alone, never on how large the slices are. Sources are merged by arrival time
(by their running count where one of them did not record it), ties in the order of the flow's sources. What an engine
decided is an input as well: it is handed out at its number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.ports import Arrivals, Source
from styx_lab.engines.decisions import Back, Decision, Idle, Tick, decision_arrivals
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
        self.timed = False
        """Whether what was read last has arrival times."""

    def __len__(self) -> int:
        return 0 if self._held is None else len(self._held) - self._at

    def fill(self, most: int) -> None:
        if self.ended or len(self):
            return
        self._from = self.source.position()
        self._held, self._at = self.source.read(most), 0
        self.ended = self._held is None
        if self._held is not None and len(self._held):
            self.timed = self._held.arrival is not None

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
        schemas: the columns of the sources that hand out frames, for decisions; not needed without them.
    """

    def __init__(
        self, sources: Mapping[str, Source], schemas: Mapping[str, Mapping[str, pl.DataType]] | None = None
    ) -> None:
        self._readers = {name: _Reader(source) for name, source in sources.items()}
        self._schemas = dict(schemas or {})
        self._decisions: list[Decision] = []
        self._left: set[str] = set()
        self.count = 0
        """How many events and decisions were handed out so far."""

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Hand out these decisions, too, each at its number: journaled ones again, or a new one at `count`.

        Those of a number that is handed out already are dropped: they are in the state.
        """
        self._decisions += [one for one in decisions if one.number >= self.count]

    @property
    def repeating(self) -> bool:
        """Whether decisions wait for their number: there can be no new one before them."""
        return bool(self._decisions)

    def idle(self, source: str, partition: int, *, at: int, last: bool) -> Idle:
        """The decision that a partition is idle from here on, for `decide`.

        Args:
            source, partition: which.
            at: epoch ms now.
            last: whether no other partition of the source is active.
        """
        reader = self._readers[source]
        leaves = last and len(self._readers) > 1 and not self._is_there(source)
        return Idle(self.count, source, partition, at if reader.timed else None, leaves)

    def tick(self, source: str, *, at: int) -> Tick:
        """The decision that the clock of a source has come to `at` (epoch ms), for `decide`."""
        return Tick(self.count, source, at)

    def returned(self) -> list[str]:
        """The sources that had left and have something to hand out, or have ended."""
        return [name for name in self._readers if name in self._left and self._is_there(name)]

    def _is_there(self, name: str) -> bool:
        reader = self._readers[name]
        return bool(len(reader)) or reader.ended

    def next(self, most: int) -> Slice | None:
        """The next slice: at most `most` events, or one decision; empty when there is nothing now; None at the end."""
        while self._decisions and self._decisions[0].number == self.count:
            decision = self._decisions.pop(0)
            if not isinstance(decision, Back):
                return self._decided(decision)
            self._left.discard(decision.source)
        if self._decisions:
            most = min(most, self._decisions[0].number - self.count)
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

    def _decided(self, decision: Idle | Tick) -> Slice:
        reader = self._readers[decision.source]
        arrivals = decision_arrivals(decision, reader.source.format, self._schemas.get(decision.source, {}))
        if isinstance(decision, Idle) and decision.leaves:
            self._left.add(decision.source)
        self.count += 1
        return Slice({decision.source: arrivals}, {decision.source: np.array([self.count - 1], np.int64)})

    def _merge(self, most: int) -> Slice:
        by_arrival = all(one._held is None or one._held.arrival is not None for one in self._readers.values())
        # Who has left is not waited for, and hands out nothing before it is back: at a number that is known.
        names = [name for name in self._readers if name not in self._left]
        readers = [self._readers[name] for name in names]
        if not readers:
            return Slice({}, {})
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
        for place, (name, reader) in enumerate(zip(names, readers, strict=True)):
            sequence[name] = self.count + np.flatnonzero(chosen == place).astype(np.int64)
            if len(sequence[name]):
                arrivals[name] = reader.take(len(sequence[name]))
            else:
                del sequence[name]
        self.count += len(chosen)
        return Slice(arrivals, sequence)

    def position(self) -> dict[str, Any]:
        """Where the next slice begins, as JSON."""
        found = {"count": self.count, "sources": {name: reader.position() for name, reader in self._readers.items()}}
        return found | ({"left": sorted(self._left)} if self._left else {})

    def seek(self, position: Mapping[str, Any]) -> None:
        """Go to a position that `position()` gave."""
        self.count = position["count"]
        self._left = set(position.get("left", []))
        self._decisions = [one for one in self._decisions if one.number >= self.count]
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
        None if arrivals.idle is None else arrivals.idle[start:stop],
    )
