"""A neutral case: an operator, events in order of arrival, and how their watermarks move.

Law: a case is read as it stands; what is not a case is refused, with the file and the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from styx_lab.errors import DataError
from styx_lab.testing.neutral import Strategy, check_entries, read_lines, strategy_of

__all__ = ["Case", "read_cases"]


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    >>> case = Case.of({"id": "x", "op": {"type": "intervalJoin"}, "watermark": {"strategy": "bounded", "delay": 5},
    ...                 "events": [{"t": 1, "key": "a"}]})
    >>> case.kind, case.delay, case.ends
    ('intervalJoin', 5, True)

    Attributes:
        id: its name.
        op: the operator, as JSON.
        events: events and watermarks in order of arrival; the place in this list is an event's name.
        strategy: `bounded`: the watermark follows the events; `explicit`: only what the list says moves it.
        delay: the bound of disorder, ms.
        apart: whether each side's events move that side's watermark alone.
        keyed: whether there is a key.
        ends: whether the end of input follows.
    """

    id: str
    op: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    strategy: Strategy
    delay: int = 0
    apart: bool = False
    keyed: bool = True
    ends: bool = True

    @property
    def kind(self) -> str:
        """The operator's type: `window`, `intervalJoin`, ..."""
        return str(self.op["type"])

    @staticmethod
    def of(value: Mapping[str, Any]) -> Case:
        """The case of a JSON object.

        Raises:
            DataError: when it is no case.
        """
        try:
            watermark = value["watermark"]
            case = Case(
                value["id"],
                value["op"],
                tuple(value["events"]),
                strategy_of(watermark),
                int(watermark.get("delay", 0)),
                watermark.get("per", "all") == "input",
                bool(value.get("keyed", True)),
                bool(value.get("end", True)),
            )
            case.op["type"]
        except DataError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise DataError(f"this is no case: {error!r}", hint="it needs id, op, watermark, events") from error
        check_entries(case.id, case.events)
        return case


def read_cases(path: Path) -> Iterator[Case]:
    """The cases of a file, one a line; a file that ends in `.gz` is unpacked.

    Raises:
        InputMissingError: when there is no such file.
        DataError: when it cannot be unpacked, or a line is no case.
    """
    return read_lines(path, Case.of)
