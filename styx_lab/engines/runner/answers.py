"""The answers that a job was given from outside, in a file beside its journal.

Law (crash anywhere): an answer is written before it is used, and is on the disk before a commit that used it. After a
start, questions that were answered are answered from here; up to the last commit, no other answer will do. What no kept
checkpoint can ask again is cut off at its beginning: a reader sees the whole file or the shorter one.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Final, Self

import polars as pl

from styx_lab.engines.runner.durable import cannot_write, publish, sync_folder, write_aside
from styx_lab.engines.runner.journal import journal_entries, journal_line
from styx_lab.errors import CheckpointError

__all__ = ["AnswerFile"]

_FEW_BYTES: Final = 65_536
"""So much in vain is not worth a copy of the rest."""


class AnswerFile:
    """The append-only file of a job's answers; a context manager. It is made with the first answer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[tuple[int, pl.DataFrame]]] = {}
        self._recovering = True
        self._unsynced = False
        self._file: io.FileIO | None = None
        # Of each line the step, the number after its last question, and its bytes.
        self._lines: list[tuple[str, int, int]] = []
        if path.exists():
            good = 0
            for _, value, end in journal_entries(path.read_bytes(), path):
                answers = pl.read_ipc(io.BytesIO(base64.b64decode(value["answers"])))
                self._known.setdefault(value["step"], []).append((value["first"], answers))
                self._lines.append((value["step"], value["first"] + answers.height, end - good))
                good = end
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
        self._lines.append((step, first + answers.height, len(line)))
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

    def cut(self, first: Mapping[str, int]) -> None:
        """Let go of the answers to what nobody asks any more.

        That is done once they are the more part, so that each is copied about once.

        Args:
            first: for each step, the first question that may be asked again.

        Raises:
            OutputError: when the shorter file cannot be written; the longer one stays.
            CheckpointError: when it cannot take the longer one's place.
        """
        kept = [first.get(step, 0) < after for step, after, _ in self._lines]
        sizes = [size for _, _, size in self._lines]
        gone = sum(size for size, one in zip(sizes, kept, strict=True) if not one)
        if self._file is None or gone < _FEW_BYTES or 2 * gone < sum(sizes):
            return
        try:
            data = self._path.read_bytes()
        except OSError as error:
            raise cannot_write(error, self._path) from error
        ends = list(accumulate(sizes))
        parts = [data[end - size : end] for end, size, one in zip(ends, sizes, kept, strict=True) if one]
        # All of it is on the disk before it gets the name; where it cannot be written, all is as it was.
        write_aside(self._path, b"".join(parts))
        self._file.close()
        try:
            publish(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            # Which of the two has the name now is not known: the next start finds out.
            raise CheckpointError(f"cannot rename: {error.strerror or error}", where=str(self._path)) from error
        self._lines = [line for line, one in zip(self._lines, kept, strict=True) if one]
        self._open(sum(map(len, parts)))
        self._unsynced = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
