"""A path that a user named: is it a file that can be read, and where in it may reading begin.

Law: whatever is wrong with a path is one error that names it, before anything is read from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from styx_lab.errors import DataError, InputMissingError

__all__ = ["first_bytes", "position_of", "readable_file"]


def readable_file(path: str | Path) -> Path:
    """The path of a file that is there, is no folder, may be read and is not empty.

    Raises:
        InputMissingError: there is nothing of that name.
        DataError: it is a folder, may not be read, or is empty.
    """
    file = Path(path)
    if not file.exists():
        raise InputMissingError(
            "there is no such file", where=str(file), hint="check the path; it is relative to the folder you are in"
        )
    if not file.is_file():
        raise DataError("this is not a file", where=str(file), hint="name one file inside the folder")
    if not first_bytes(file, 1):
        raise DataError("the file is empty", where=str(file), hint="check that whatever wrote it has finished")
    return file


def first_bytes(file: Path, count: int) -> bytes:
    """The first bytes of a file.

    Raises:
        DataError: when it may not be read.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(count)
    except OSError as error:
        raise DataError(
            "the file cannot be read", where=str(file), got=error.strerror, hint="check its permissions"
        ) from error


def position_of(position: Any, names: tuple[str, ...], *, where: str) -> tuple[int, ...]:
    """The numbers of a position such as `{"row": 3, "byte": 120}`, in the order of `names`.

    >>> position_of({"row": 3}, ("row",), where="doc")
    (3,)

    Raises:
        DataError: when it is no such position.
    """
    fits = isinstance(position, dict) and set(position) == set(names)
    numbers = [position[name] for name in names] if fits else []
    if not fits or any(type(number) is not int or number < 0 for number in numbers):
        raise DataError(
            "this is no position in this source",
            where=where,
            got=position,
            hint="give what position() of the same kind of source gave",
        )
    return tuple(numbers)
