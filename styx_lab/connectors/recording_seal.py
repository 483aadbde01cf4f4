"""The seal of a recording: a hash of the whole file, inside the file.

Law: a changed byte is found before Parquet is read at all, for readers of Parquet may end the process over a damaged
page.

The description in the footer has a place for 64 hexadecimal digits. The hash is the SHA-256 of the file with zeros in
that place; it is put there when the file is whole.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from styx_lab.errors import DataError

__all__ = ["UNSEALED", "check_seal", "footer_has", "seal"]

UNSEALED: Final = "0" * 64
"""What stands in the place of the seal while a file is written."""
_MARK: Final = b'"file_sha256": "'
_MAGIC: Final = b"PAR1"
_BLOCK: Final = 1024 * 1024


def footer_has(file: Path, text: str) -> bool:
    """Whether a text stands in the footer of a Parquet file; false when it is no such file."""
    return text.encode() in _footer(file)[1]


def seal(file: Path) -> None:
    """Put the hash of a file into its place.

    Raises:
        DataError: when there is no place for it.
    """
    place = _place(file)
    found = _hash(file, place)
    with file.open("r+b") as opened:
        opened.seek(place)
        opened.write(found.encode())


def check_seal(file: Path) -> None:
    """Hash a file and compare with the seal in it.

    Raises:
        DataError: when a byte was changed, or there is no seal.
    """
    place = _place(file)
    with file.open("rb") as opened:
        opened.seek(place)
        written = opened.read(len(UNSEALED)).decode(errors="replace")
    found = _hash(file, place)
    if found != written:
        raise DataError(
            f"the recording was changed or damaged: its hash should be {written}",
            where=str(file),
            got=found,
            hint="take it again from where it came",
        )


def _footer(file: Path) -> tuple[int, bytes]:
    """Where the footer begins, and its bytes; empty when this is not the end of a Parquet file."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        opened.seek(max(size - 8, 0))
        length, magic = opened.read(4), opened.read(4)
        start = size - 8 - int.from_bytes(length, "little")
        if magic != _MAGIC or start < len(_MAGIC):
            return size, b""
        opened.seek(start)
        return start, opened.read(size - 8 - start)


def _place(file: Path) -> int:
    start, footer = _footer(file)
    # A quote inside a text of the description is escaped there, so no name can look like the mark.
    if footer.count(_MARK) != 1:
        raise DataError(
            "the recording has no seal: it is damaged", where=str(file), hint="take it again from where it came"
        )
    return start + footer.index(_MARK) + len(_MARK)


def _hash(file: Path, place: int) -> str:
    found = sha256()
    with file.open("rb") as opened:
        left = place
        while left and (block := opened.read(min(_BLOCK, left))):
            found.update(block)
            left -= len(block)
        opened.seek(place + len(UNSEALED))
        found.update(UNSEALED.encode())
        while block := opened.read(_BLOCK):
            found.update(block)
    return found.hexdigest()
