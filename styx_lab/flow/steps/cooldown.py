"""The spec of a cooldown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import LATE, OUT
from styx_lab.core.time import duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType

__all__ = ["Cooldown"]


@dataclass(frozen=True, slots=True)
class Cooldown(Step):
    """After an event of a key, holds back the key's others for a time."""

    quiet_ms: int

    verb: ClassVar[str] = "cooldown"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not stream.key:
            raise FlowError(
                "cooldown() needs a keyed stream",
                where=self.where,
                hint="put key_by(...) before it; of notifications, key_by('key')",
            )
        return {OUT: stream, LATE: stream}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"quiet_ms": self.quiet_ms}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Cooldown:
        """See `Step.read`."""
        return cls(name, inputs, details["quiet_ms"])

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"one in {duration_text(self.quiet_ms)}"
