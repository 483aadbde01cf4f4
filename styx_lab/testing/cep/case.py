"""A neutral case: a pattern, events in order of arrival, and how their watermarks move.

Law: a case is read as it stands; what is not a case is refused, with the file and the line.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from styx_lab.errors import DataError, InputMissingError

__all__ = ["Case", "read_cases"]

Strategy = Literal["bounded", "explicit"]
_STRATEGIES: Final = ("bounded", "explicit")


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
            strategy = watermark["strategy"]
            if strategy not in _STRATEGIES:
                raise DataError("no such watermark", got=strategy, hint=" or ".join(_STRATEGIES))
            comparator = value.get("comparator") or {}
            case = Case(
                value["id"],
                value["pattern"],
                tuple(value["events"]),
                strategy,
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
        for place, entry in enumerate(case.events):
            if not isinstance(entry, Mapping) or not ("t" in entry or "wm" in entry):
                raise DataError("neither an event nor a watermark", where=f"case {case.id!r}, place {place}", got=entry)
            for name in ("t", "wm"):
                time = entry.get(name, 0)
                if type(time) is not int or not -(2**63) <= time < 2**63:
                    raise DataError(
                        "a time is whole milliseconds, in 64 bits",
                        where=f"case {case.id!r}, place {place}, {name!r}",
                        got=time,
                    )
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
    if not path.is_file():
        raise InputMissingError("there is no such file", where=str(path))
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):  # noqa: B007 - the number is told in errors
                if line.strip():
                    yield Case.of(json.loads(line))
    except DataError as error:
        raise DataError(f"{error}", where=f"{path}, line {number}") from error
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"this cannot be read: {error}", where=f"{path}, line {number}") from error
