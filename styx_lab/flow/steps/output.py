"""The spec of a named output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType

__all__ = ["To"]


@dataclass(frozen=True, slots=True)
class To(Step):
    """A named output of the flow. Which sink stands behind it is said when the flow runs."""

    verb: ClassVar[str] = "to"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        return {}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> To:
        """See `Step.read`."""
        return cls(name, inputs)

    def summary(self) -> str:
        """See `Step.summary`."""
        return "output"
