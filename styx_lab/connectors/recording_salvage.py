"""What is left of a recording whose writer was killed becomes a recording.

Law: nothing is made up and nothing in the middle is missing: it ends with the last block that was written whole.
"""

from __future__ import annotations

import fcntl
import shutil
from contextlib import suppress
from pathlib import Path

import polars as pl

from styx_lab.connectors.recording import Recording
from styx_lab.connectors.recording_about import About
from styx_lab.connectors.recording_writer import BEGUN, LOCK, RecordingWriter, hidden_prefix
from styx_lab.errors import DataError, NotFoundError

__all__ = ["cut_off", "salvage"]


def cut_off(path: str | Path) -> list[Path]:
    """The hidden folders of writers of a file that are gone, the oldest first."""
    file = Path(path)
    if not file.parent.is_dir():
        return []
    found = [one for one in file.parent.glob(f"{hidden_prefix(file)}*") if (one / BEGUN).is_file()]
    return sorted((one for one in found if not _held(one)), key=lambda one: one.stat().st_mtime)


def salvage(path: str | Path) -> Recording:
    """Make a recording of what a writer that was killed left behind, and open it.

    Args:
        path: the file that the writer was to make, `NAME.recording.parquet`.

    Returns:
        The recording. It has all events up to the last block that was written whole (65,536 events, or what
        `RecordingWriter.flush` wrote); what was in memory only is gone. Its note (`about.truth`) says so.

    Raises:
        NotFoundError: when no writer left anything.
        DataError: when the file is there already, or nothing that was left is whole.
    """
    file = Path(path)
    left = cut_off(file)
    if not left:
        raise NotFoundError(
            "nothing is left of a recording that was cut off",
            where=str(file),
            hint="name the file that it was to become; its writer may still be at work",
        )
    if file.exists():
        raise DataError(
            "there is a recording of that name", where=str(file), hint="move it away, then salvage what was cut off"
        )
    folder = left[-1]
    about = About.from_text((folder / BEGUN).read_text(), where=str(folder / BEGUN))
    parts = sorted(folder.glob("*.arrow"))
    if not parts:
        raise DataError(
            "no block of it was written whole",
            where=str(folder),
            got="all of it was in memory",
            hint="remove the folder, and record again",
        )
    note = "cut off: its writer was killed"
    with RecordingWriter(
        file,
        name=about.name,
        schema=about.to_schema(),
        time=about.time,
        key=about.key,
        partitions=about.partitions,
        truth=f"{about.truth}; {note}" if about.truth else note,
    ) as writer:
        row = 0
        decisions = list(about.idle)
        for part in parts:
            rows = pl.read_ipc(part)
            start = row
            while decisions and decisions[0]["row"] <= start + rows.height:
                decision = decisions.pop(0)
                writer.write_rows(rows[row - start : decision["row"] - start])
                row = decision["row"]
                writer.idle(decision["partition"], at=decision["at"])
            writer.write_rows(rows[row - start :])
            row = start + rows.height
    shutil.rmtree(folder)
    return Recording.open(file)


def _held(folder: Path) -> bool:
    """Whether the writer of a folder lives."""
    with suppress(OSError), (folder / LOCK).open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
