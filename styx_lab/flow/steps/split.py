"""The spec of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import OUT
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Columns, Port, Step, read_columns
from styx_lab.flow.types import StreamType

__all__ = ["Split"]


@dataclass(frozen=True, slots=True)
class Split(Step):
    """Sends each event to the port of the first condition that is true, else to `out`."""

    conditions: Columns

    verb: ClassVar[str] = "split"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not self.conditions:
            raise FlowError("split() needs a condition", where=self.where, hint="split(large='amount > 500')")
        for name, condition in self.conditions:
            condition.check(stream.readable, where=f"{self.where}, {name!r}", boolean=True)
        return {OUT: stream} | {name: stream for name, _ in self.conditions}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"conditions": [[name, condition.to_json()] for name, condition in self.conditions]}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Split:
        """See `Step.read`."""
        return cls(name, inputs, read_columns(details["conditions"], where=f"step {name!r}"))

    def summary(self) -> str:
        """See `Step.summary`."""
        return ", ".join(f"{name}: {condition.text}" for name, condition in self.conditions)
