"""The spec of model scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from styx_lab.core.operator import OUT
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Port, Step, rich
from styx_lab.flow.types import StreamType, derived_type

__all__ = ["Score"]


@dataclass(frozen=True, slots=True)
class Score(Step):
    """Adds a model's answer to each event. An event that the model cannot score becomes a dead letter."""

    model: str
    into: str

    verb: ClassVar[str] = "score"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if self.into in stream.names:
            raise FlowError(
                "the event has that column already", where=self.where, got=self.into, hint="choose another into="
            )
        derived_type([(self.into, pl.Float64())], ())
        return {OUT: rich(stream).with_columns([*stream.columns, (self.into, pl.Float64())])}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"model": self.model, "into": self.into}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Score:
        """See `Step.read`."""
        return cls(name, inputs, details["model"], details["into"])

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.model} into {self.into}"
