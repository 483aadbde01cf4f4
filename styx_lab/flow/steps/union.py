"""The spec of a union."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import OUT
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType

__all__ = ["Union"]


@dataclass(frozen=True, slots=True)
class Union(Step):
    """Several streams of one type as one; its watermark is the smallest of theirs."""

    verb: ClassVar[str] = "union"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        first = inputs[0]
        for port, other in zip(self.inputs[1:], inputs[1:], strict=True):
            if other != first:
                raise FlowError(
                    "only streams of one kind, key and schema can be united",
                    where=self.where,
                    got=f"{self.inputs[0]}: {_type_text(first)} and {port}: {_type_text(other)}",
                    hint="select() the same columns, key_by() the same key",
                )
        return {OUT: first}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Union:
        """See `Step.read`."""
        return cls(name, inputs)

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{len(self.inputs)} streams"


def _type_text(stream: StreamType) -> str:
    columns = ", ".join(f"{name}: {dtype}" for name, dtype in stream.columns)
    return f"{stream.kind}({columns}) by {list(stream.key)}"
