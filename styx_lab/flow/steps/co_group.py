"""The spec of a co-group: the events of both sides that are in one window, as two lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.core.operator import OUT
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.flow.steps.joined import LATE_LEFT, LATE_RIGHT, check_keys
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.steps.window import USUAL, Firing, window_columns
from styx_lab.flow.types import StreamType, derived_type
from styx_lab.flow.window import Window, window_from_json

__all__ = ["CoGroup", "listed"]


@dataclass(frozen=True, slots=True)
class CoGroup(Step):
    """Gives, for each firing of a window, the left side's events and the right side's, one of which may be none.

    Attributes:
        window: which windows; they act on the events of both sides together.
        left, right: what the two lists are called.
        firing: when windows fire.
    """

    window: Window
    left: str = "left"
    right: str = "right"
    firing: Firing = USUAL

    verb: ClassVar[str] = "co_group"

    @property
    def wants_ticks(self) -> bool:
        """See `Step.wants_ticks`."""
        return self.firing.processing

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        left, right = inputs
        check_keys(inputs, where=self.where)
        for stream in inputs:
            self.firing.check(self.window, stream, where=self.where)
        columns = window_columns(self.window, self.firing, left)
        columns += [(self.left, listed(left)), (self.right, listed(right))]
        return {OUT: derived_type(columns, left.key), LATE_LEFT: left, LATE_RIGHT: right}

    def check_ending(self) -> None:
        """See `Step.check_ending`."""
        self.firing.check_ending(self.window, where=self.where)

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"window": self.window.to_json(), "left": self.left, "right": self.right, **self.firing.to_json()}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> CoGroup:
        """See `Step.read`."""
        where = f"step {name!r}"
        window = window_from_json(details["window"], where=where)
        return cls(name, inputs, window, details["left"], details["right"], Firing.from_json(details, where=where))

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.window}{self.firing}: {self.left}, {self.right}"


def listed(stream: StreamType) -> pl.DataType:
    """The type of a list of a stream's events: structs of their columns and `_time`."""
    return pl.List(pl.Struct({**dict(stream.columns), TIME: TIME_DTYPE}))
