"""Cassandra: one node, for development and tests.

Law: what was written survives a kill of the node: the log of commits is flushed with each batch of writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from styx_lab.core.java import find_java
from styx_lab.services.artifacts import fetch_jars

__all__ = ["Cassandra"]

_JAVA_VERSION: Final = 17
"""Cassandra 5.0 runs on 11 and 17; the options below are those of 17."""
_ARTIFACT: Final = "org.apache.cassandra:cassandra-all:{version}"

_EXPORTS: Final = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "java.base/java.lang.ref",
    "java.base/java.lang.reflect",
    "jdk.unsupported/sun.misc",
)
_OPENS: Final = (
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.nio",
)
"""The inner parts of Java that Cassandra's own start script (jvm17-server.options) opens to it."""

_OPTIONS: Final = (
    "-ea:org.apache.cassandra...",
    "-Xms512m",
    "-Xmx512m",
    "-Xss256k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djava.awt.headless=true",
    # A node of one has nobody to wait for.
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=1",
    "-Dcassandra.consistent.rangemovement=false",
    "-Dcassandra-foreground=yes",
)

_SETTINGS: Final = """\
cluster_name: styx
num_tokens: 1
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:{storage}"
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: {storage}
native_transport_port: {client}
start_native_transport: true
endpoint_snitch: SimpleSnitch
data_file_directories:
  - {data}/files
commitlog_directory: {data}/commitlog
hints_directory: {data}/hints
saved_caches_directory: {data}/caches
cdc_raw_directory: {data}/cdc
commitlog_sync: batch
auto_snapshot: false
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
key_cache_size: 8MiB
"""

_LOGGING: Final = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{ISO8601} %-5level %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
"""


class Cassandra:
    """Cassandra, from its own jars. Data are kept in the folder."""

    name: Final = "cassandra"
    version: Final = "5.0.6"
    ports: Final[Mapping[str, int]] = {"client": 9042, "storage": 0}
    main_port: Final = "client"

    def prepare(self, folder: Path, ports: Mapping[str, int]) -> Sequence[Sequence[str]]:
        """See `Server.prepare`."""
        jars = fetch_jars([_ARTIFACT.format(version=self.version)], where=self.name)
        java = str(find_java(oldest=_JAVA_VERSION, newest=_JAVA_VERSION).path)
        settings, logging = folder / "cassandra.yaml", folder / "logback.xml"
        settings.write_text(_SETTINGS.format(data=folder / "data", **ports))
        logging.write_text(_LOGGING)
        opened = [
            *(f"--add-exports={one}=ALL-UNNAMED" for one in _EXPORTS),
            *(f"--add-opens={one}=ALL-UNNAMED" for one in _OPENS),
        ]
        places = [
            f"-Dcassandra.config={settings.as_uri()}",
            f"-Dcassandra.storagedir={folder / 'data'}",
            f"-Dlogback.configurationFile={logging}",
            f"-Djava.io.tmpdir={folder}",
        ]
        classpath = ":".join(map(str, jars))
        main = "org.apache.cassandra.service.CassandraDaemon"
        return [[java, *opened, *_OPTIONS, *places, "-cp", classpath, main]]

    def ready(self, log: str) -> bool:
        """See `Server.ready`."""
        return "Starting listening for CQL clients" in log
