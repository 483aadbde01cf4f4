"""One JVM a process for pypmml: started on first use, silent, reachable only from this process, and gone with it.

Law: however the process ends (exit, exception, SIGKILL), its JVM ends too; a forked child never talks to its parent's.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import threading
from typing import Any

from styx_lab.errors import MissingDependencyError
from styx_lab.models.jvm import end_jvm, leave_jvm, start_jvm

__all__ = ["close_jvm", "generation", "jvm_pid", "load_model"]


class _State:
    """What this process knows of its JVM."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.generation = 0
        self.context: Any = None
        self.client: Any = None
        self.process: subprocess.Popen[bytes] | None = None


_state = _State()


def load_model(text: str) -> tuple[Any, int]:
    """A pypmml model of PMML text, and the generation of the JVM that it lives in; starts the JVM when there is none.

    Raises:
        MissingDependencyError: when pypmml or Java is missing.
        RunError: when Java does not start.
        py4j.protocol.Py4JError, pypmml.jvm.PMMLError: when pypmml cannot load the model.
    """
    with _state.lock:
        _ensure()
        from pypmml import Model

        return Model.fromString(text), _state.generation


def generation() -> int:
    """A number that changes when models that were loaded before are gone: after a crash, a close or a fork."""
    with _state.lock:
        if not _alive():
            return _state.generation + 1
        return _state.generation


def jvm_pid() -> int | None:
    """The process id of the JVM, `None` when Styx runs none."""
    with _state.lock:
        return _state.process.pid if _state.process is not None and _state.process.poll() is None else None


def close_jvm(only: int | None = None) -> None:
    """End the JVM, and wait until it is gone; the next model that is needed starts another. May be called twice.

    Args:
        only: do nothing when the JVM is of another generation than this.
    """
    with _state.lock:
        if only is not None and only != _state.generation:
            return
        process, _state.process = _state.process, None
        client, _state.client = _state.client, None
        _state.context = None
        if process is None:
            return
        _state.generation += 1
        _forget()
        end_jvm(client, process)


def _alive() -> bool:
    if _state.context is None:
        return False
    from pypmml.base import PMMLContext

    if PMMLContext._active_pmml_context is not _state.context:
        return False  # somebody closed pypmml, or opened it anew
    return _state.process is None or _state.process.poll() is None


def _ensure() -> None:
    try:
        from pypmml.base import PMMLContext
        from pypmml.jvm import Py4jGateway
    except ImportError as error:
        raise MissingDependencyError(
            "scoring with pypmml needs the package pypmml", where="pypmml", hint="pip install 'styx-lab[pypmml]'"
        ) from error
    if _alive():
        return
    close_jvm()
    _state.generation += 1
    active = PMMLContext._active_pmml_context
    if active is not None:
        _state.context = active  # the user's own, in the same process: pypmml allows one only
        return
    gateway = Py4jGateway()
    # pypmml's own start leaves the port open to every local user, and lets Ctrl-C end the JVM under a running flow.
    Py4jGateway._gateway, process = start_jvm(gateway.classpath, gateway.java_opts)
    Py4jGateway._jvm = Py4jGateway._gateway.jvm
    _state.process = process
    _state.client = Py4jGateway._gateway._gateway_client
    _state.context = PMMLContext(gateway_instance=gateway)


def _forget() -> None:
    """Make pypmml forget a JVM without talking to it."""
    from pypmml.base import PMMLContext
    from pypmml.jvm import Py4jGateway

    PMMLContext._gateway = None
    PMMLContext._active_pmml_context = None
    Py4jGateway._gateway = None
    Py4jGateway._jvm = None


def _after_fork() -> None:
    """In a forked child: let go of the parent's JVM, whose sockets and whose end of life are the parent's."""
    global _state
    parent, _state = _state, _State()
    _state.generation = parent.generation + 1
    if parent.context is None:
        return
    _forget()
    leave_jvm(parent.client, parent.process)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(close_jvm)
