"""A case's events as batches: the rows a source would give, with the watermark steps they cause.

Law: what stands at place i of the list has order 2 i, and the watermark step it causes has order 2 i + 1; the end of
input has the place behind the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s, Steps
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, SOURCE, TIME
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import DataError
from styx_lab.flow.stream import Stream, source
from styx_lab.testing.windows.case import Case

__all__ = ["ONE", "TWO", "batches", "stream"]

ONE: Final = ("all",)
"""The side of an operator with one input."""
TWO: Final = ("l", "r")
"""The sides of one with two."""

_SCHEMA: Final = {"t": "int", "key": "str", "value": "float", "index": "int", "gap": "int", "delete": "bool"}


def stream(case: Case, side: str = ONE[0]) -> Stream:
    """The stream of one side's events.

    Its columns are `t` (event time, ms), `key`, `value`, `index` (the place in the list), `gap` and `delete`.
    """
    return source(side, schema=_SCHEMA, time="t", key=("key",) if case.keyed else ())


def batches(case: Case, sides: Sequence[str] = ONE) -> list[Batch]:
    """The whole case: a batch for each side, all of the same sequence, each with its side's watermark steps.

    Raises:
        DataError: when an event names no side, or times do not fit in 64 bits.
    """
    script = _Script(sides)
    for place, entry in enumerate(case.events):
        if "wm" in entry:
            script.move(place, [entry["side"]] if "side" in entry and len(sides) > 1 else sides, entry["wm"])
            continue
        side = _side(case, place, entry, sides)
        script.add(place, side, entry)
        if case.strategy == "bounded":
            greatest = script.greatest[side] if case.apart else max(script.greatest.values())
            script.move(place, [side] if case.apart else sides, greatest - case.delay - 1)
    if case.ends:
        script.move(len(case.events), sides, MAX_WATERMARK)
    return [script.batch(case, side) for side in sides]


def _side(case: Case, place: int, entry: Mapping[str, Any], sides: Sequence[str]) -> str:
    side = sides[0] if len(sides) == 1 else entry.get("side")
    if side not in sides:
        where = f"case {case.id!r}, place {place}"
        raise DataError("an event of a join names its side", where=where, got=side, hint=" or ".join(sides))
    return str(side)


class _Script:
    """The rows and steps of each side so far."""

    def __init__(self, sides: Sequence[str]) -> None:
        self._rows: dict[str, list[tuple[int, Mapping[str, Any]]]] = {side: [] for side in sides}
        self._steps: dict[str, list[tuple[int, int, int]]] = {side: [] for side in sides}
        self._marks = dict.fromkeys(sides, MIN_WATERMARK)
        self._clock = 0
        self.greatest = dict.fromkeys(sides, MIN_WATERMARK)

    def add(self, place: int, side: str, event: Mapping[str, Any]) -> None:
        """An event arrives."""
        self._rows[side].append((place, event))
        self.greatest[side] = max(self.greatest[side], event["t"])
        self._clock = place

    def move(self, place: int, sides: Sequence[str], mark: int) -> None:
        """Some sides' watermarks move, if that is forward."""
        for side in sides:
            if mark > self._marks[side]:
                self._marks[side] = mark
                self._steps[side].append((2 * place + 1, mark, self._clock))

    def batch(self, case: Case, side: str) -> Batch:
        """One side of the sequence."""
        rows = self._rows[side]
        places = np.array([place for place, _ in rows], np.int64)
        columns: dict[str, Any] = {
            name: [event.get(name) for _, event in rows] for name in ("t", "key", "value", "gap", "delete")
        }
        columns |= {TIME: columns["t"], ARRIVAL: places, "index": places, OFFSET: places}
        columns |= {SOURCE: [side] * len(rows), PARTITION: [0] * len(rows)}
        schema = stream(case, side).type.schema
        try:
            frame = pl.DataFrame(
                [pl.Series(name, columns[name], _PLAIN.get(name, dtype)) for name, dtype in schema.items()]
            )
        except (OverflowError, TypeError, pl.exceptions.PolarsError) as error:
            raise DataError(f"events that no source can give: {error}", where=f"case {case.id!r}") from error
        steps = np.array(self._steps[side], np.int64).reshape(-1, 3).T
        return Batch(
            frame.cast({TIME: schema[TIME], ARRIVAL: schema[ARRIVAL]}),
            2 * places,
            steps=Steps(_own(steps[0]), _own(steps[1]), _own(steps[2])),
        )


_PLAIN: Final[dict[str, pl.DataType]] = {TIME: pl.Int64(), ARRIVAL: pl.Int64()}


def _own(array: np.ndarray) -> Int64s:
    return np.array(array, np.int64)
