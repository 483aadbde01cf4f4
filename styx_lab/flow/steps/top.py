"""The spec of the greatest results of each window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from styx_lab.core.operator import LATE, OUT
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType
from styx_lab.flow.window_results import added, need_windows

__all__ = ["Top"]


@dataclass(frozen=True, slots=True)
class Top(Step):
    """Keeps the `count` results of each window that are greatest (or least) in a column, over all keys, with a rank."""

    count: int
    by: str
    descending: bool

    verb: ClassVar[str] = "top"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        need_windows(stream, where=self.where)
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise FlowError("top() keeps a whole number of results, at least 1", where=self.where, got=self.count)
        stream.need([self.by], where=f"{self.where}, by")
        dtype = dict(stream.columns)[self.by]
        if not (dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean):
            raise FlowError(
                "top() ranks numbers, times and bools",
                where=f"{self.where}, column {self.by!r}",
                got=str(dtype),
                hint="name a column with a count, a sum, ...",
            )
        return {OUT: added(stream, {"rank": pl.Int64()}, where=self.where), LATE: stream}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"count": self.count, "by": self.by, "descending": self.descending}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Top:
        """See `Step.read`."""
        return cls(name, inputs, details["count"], details["by"], details["descending"])

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"the {self.count} {'greatest' if self.descending else 'least'} by {self.by}"
