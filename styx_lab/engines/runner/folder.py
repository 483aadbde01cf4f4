"""A job's folder: who runs it, and what it is asked to do.

Law: one process runs a job. A second one is refused, and the message names the first.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from typing import IO, Any, Final, Self

from styx_lab.engines.runner.durable import cannot_write, write_durably
from styx_lab.errors import RunError

__all__ = ["JobFolder"]

_REQUEST: Final = "request.json"


class JobFolder:
    """The folder of one job; a context manager that holds its lock.

    Attributes:
        path: the folder.
        checkpoints, outputs, savepoints: folders in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.outputs = path / "out"
        self.savepoints = path / "savepoints"
        self.journal = path / "journal"
        self.answers = path / "answers"
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            for folder in (self.path, self.checkpoints, self.outputs, self.savepoints):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise cannot_write(error, self.path) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "another process"
            self._lock.close()
            raise RunError(
                "the job is running already", where=str(self.path), got=holder, hint="stop it first: styx stop JOB"
            ) from error
        # What was asked of a run that is gone is not asked of this one.
        (self.path / _REQUEST).unlink(missing_ok=True)
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(f"host {socket.gethostname()}, pid {os.getpid()}")
        self._lock.flush()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def ask(self, what: str, **details: Any) -> None:
        """Ask the running job for something: `stop`, `savepoint`."""
        write_durably(self.path / _REQUEST, json.dumps({"what": what, **details}).encode())

    def request(self) -> dict[str, Any] | None:
        """What the job is asked for, if anything; asked once."""
        path = self.path / _REQUEST
        if not path.exists():
            return None
        value: dict[str, Any] = json.loads(path.read_bytes())
        path.unlink()
        return value
