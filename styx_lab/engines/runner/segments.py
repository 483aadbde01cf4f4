"""Outputs as files: each commit's rows are one segment of JSON lines, which appears with its commit.

Law (exactly once): a segment is written aside before the journal entry and renamed after it, so that readers of the
folder see the rows of committed input, all of them, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from styx_lab.core.events import canonical_lines
from styx_lab.engines.runner.durable import PARTIAL, cannot_write, publish, sync_folder, write_aside
from styx_lab.engines.runner.journal import Commit
from styx_lab.errors import CheckpointError

__all__ = ["Segments", "read_output"]


class Segments:
    """The output folders of one job."""

    def __init__(self, folder: Path, outputs: Sequence[str]) -> None:
        self._folder = folder
        self._held: dict[str, list[bytes]] = {name: [] for name in outputs}
        try:
            for name in outputs:
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(error, folder) from error

    def take(self, frames: Mapping[str, pl.DataFrame]) -> None:
        """Hold rows for the next commit."""
        for name, frame in frames.items():
            if frame.height:
                self._held[name] += canonical_lines(frame)

    def write(self, number: int) -> dict[str, dict[str, Any]]:
        """Write what is held as the segments of a commit, aside; gives what the journal says of them."""
        written = {}
        for name, lines in self._held.items():
            if lines:
                data = b"\n".join(lines) + b"\n"
                file = f"{number:010d}.jsonl"
                write_aside(self._folder / name / file, data)
                written[name] = {"file": file, "rows": len(lines), "sha256": sha256(data).hexdigest()}
        return written

    def publish(self, commit: Commit) -> None:
        """Make the segments of a commit visible."""
        for name, segment in commit.segments.items():
            publish(self._folder / name / segment["file"])
            sync_folder(self._folder / name)
            self._held[name] = []

    def recover(self, commits: Sequence[Commit]) -> None:
        """Finish the newest commit's renames, drop what was never committed, and check that nothing is missing.

        Raises:
            CheckpointError: when a committed segment is not there or was changed.
        """
        for commit in commits:
            for name, segment in commit.segments.items():
                path = self._folder / name / segment["file"]
                aside = path.with_name(path.name + PARTIAL)
                if not path.exists() and aside.exists():
                    publish(path)
                if not path.exists():
                    raise CheckpointError(
                        "a committed segment is missing", where=str(path), hint="put it back, or start a new job"
                    )
        if commits:
            for name, segment in commits[-1].segments.items():
                path = self._folder / name / segment["file"]
                if sha256(path.read_bytes()).hexdigest() != segment["sha256"]:
                    raise CheckpointError("a committed segment was changed", where=str(path))
        for name in self._held:
            known = {commit.segments[name]["file"] for commit in commits if name in commit.segments}
            for left in (self._folder / name).glob("[0-9]*.jsonl*"):
                # Visible and in no commit: the journal's last line was damaged. Its events are run again.
                if left.name not in known:
                    left.unlink()


def read_output(folder: Path, output: str) -> Iterator[bytes]:
    """The lines of an output, in order, without their line feeds: what any reader of the folder sees."""
    paths: Iterable[Path] = sorted((folder / output).glob("*.jsonl"))
    for path in paths:
        yield from path.read_bytes().splitlines()
