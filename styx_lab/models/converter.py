"""sklearn2pmml's converter in a JVM that stays: started at the first export, and gone with the process.

Laws: its bytes are those of sklearn2pmml's own call, which starts a Java each time; it sends nothing to anybody, for it
runs what that program runs without the part that reports a failure; a JVM that was killed costs the export a restart,
and no more.

It is a JVM of its own, not the one in which pypmml scores: the converter is AGPL and belongs to training alone.
"""

from __future__ import annotations

import atexit
import inspect
import os
import subprocess
import threading
from pathlib import Path
from typing import Any, Final

from styx_lab.errors import ModelError, RunError
from styx_lab.models.jvm import end_jvm, leave_jvm, start_jvm

__all__ = ["NO_TELEMETRY", "UnlikeError", "can_convert", "close_converter", "convert", "converter_pid"]

NO_TELEMETRY: Final = ("-Dhttps.proxyHost=", f"-Djdk.net.hosts.file={os.devnull}")
"""sklearn2pmml posts each failed conversion to a server of its makers, and has no switch for that. With an empty file
of hosts and no proxy its Java can find no server at all; these options win over those in JAVA_TOOL_OPTIONS."""

_MAIN: Final = "com.sklearn2pmml.Main"
_STEPS: Final = ("validate", "run")
"""What `Main.main` calls once it has read its arguments; where one throws, `main` reports to its makers and exits."""
_MEMORY: Final = "give it more memory with JAVA_OPTS=-Xmx4g"


class UnlikeError(Exception):
    """The converter has not the parts that this way of calling it needs: another version may."""


class _State:
    """What this process knows of the converter's JVM."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.gateway: Any = None
        self.process: subprocess.Popen[bytes] | None = None
        self.steps: list[Any] = []


_state = _State()


def can_convert(pipeline: Any) -> bool:
    """Whether the JVM that stays can export a pipeline: what is installed must have the parts it is made of."""
    try:
        import joblib
        import py4j.java_gateway
        from sklearn2pmml import sklearn2pmml
        from sklearn2pmml.resources import _package_classpath
    except ImportError:
        return False
    del joblib, py4j, _package_classpath
    if "escape_func" not in inspect.signature(sklearn2pmml).parameters:
        return False
    # A model of H2O is fetched from H2O's server in a form of its own: that is sklearn2pmml's to do.
    return not hasattr(getattr(pipeline, "_final_estimator", None), "download_mojo")


def convert(pipeline: Any, folder: str, *, where: str) -> bytes:
    """The PMML of a fitted pipeline, as sklearn2pmml writes it `with_repr=True`.

    Args:
        pipeline: a copy; the converter puts attributes of its own on it.
        folder: one that only this user can read, for the file that Java reads and the one it writes.
        where: what to name in an error.

    Raises:
        UnlikeError: when sklearn2pmml must be asked by its own call.
        ModelError: when it cannot be converted; the message carries the converter's own sentence.
        MissingDependencyError: when there is no Java.
        RunError: when Java does not start, or ended twice.
    """
    import joblib
    from py4j.protocol import Py4JError, Py4JJavaError
    from sklearn2pmml import sklearn2pmml

    with _state.lock:
        try:
            _ensure()  # before the pipeline is changed, so that sklearn2pmml can be given it as it came
        except (Py4JError, OSError):
            close_converter()  # and below once more
    escape = inspect.signature(sklearn2pmml).parameters["escape_func"].default
    pipeline = escape(pipeline, escape_func=escape)
    pipeline.repr_ = repr(pipeline)
    given, made = os.path.join(folder, "pipeline.pkl.z"), os.path.join(folder, "model.pmml")
    joblib.dump(pipeline, given, compress=3)
    with _state.lock:
        for last in (False, True):
            try:
                _ensure()
                _run(given, made)
                return Path(made).read_bytes()
            except Py4JJavaError as error:
                sentences, fatal = _causes(error)
                if fatal:  # such as memory that is used up: whatever else runs there is in doubt
                    close_converter()
                raise ModelError(
                    f"sklearn2pmml cannot export it: {sentences[0] if sentences else 'it does not say why'}",
                    where=where,
                    hint=_MEMORY if fatal else "see docs/models.md for which estimators can be exported",
                ) from error
            except (Py4JError, OSError) as error:  # the JVM was killed, or ended itself
                close_converter()
                if last:
                    raise RunError(
                        "the JVM of sklearn2pmml ended twice while it exported", where=where, hint=_MEMORY
                    ) from error
            except BaseException:  # Ctrl-C: the JVM is still at it, and its answer would be taken for the next one
                close_converter()
                raise
    raise AssertionError("unreachable")


def converter_pid() -> int | None:
    """The process id of the converter's JVM, `None` where none runs."""
    with _state.lock:
        return _state.process.pid if _state.process is not None and _state.process.poll() is None else None


def close_converter() -> None:
    """End the converter's JVM, and wait until it is gone; the next export starts another. May be called twice.

    It holds some 130 MB until then, more after big models; the end of the process ends it too.
    """
    with _state.lock:
        process, _state.process = _state.process, None
        gateway, _state.gateway = _state.gateway, None
        _state.steps = []
        if process is not None:
            end_jvm(gateway._gateway_client, process)


def _ensure() -> None:
    if _state.steps and _state.process is not None and _state.process.poll() is None:
        return
    close_converter()
    from py4j.protocol import Py4JJavaError
    from sklearn2pmml.resources import _package_classpath

    # The first manifest on the class path is the one in which the converter looks up its own age.
    first, *rest = _package_classpath()
    options = [*os.environ.get("JAVA_OPTS", "").split(), *NO_TELEMETRY]
    _state.gateway, _state.process = start_jvm(os.pathsep.join(rest), options, first=first)
    main = _state.gateway.jvm.java.lang.Class.forName(_MAIN)
    none = _state.gateway.new_array(_state.gateway.jvm.java.lang.Class, 0)
    try:
        _state.steps = [main.getDeclaredMethod(name, none) for name in _STEPS]
    except Py4JJavaError as error:
        close_converter()
        raise UnlikeError(_MAIN) from error
    for step in _state.steps:
        step.setAccessible(True)


def _run(given: str, made: str) -> None:
    """What `Main.main` does, but for its ending: no exit, no report."""
    gateway, jvm = _state.gateway, _state.gateway.jvm
    arguments = gateway.new_array(jvm.java.lang.String, 4)
    for place, text in enumerate(("--pkl-input", given, "--pmml-output", made)):
        arguments[place] = text
    main = jvm.com.sklearn2pmml.Main()
    jvm.com.beust.jcommander.JCommander.newBuilder().addObject(main).build().parse(arguments)
    nothing = gateway.new_array(jvm.java.lang.Object, 0)
    jvm.org.jpmml.converter.Application.setInstance(main)
    for step in _state.steps:
        step.invoke(main, nothing)


def _causes(error: Any) -> tuple[list[str], bool]:
    """The sentences of a Java exception and of what caused it, in turn; whether it is one of Java itself."""
    sentences, fatal = [], False
    cause = error.java_exception
    while cause is not None:
        name = str(cause.getClass().getName())
        said = cause.getMessage()
        fatal = fatal or name == "java.lang.OutOfMemoryError"
        if said:
            sentences.append(str(said).splitlines()[0].strip()[:500])
        cause = cause.getCause()
    return sentences, fatal


def _after_fork() -> None:
    """In a forked child: let go of the parent's JVM."""
    global _state
    parent, _state = _state, _State()
    if parent.gateway is not None:
        leave_jvm(parent.gateway._gateway_client, parent.process)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(close_converter)
