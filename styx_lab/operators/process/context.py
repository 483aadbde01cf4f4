"""What a user's method is given beside the event: time, timers, and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from styx_lab.core.time import MAX_WATERMARK, duration_ms
from styx_lab.errors import DataError
from styx_lab.flow.process.process import PROCESSING_TIMER, TIMER
from styx_lab.flow.process.values import moment, moment_ms, told
from styx_lab.operators.process.given import Given
from styx_lab.operators.process.scope import Scope
from styx_lab.operators.process.timers import Timers

__all__ = ["RunningContext"]


class _What(NamedTuple):
    """How errors speak of a kind of timer."""

    where: str
    method: str
    since: str


_TIMER: Final = _What("timer", "timer", "event.time")
_PROCESSING: Final = _What("processing timer", "processing_timer", "context.processing_time")


class RunningContext:
    """See `flow.process.Context`, of which this is the one there is.

    Args:
        scope: the moment at hand.
        timers, processing: the timers of event time, and of processing time.
        given: where what is given goes.
        has: whether the class has a method for each kind of timer.
    """

    __slots__ = ("_given", "_has", "_lengths", "_processing", "_scope", "_timers")

    def __init__(
        self, scope: Scope, timers: Timers, processing: Timers, given: Given, *, has: Mapping[str, bool]
    ) -> None:
        self._scope = scope
        self._timers, self._processing = timers, processing
        self._given = given
        self._has = has
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

    @property
    def processing_time(self) -> datetime:
        """The clock."""
        if not self._has[PROCESSING_TIMER]:
            raise DataError(
                "the clock is kept only for a class that reckons in processing time",
                where="processing_time",
                hint="def on_processing_timer(self, time, context): ...",
            )
        return moment(self._scope.clock)

    def timer(self, at: datetime | str | timedelta) -> datetime:
        """Call `on_timer` when the watermark reaches a time."""
        scope = self._scope
        at, ms = self._moment(at, scope.time, _TIMER)
        if not self._has[TIMER]:
            raise DataError("no method takes the timer", where="timer", hint="def on_timer(self, time, context): ...")
        if scope.firing is not None and ms <= scope.firing:
            raise DataError("a timer cannot set one that is not after itself", where="timer", got=at.isoformat())
        self._timers.set(scope.key, ms, scope.log)
        return at

    def processing_timer(self, at: datetime | str | timedelta) -> datetime:
        """Call `on_processing_timer` when the clock reaches a time."""
        scope = self._scope
        firing = scope.firing_clock
        if not self._has[PROCESSING_TIMER]:
            raise DataError(
                "no method takes the timer",
                where="processing timer",
                hint="def on_processing_timer(self, time, context): ...",
            )
        at, ms = self._moment(at, scope.clock if firing is None else firing, _PROCESSING)
        if firing is not None and ms <= firing:
            raise DataError(
                "a timer cannot set one that is not after itself", where="processing timer", got=at.isoformat()
            )
        self._processing.set(scope.key, ms, scope.log)
        return at

    def delete_timer(self, at: datetime) -> None:
        """Take a timer back."""
        self._timers.delete(self._scope.key, _kept(at, _TIMER), self._scope.log)

    def delete_processing_timer(self, at: datetime) -> None:
        """Take a timer of processing time back."""
        self._processing.delete(self._scope.key, _kept(at, _PROCESSING), self._scope.log)

    def emit(self, columns: Mapping[str, Any]) -> None:
        """Give one event."""
        if self._scope.broadcasting:
            raise DataError("a broadcast event has no key to give an event for", where="output")
        self._given.add(columns)

    def _moment(self, at: datetime | str | timedelta, since: int, what: _What) -> tuple[datetime, int]:
        """The time for which a timer is set, as it is told and as epoch ms."""
        if isinstance(at, datetime):
            return at, moment_ms(at, where=what.where)
        if not isinstance(at, str | timedelta):
            raise DataError(
                "a timer is set for a time, or a length after the one at hand",
                where=what.where,
                got=told(at),
                hint=f"context.{what.method}('1m'), or context.{what.method}({what.since} + timedelta(minutes=1))",
            )
        ms = since + self._length(at, what.where)
        found = moment(ms)
        if moment_ms(found, where=what.where) != ms:
            raise DataError("the time of a timer is beyond the calendar", where=what.where, got=ms)
        return found, ms

    def _length(self, length: str | timedelta, where: str) -> int:
        if not isinstance(length, str):
            return duration_ms(length, where=where)
        found = self._lengths.get(length)
        if found is None:
            found = self._lengths[length] = duration_ms(length, where=where)
        return found


def _kept(at: datetime, what: _What) -> int:
    if not isinstance(at, datetime):
        raise DataError(
            "a timer is taken back by its time",
            where=what.where,
            got=told(at),
            hint=f"keep what context.{what.method}(...) gave",
        )
    return moment_ms(at, where=what.where)
