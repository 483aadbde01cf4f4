"""Events written to a topic: each once, in order within its partition, and known to have arrived.

Law (nothing silent): an event that could not be delivered is an error; nothing is counted before the broker has it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from styx_lab.connectors.kafka.client import Trouble, client_settings
from styx_lab.connectors.kafka.preflight import described_topics, explain_trouble
from styx_lab.connectors.kafka.profile import KafkaProfile
from styx_lab.errors import MissingDependencyError, NotFoundError, OutputError, RunError

__all__ = ["TopicWriter"]

_PATIENCE: Final = 60.0
_SETTINGS: Final = {"enable.idempotence": True, "linger.ms": 5, "queue.buffering.max.messages": 200_000}


class TopicWriter:
    """Writes to one topic: `with TopicWriter(profile, "payments", create=4) as writer: writer.write(...)`.

    Args:
        profile: how to reach the cluster.
        topic: its name.
        create: make it, with so many partitions, where it is not there; 0 to refuse that.

    State: up to 200,000 events that the broker has not confirmed. Leaving the `with` block waits until it has.

    Raises:
        RunError: when the cluster cannot be reached within five seconds, or the topic cannot be made.
        NotFoundError: when the topic is not there.
        OutputError: when the broker does not take an event, or confirms nothing for a minute.
        MissingDependencyError: without the extra `kafka`.
    """

    def __init__(self, profile: KafkaProfile, topic: str, *, create: int = 0) -> None:
        try:
            from confluent_kafka import Producer
        except ImportError as error:
            raise MissingDependencyError(
                "topics are written with confluent-kafka", where="kafka", hint="pip install 'styx-lab[kafka]'"
            ) from error
        self._where = f"kafka at {profile.brokers}, topic {topic!r}"
        self._trouble = Trouble()
        self._producer = Producer(client_settings(profile, self._trouble, **_SETTINGS))
        self._topic = topic
        self._failed: str | None = None
        try:
            found = described_topics(self._producer, self._trouble, profile, [topic])
        except NotFoundError:
            if not create:
                raise
            self._make(profile, create)
            found = described_topics(self._producer, self._trouble, profile, [topic])
        self.partitions = found[topic]
        """The partitions that it has."""
        self.confirmed = 0
        """How many events the broker has."""

    def write(
        self,
        payload: bytes | None,
        *,
        partition: int,
        timestamp: int = -1,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        """Take one event; it is on its way when this returns.

        Args:
            payload: the bytes; None is a tombstone.
            partition: which.
            timestamp: epoch ms; -1 for now.
            key, headers: Kafka's own.
        """
        more: dict[str, Any] = {} if timestamp < 0 else {"timestamp": timestamp}
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    payload,
                    key=key,
                    partition=partition,
                    headers=list(headers) or None,
                    on_delivery=self._delivered,
                    **more,
                )
                break
            except BufferError:
                self._wait(end)
        self._producer.poll(0)
        self._check()

    def close(self) -> None:
        """Wait until the broker has everything; may be called twice."""
        before, end = -1, time.monotonic() + _PATIENCE
        while len(self._producer):
            self._wait(end)
            if self.confirmed != before:
                before, end = self.confirmed, time.monotonic() + _PATIENCE
        self._check()

    def _wait(self, end: float) -> None:
        self._producer.poll(0.1)
        self._check()
        if time.monotonic() > end:
            raise OutputError(
                f"the broker confirmed nothing for {_PATIENCE:.0f} s",
                where=self._where,
                got=self._trouble.last or "no answer",
                hint="see whether it runs; what was confirmed stays",
            )

    def _delivered(self, error: Any, _: Any) -> None:
        if error is None:
            self.confirmed += 1
        elif self._failed is None:
            self._failed = str(error.str())

    def _check(self) -> None:
        if self._failed is not None:
            raise OutputError(
                "the broker does not take an event",
                where=self._where,
                got=self._failed,
                hint="what was confirmed stays",
            )

    def _make(self, profile: KafkaProfile, partitions: int) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.cimpl import NewTopic

        admin = AdminClient(client_settings(profile, self._trouble))
        try:
            admin.create_topics([NewTopic(self._topic, partitions)])[self._topic].result(_PATIENCE)
        except KafkaException as error:
            raise RunError(
                f"the topic cannot be made: {error.args[0].str()}", where=self._where, hint="ask who may make topics"
            ) from error
        end = time.monotonic() + _PATIENCE
        while self._topic not in self._producer.list_topics(timeout=5.0).topics:
            if time.monotonic() > end:
                raise explain_trouble("timed out", self._where)
            time.sleep(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._producer.purge()
