"""The results of windows as rows: the key, the edges, the reserved columns, and the slots of keys behind them.

Law: the origin of a result is the canonical JSON `[step, key, [start ms, end ms, firing]]` (null edges where there are
none); it depends on the key's value, never on its slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import ARRIVAL, DETECTED, ORIGIN, TIME
from styx_lab.core.keys import KeyIndex
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.state import GROUP
from styx_lab.core.texts import Runs, join_runs, json_parts, json_runs
from styx_lab.flow.window import Counted, Global, Window
from styx_lab.operators.window.by_window import forms as k
from styx_lab.operators.window.keys import ResultKeys

__all__ = ["Results"]

_IDLE_KEYS: Final = 1_024
_IDLE_SHARE: Final = 8
"""Keys are released when there are more than so many, and more than so many times those that have windows."""


class Results:
    """Makes rows of what fired.

    Args:
        step: the name of the step.
        window: which windows.
        schema: the columns of the step's output.
        key: the columns of the key.
    """

    def __init__(self, step: str, window: Window, schema: dict[str, pl.DataType], key: Sequence[str]) -> None:
        self._step = step
        self._edged = not isinstance(window, Global | Counted)
        self._schema = schema
        self._key_schema = {name: schema[name] for name in key}
        self.clear()

    def clear(self) -> None:
        """Forget all keys."""
        self._index = KeyIndex(list(self._key_schema))

    def slots(self, frame: pl.DataFrame) -> Int64s:
        """The slot of each row's key."""
        if self._key_schema or not frame.height:
            return self._index.slots(frame)
        return np.repeat(self._index.slots(frame[:1]), frame.height)

    def worth_releasing(self, living: int) -> bool:
        """Whether many keys are known that have no windows."""
        return len(self._index) > _IDLE_KEYS + _IDLE_SHARE * living

    def release(self, slots: Int64s) -> None:
        """Forget keys."""
        self._index.release(slots)

    def key_columns(self, slots: Int64s) -> pl.DataFrame:
        """The key of each slot, and its key group."""
        known, of_row = np.unique(slots, return_inverse=True)
        group = pl.Series(GROUP, self._index.groups[known], dtype=pl.UInt8)
        return pl.DataFrame([*self._index.frame(known, self._key_schema).get_columns(), group])[of_row]

    def name(self, fired: k.Fired, row: int) -> str:
        """Of which key and window a result is, for errors."""
        key = self._index.key(int(fired.rows[k.OUT_KEY, row]))
        edges = f"[{fired.rows[k.OUT_START, row]}, {fired.rows[k.OUT_END, row]}) ms" if self._edged else "global"
        return f"key {key!r}, window {edges}"

    def frame(self, fired: k.Fired, columns: Sequence[pl.Series]) -> pl.DataFrame:
        """The rows of what fired."""
        rows = fired.rows
        keys, origin = ResultKeys.of(self._step, self._index, rows[k.OUT_KEY], self._key_schema)
        start, end, firing, time, clock = (
            pl.Series(rows[row].copy()) for row in (k.OUT_START, k.OUT_END, k.OUT_FIRING, k.OUT_TIME, k.OUT_CLOCK)
        )
        edges: list[Runs | str] = [*json_parts([start, end])] if self._edged else ["null,null"]
        origins = join_runs([*origin, *edges, ",", json_runs(firing), "]]"], len(firing))
        arrival = clock.alias(ARRIVAL).cast(TIME_DTYPE)
        made = {column.name: column for column in (*keys, *columns)}
        made |= {TIME: time.cast(TIME_DTYPE), ARRIVAL: arrival, DETECTED: arrival}
        made |= {"window_firing": firing, ORIGIN: origins}
        if self._edged:
            made |= {"window_start": start.cast(TIME_DTYPE), "window_end": end.cast(TIME_DTYPE)}
        return pl.DataFrame({name: made[name] for name in self._schema})
