"""Flink: one job manager and one task manager, for development and tests.

Law: nothing is fetched but jars: what Flink runs in Python has an environment of its own, for Flink pins old libraries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from styx_lab.core.java import find_java
from styx_lab.services.artifacts import fetch_jars

__all__ = ["Flink"]

_OLDEST_JAVA: Final = 17
_ARTIFACTS: Final = (
    "org.apache.flink:flink-clients:{version}",
    "org.apache.flink:flink-runtime-web:{version}",
    "org.apache.flink:flink-statebackend-rocksdb:{version}",
    "org.apache.flink:flink-cep:{version}",
    "org.apache.flink:flink-table-runtime:{version}",
    "org.apache.flink:flink-table-planner-loader:{version}",
    "org.apache.flink:flink-table-api-java-uber:{version}",
    "org.apache.flink:flink-json:{version}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
_OPENS: Final = (
    "java.base/java.lang",
    "java.base/java.net",
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/java.text",
    "java.base/java.time",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.util.concurrent.locks",
    "java.base/sun.net.util",
    "java.base/sun.nio.ch",
    "java.management/sun.management",
)
"""The inner parts of Java that Flink's own settings open to it."""
_JAVA: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+IgnoreUnrecognizedVMOptions")

_SETTINGS: Final = """\
jobmanager:
  rpc: {{address: 127.0.0.1, port: {rpc}}}
  bind-host: 127.0.0.1
  memory: {{process: {{size: 1024m}}}}
taskmanager:
  host: 127.0.0.1
  bind-host: 127.0.0.1
  numberOfTaskSlots: 2
  cpu: {{cores: 2.0}}
  memory:
    framework: {{heap: {{size: 128m}}, off-heap: {{size: 128m}}}}
    task: {{heap: {{size: 256m}}, off-heap: {{size: 0m}}}}
    jvm-metaspace: {{size: 256m}}
    jvm-overhead: {{min: 192m, max: 192m}}
    managed: {{size: 128m}}
    network: {{min: 64m, max: 64m}}
rest: {{address: 127.0.0.1, bind-address: 127.0.0.1, port: {client}}}
parallelism: {{default: 1}}
io: {{tmp: {{dirs: "{data}"}}}}
"""

_LOGGING: Final = """\
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %-5p %c{1} - %m%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class Flink:
    """Flink, from its own jars: a session cluster that jobs are submitted to at its REST address."""

    name: Final = "flink"
    version: Final = "2.3.0"
    ports: Final[Mapping[str, int]] = {"client": 8081, "rpc": 0}
    main_port: Final = "client"

    def prepare(self, folder: Path, ports: Mapping[str, int]) -> Sequence[Sequence[str]]:
        """See `Server.prepare`."""
        jars = fetch_jars([one.format(version=self.version) for one in _ARTIFACTS], where=self.name)
        java = str(find_java(oldest=_OLDEST_JAVA).path)
        data, logging = folder / "data", folder / "log4j2.xml"
        data.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(_SETTINGS.format(data=data, **ports))
        logging.write_text(_LOGGING)
        opened = [f"--add-opens={one}=ALL-UNNAMED" for one in _OPENS]
        options = [*opened, *_JAVA, f"-Dlog4j2.configurationFile={logging}", "-cp", ":".join(map(str, jars))]
        manager = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        worker = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        settings = ["--configDir", str(folder)]
        return [
            [java, "-Xmx448m", *options, manager, *settings, "--executionMode", "cluster"],
            [java, "-Xmx384m", "-XX:MaxDirectMemorySize=320m", *options, worker, *settings],
        ]

    def ready(self, log: str) -> bool:
        """See `Server.ready`."""
        return "Rest endpoint listening at" in log and "Successful registration at resource manager" in log
