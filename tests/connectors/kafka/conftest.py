"""Topics on the real broker, each of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

Fill = Callable[..., str]


@pytest.fixture
def topic(kafka: str) -> Callable[..., str]:
    """Make a topic with so many partitions; gives its name."""

    def make(partitions: int = 1, **config: str) -> str:
        name = f"t-{uuid.uuid4().hex[:10]}"
        admin = AdminClient({"bootstrap.servers": kafka})
        admin.create_topics([NewTopic(name, partitions, config=config)])[name].result(30)
        return name

    return make


@pytest.fixture
def produce(kafka: str) -> Callable[..., None]:
    """Write events to a topic: (partition, timestamp, value) each, with a key and headers where they are said."""

    def write(name: str, events: Sequence[tuple[object, ...]], **settings: object) -> None:
        producer = Producer({"bootstrap.servers": kafka, "linger.ms": 1, **settings})
        transactional = "transactional.id" in settings
        if transactional:
            producer.init_transactions(30)
            producer.begin_transaction()
        for partition, stamp, value, *more in events:
            key, headers = (*more, None, None)[:2]
            producer.produce(name, value, key=key, partition=partition, timestamp=stamp, headers=headers)
        assert producer.flush(30) == 0
        if transactional:
            producer.commit_transaction(30)

    return write
