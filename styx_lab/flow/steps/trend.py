"""The spec of how a value changes from window to window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, Final

import polars as pl

from styx_lab.core.operator import LATE, OUT
from styx_lab.core.time import duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType
from styx_lab.flow.window_results import added, need_windows

__all__ = ["Trend"]

_MOST: Final = 10_000
_COLUMNS: Final = ("previous", "change", "slope")


@dataclass(frozen=True, slots=True)
class Trend(Step):
    """Adds to each window's result the key's value in the window before, the change, and the slope over several."""

    by: str
    over: int
    every_ms: int
    fill: float | None

    verb: ClassVar[str] = "trend"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        need_windows(stream, where=self.where)
        if isinstance(self.over, bool) or not isinstance(self.over, int) or not 2 <= self.over <= _MOST:
            raise FlowError(
                f"trend() looks at a whole number of windows, 2 to {_MOST}", where=f"{self.where}, over", got=self.over
            )
        if self.fill is not None and (
            isinstance(self.fill, bool) or not isinstance(self.fill, int | float) or not isfinite(self.fill)
        ):
            raise FlowError("fill must be a finite number or None", where=self.where, got=self.fill)
        stream.need([self.by], where=self.where)
        dtype = dict(stream.columns)[self.by]
        if not dtype.is_numeric() or dtype.is_decimal():
            raise FlowError(
                "trend() follows a number",
                where=f"{self.where}, column {self.by!r}",
                got=str(dtype),
                hint="name a column with a count, a sum, ...",
            )
        return {OUT: added(stream, dict.fromkeys(_COLUMNS, pl.Float64()), where=self.where), LATE: stream}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"by": self.by, "over": self.over, "every_ms": self.every_ms, "fill": self.fill}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Trend:
        """See `Step.read`."""
        return cls(name, inputs, details["by"], details["over"], details["every_ms"], details["fill"])

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.by} over {self.over} windows, {duration_text(self.every_ms)} apart"
