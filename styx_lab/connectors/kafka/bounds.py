"""From where to where a topic is read: what a start and a stop mean as offsets.

Law: an offset that is not there is an error that names what is there; it is never bent to the nearest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from styx_lab.connectors.kafka.partition import TopicPart
from styx_lab.connectors.kafka.preflight import explain_trouble
from styx_lab.connectors.kafka.topics import Topics, time_of
from styx_lab.errors import DataError

__all__ = ["first_offsets", "last_offsets"]

_SECONDS: Final = 10.0


def first_offsets(consumer: Any, topics: Topics, parts: Sequence[TopicPart], where: str) -> list[int]:
    """The first offset to read of each partition."""
    limits = _limits(consumer, parts, where)
    if topics.start == "earliest":
        return [low for low, _ in limits]
    if topics.start == "latest":
        return [high for _, high in limits]
    if topics.start == "committed":
        return _committed(consumer, parts, limits, where)
    said = topics.offsets(topics.start)
    if said is None:
        return _at_time(consumer, parts, limits, topics.start, where)
    _check_partitions(said, parts, where)
    firsts = []
    for part, (low, high) in zip(parts, limits, strict=True):
        first = said.get((part.topic, part.partition), low)
        if not low <= first <= high:
            raise DataError(
                f"the partition has the offsets {low} to {high}",
                where=f"{where}, topic {part.topic!r}, partition {part.partition}",
                got=first,
                hint="retention has deleted what was before" if first < low else "there is nothing yet",
            )
        firsts.append(first)
    return firsts


def last_offsets(consumer: Any, topics: Topics, parts: Sequence[TopicPart], where: str) -> list[int | None]:
    """The first offset of each partition that is not read; None where it is read for ever."""
    if topics.stop == "never":
        return [None] * len(parts)
    limits = _limits(consumer, parts, where)
    if topics.stop == "latest":
        return [high for _, high in limits]
    said = topics.offsets(topics.stop)
    if said is None:
        return list(_at_time(consumer, parts, limits, topics.stop, where))
    _check_partitions(said, parts, where)
    ends: list[int | None] = []
    for part, (_, high) in zip(parts, limits, strict=True):
        end = said.get((part.topic, part.partition), high)
        if end > high:
            raise DataError(
                f"the partition ends at {high}",
                where=f"{where}, topic {part.topic!r}, partition {part.partition}",
                got=end,
                hint="stop at an offset that is there, or read for ever (stop=never)",
            )
        ends.append(end)
    return ends


def _limits(consumer: Any, parts: Sequence[TopicPart], where: str) -> list[tuple[int, int]]:
    from confluent_kafka import KafkaException, TopicPartition

    try:
        return [
            consumer.get_watermark_offsets(TopicPartition(part.topic, part.partition), timeout=_SECONDS)
            for part in parts
        ]
    except KafkaException as error:
        raise explain_trouble(error.args[0].str(), where) from error


def _committed(consumer: Any, parts: Sequence[TopicPart], limits: Sequence[tuple[int, int]], where: str) -> list[int]:
    from confluent_kafka import KafkaException, TopicPartition

    try:
        found = consumer.committed([TopicPartition(part.topic, part.partition) for part in parts], timeout=_SECONDS)
    except KafkaException as error:
        raise explain_trouble(error.args[0].str(), where) from error
    firsts = []
    for part, one, (low, high) in zip(parts, found, limits, strict=True):
        if one.offset >= 0 and not low <= one.offset <= high:
            raise DataError(
                f"the committed offset is not there: the partition has {low} to {high}",
                where=f"{where}, topic {part.topic!r}, partition {part.partition}",
                got=one.offset,
                hint="begin at an offset that is there: start=earliest, a time, or offsets",
            )
        firsts.append(one.offset if one.offset >= 0 else low)
    return firsts


def _at_time(
    consumer: Any, parts: Sequence[TopicPart], limits: Sequence[tuple[int, int]], text: str, where: str
) -> list[int]:
    """The first offset whose timestamp is a time or later; the end where there is none."""
    from confluent_kafka import KafkaException, TopicPartition

    at = time_of(text)
    assert at is not None
    try:
        found = consumer.offsets_for_times(
            [TopicPartition(part.topic, part.partition, at) for part in parts], timeout=_SECONDS
        )
    except KafkaException as error:
        raise explain_trouble(error.args[0].str(), where) from error
    return [one.offset if one.offset >= 0 else high for one, (_, high) in zip(found, limits, strict=True)]


def _check_partitions(said: Mapping[tuple[str, int], int], parts: Sequence[TopicPart], where: str) -> None:
    known = {(part.topic, part.partition) for part in parts}
    for topic, partition in said:
        if (topic, partition) not in known:
            own = [str(part) for name, part in sorted(known) if name == topic]
            raise DataError(
                "the topic has no such partition",
                where=f"{where}, topic {topic!r}",
                got=partition,
                hint=f"it has {', '.join(own)}" if own else "it is not read",
            )
