"""The journal: what was committed and what was decided, in order. Its last good line is the only truth about how far a
job has got.

Law (crash anywhere): appending one line, flushed to disk, is the atomic point of a commit. A line that was cut off by
a crash was never committed; a line that is damaged anywhere else is refused.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from styx_lab.core.events import canonical_json
from styx_lab.engines.decisions import DECISIONS, Decision, decision_of, kind_and_fields
from styx_lab.engines.runner.durable import cannot_write, sync_folder
from styx_lab.errors import CheckpointError

__all__ = ["Commit", "Journal", "committed_count", "journal_entries", "journal_line"]


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit.

    Attributes:
        number: from 1, without gaps.
        epoch: which start of the job made it.
        count: input events and decisions whose effects are committed, since the beginning.
        segments: for each output with rows: the file's name, its rows and its SHA-256.
        ended: whether the end of input is committed.
    """

    number: int
    epoch: int
    count: int
    segments: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: bool = False


class Journal:
    """The append-only journal of one job; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.commits: list[Commit] = []
        self.decisions: list[Decision] = []
        """What the engine decided, in the order in which it took effect."""
        self.epoch = 0
        """How often the job was started."""
        good = 0
        if path.exists():
            for kind, value, end in journal_entries(path.read_bytes(), path):
                good = end
                if kind == "commit":
                    self.commits.append(Commit(**value))
                elif kind in DECISIONS:
                    self.decisions.append(decision_of(kind, value))
                else:
                    self.epoch = value["epoch"]
        try:
            self._file = path.open("ab", buffering=0)
            self._file.truncate(good)
        except OSError as error:
            raise cannot_write(error, path) from error
        sync_folder(path.parent)

    def hello(self, *, host: str, pid: int, flow: str) -> int:
        """Say who runs the job from here on; gives the new epoch."""
        self.epoch += 1
        self._append("hello", {"epoch": self.epoch, "host": host, "pid": pid, "flow": flow})
        return self.epoch

    def commit(self, commit: Commit) -> None:
        """The atomic point: after this the commit has happened, before it has not."""
        self._append(
            "commit",
            {
                "number": commit.number,
                "epoch": commit.epoch,
                "count": commit.count,
                "segments": commit.segments,
                "ended": commit.ended,
            },
        )
        self.commits.append(commit)

    def decide(self, decision: Decision) -> None:
        """Keep a decision before it takes effect, so that it is repeated after a crash."""
        self._append(*kind_and_fields(decision))
        self.decisions.append(decision)

    @property
    def last(self) -> Commit:
        """The newest commit; number 0 before the first."""
        return self.commits[-1] if self.commits else Commit(0, 0, 0)

    def _append(self, kind: str, value: dict[str, Any]) -> None:
        line = journal_line(kind, value)
        try:
            # Unbuffered, so that closing the file has nothing left to write, which could fail once more.
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(error, self._path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def journal_line(kind: str, value: dict[str, Any]) -> bytes:
    """One line: the CRC-32 of its body, and its body."""
    body = canonical_json([kind, value])
    return b"%08x %s\n" % (zlib.crc32(body), body)


def journal_entries(data: bytes, path: Path) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Kind, value and end of each good line."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        line = data[start:end]
        body = line[9:]
        if end == -1 or line[:8] != b"%08x" % zlib.crc32(body):
            if end != -1 and data.find(b"\n", end + 1) != -1:
                raise CheckpointError(
                    "the journal is damaged before its end",
                    where=f"{path}, byte {start}",
                    hint="restore the job folder from a copy, or start a new job",
                )
            return
        kind, value = json.loads(body)
        start = end + 1
        yield kind, value, start


def committed_count(path: Path) -> int:
    """How many input events a job has committed, read without taking the job over; 0 before the first commit."""
    if not path.exists():
        return 0
    return max(
        (value["count"] for kind, value, _ in journal_entries(path.read_bytes(), path) if kind == "commit"), default=0
    )
