"""What a window step says, as the numbers that compiled code reads, and which window each event is given.

Law (oracle): assignment is that of the window's spec; a window that has no fixed length is worked out here, for each
event by itself.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import Firing
from styx_lab.flow.trigger import AtEnd, AtEndOfInput, Every, EveryEvents, Never, When
from styx_lab.flow.window import Calendar, Counted, Cumulating, Session, Sliding, Tumbling, Window
from styx_lab.flow.window.length import LONGEST_MS
from styx_lab.operators.window.by_window import forms as k

__all__ = ["Assignment", "rule_of"]

GAP: Final = "_gap"
CONDITION: Final = "_condition"
_EPOCH: Final = date(1970, 1, 1)


def rule_of(window: Window, firing: Firing, *, sums: int, keeps: bool) -> k.Rule:
    """A step's window and firing as numbers."""
    assign, size, slide, offset = k.WHOLE, 1, 1, 0
    if isinstance(window, Tumbling | Sliding):
        assign, size, slide, offset = k.FIXED, window.size_ms, window.slide_ms, window.offset_ms
    elif isinstance(window, Cumulating):
        assign, size, slide, offset = k.CUMULATING, window.size_ms, window.step_ms, window.offset_ms
    elif isinstance(window, Session):
        assign = k.SESSION
    elif isinstance(window, Calendar):
        assign = k.GIVEN
    trigger, count, interval, last, discarding = k.AT_END, 1, 1, 0, firing.discarding
    if isinstance(window, Counted):
        trigger, count = k.AT_COUNT, window.every or window.size
        # A window that slides holds the last so many; one that does not is emptied when it is full.
        last, discarding = (window.size, False) if window.every else (0, True)
    elif isinstance(firing.trigger, EveryEvents):
        trigger, count = k.AT_COUNT, firing.trigger.count
    elif isinstance(firing.trigger, Every):
        trigger, interval = k.AT_INTERVAL, firing.trigger.interval_ms
    else:
        kinds = {AtEnd: k.AT_END, When: k.AT_CONDITION, Never: k.AT_NOTHING, AtEndOfInput: k.AT_INPUT_END}
        trigger = kinds[type(firing.trigger)] if firing.trigger is not None else k.AT_END
    return k.Rule(
        assign=assign,
        size=size,
        slide=slide,
        offset=offset,
        lateness=firing.lateness_ms,
        trigger=trigger,
        every=count,
        interval=interval,
        at_end=bool(getattr(firing.trigger, "at_end", False)),
        discarding=discarding,
        last=last,
        sums=sums,
        keeps=keeps,
    )


class Assignment:
    """Works out what an event brings with it: its gap, its calendar window, and whether it meets the condition.

    Args:
        window: which windows.
        firing: their trigger.
    """

    def __init__(self, window: Window, firing: Firing) -> None:
        self._window = window
        self.expressions: dict[str, Expression] = {}
        """What has to be evaluated for each event."""
        if isinstance(window, Session) and window.expression is not None:
            self.expressions[GAP] = window.expression
        if isinstance(firing.trigger, When):
            self.expressions[CONDITION] = firing.trigger.expression
        self._edges: dict[int, tuple[int, int]] = {}

    def refused(self, values: pl.DataFrame) -> dict[int, str]:
        """The rows whose gap is no gap, with the reason."""
        if GAP not in self.expressions:
            return {}
        gaps = _gaps(values[GAP])
        filled = gaps.fill_null(0)
        return {
            row: f"bad_gap: a session's gap must be {'positive' if filled[row] <= 0 else 'at most 36,000 days'}; "
            f"it is {gaps[row]} ms"
            for row in np.flatnonzero(((filled <= 0) | (filled > LONGEST_MS)).to_numpy()).tolist()
        }

    def edges(self, times: Int64s, values: pl.DataFrame) -> tuple[Int64s, Int64s]:
        """Start and end of each event's window; of a session its gap, and nothing."""
        nothing = np.zeros(len(times), np.int64)
        if isinstance(self._window, Session):
            if self._window.gap_ms is not None:
                return np.full(len(times), self._window.gap_ms, np.int64), nothing
            return np.array(_gaps(values[GAP]).to_numpy(), np.int64), nothing
        if isinstance(self._window, Calendar):
            return self._calendar(self._window, times)
        return nothing, nothing

    def _calendar(self, window: Calendar, times: Int64s) -> tuple[Int64s, Int64s]:
        local = pl.Series(times).cast(TIME_DTYPE).dt.convert_time_zone(window.zone).dt.date()
        days, of_row = np.unique(local.to_physical().to_numpy(), return_inverse=True)
        for day in days.tolist():
            if day not in self._edges:
                self._edges[day] = window.edges(_EPOCH + timedelta(days=day))
        edges = np.array([self._edges[day] for day in days.tolist()], np.int64).reshape(-1, 2)
        return edges[of_row, 0].copy(), edges[of_row, 1].copy()

    def meets(self, values: pl.DataFrame, height: int) -> np.ndarray:
        """Whether each event meets the trigger's condition; null is false."""
        if CONDITION not in self.expressions:
            return np.zeros(height, np.bool_)
        return np.array(values[CONDITION].fill_null(value=False).to_numpy(), np.bool_)


def _gaps(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Duration):
        return column.dt.total_milliseconds()
    # What is beyond 64 bits is no gap, as null is none.
    return column.cast(pl.Int64, strict=False)
