"""A JVM of this process's own: started on first use, silent, reachable only from this process, and gone with it.

Law: however the process ends (exit, exception, SIGKILL), its JVM ends too; a forked child never talks to its parent's.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from styx_lab.errors import RunError
from styx_lab.models.java import find_java

__all__ = ["PrivateJvm"]

_OPTIONS: Final = ("-Djava.awt.headless=true", "-XX:+UseSerialGC", "-Xss8m")
_PATIENCE_S: Final = 10.0


class PrivateJvm:
    """A JVM behind py4j, whose port asks for a secret.

    Args:
        classpath: gives the jars, when the JVM is started.
    """

    def __init__(self, classpath: Callable[[], Sequence[str]]) -> None:
        self._classpath = classpath
        self._lock = threading.RLock()
        self._generation = 0
        self._gateway: Any = None
        self._process: subprocess.Popen[bytes] | None = None
        os.register_at_fork(after_in_child=self._after_fork)
        atexit.register(self.close)

    def open(self) -> tuple[Any, int]:
        """The gateway of py4j and the generation of the JVM behind it; starts the JVM when there is none.

        Raises:
            MissingDependencyError: when there is no Java.
            RunError: when Java does not start.
        """
        with self._lock:
            if not self._alive():
                self.close()
                self._start()
            return self._gateway, self._generation

    @property
    def generation(self) -> int:
        """A number that changes when what lived in the JVM is gone: after a crash, a close or a fork."""
        with self._lock:
            return self._generation if self._alive() else self._generation + 1

    @property
    def pid(self) -> int | None:
        """The process id of the JVM, `None` when there is none."""
        with self._lock:
            return self._process.pid if self._process is not None and self._alive() else None

    def close(self, only: int | None = None) -> None:
        """End the JVM, and wait until it is gone; the next `open` starts another. May be called twice.

        Args:
            only: do nothing when the JVM is of another generation than this.
        """
        with self._lock:
            if self._process is None or (only is not None and only != self._generation):
                return
            process, self._process = self._process, None
            gateway, self._gateway = self._gateway, None
            if gateway is not None:
                # Objects that are collected later would knock at a closed door.
                gateway._gateway_client.is_connected = False
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # it has ended already
                    process.stdin.close()  # py4j's server ends with its standard input
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

        java = find_java()
        try:
            port, secret, process = launch_gateway(
                classpath=os.pathsep.join(self._classpath()),
                javaopts=list(_OPTIONS),
                java_path=str(java.path),
                die_on_exit=True,
                create_new_process_group=True,  # Ctrl-C is not for it
                enable_auth=True,
                return_proc=True,
            )
        except (OSError, ValueError) as error:  # py4j reads the port from the JVM's first line and gets none
            raise RunError(
                "Java did not start",
                where=str(java.path),
                hint="see whether `java -version` works, and whether JAVA_OPTS asks for more memory than there is",
            ) from error
        self._process = process
        self._gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=secret))
        self._generation += 1

    def _after_fork(self) -> None:
        """In a forked child: let go of the parent's JVM, whose sockets and whose end of life are the parent's."""
        self._lock = threading.RLock()
        gateway, self._gateway = self._gateway, None
        process, self._process = self._process, None
        if gateway is not None:
            client = gateway._gateway_client
            client.is_connected = False
            for connection in list(client.deque):
                # Not connection.close(): that shuts the socket down for the parent too.
                connection.stream.close()
                connection.socket.close()
        if process is not None and process.stdin is not None:
            process.stdin.close()
