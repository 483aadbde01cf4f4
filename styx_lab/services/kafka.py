"""Kafka: one node that is broker and controller (KRaft), for development and tests.

Law: an event of any age is kept (retention by time is off), because recordings are replayed with their own times.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from styx_lab.core.java import find_java
from styx_lab.errors import RunError
from styx_lab.services.artifacts import fetch_jars

__all__ = ["Kafka"]

_OLDEST_JAVA: Final = 17
_ARTIFACTS: Final = ("org.apache.kafka:kafka_2.13:{version}", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")
_JAVA: Final = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_CLUSTER_ID: Final = "c3R5eC1sYWItbG9jYWwtMQ"
"""Kafka wants the base64 of 16 bytes; a node of one needs no other than this."""

_SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}
controller.listener.names=CONTROLLER
log.dirs={data}
# One node: nothing can be replicated.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# After a crash the node waits for its own former session to end.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Replayed events have times of their own; retention by time would delete them.
log.retention.ms=-1
auto.create.topics.enable=false
"""

_LOGGING: Final = """\
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %-5p %c{1} - %m%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class Kafka:
    """Kafka, from its own jars. Data are kept in the folder; topics are made by whoever needs them."""

    name: Final = "kafka"
    version: Final = "4.3.1"
    ports: Final[Mapping[str, int]] = {"client": 9092, "controller": 0}
    main_port: Final = "client"

    def prepare(self, folder: Path, ports: Mapping[str, int]) -> Sequence[Sequence[str]]:
        """See `Server.prepare`."""
        jars = fetch_jars([one.format(version=self.version) for one in _ARTIFACTS], where=self.name)
        java = str(find_java(oldest=_OLDEST_JAVA).path)
        data, settings, logging = folder / "data", folder / "server.properties", folder / "log4j2.xml"
        settings.write_text(_SETTINGS.format(data=data, **ports))
        logging.write_text(_LOGGING)
        classpath = ":".join(map(str, jars))
        options = [*_JAVA, f"-Dlog4j2.configurationFile={logging}", "-cp", classpath]
        if not (data / "meta.properties").exists():
            self._format(java, options, settings)
        return [[java, *options, "kafka.Kafka", str(settings)]]

    def ready(self, log: str) -> bool:
        """See `Server.ready`."""
        return "Kafka Server started" in log

    def _format(self, java: str, options: Sequence[str], settings: Path) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER_ID, "--config", str(settings)]
        done = subprocess.run([java, *options, *tool], capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise RunError(
                f"its folder cannot be formatted ({said[-1] if said else done.returncode})",
                where=self.name,
                got=str(settings.parent),
                hint="remove the folder, or keep the servers elsewhere with --folder",
            )
