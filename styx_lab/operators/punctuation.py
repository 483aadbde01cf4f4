"""What a source's events say of the watermark: the value of an expression, or the answers of a user's own class.

Laws: what an event says depends on it and on those of its partition before it; what is no watermark is a dead letter
with a reason (`bad_watermark`, `not_evaluated`), never a watermark at random. The watermark itself is computed in
`core/watermark.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.errors import FlowError
from styx_lab.flow.event_time import FIRST_MS, LAST_MS
from styx_lab.flow.expression.values import evaluate
from styx_lab.flow.watermark import OwnWatermark, Punctuated, WatermarkClass
from styx_lab.operators.carried import load, object_of
from styx_lab.operators.values import refused_rows

__all__ = ["OwnSayings", "PunctuatedSayings", "Said"]

Said = tuple[Int64s, dict[int, str]]
"""The watermark each event says, epoch ms (`MIN_WATERMARK` for none), and why some events cannot be taken."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN: Final = 60


class PunctuatedSayings:
    """Runs a `Punctuated`: without state."""

    def __init__(self, strategy: Punctuated) -> None:
        self._at = {"at": strategy.at}

    def of(self, frame: pl.DataFrame, times: Int64s, partitions: np.ndarray) -> Said:
        """What each event says; the frame has the own columns and `_time`."""
        del times, partitions
        refused: dict[int, str] = {}
        try:
            column = evaluate(frame, self._at)["at"]
        except pl.exceptions.PolarsError:
            refused = refused_rows(frame, self._at)
            good = np.ones(frame.height, np.bool_)
            good[list(refused)] = False
            found = evaluate(frame.filter(pl.Series(good)), self._at)["at"]
            column = pl.Series("at", [None] * frame.height, dtype=found.dtype).scatter(np.flatnonzero(good), found)
        if isinstance(column.dtype, pl.Datetime):
            # Floor, because a cast truncates what lies before 1970.
            per_ms = {"ms": 1, "us": 1_000, "ns": 1_000_000}[column.dtype.time_unit]
            column = column.to_physical() // per_ms
        said = column.fill_null(MIN_WATERMARK).to_numpy().astype(np.int64)
        given = column.is_not_null().to_numpy()
        for row in np.flatnonzero(given & ((said < FIRST_MS) | (said > LAST_MS))).tolist():
            refused.setdefault(row, f"bad_watermark: {said[row]} ms is not in the years 100 to 9899")
        return said, refused

    def to_json(self) -> None:
        """There is no state."""

    def from_json(self, value: Any) -> None:
        """There is no state."""


class OwnSayings:
    """Runs an `OwnWatermark`: an object of the user's class for each partition.

    Raises:
        FlowError: when the source that the flow carries fails, has no such class, or one that lacks a method.
    """

    def __init__(self, strategy: OwnWatermark, *, where: str) -> None:
        cls: type[Any] = load(strategy.code, object, where=where)
        self._make: Callable[[], WatermarkClass] = partial(object_of, cls, where=where)
        if not isinstance(self._make(), WatermarkClass):
            raise FlowError(
                "the class in the module's file lacks a method of a watermark",
                where=where,
                got=strategy.code,
                hint="on_event(time, event), snapshot(), restore(state)",
            )
        self._objects: dict[int, WatermarkClass] = {}

    def of(self, frame: pl.DataFrame, times: Int64s, partitions: np.ndarray) -> Said:
        """What each event says, asked in the order of arrival."""
        said = np.full(len(times), MIN_WATERMARK, np.int64)
        refused: dict[int, str] = {}
        events = frame.iter_rows(named=True)
        for row, (event, time, partition) in enumerate(zip(events, times.tolist(), partitions.tolist(), strict=True)):
            if partition not in self._objects:
                self._objects[partition] = self._make()
            try:
                said[row] = _as_ms(self._objects[partition].on_event(time, event))
            except Exception as error:
                refused[row] = f"bad_watermark: {type(error).__name__}: {error}"[:_SHOWN]
        return said, refused

    def to_json(self) -> dict[str, Any]:
        """The state of each partition's object."""
        return {str(partition): one.snapshot() for partition, one in self._objects.items()}

    def from_json(self, value: Mapping[str, Any]) -> None:
        """Go on from a state of `to_json`."""
        self._objects = {}
        for partition, state in value.items():
            self._objects[int(partition)] = self._make()
            self._objects[int(partition)].restore(state)


def _as_ms(value: Any) -> int:
    if value is None:
        return MIN_WATERMARK
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
        value = value // timedelta(milliseconds=1)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"a watermark is int (epoch ms), a datetime or None, not {type(value).__name__}")
    if not FIRST_MS <= value <= LAST_MS:
        raise ValueError(f"{value} ms is not in the years 100 to 9899")
    return int(value)
