"""The spec of leaving out repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import LATE, OUT
from styx_lab.core.time import duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Port, Step, check_key
from styx_lab.flow.types import StreamType

__all__ = ["Deduplicate"]


@dataclass(frozen=True, slots=True)
class Deduplicate(Step):
    """Leaves out events that repeat one that was kept, less than `within_ms` away."""

    columns: tuple[str, ...]
    within_ms: int

    verb: ClassVar[str] = "deduplicate"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not self.compared(stream):
            raise FlowError(
                "deduplicate() needs a column to tell events by",
                where=self.where,
                hint="name one, deduplicate('id', within=...), or put key_by(...) before it",
            )
        check_key(stream, self.columns, where=self.where)
        return {OUT: stream, LATE: stream}

    def compared(self, stream: StreamType) -> tuple[str, ...]:
        """The columns that two events must have in common for one to repeat the other: the key's and its own."""
        return tuple(dict.fromkeys([*stream.key, *self.columns]))

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"columns": list(self.columns), "within_ms": self.within_ms}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Deduplicate:
        """See `Step.read`."""
        return cls(name, inputs, tuple(details["columns"]), details["within_ms"])

    def summary(self) -> str:
        """See `Step.summary`."""
        return " ".join([", ".join(self.columns) or "by key", "within", duration_text(self.within_ms)])
