"""The spec of a notification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from styx_lab.core.events import NOTIFICATION_SCHEMA, EventKind
from styx_lab.core.operator import OUT
from styx_lab.flow.message import Message
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType

__all__ = ["Notify"]


@dataclass(frozen=True, slots=True)
class Notify(Step):
    """Makes a Notification of each event: a deterministic id, a message, the event and the times of its stages."""

    message: Message

    verb: ClassVar[str] = "notify"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        self.message.check(dict(stream.columns), where=self.where)
        columns = NOTIFICATION_SCHEMA | {"event": pl.Struct(dict(stream.columns))}
        return {OUT: StreamType(EventKind.NOTIFICATION, tuple(columns.items()), stream.reserved)}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {"message": self.message.text}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Notify:
        """See `Step.read`."""
        return cls(name, inputs, Message(details["message"]))

    def summary(self) -> str:
        """See `Step.summary`."""
        return self.message.text
