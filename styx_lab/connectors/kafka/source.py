"""Topics of Kafka as a source, to an end or for ever.

Law (crash anywhere): topics that are read to an end come in one order, whatever the broker hands out first: by the
greatest timestamp of their partition so far, then by partition, then by offset; so the same events come again in the
same order from any position. Read for ever they come as they arrive.

Law (nothing silent): an offset that is no longer there is an error that names it; nothing is reset on its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from styx_lab.connectors.kafka.bounds import first_offsets, last_offsets
from styx_lab.connectors.kafka.client import make_consumer
from styx_lab.connectors.kafka.partition import PARTITIONS, Piece, TopicPart
from styx_lab.connectors.kafka.preflight import described_topics, explain_trouble
from styx_lab.connectors.kafka.profile import KafkaProfile, load_profile
from styx_lab.connectors.kafka.topics import Topics
from styx_lab.core.ports import Arrivals, EncodedFormat
from styx_lab.errors import DataError, NotFoundError, RunError

__all__ = ["KafkaSource"]

_AT_ONCE: Final = 20_000
_LIVE_SECONDS: Final = 0.005
"""`consume` waits this long unless it has all that it was asked for."""
_BOUNDED_SECONDS: Final = 0.1
_PATIENCE: Final = 30.0
_MOST_HELD: Final = 200_000
_LOOK_SECONDS: Final = 10.0


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class KafkaSource:
    """Topics, as a source: `KafkaSource(Topics(("payments",)))`.

    Partitions have the numbers that Kafka gives them; those of a second topic begin at 10,000, of a third at 20,000.
    The timestamp is Kafka's. Read for ever (`stop="never"`), the arrival is the time at which an event was fetched, and
    `live` is true; read to an end, it is the greatest timestamp of its partition so far, so that it is the same each
    time. A tombstone (a null payload) is broken, with that reason.

    Only what is committed is read (`read_committed`). No offset is committed, and none is reset. A broker that is
    away is waited for; `trouble` says why nothing comes, and reading to an end gives up after 30 s without an event.

    Args:
        topics: which, from where, to where.
        profile: how to reach the cluster; what `topics` names where none is given.
        whole: hand out keys and headers as well.
        wall: epoch ms, for arrivals.

    State: about 20,000 events, and for topics that are read to an end up to 200,000 a partition that are ahead of the
    others. The position is the next offset of each partition, and the greatest timestamp before it.

    Raises:
        RunError: when the cluster cannot be reached within five seconds, or a topic may not be read.
        NotFoundError: when a topic or profile is not there.
        DataError: when an offset to begin with is not there any more (retention), or not yet.
        MissingDependencyError: without the extra `kafka`.
    """

    format: Final[EncodedFormat] = "json"
    header: Final[tuple[str, ...]] = ()

    def __init__(
        self,
        topics: Topics,
        *,
        profile: KafkaProfile | None = None,
        whole: bool = False,
        wall: Callable[[], int] = _wall_ms,
    ) -> None:
        self.name = str(topics)
        self.live = topics.live
        self._topics = topics
        self._whole = whole
        self._wall = wall
        chosen = profile if profile is not None else load_profile(topics.profile)
        self._profile = chosen if topics.brokers is None else KafkaProfile(topics.brokers, chosen.options)
        self._where = f"kafka at {self._profile.brokers}"
        self._consumer, self._trouble = make_consumer(self._profile)
        self._closed = False
        try:
            found = self._described(topics.names)
            self._names = list(topics.names) or sorted(found)
            self._parts = {
                part.number: part
                for index, name in enumerate(self._names)
                for part in (TopicPart(name, index, one) for one in found[name])
            }
            parts = list(self._parts.values())
            for part, first in zip(parts, first_offsets(self._consumer, topics, parts, self._where), strict=True):
                part.next = first
            for part, end in zip(parts, last_offsets(self._consumer, topics, parts, self._where), strict=True):
                part.end = end
            self._assign()
        except BaseException:
            self.close()
            raise
        self._latest = 0
        self._looked = time.monotonic()

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions that are known now; one more may turn up while topics are read for ever."""
        return tuple(self._parts)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are read, in the order of their partitions' numbers."""
        return tuple(self._names)

    def pinned(self) -> Topics:
        """The same topics with offsets in place of words and times, so that they say the same for ever.

        What is not bounded stays so.
        """
        parts = self._parts.values()
        start = ",".join(f"{part.topic}/{part.partition}:{part.next}" for part in parts)
        stop = ",".join(f"{part.topic}/{part.partition}:{part.end}" for part in parts)
        said = self._topics
        return Topics(tuple(self._names), None, start, "never" if self.live else stop, said.profile, said.brokers)

    @property
    def trouble(self) -> str:
        """What the client last complained of; empty where nothing was."""
        return self._trouble.last

    def lag(self) -> int:
        """How many offsets there are between what was handed out and what the brokers last said that there is."""
        from confluent_kafka import TopicPartition

        lag = 0
        for part in self._parts.values():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(part.topic, part.partition), cached=True)
            end = high if part.end is None else part.end
            lag += max(0, end - part.next)
        return lag

    def read(self, most: int) -> Arrivals | None:
        """The next events, at most `most`; read for ever, none where there are none now. `None` at the end.

        Raises:
            RunError: when an offset is gone, a topic may no longer be read or is gone, or nothing comes for too long.
        """
        return self._read_live(most) if self.live else self._read_bounded(most)

    def position(self) -> Any:
        """The topics, and for each partition its number, next offset and greatest timestamp before it."""
        return {
            "topics": list(self._names),
            "next": [[part.number, part.next, part.newest] for part in self._parts.values()],
        }

    def seek(self, position: Any) -> None:
        """Go to a position.

        Raises:
            DataError: when it is of other topics, or no position.
        """
        try:
            names, following = (
                list(position["topics"]),
                {number: (at, newest) for number, at, newest in position["next"]},
            )
            wrong = names[: len(self._topics.names)] != list(self._topics.names) or not set(following) <= set(
                self._parts
            )
        except (TypeError, KeyError, ValueError):
            wrong = True
        if wrong:
            raise DataError(
                "this is no position in these topics", where=self.name, got=position, hint="name the same topics"
            )
        for number, part in self._parts.items():
            part.rewind(*following.get(number, (part.next, -1)))
        self._assign()

    def close(self) -> None:
        """Let go of the connection; may be called twice."""
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _described(self, names: Sequence[str]) -> dict[str, list[int]]:
        found = described_topics(self._consumer, self._trouble, self._profile, names)
        if self._topics.pattern is None:
            return found
        fits = re.compile(self._topics.pattern)
        chosen = {name: parts for name, parts in found.items() if fits.fullmatch(name)}
        if not chosen:
            raise NotFoundError(
                "no topic fits the pattern",
                where=self._where,
                got=self._topics.pattern,
                hint=", ".join(sorted(found)[:10]),
            )
        return chosen

    def _assign(self) -> None:
        from confluent_kafka import TopicPartition

        self._consumer.assign(
            [TopicPartition(part.topic, part.partition, part.fetched) for part in self._parts.values() if not part.done]
        )

    def _read_live(self, most: int) -> Arrivals:
        self._look_for_partitions()
        pieces = self._fetch(min(most, _AT_ONCE), _LIVE_SECONDS)
        if pieces is None:
            return _arrivals(Piece.none(), None, whole=self._whole)
        self._latest = max(self._latest, self._wall())
        for number, offsets in pieces.by_partition():
            self._parts[number].hand_out(int(offsets[-1]))
        return _arrivals(pieces, np.full(len(pieces), self._latest, np.int64), whole=self._whole)

    def _look_for_partitions(self) -> None:
        """Topics that are read for ever may get further partitions, and a pattern further topics."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        from confluent_kafka import TopicPartition

        self._looked = time.monotonic()
        try:
            found = self._described(self._topics.names)
        except RunError:
            return  # the broker is away: `trouble` has it
        self._names += sorted(set(found) - set(self._names))
        new = [
            part
            for index, name in enumerate(self._names)
            for part in (TopicPart(name, index, one) for one in found.get(name, ()))
            if part.number not in self._parts
        ]
        if new:
            self._parts.update((part.number, part) for part in new)
            self._consumer.incremental_assign([TopicPartition(part.topic, part.partition, 0) for part in new])

    def _read_bounded(self, most: int) -> Arrivals | None:
        quiet = time.monotonic()
        parts = list(self._parts.values())
        while True:
            counts = _safe_counts(parts)
            if sum(counts):
                return self._merged(parts, counts, most)
            if all(part.done for part in parts):
                return None
            piece = self._fetch(_AT_ONCE, _BOUNDED_SECONDS)
            if piece is not None:
                for number, own in piece.split():
                    self._parts[number].take(own)
                self._balance(parts)
                quiet = time.monotonic()
            elif all(part.done for part in parts):
                continue
            elif time.monotonic() - quiet > _PATIENCE:
                raise explain_trouble(self.trouble or f"nothing came for {_PATIENCE:g} s", self._where)

    def _balance(self, parts: Sequence[TopicPart]) -> None:
        """A partition that is far ahead waits for those that hold it up."""
        from confluent_kafka import TopicPartition

        for part in parts:
            if (len(part) > _MOST_HELD) != part.paused:
                part.paused = not part.paused
                act = self._consumer.pause if part.paused else self._consumer.resume
                act([TopicPartition(part.topic, part.partition)])

    def _merged(self, parts: Sequence[TopicPart], counts: Sequence[int], most: int) -> Arrivals:
        keys = np.concatenate([part.keys(count) for part, count in zip(parts, counts, strict=True)])
        owner = np.repeat(np.arange(len(parts)), counts)
        order = np.lexsort((owner, keys))[:most]
        taken = np.bincount(owner[order], minlength=len(parts))
        pieces = Piece.joined([part.give(int(count)) for part, count in zip(parts, taken, strict=True)])
        # The pieces stand one after the other; each event's place among those of its partition stays.
        owners = owner[order]
        within = order - np.concatenate([[0], np.cumsum(counts)[:-1]])[owners]
        rows = np.concatenate([[0], np.cumsum(taken)[:-1]])[owners] + within
        return _arrivals(pieces.picked(rows), np.maximum(keys[order], 0), whole=self._whole)

    def _fetch(self, most: int, seconds: float) -> Piece | None:
        """What the brokers hand out now; None where that is nothing."""
        events = []
        for event in self._consumer.consume(most, seconds):
            error = event.error()
            if error is None:
                events.append(event)
            else:
                self._met(event, error)
        return Piece.of(events, self._names, whole=self._whole) if events else None

    def _met(self, event: Any, error: Any) -> None:
        name = error.name()
        if name == "_PARTITION_EOF":
            part = self._parts[self._names.index(event.topic()) * PARTITIONS + event.partition()]
            part.met_end(event.offset())
        elif name in ("_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"):
            from confluent_kafka import TopicPartition

            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(event.topic(), event.partition()), timeout=_PATIENCE
            )
            raise RunError(
                f"offset {event.offset()} is not there: the partition has {low} to {high}",
                where=f"{self._where}, topic {event.topic()!r}, partition {event.partition()}",
                hint="retention has deleted it: begin at one that is there (start=earliest), or keep events longer",
            )
        elif name in ("TOPIC_AUTHORIZATION_FAILED", "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"):
            raise RunError(
                f"topic {event.topic()!r} cannot be read any more: {error.str()}",
                where=self._where,
                hint="see whether it was deleted, and whether you may read it",
            )
        else:
            self._trouble(error)


def _safe_counts(parts: Sequence[TopicPart]) -> list[int]:
    """How many events of each partition nothing can come before any more."""
    waiting = [(part.last_key, index) for index, part in enumerate(parts) if not part.done]
    if any(not len(parts[index]) for _, index in waiting):
        return [0] * len(parts)
    if not waiting:
        return [len(part) for part in parts]
    bound, at = min(waiting)
    return [part.count_to(bound, inclusive=index <= at) for index, part in enumerate(parts)]


def _arrivals(piece: Piece, arrival: np.ndarray[Any, Any] | None, *, whole: bool) -> Arrivals:
    gone = [row for row, payload in enumerate(piece.payloads) if payload is None]
    return Arrivals(
        piece.number.astype(np.int32),
        piece.offset,
        np.empty(0, np.int64) if arrival is None else arrival,
        piece.stamp,
        payloads=[payload or b"" for payload in piece.payloads],
        broken=dict.fromkeys(gone, "tombstone") or None,
        keys=piece.keys if whole else None,
        headers=piece.headers if whole else None,
    )
