"""Produce: a recording, written to a topic again.

Law: each event comes as it was: partition, key, headers, timestamp, payload, in the recorded order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from styx_lab.connectors import Recording
from styx_lab.connectors.kafka import load_profile
from styx_lab.connectors.kafka.producer import TopicWriter
from styx_lab.connectors.kafka.profile import KafkaProfile
from styx_lab.errors import DataError

__all__ = ["Produced", "produce"]


@dataclass(frozen=True, slots=True)
class Produced:
    """What was written.

    Attributes:
        topic: where to.
        events: how many the broker has confirmed.
        partitions: how many the topic has.
    """

    topic: str
    events: int
    partitions: int


def produce(
    recording: str | Path | Recording,
    topic: str,
    *,
    profile: str | None = None,
    brokers: str | None = None,
    speed: float | None = None,
    stop: Event | None = None,
    progress: Callable[[int], None] | None = None,
) -> Produced:
    """Write a recording to a topic, which is made where it is not there.

    Args:
        recording: what to write.
        topic: where to.
        profile: how to reach the cluster, by name.
        brokers: where it is, in place of what the profile says.
        speed: as it came (1), so many times as fast (10), or at full speed (None).
        stop: set to end it.
        progress: told after each block how many events were written.

    Raises:
        InputMissingError, DataError: when the recording cannot be read, or is of several topics.
        RunError, OutputError, NotFoundError: see `TopicWriter`.
    """
    opened = recording if isinstance(recording, Recording) else Recording.open(recording)
    known = load_profile(profile)
    chosen = known if brokers is None else KafkaProfile(brokers, known.options)
    most = max(opened.about.partitions)
    ended = stop or Event()
    with TopicWriter(chosen, topic, create=most + 1 if most < 1_000 else 0) as writer:
        if most not in writer.partitions:
            raise DataError(
                "the topic has no such partition, but the recording has",
                where=str(opened.path),
                got=most,
                hint="name a topic that is not there yet: it is made with as many partitions",
            )
        began, first = time.monotonic(), None
        written = 0
        for rows in opened.blocks():
            for partition, _, stamp, arrival, key, headers, payload in rows.iter_rows():
                if speed is not None:
                    first = arrival if first is None else first
                    ended.wait(max(0.0, began + (arrival - first) / 1_000 / speed - time.monotonic()))
                if ended.is_set():
                    break
                pairs = [(one["key"], one["value"]) for one in headers]
                writer.write(payload, partition=partition, timestamp=stamp, key=key, headers=pairs)
                written += 1
            if progress is not None:
                progress(written)
        writer.close()
        return Produced(topic, writer.confirmed, len(writer.partitions))
