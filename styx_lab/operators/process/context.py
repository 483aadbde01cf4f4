"""What a user's method is given beside the event: time, timers, and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from styx_lab.core.time import MAX_WATERMARK, duration_ms
from styx_lab.errors import DataError
from styx_lab.flow.process.values import moment, moment_ms, told
from styx_lab.operators.process.given import Given
from styx_lab.operators.process.scope import Scope
from styx_lab.operators.process.timers import Timers

__all__ = ["RunningContext"]


class RunningContext:
    """See `flow.process.Context`, of which this is the one there is."""

    __slots__ = ("_given", "_has_timers", "_lengths", "_scope", "_timers")

    def __init__(self, scope: Scope, timers: Timers, given: Given, *, has_timers: bool) -> None:
        self._scope = scope
        self._timers = timers
        self._given = given
        self._has_timers = has_timers
        self._lengths: dict[str, int] = {}

    @property
    def key(self) -> Any:
        """The key at hand."""
        return self._scope.key

    @property
    def time(self) -> datetime:
        """The event's time, or the timer's."""
        return moment(self._scope.time)

    @property
    def watermark(self) -> datetime:
        """The watermark."""
        return moment(self._scope.watermark)

    @property
    def ended(self) -> bool:
        """Whether the input has ended."""
        return self._scope.watermark == MAX_WATERMARK

    def timer(self, at: datetime | str | timedelta) -> datetime:
        """Call `on_timer` when the watermark reaches a time."""
        scope = self._scope
        if isinstance(at, datetime):
            ms = moment_ms(at, where="timer")
        elif isinstance(at, str | timedelta):
            ms = scope.time + self._length(at)
            at = moment(ms)
            if moment_ms(at, where="timer") != ms:
                raise DataError("the time of a timer is beyond the calendar", where="timer", got=ms)
        else:
            raise DataError(
                "a timer is set for a time, or a length after the one at hand",
                where="timer",
                got=told(at),
                hint="context.timer('1m'), or context.timer(event.time + timedelta(minutes=1))",
            )
        if not self._has_timers:
            raise DataError("no method takes the timer", where="timer", hint="def on_timer(self, time, context): ...")
        if scope.firing is not None and ms <= scope.firing:
            raise DataError("a timer cannot set one that is not after itself", where="timer", got=at.isoformat())
        self._timers.set(scope.key, ms, scope.log)
        return at

    def delete_timer(self, at: datetime) -> None:
        """Take a timer back."""
        if not isinstance(at, datetime):
            raise DataError(
                "a timer is taken back by its time",
                where="timer",
                got=told(at),
                hint="keep what context.timer(...) gave",
            )
        self._timers.delete(self._scope.key, moment_ms(at, where="timer"), self._scope.log)

    def emit(self, columns: Mapping[str, Any]) -> None:
        """Give one event."""
        if self._scope.broadcasting:
            raise DataError("a broadcast event has no key to give an event for", where="output")
        self._given.add(columns)

    def _length(self, length: str | timedelta) -> int:
        if not isinstance(length, str):
            return duration_ms(length, where="timer")
        found = self._lengths.get(length)
        if found is None:
            found = self._lengths[length] = duration_ms(length, where="timer")
        return found
