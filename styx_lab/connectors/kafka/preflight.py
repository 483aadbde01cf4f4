"""Preflight: can the cluster be reached, and are the topics there; if not, what is wrong, in words.

Law: the answer comes within the time that it is given, whatever the broker does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from styx_lab.connectors.kafka.client import Trouble, make_consumer
from styx_lab.connectors.kafka.profile import KafkaProfile
from styx_lab.errors import NotFoundError, RunError

__all__ = ["check_topics", "explain_trouble"]

_SECONDS: Final = 5.0

_CAUSES: Final = (
    ("refused", "no broker listens there", "start it (styx cluster up kafka), or correct the address"),
    ("failed to resolve", "the name of the host is not known", "correct the address"),
    ("timed out", "nobody answers at that address", "correct the address, or see whether a firewall is between"),
    ("ssl handshake", "it and we do not agree on TLS", "see security.protocol and ssl.ca.location of the profile"),
    ("certificate", "its certificate is not trusted", "see ssl.ca.location of the profile"),
    ("sasl", "it does not accept the user or password", "see sasl.mechanism, sasl.username, sasl.password"),
    ("authentication", "it does not accept the user or password", "see sasl.mechanism, sasl.username, sasl.password"),
    (
        "disconnected",
        "it hangs up: another protocol is spoken there than the profile says",
        "see security.protocol of the profile (PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL)",
    ),
)
"""What librdkafka says (in lower case), what that means, and what to do."""


def check_topics(
    profile: KafkaProfile, topics: Sequence[str] = (), *, seconds: float = _SECONDS
) -> dict[str, list[int]]:
    """Ask a cluster for its topics: each with its partitions.

    Args:
        profile: how to reach it.
        topics: those that must be there; where none is named all that there are.
        seconds: how long it may take to answer.

    Raises:
        RunError: when it cannot be reached, or a topic may not be read; it says what is wrong and what to do.
        NotFoundError: when a topic is not there; it names those that are alike.
        MissingDependencyError, DataError: as `make_consumer`.
    """
    consumer, trouble = make_consumer(profile, socket_connection_setup_timeout_ms=max(1_000, int(seconds * 1_000)))
    try:
        return described_topics(consumer, trouble, profile, topics, seconds=seconds)
    finally:
        consumer.close()


def described_topics(
    consumer: Any, trouble: Trouble, profile: KafkaProfile, topics: Sequence[str], *, seconds: float = _SECONDS
) -> dict[str, list[int]]:
    """As `check_topics`, with a consumer that is there."""
    from confluent_kafka import KafkaException

    where = f"kafka at {profile.brokers}"
    try:
        found = consumer.list_topics(timeout=seconds).topics
    except KafkaException as error:
        consumer.poll(0)  # lets it tell what it complained of
        raise explain_trouble(trouble.last or error.args[0].str(), where) from error
    for topic in topics:
        fault = found[topic].error if topic in found else None
        if topic not in found or (fault is not None and fault.name() == "UNKNOWN_TOPIC_OR_PART"):
            import difflib

            own = sorted(name for name in found if not name.startswith("__"))
            near = difflib.get_close_matches(topic, own, n=3) or own[:5]
            raise NotFoundError(
                "there is no such topic", where=where, got=topic, hint=", ".join(near) or "the cluster has no topics"
            )
        if fault is not None:
            raise RunError(f"topic {topic!r} cannot be read: {fault.str()}", where=where, hint="ask who owns it")
    chosen = topics or sorted(name for name in found if not name.startswith("__"))
    return {topic: sorted(found[topic].partitions) for topic in chosen}


def explain_trouble(said: str, where: str) -> RunError:
    """What a client complained of, as an error that says what to do."""
    low = said.lower()
    for sign, means, mend in _CAUSES:
        if sign in low:
            return RunError(f"{means} ({said.strip()})", where=where, hint=mend)
    return RunError(f"it cannot be reached ({said.strip()})", where=where, hint="see whether a broker runs there")
