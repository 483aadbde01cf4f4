"""The answers that a job was given from outside, in a file beside its journal.

Law (crash anywhere): an answer is written before it is used, and is on the disk before a commit that used it. After a
start, questions that were answered are answered from here; up to the last commit, no other answer will do.
"""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Self

import polars as pl

from styx_lab.engines.runner.durable import cannot_write, sync_folder
from styx_lab.engines.runner.journal import journal_entries, journal_line
from styx_lab.errors import CheckpointError

__all__ = ["AnswerFile"]


class AnswerFile:
    """The append-only file of a job's answers; a context manager. It is made with the first answer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[tuple[int, pl.DataFrame]]] = {}
        self._recovering = True
        self._unsynced = False
        self._file: io.FileIO | None = None
        if path.exists():
            good = 0
            for _, value, end in journal_entries(path.read_bytes(), path):
                good = end
                answers = pl.read_ipc(io.BytesIO(base64.b64decode(value["answers"])))
                self._known.setdefault(value["step"], []).append((value["first"], answers))
            self._open(good)

    def _open(self, good: int) -> io.FileIO:
        try:
            # Unbuffered, as the journal is.
            self._file = io.FileIO(self._path, "ab")
            self._file.truncate(good)
        except OSError as error:
            raise cannot_write(error, self._path) from error
        sync_folder(self._path.parent)
        return self._file

    def ask_on(self) -> None:
        """The last commit is reached: what is not answered here may be asked from now on."""
        self._recovering = False

    def recall(self, step: str, first: int, count: int) -> pl.DataFrame | None:
        """See `AnswerLog.recall`.

        Raises:
            CheckpointError: when what is committed was made with an answer that is not here.
        """
        kept = self._known.get(step, [])
        # Numbers only rise: what lies before is not asked for any more.
        while kept and kept[0][0] + kept[0][1].height <= first:
            kept.pop(0)
        if kept and kept[0][0] <= first:
            start, answers = kept[0]
            return answers[first - start : first - start + count]
        if self._recovering:
            raise CheckpointError(
                "an answer that was used is not there any more",
                where=f"{self._path}, step {step!r}, question {first}",
                hint="restore the job folder from a copy, or start a new job",
            )
        return None

    def keep(self, step: str, first: int, answers: pl.DataFrame) -> None:
        """See `AnswerLog.keep`."""
        file = self._file or self._open(0)
        body = io.BytesIO()
        answers.write_ipc(body)
        line = journal_line(
            "answers", {"step": step, "first": first, "answers": base64.b64encode(body.getvalue()).decode()}
        )
        self._unsynced = True
        try:
            while line:
                line = line[file.write(line) or 0 :]
        except OSError as error:
            raise cannot_write(error, self._path) from error

    def sync(self) -> None:
        """Bring all answers to the disk."""
        if self._file is None or not self._unsynced:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(error, self._path) from error
        self._unsynced = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
