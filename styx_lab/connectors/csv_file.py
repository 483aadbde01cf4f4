"""A CSV file: a header, then one event a line.

Law: every line after the header is an event or a dead letter, with its text kept as it stood in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from styx_lab.connectors.formats.csv import fields_of
from styx_lab.connectors.formats.values import WrongValue
from styx_lab.connectors.lines import LONGEST, FileLines, line_arrivals
from styx_lab.connectors.paths import first_bytes, readable_file
from styx_lab.core.ports import Arrivals, EncodedFormat
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, SchemaError

__all__ = ["CsvSource"]

_MARK: Final = b"\xef\xbb\xbf"


class CsvSource:
    r"""A CSV file with a header, as a source: `CsvSource("payments.csv", schema)`.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "payments.csv"
    >>> _ = path.write_text("card,amount\na,3.5\nb,900\n")
    >>> source = CsvSource(path, Schema({"amount": "float"}))
    >>> source.header
    ('card', 'amount')
    >>> source.read(10).payloads
    [b'a,3.5', b'b,900']
    >>> source.close()

    Args:
        path: a file of UTF-8 text; fields are parted by commas and may stand in double quotes, but a line is a line: a
            line break inside quotes makes dead letters.
        schema: the columns to take; the header must have each.

    One partition, 0; the offset is the line's number from 0, the header not counted; no arrival times. The payload is
    the line; decode it with `decode(..., format=source.format, header=source.header)`. Memory is bounded.

    Raises:
        InputMissingError: there is no such file.
        DataError: it is a folder, empty, may not be read, or its header is no header.
        SchemaError: the header lacks a column of the schema.
    """

    format: Final[EncodedFormat] = "csv"
    partitions: tuple[int, ...] = (0,)

    def __init__(self, path: str | Path, schema: Schema) -> None:
        self.name = str(path)
        line = first_bytes(readable_file(path), LONGEST).split(b"\n", 1)[0]
        self.header = _header(line, self.name)
        for column in schema:
            if column not in self.header:
                raise SchemaError(
                    f"there is no column {column!r}",
                    where=self.name,
                    got=list(self.header),
                    hint="correct the name in the schema, or leave the column out of it",
                )
        self._lines = FileLines(path, skip=len(line) + 1)

    def read(self, most: int) -> Arrivals | None:
        """The next lines, at most `most`; `None` at the end."""
        first = self._lines.position["row"]
        found = self._lines.read(most)
        return None if found is None else line_arrivals(found, first)

    def position(self) -> Any:
        """The lines after the header, and the bytes, before the next line."""
        return self._lines.position

    def seek(self, position: Any) -> None:
        """Go to a position."""
        self._lines.seek(position)

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()


def _header(line: bytes, where: str) -> tuple[str, ...]:
    hint = "the first line must be the names of the columns, parted by commas, in UTF-8"
    try:
        fields = fields_of(line.removeprefix(_MARK).removesuffix(b"\r").decode())
    except (UnicodeDecodeError, WrongValue) as error:
        raise DataError("the header of this CSV file cannot be read", where=where, got=str(error), hint=hint) from error
    names = tuple(name or "" for name in fields)
    if not all(names) or len(set(names)) != len(names):
        raise DataError("a column in the header has no name, or the name of another", where=where, got=names, hint=hint)
    return names
