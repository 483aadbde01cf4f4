"""Record: what a topic gives becomes a recording, to be replayed for ever.

Law: every event that was fetched is in it once, in the order in which it came; whatever ends it, what there is by then
is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final, Literal

from styx_lab.connectors import Recording, RecordingWriter
from styx_lab.connectors.formats.infer import infer_schema
from styx_lab.connectors.kafka import KafkaSource, Topics
from styx_lab.core.ports import Arrivals
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, RunError

__all__ = ["Recorded", "RecordingProgress", "record"]

_AT_ONCE: Final = 20_000
_SAMPLE: Final = 1_000
_SAMPLE_SECONDS: Final = 5.0
_FLUSH_SECONDS: Final = 5.0
"""A kill costs no more than the events of so long."""


@dataclass(frozen=True, slots=True)
class RecordingProgress:
    """How far a recording is.

    Attributes:
        events: how many it has.
        bytes: of their payloads, keys and headers.
        seconds: since it began.
        lag: offsets that are there and were not read yet.
        trouble: what the client last complained of while nothing came; empty where events come.
    """

    events: int
    bytes: int
    seconds: float
    lag: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded.

    Attributes:
        recording: the recording.
        ended: why it ended: `end` of the input, `time`, `size`, `events`, or it was asked to `stop`.
        notes: what the inferred schema leaves out, in words; empty where the schema was said.
    """

    recording: Recording
    ended: Literal["end", "time", "size", "events", "stop"]
    notes: Sequence[str] = ()


def record(  # noqa: PLR0913 -- three limits, and what the recording says of itself
    topics: Topics | str,
    to: str | Path,
    *,
    schema: Schema | None = None,
    time_column: str | None = None,
    key: Sequence[str] = (),
    seconds: float | None = None,
    max_bytes: int | None = None,
    max_events: int | None = None,
    stop: Event | None = None,
    progress: Callable[[RecordingProgress], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Recorded:
    """Record topics to a file: keys, headers, timestamps, tombstones, all as they come.

    Args:
        topics: which, from where, to where: `Topics`, or a text such as `kafka:payments?stop=never`.
        to: the file to write, `NAME.recording.parquet`.
        schema: the columns of the payloads; inferred from the first thousand events (or those of five seconds) where
            none is said.
        time_column, key: what the recording says of the event time and the key, for who replays it.
        seconds: record no longer than that.
        max_bytes: record no more than that of payloads, keys and headers.
        max_events: record no more events than that.
        stop: set to end it; what there is by then is kept.
        progress: called after each fetch.
        clock: seconds.

    About 65,000 events are held in memory, for five seconds at most; the others wait in a hidden folder beside the
    file, which `salvage` makes a recording of should this process be killed.

    Raises:
        DataError: when nothing came, or `to` is no name of a recording.
        SchemaError: when no schema is said and none can be inferred.
        RunError, NotFoundError: see `KafkaSource`. What there was by then is kept.
        OutputError: when the file cannot be written.
    """
    said = Topics.parse(topics) if isinstance(topics, str) else topics
    source = KafkaSource(said, whole=True)
    try:
        run = _Run(source, seconds, max_bytes, max_events, stop or Event(), progress, clock)
        sample, notes = run.sample(schema is None), []
        if schema is None:
            payloads = [payload for one in sample for payload in one.payloads or ()]
            if not payloads:
                raise _nothing(source)
            inferred = infer_schema(payloads, where=str(said))
            schema, notes = inferred.schema, inferred.notes
        with RecordingWriter(
            to,
            name=",".join(source.topics),
            schema=schema,
            time=time_column,
            key=key,
            partitions=source.partitions,
            truth=f"recorded from {source.pinned() if not source.live else said}",
        ) as writer:
            for one in sample:
                _write(writer, one)
            try:
                ended = run.go(writer)
            except RunError as error:
                if not run.events:
                    raise
                writer.close()
                what = f"{error.what}; the {run.events:,} events until then are in {to}"
                raise RunError(what, where=error.where, hint=error.hint) from error
            if not run.events:
                raise _nothing(source)
        return Recorded(Recording.open(to), ended, tuple(notes))
    finally:
        source.close()


class _Run:
    def __init__(
        self,
        source: KafkaSource,
        seconds: float | None,
        max_bytes: int | None,
        max_events: int | None,
        stop: Event,
        progress: Callable[[RecordingProgress], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._seconds, self._max_bytes, self._max_events = seconds, max_bytes, max_events
        self._stop = stop
        self._progress = progress
        self._clock = clock
        self._began = clock()
        self._ended: Literal["end", "time", "size", "events", "stop"] | None = None
        self.events = 0
        self.bytes = 0

    def sample(self, wanted: bool) -> list[Arrivals]:
        """The first events, to infer a schema from."""
        found: list[Arrivals] = []
        while wanted and self.events < _SAMPLE and self._clock() - self._began < _SAMPLE_SECONDS:
            one = self._next()
            if one is None:
                break
            if len(one):
                found.append(one)
        return found

    def go(self, writer: RecordingWriter) -> Literal["end", "time", "size", "events", "stop"]:
        """Record until a limit; what was fetched is kept whatever ends it."""
        flushed = self._clock()
        while self._ended is None:
            one = self._next()
            if one is not None and len(one):
                _write(writer, one)
            if self._clock() - flushed >= _FLUSH_SECONDS:
                writer.flush()
                flushed = self._clock()
        return self._ended

    def _next(self) -> Arrivals | None:
        if self._ended is None:
            self._ended = self._limit()
        if self._ended is not None:
            return None
        most = _AT_ONCE if self._max_events is None else min(_AT_ONCE, self._max_events - self.events)
        found = self._source.read(most)
        if found is None:
            self._ended = "end"
            return None
        self.events += len(found)
        self.bytes += _size(found)
        if self._progress is not None:
            trouble = "" if len(found) else self._source.trouble
            elapsed = self._clock() - self._began
            self._progress(RecordingProgress(self.events, self.bytes, elapsed, self._source.lag(), trouble))
        return found

    def _limit(self) -> Literal["time", "size", "events", "stop"] | None:
        if self._stop.is_set():
            return "stop"
        if self._max_events is not None and self.events >= self._max_events:
            return "events"
        if self._max_bytes is not None and self.bytes >= self._max_bytes:
            return "size"
        if self._seconds is not None and self._clock() - self._began >= self._seconds:
            return "time"
        return None


def _write(writer: RecordingWriter, arrivals: Arrivals) -> None:
    gone = arrivals.broken or {}
    payloads: list[bytes | None] = list(arrivals.payloads or ())
    for row in gone:
        payloads[row] = None
    assert arrivals.arrival is not None
    writer.write(
        payloads,
        partition=arrivals.partition,
        offset=arrivals.offset,
        arrival=arrivals.arrival,
        timestamp=arrivals.timestamp,
        keys=arrivals.keys,
        headers=arrivals.headers,
    )


def _size(arrivals: Arrivals) -> int:
    size = sum(map(len, arrivals.payloads or ()))
    size += sum(len(key) for key in arrivals.keys or () if key)
    for headers in arrivals.headers or ():
        size += sum(len(name) + len(value or b"") for name, value in headers)
    return size


def _nothing(source: KafkaSource) -> DataError:
    return DataError(
        "nothing came, so nothing was recorded",
        where=source.name,
        got=source.trouble or "no events",
        hint="begin earlier (start=earliest), or record for longer",
    )
