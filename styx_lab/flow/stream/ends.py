"""Verbs at a stream's end: notify, to."""

from __future__ import annotations

from typing import Self

from styx_lab.flow.message import Message
from styx_lab.flow.steps import Notify, To
from styx_lab.flow.stream.names import checked_name, refuse_duplicate
from styx_lab.flow.stream.so_far import StreamSoFar

__all__ = ["EndVerbs"]


class EndVerbs(StreamSoFar):
    """Notifications, and where a stream goes."""

    __slots__ = ()

    def notify(self, name: str, *, message: str) -> Self:
        """Make a Notification of each event, with a deterministic id.

        >>> from styx_lab.flow.stream.example import payments
        >>> payments().notify("large", message="Card {card_id}: {amount:.2f}").type.kind
        <EventKind.NOTIFICATION: 'Notification'>
        """
        return self._append(Notify(checked_name(name, "notify"), (self.port,), Message(message)))

    def to(self, output: str) -> Self:
        """Send the stream to a named output of the flow; the stream itself can be used further."""
        step = To(checked_name(output, "to"), (self.port,))
        refuse_duplicate(step.name, self.steps)
        return type(self)((*self.steps, step), self.port, self.type)
