"""A JVM that is started on first use, started again when it was killed, and shared by all that need its jars.

Law: what lived in a JVM that is gone is known to be gone: its generation is another one.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any

from styx_lab.models.jvm import end_jvm, leave_jvm, start_jvm

__all__ = ["PrivateJvm"]


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
                self._gateway, self._process = start_jvm(os.pathsep.join(self._classpath()))
                self._generation += 1
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
            end_jvm(gateway._gateway_client, process)

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        gateway, self._gateway = self._gateway, None
        process, self._process = self._process, None
        leave_jvm(None if gateway is None else gateway._gateway_client, process)
