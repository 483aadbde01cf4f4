"""Clients of Kafka: one way to make them, that keeps what they complain of instead of printing it.

Law: nothing of librdkafka's goes to standard error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from styx_lab.connectors.kafka.profile import KafkaProfile
from styx_lab.errors import DataError, MissingDependencyError

__all__ = ["Trouble", "client_settings", "make_consumer"]

_LOGGER: Final = logging.getLogger("styx_lab.kafka")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False

_FAST: Final[Mapping[str, Any]] = {
    # The usual second of back-off holds consuming at 167,000 events/s.
    "fetch.queue.backoff.ms": 5,
    "queued.min.messages": 100_000,
    "fetch.wait.max.ms": 50,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    # An offset that is not there any more is an error; nothing is reset on its own.
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "topic.metadata.refresh.interval.ms": 10_000,
}


class Trouble:
    """What a client last complained of; it is called from the client's own calls."""

    def __init__(self) -> None:
        self.last = ""

    def __call__(self, error: Any) -> None:
        """Keep an error of librdkafka's; that all brokers are away says less than why."""
        if error.name() != "_ALL_BROKERS_DOWN" or not self.last:
            self.last = str(error.str())


def make_consumer(profile: KafkaProfile, *, group: str = "styx-lab", **settings: Any) -> tuple[Any, Trouble]:
    """A consumer that commits nothing on its own, and what it complains of.

    Args:
        profile: how to reach the cluster.
        group: the group whose committed offsets can be asked for.
        settings: by librdkafka's names, with `_` for `.`.

    Raises:
        MissingDependencyError: without the extra `kafka`.
        DataError: when librdkafka refuses a setting of the profile; the value is not shown.
    """
    try:
        from confluent_kafka import Consumer, KafkaException
    except ImportError as error:
        raise MissingDependencyError(
            "topics are read with confluent-kafka", where="kafka", hint="pip install 'styx-lab[kafka]'"
        ) from error
    trouble = Trouble()
    own = {name.replace("_", "."): value for name, value in settings.items()}
    try:
        return Consumer(client_settings(profile, trouble, **{**_FAST, **own, "group.id": group})), trouble
    except KafkaException as error:
        refused = error.args[0]
        raise DataError(
            f"a setting of the profile is refused: {_without_values(refused.str(), profile)}",
            where=f"kafka at {profile.brokers}",
            hint="settings have librdkafka's names",
        ) from error


def client_settings(profile: KafkaProfile, trouble: Trouble, **settings: Any) -> dict[str, Any]:
    """The settings of any client: those of the profile win, and nothing is printed."""
    return {**settings, **profile.settings(), "error_cb": trouble, "logger": _LOGGER}


def _without_values(text: str, profile: KafkaProfile) -> str:
    for value in profile.options.values():
        if len(value) > 3:
            text = text.replace(value, "...")
    return text
