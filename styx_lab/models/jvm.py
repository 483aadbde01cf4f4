"""A JVM that belongs to this process: silent, reachable only from it, deaf to Ctrl-C, and gone with it.

Law: however the process ends (exit, exception, SIGKILL), its JVM ends too; a forked child never talks to its parent's.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from styx_lab.core.java import find_java
from styx_lab.errors import RunError

__all__ = ["end_jvm", "leave_jvm", "start_jvm"]

_OPTIONS: Final = ("-Djava.awt.headless=true", "-XX:+UseSerialGC", "-Xss8m")
_PATIENCE_S: Final = 10.0


def start_jvm(
    classpath: str, options: Sequence[str] = (), *, first: str | None = None
) -> tuple[Any, subprocess.Popen[bytes]]:
    """A new JVM with py4j's server in it: its py4j `JavaGateway`, and its process.

    Args:
        classpath: the jars; py4j's own comes before them.
        options: for Java, after Styx's own.
        first: a jar that must come before all others, py4j's too.

    Raises:
        MissingDependencyError: when there is no Java.
        RunError: when it does not start.
    """
    from py4j.java_gateway import GatewayParameters, find_jar_path, launch_gateway

    from styx_lab.models.py4j_client import QuietGateway

    java = find_java()
    if first is not None:
        classpath = os.pathsep.join((find_jar_path(), classpath))
    try:
        # py4j's defaults leave the port open to every local user, and let Ctrl-C end the JVM under its caller.
        port, token, process = launch_gateway(
            jarpath=first or "",
            classpath=classpath,
            javaopts=[*_OPTIONS, *options],
            java_path=str(java.path),
            die_on_exit=True,
            create_new_process_group=True,
            enable_auth=True,
            return_proc=True,
        )
    except (OSError, ValueError) as error:  # py4j reads the port from the JVM's first line and gets none
        raise RunError(
            "Java did not start",
            where=str(java.path),
            hint="see whether `java -version` works, and whether JAVA_OPTS asks for more memory than there is",
        ) from error
    parameters = GatewayParameters(port=port, auth_token=token, auto_convert=True)
    return QuietGateway(gateway_parameters=parameters), process


def end_jvm(client: Any, process: subprocess.Popen[bytes]) -> None:
    """End a JVM, and wait until it is gone.

    Args:
        client: of its gateway.
        process: as `start_jvm` gave it.
    """
    client.is_connected = False  # else objects that are collected later would knock at a closed door
    if process.stdin is not None:
        with suppress(BrokenPipeError):  # it has ended already
            process.stdin.close()  # py4j's server ends with its standard input
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def leave_jvm(client: Any, process: subprocess.Popen[bytes] | None) -> None:
    """In a forked child: let go of the parent's JVM, whose sockets and whose end of life are the parent's."""
    if client is not None:
        client.is_connected = False
        for connection in list(client.deque):
            # Not connection.close(): that shuts the socket down for the parent too.
            connection.stream.close()
            connection.socket.close()
    if process is not None and process.stdin is not None:
        process.stdin.close()
