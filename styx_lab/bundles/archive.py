"""The bundle's container: a ZIP file whose bytes depend on its content alone, read without trust.

Law: the same content packs to the same bytes; a name that climbs out, a link, a bomb or a changed byte is refused by
name.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from styx_lab.errors import BundleError

__all__ = ["pack_files", "unpack_files"]

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MOST_BYTES: Final = 1 << 30
_MOST_FILES: Final = 10_000


def pack_files(files: Mapping[str, bytes]) -> bytes:
    """One ZIP file, entries in order of name, with fixed times and modes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def unpack_files(data: bytes) -> dict[str, bytes]:
    """The files of a bundle.

    Raises:
        BundleError: when it is no ZIP file, or an entry is damaged, linked, too large or named to climb out.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise BundleError("the bundle unpacks to more than Styx takes", where="bundle", got=len(entries))
            files: dict[str, bytes] = {}
            for entry in entries:
                _check(entry)
                if entry.filename in files:
                    raise BundleError("a file is in the bundle twice", where=f"bundle file {entry.filename!r}")
                files[entry.filename] = archive.read(entry)
            return files
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"the bundle is damaged: {error}", where="bundle", hint="promote the flow again") from error


def _check(entry: zipfile.ZipInfo) -> None:
    path = PurePosixPath(entry.filename)
    mode = entry.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or entry.filename != str(path):
        raise BundleError("a file's name climbs out of the bundle", where=f"bundle file {entry.filename!r}")
    if mode and not stat.S_ISREG(mode):
        raise BundleError("only plain files may be in a bundle", where=f"bundle file {entry.filename!r}")
    if entry.compress_type != zipfile.ZIP_STORED:
        raise BundleError("files of a bundle are not compressed", where=f"bundle file {entry.filename!r}")
