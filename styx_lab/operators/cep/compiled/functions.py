"""Users' functions in a pattern: `(event, match) -> bool`, asked when the matcher comes to them.

Law (nothing silent): an event on which a function fails is a dead letter that names the part, the function and the
exception, or ends the run; it is never taken for a no.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import TIME, dead_letters
from styx_lab.errors import DataError
from styx_lab.flow.pattern.conditions import Call
from styx_lab.flow.pattern.given import leaves
from styx_lab.flow.pattern.parts import Part
from styx_lab.flow.steps import Detect
from styx_lab.operators.carried import load_function
from styx_lab.operators.rows import EventRows

__all__ = ["Functions"]

Event = Mapping[str, Any]


class Functions:
    """The functions of a pattern, with the events that they are asked about.

    Args:
        step: the step.
        columns: the columns of an event that a function sees, beside `_time`.
        parts: what a match calls the events of each part, by number.
        calls: the functions, by number.
    """

    def __init__(self, step: Detect, columns: Sequence[str], parts: Sequence[str], calls: Sequence[Call]) -> None:
        self._step = step
        self._columns = [*columns, TIME]
        self._parts = parts
        self._calls = calls
        self._loaded = [load_function(call.function, where=step.where) for call in calls]
        self._of_part = [", ".join(_parts_with(step.pattern.parts, call)) for call in calls]
        self._rows: EventRows | None = None
        self._events: dict[int, Event] = {}
        self._failed: list[tuple[int, int, str]] = []

    def begin(self, rows: EventRows, numbers: Int64s) -> None:
        """Get ready for a pass over events, whose rows are there."""
        if self._loaded:
            self._rows = rows
            self._events = {}
            self._read(numbers)

    def _read(self, numbers: Int64s) -> None:
        assert self._rows is not None
        if len(numbers):
            events = self._rows.find(numbers).select(self._columns).to_dicts()
            # One event is shown to many: what a function does to it may not show to the next.
            self._events.update(zip(numbers.tolist(), map(MappingProxyType, events), strict=True))

    def ask(self, function: int, number: int, step: int, taken: list[tuple[int, int]]) -> bool | None:
        """The answer of a function; None where it failed and the event is a dead letter.

        Raises:
            DataError: where it failed and the step says `on_error="fail"`.
        """
        self._read(np.array([one for _, one in taken if one not in self._events], np.int64))
        match: dict[str, list[Event]] = {part: [] for part in self._parts}
        for part, one in taken:
            match[self._parts[part]].append(self._events[one])
        event = self._events[number]
        try:
            told = self._loaded[function](event, match)
            if isinstance(told, bool | np.bool_):
                return bool(told)
            said = f"it answered {told!r}, not True or False"
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            if self._step.on_error == "fail":
                raise self._error(function, event, said) from error
        if self._step.on_error == "fail":
            raise self._error(function, event, said)
        self._failed.append(
            (
                number,
                step,
                f"condition_failed: part {self._of_part[function]}, {self._calls[function].function}: {said}",
            )
        )
        return None

    def _error(self, function: int, event: Event, said: str) -> DataError:
        return DataError(
            f"the condition {self._calls[function].function.name} failed on an event: {said}",
            where=f"{self._step.where}, pattern part {self._of_part[function]}",
            got=dict(event),
            hint="mend the function, or send such events to the dead letters: detect(on_error='dead')",
        )

    def failed(self, batch: Batch) -> tuple[pl.DataFrame, Int64s] | None:
        """The events on which functions failed since the last call, as dead letters, with their orders."""
        if not self._failed:
            return None
        assert self._rows is not None
        numbers = np.array([number for number, _, _ in self._failed], np.int64)
        steps = np.array([step for _, step, _ in self._failed], np.int64)
        letters = dead_letters(self._step.name, self._rows.find(numbers), [said for _, _, said in self._failed])
        self._failed = []
        return letters, batch.steps.order[steps]


def _parts_with(parts: Sequence[Part], call: Call) -> list[str]:
    found = []
    for part in parts:
        if call in leaves(part.condition) or call in leaves(part.until):
            found.append(repr(part.name))
        found += _parts_with(part.group, call)
    return found
