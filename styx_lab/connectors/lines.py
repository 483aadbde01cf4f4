"""The lines of a file, in pieces: memory stays bounded however large the file or a line of it is.

Law: the n-th line is the same whatever was read before it in one go, and whichever position reading began from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from styx_lab.connectors.paths import position_of, readable_file
from styx_lab.core.ports import Arrivals
from styx_lab.errors import DataError

__all__ = ["LONGEST", "FileLines", "Lines", "line_arrivals"]

LONGEST: Final = 4 * 1024 * 1024
"""Bytes of the longest line that is taken; of a longer one the first kilobyte is kept for the dead letters."""
_KEPT: Final = 1024
_BLOCK: Final = 1024 * 1024
_AT_ONCE: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines without their ends, and what is wrong with the too long ones (index -> reason)."""

    lines: list[bytes]
    broken: dict[int, str]


class FileLines:
    """Reads a file's lines from a position on. A line ends with LF or CR LF; the last one need not.

    The position is the number of lines and of bytes before the next line.

    Args:
        path: the file.
        skip: bytes at the start that are no lines (a byte-order mark, a header).

    Raises:
        InputMissingError, DataError: see `readable_file`.
    """

    def __init__(self, path: str | Path, *, skip: int = 0) -> None:
        self.path = readable_file(path)
        self._file = self.path.open("rb")
        self._skip = skip
        self._go(0, skip)

    def _go(self, row: int, byte: int) -> None:
        self._file.seek(byte)
        self._row, self._byte = row, byte
        self._waiting: list[bytes] = []  # whole lines, the next one last
        self._rest = b""  # the start of the line after those

    def read(self, most: int) -> Lines | None:
        """The next lines, at most `most` and at most about 32 MB of them; `None` at the end of the file."""
        lines: list[bytes] = []
        broken: dict[int, str] = {}
        size = 0
        while len(lines) < most and size < _AT_ONCE:
            if not self._waiting and not self._fill():
                if not self._rest:
                    break
                # The last line has no end.
                line, self._rest = self._rest, b""
                self._byte += len(line)
            elif not self._waiting:
                broken[len(lines)], line = self._too_long()
            else:
                line = self._waiting.pop()
                self._byte += len(line) + 1
                if len(line) > LONGEST:
                    broken[len(lines)], line = _reason(len(line)), line[:_KEPT]
            size += len(line)
            lines.append(line[:-1] if line[-1:] == b"\r" else line)
        self._row += len(lines)
        return Lines(lines, broken) if lines else None

    def _fill(self) -> bool:
        """Read on until a line is whole, or the line is too long; false at the end of the file."""
        while not self._waiting and len(self._rest) <= LONGEST:
            block = self._file.read(_BLOCK)
            if not block:
                return False
            lines = (self._rest + block).split(b"\n")
            self._rest = lines.pop()
            lines.reverse()
            self._waiting = lines
        return True

    def _too_long(self) -> tuple[str, bytes]:
        """Pass over a line that is too long: the reason, and its start."""
        kept, size = self._rest[:_KEPT], len(self._rest)
        self._rest = b""
        end = 0
        while block := self._file.read(_BLOCK):
            place = block.find(b"\n")
            if place >= 0:
                size, end = size + place, 1
                lines = block[place + 1 :].split(b"\n")
                self._rest = lines.pop()
                lines.reverse()
                self._waiting = lines
                break
            size += len(block)
        self._byte += size + end
        return _reason(size), kept

    @property
    def position(self) -> dict[str, int]:
        """Where the next line begins, as JSON."""
        return {"row": self._row, "byte": self._byte}

    def seek(self, position: object) -> None:
        """Go to a position that `position` gave.

        Raises:
            DataError: when no line of this file begins there.
        """
        row, byte = position_of(position, ("row", "byte"), where=str(self.path))
        self._file.seek(max(byte - 1, 0))
        before = self._file.read(1)
        at_end = byte == self.path.stat().st_size
        if byte < self._skip or (byte > self._skip and not (before == b"\n" or (at_end and before))):
            raise DataError(
                "no line begins at this position",
                where=str(self.path),
                got=position,
                hint="the file was changed since; begin again from its start",
            )
        self._go(row, byte)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._file.close()


def _reason(size: int) -> str:
    return f"too_long: {size} bytes, more than {LONGEST}"


def line_arrivals(found: Lines, first: int) -> Arrivals:
    """Lines as arrivals of the one partition 0, whose offset is the number of the line, from `first` on."""
    count = len(found.lines)
    return Arrivals(
        partition=np.zeros(count, np.int32),
        offset=np.arange(first, first + count, dtype=np.int64),
        payloads=found.lines,
        broken=found.broken or None,
    )
