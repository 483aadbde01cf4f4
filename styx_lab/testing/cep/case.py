"""A neutral case: a pattern, events in order of arrival, and how their watermarks move.

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

    >>> case = Case.of({"id": "x", "pattern": {"steps": []}, "watermark": {"strategy": "bounded", "delay": 5},
    ...                 "events": [{"t": 1, "name": "a"}]})
    >>> case.delay, case.keyed, case.order
    (5, None, None)

    Attributes:
        id: its name.
        pattern: the pattern, as JSON.
        events: events and watermarks in order of arrival; the place in this list is an event's name.
        strategy: `bounded`: the watermark follows the events; `explicit`: only what the list says moves it.
        delay: the bound of disorder, ms.
        keyed: the field to key by; None for no key.
        order: the field that orders events of one key and one time; None for the order of arrival.
        descending: whether the greatest comes first then.
    """

    id: str
    pattern: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    strategy: Strategy
    delay: int = 0
    keyed: str | None = None
    order: str | None = None
    descending: bool = False

    @staticmethod
    def of(value: Mapping[str, Any]) -> Case:
        """The case of a JSON object.

        Raises:
            DataError: when it is no case.
        """
        try:
            watermark = value["watermark"]
            comparator = value.get("comparator") or {}
            case = Case(
                value["id"],
                value["pattern"],
                tuple(value["events"]),
                strategy_of(watermark),
                int(watermark.get("delay", 0)),
                value.get("keyed"),
                comparator.get("field"),
                bool(comparator.get("desc", False)),
            )
            tuple(case.pattern["steps"])
        except DataError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise DataError(f"this is no case: {error!r}", hint="it needs id, pattern, watermark, events") from error
        check_entries(case.id, case.events)
        for place, entry in enumerate(case.events):
            if case.keyed is not None and not isinstance(entry.get(case.keyed), str | int | float | None):
                where = f"case {case.id!r}, place {place}, {case.keyed!r}"
                raise DataError("a key is text, a number, true or false", where=where, got=entry[case.keyed])
        return case


def read_cases(path: Path) -> Iterator[Case]:
    """The cases of a file, one a line; a file that ends in `.gz` is unpacked.

    Raises:
        InputMissingError: when there is no such file.
        DataError: when it cannot be unpacked, or a line is no case.
    """
    return read_lines(path, Case.of)
