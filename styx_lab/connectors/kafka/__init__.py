"""Kafka: who to ask (profiles), whether it can be asked (preflight), and its topics as a source.

Law: a secret is in no text that is shown, and whatever is wrong with a broker is said within five seconds.
"""

from __future__ import annotations

from styx_lab.connectors.kafka.preflight import check_topics
from styx_lab.connectors.kafka.profile import KafkaProfile, load_profile
from styx_lab.connectors.kafka.source import KafkaSource
from styx_lab.connectors.kafka.topics import Topics

__all__ = ["KafkaProfile", "KafkaSource", "Topics", "check_topics", "load_profile"]
