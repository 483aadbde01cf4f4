"""The class of the examples in this folder: a worked example of a process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from styx_lab.flow.process import Context, Event, Process, ValueState

__all__ = ["Stuck"]


class Stuck(Process):
    """Tells, once, when a customer has not reached page 3 within ten minutes of the first page.

    >>> Stuck.output
    {'page': 'int'}
    """

    output: ClassVar = {"page": "int"}
    page = ValueState("int")
    deadline = ValueState("datetime")

    def on_event(self, event: Event, context: Context) -> None:
        """Begin with the first page; forget the customer who got to page 3."""
        if event["page"] < 3:
            if self.deadline.get() is None:
                self.deadline.set(context.timer("10m"))
            self.page.set(event["page"])
        elif self.deadline.get() is not None:
            context.delete_timer(self.deadline.get())
            self._forget()

    def on_timer(self, time: datetime, context: Context) -> Iterator[dict[str, int]]:
        """Ten minutes are over, and page 3 was not reached."""
        yield {"page": self.page.get()}
        self._forget()

    def _forget(self) -> None:
        self.page.clear()
        self.deadline.clear()
