"""What a process's methods are given and see: the event, the context, and the state of the key at hand.

Law: none of it knows the engine, the wall clock, or where a slice begins and ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import datetime
from typing import Any, Protocol

from styx_lab.core.time import Duration
from styx_lab.flow.process.values import moment

__all__ = ["Context", "Emitted", "Entries", "Event", "Value", "Values"]

Emitted = Iterable[Mapping[str, Any]] | Mapping[str, Any] | None
"""What a method may give: one mapping of output columns, several (`yield` them), or nothing."""


class Event(dict[str, Any]):
    """An event's own columns by name; `time` is its event time.

    >>> event = Event({"amount": 9.5})
    >>> event.ms = 1_704_067_200_000
    >>> event["amount"], event.time.isoformat()
    (9.5, '2024-01-01T00:00:00+00:00')
    """

    __slots__ = ("ms",)

    ms: int
    """Event time, epoch ms."""

    @property
    def time(self) -> datetime:
        """Event time, UTC."""
        return moment(self.ms)


class Context(Protocol):
    """The moment at hand: its key and time, the watermark, timers, and the way out."""

    @property
    def key(self) -> Any:
        """The key: a value, a tuple where there are several key columns, `()` where the stream has no key."""

    @property
    def time(self) -> datetime:
        """The event's time, or the timer's; of a timer of processing time the newest event time so far.

        That is above the watermark as it was, so that what is given for the timer is late for nobody.
        """

    @property
    def watermark(self) -> datetime:
        """The watermark as it was when the event came (an event at or behind it is late); in `on_timer`, as it is now.

        Before the first watermark it is the calendar's first moment, at the end of input its last.
        """

    @property
    def ended(self) -> bool:
        """Whether the input has ended: a timer that sets the next one for ever should look at this first."""

    def timer(self, at: datetime | Duration) -> datetime:
        """Call `on_timer` for this key when the watermark reaches a time; gives that time.

        A key has one timer for a time, however often it is set. One whose time has passed is due at the next step.

        Args:
            at: a time with its zone, or a length (`"1m"`, a timedelta) after the time at hand.
        """

    def delete_timer(self, at: datetime) -> None:
        """Take back the timer of this key for that time, if there is one."""

    @property
    def processing_time(self) -> datetime:
        """The clock: the newest arrival time so far, the event's included; it goes on by ticks while nothing arrives.

        In `on_processing_timer` it is the timer's time at least: at the end of input timers do not wait for the clock.
        It is there for a class with an `on_processing_timer`.
        """

    def processing_timer(self, at: datetime | Duration) -> datetime:
        """Call `on_processing_timer` for this key when the clock reaches a time; gives that time.

        A key has one timer for a time, however often it is set. One whose time has passed is due when the clock moves
        next. At the end of input all are due.

        Args:
            at: a time with its zone, or a length (`"1m"`, a timedelta) after the clock's time, in `on_processing_timer`
                after that of the timer.
        """

    def delete_processing_timer(self, at: datetime) -> None:
        """Take back the timer of processing time of this key for that time, if there is one."""

    def emit(self, columns: Mapping[str, Any]) -> None:
        """Give one event: values for the columns of `output`; those that are left out are null."""


class Value(Protocol):
    """The value of the key at hand."""

    def get(self) -> Any:
        """The value; the default where there is none."""

    def set(self, value: Any) -> None:
        """Keep a value; None takes it away."""

    def clear(self) -> None:
        """Take it away."""


class Values(Protocol):
    """The list of the key at hand, in the order in which its values were added."""

    def get(self) -> list[Any]:
        """The values, as a list of one's own."""

    def append(self, value: Any) -> None:
        """Add a value."""

    def extend(self, values: Iterable[Any]) -> None:
        """Add several."""

    def set(self, values: Iterable[Any]) -> None:
        """Keep just these."""

    def clear(self) -> None:
        """Take all away."""

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...


Entries = MutableMapping[Any, Any]
"""The map of the key at hand, in the order in which its keys were added: used as a dict."""
