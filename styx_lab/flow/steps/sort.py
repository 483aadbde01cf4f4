"""The spec of a sort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import LATE, OUT
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType

__all__ = ["Sort"]


@dataclass(frozen=True, slots=True)
class Sort(Step):
    """Gives events in order of event time."""

    verb: ClassVar[str] = "sort"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        return {OUT: inputs[0], LATE: inputs[0]}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Sort:
        """See `Step.read`."""
        return cls(name, inputs)

    def summary(self) -> str:
        """See `Step.summary`."""
        return "by event time"
