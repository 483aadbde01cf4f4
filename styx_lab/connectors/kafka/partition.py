"""One partition of a topic while it is read, and pieces of what the brokers hand out, as columns.

Law: within a partition nothing is passed over, and nothing is handed out twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from styx_lab.core.batch import Int64s

__all__ = ["PARTITIONS", "Piece", "TopicPart"]

PARTITIONS: Final = 10_000
"""The numbers that partitions of one topic may have; those of the next topic come after."""
_NO_STAMP: Final = -1


@dataclass(frozen=True, slots=True)
class Piece:
    """Some events, as columns: partition's number, offset, timestamp, payload, and where asked for key and headers."""

    number: Int64s
    offset: Int64s
    stamp: Int64s
    payloads: list[bytes | None]
    keys: list[bytes | None] = field(default_factory=list)
    headers: list[list[tuple[str, bytes | None]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.payloads)

    @classmethod
    def none(cls) -> Self:
        """No events."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, [])

    @classmethod
    def of(cls, events: Sequence[Any], names: Sequence[str], *, whole: bool) -> Self:
        """What a consumer handed out, in its order."""
        count = len(events)
        number = np.fromiter((event.partition() for event in events), np.int64, count)
        if len(names) > 1:
            index = {name: place * PARTITIONS for place, name in enumerate(names)}
            number += np.fromiter((index[event.topic()] for event in events), np.int64, count)
        stamps = (at if kind else _NO_STAMP for kind, at in (event.timestamp() for event in events))
        return cls(
            number,
            np.fromiter((event.offset() for event in events), np.int64, count),
            np.fromiter(stamps, np.int64, count),
            [event.value() for event in events],
            [event.key() for event in events] if whole else [],
            [event.headers() or [] for event in events] if whole else [],
        )

    @classmethod
    def joined(cls, pieces: Sequence[Piece]) -> Self:
        """Pieces, one after the other."""
        return cls(
            np.concatenate([one.number for one in pieces]),
            np.concatenate([one.offset for one in pieces]),
            np.concatenate([one.stamp for one in pieces]),
            [payload for one in pieces for payload in one.payloads],
            [key for one in pieces for key in one.keys],
            [headers for one in pieces for headers in one.headers],
        )

    def by_partition(self) -> Iterator[tuple[int, Int64s]]:
        """The offsets of each partition that occurs, in order."""
        for number in np.unique(self.number).tolist():
            yield number, self.offset[self.number == number]

    def split(self) -> Iterator[tuple[int, Piece]]:
        """The events of each partition that occurs, in order."""
        numbers = np.unique(self.number).tolist()
        if len(numbers) == 1:
            yield numbers[0], self
            return
        for number in numbers:
            yield number, self.picked(np.flatnonzero(self.number == number))

    def picked(self, rows: Int64s) -> Piece:
        """Some of the events, in the order of `rows`."""
        places = rows.tolist()
        return Piece(
            self.number[rows],
            self.offset[rows],
            self.stamp[rows],
            [self.payloads[row] for row in places],
            [self.keys[row] for row in places] if self.keys else [],
            [self.headers[row] for row in places] if self.headers else [],
        )

    def cut(self, start: int, stop: int) -> Piece:
        """The events from one row to before another."""
        return Piece(
            self.number[start:stop],
            self.offset[start:stop],
            self.stamp[start:stop],
            self.payloads[start:stop],
            self.keys[start:stop],
            self.headers[start:stop],
        )


class TopicPart:
    """One partition: where it stands, and what was fetched of it and not handed out yet."""

    def __init__(self, topic: str, index: int, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.number = index * PARTITIONS + partition
        self.next = 0
        """The offset that is handed out next, or the first one after it that is there."""
        self.end: int | None = None
        """The first offset that is not read; None where it is read for ever."""
        self.newest = _NO_STAMP
        """The greatest timestamp among the events that were handed out."""
        self.paused = False
        self._fetched_all = False
        self._held = Piece.none()
        self._keys = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def fetched(self) -> int:
        """The next offset to fetch."""
        return int(self._held.offset[-1]) + 1 if len(self._held) else self.next

    @property
    def done(self) -> bool:
        """Whether nothing is left to be fetched."""
        return self._fetched_all or (self.end is not None and self.fetched >= self.end)

    @property
    def last_key(self) -> int:
        """The key of the last event that is held."""
        return int(self._keys[-1]) if len(self._keys) else self.newest

    def take(self, piece: Piece) -> None:
        """Hold what was fetched; what lies behind the end is let go."""
        if self.end is not None and int(piece.offset[-1]) >= self.end:
            piece = piece.cut(0, int(np.searchsorted(piece.offset, self.end)))
            self._fetched_all = True
        if len(piece):
            keys = np.maximum(np.maximum.accumulate(piece.stamp), self.last_key)
            self._held = Piece.joined([self._held, piece]) if len(self._held) else piece
            self._keys = np.concatenate([self._keys, keys])

    def met_end(self, offset: int) -> None:
        """The broker has nothing behind an offset now: control records may stand between the last event and it."""
        if self.end is not None and offset >= self.end:
            self._fetched_all = True

    def count_to(self, key: int, *, inclusive: bool) -> int:
        """How many of the events that are held come before a key."""
        return int(np.searchsorted(self._keys, key, side="right" if inclusive else "left"))

    def keys(self, count: int) -> Int64s:
        """The keys of the first events that are held: the greatest timestamp so far."""
        return self._keys[:count]

    def give(self, count: int) -> Piece:
        """Hand out the first events that are held."""
        piece = self._held.cut(0, count)
        if count:
            self.next = int(piece.offset[-1]) + 1
            self.newest = int(self._keys[count - 1])
            self._held = self._held.cut(count, len(self._held))
            self._keys = self._keys[count:]
        return piece

    def hand_out(self, offset: int) -> None:
        """Note an event that was handed out as it came."""
        self.next = offset + 1

    def rewind(self, following: int, newest: int) -> None:
        """Go to an offset."""
        self.next, self.newest = following, newest
        self._fetched_all, self.paused = False, False
        self._held, self._keys = Piece.none(), np.empty(0, np.int64)
