"""Writing that survives the plug being pulled: write aside, flush to disk, rename into place.

Law: a reader sees a whole file or none.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from styx_lab.errors import OutputError

__all__ = ["PARTIAL", "cannot_write", "publish", "sync_folder", "write_aside", "write_durably"]

PARTIAL = ".partial"
"""Suffix of a file that is not complete yet."""


def cannot_write(error: OSError, path: Path) -> OutputError:
    """The one sentence for a write that failed."""
    hint = (
        "free some space, then run the job again: it goes on where it was"
        if error.errno == errno.ENOSPC
        else ("check the folder and its permissions, then run the job again: it goes on where it was")
    )
    return OutputError(f"cannot write: {error.strerror or error}", where=str(path), hint=hint)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_aside(path: Path, data: bytes) -> Path:
    """Write `path` under its partial name, flushed; `publish` makes it visible."""
    aside = path.with_name(path.name + PARTIAL)
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(error, path) from error
    return aside


def publish(path: Path) -> None:
    """Give a file that was written aside its own name."""
    path.with_name(path.name + PARTIAL).replace(path)


def write_durably(path: Path, data: bytes) -> None:
    """Write a whole file, or leave what was there."""
    write_aside(path, data)
    publish(path)
    sync_folder(path.parent)
