"""A server's process: started apart from ours, known again later by its pid and its time of birth, and ended.

Law: only a process that was started here is ever ended: a pid that another program has by now has another time of
birth.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from styx_lab.errors import RunError

__all__ = ["Running", "start"]

_END_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started.

    Attributes:
        pid: its number.
        born: when it was started, seconds since 1970, as the system tells it.
    """

    pid: int
    born: float

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process() is not None

    def memory(self) -> int:
        """Bytes of memory that it holds; 0 when it is gone."""
        import psutil

        process = self._process()
        try:
            return int(process.memory_info().rss) if process is not None else 0
        except psutil.NoSuchProcess:
            return 0

    def end(self, seconds: float = _END_SECONDS) -> None:
        """Ask it to end, and end it when it does not in time; nothing when it is gone."""
        import psutil

        process = self._process()
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            try:
                process.wait(seconds)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(seconds)

    def _process(self) -> Any:
        import psutil

        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return process if same else None


def start(command: Sequence[str], *, folder: Path, log: Path, where: str) -> Running:
    """Start a program in a session of its own, so that neither Ctrl-C here nor our end ends it.

    Args:
        command: the program with its arguments.
        folder: the folder it works in.
        log: the file that what it prints is appended to.
        where: what it is, as errors name it.

    Raises:
        RunError: when it cannot be started.
    """
    import psutil

    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process.pid, psutil.Process(process.pid).create_time())
    except (OSError, psutil.NoSuchProcess) as error:
        raise RunError(f"it does not start ({error})", where=where, got=command[0]) from error
