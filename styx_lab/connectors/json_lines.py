"""JSON Lines: one event a line.

Law: every line is an event or a dead letter; a blank one is dead (`empty`), save nothing at all after the last line
end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from styx_lab.connectors.lines import FileLines, line_arrivals
from styx_lab.core.ports import Arrivals, EncodedFormat

__all__ = ["JsonLinesSource"]


class JsonLinesSource:
    r"""A file of JSON Lines, as a source: `JsonLinesSource("payments.jsonl")`.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "payments.jsonl"
    >>> _ = path.write_text('{"card": "a", "amount": 3.5}\n{"card": "b", "amount": 900}\n')
    >>> source = JsonLinesSource(path)
    >>> source.read(2).payloads
    [b'{"card": "a", "amount": 3.5}', b'{"card": "b", "amount": 900}']
    >>> source.position()
    {'row': 2, 'byte': 58}
    >>> source.close()

    Args:
        path: a file of UTF-8 text, one JSON object a line.

    One partition, 0; the offset is the line's number from 0; no arrival times. Memory is bounded. The position is the
    lines and bytes before the next line.

    Raises:
        InputMissingError: there is no such file.
        DataError: it is a folder, empty, or may not be read; or `seek` was given what is no position in it.
    """

    format: Final[EncodedFormat] = "json"
    header: Final[tuple[str, ...]] = ()
    partitions: tuple[int, ...] = (0,)

    def __init__(self, path: str | Path) -> None:
        self._lines = FileLines(path)
        self.name = str(path)

    def read(self, most: int) -> Arrivals | None:
        """The next lines, at most `most`; `None` at the end."""
        first = self._lines.position["row"]
        found = self._lines.read(most)
        return None if found is None else line_arrivals(found, first)

    def position(self) -> Any:
        """The lines and bytes before the next line."""
        return self._lines.position

    def seek(self, position: Any) -> None:
        """Go to a position."""
        self._lines.seek(position)

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()
