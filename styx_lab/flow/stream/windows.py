"""Verbs that aggregate over windows of events."""

from __future__ import annotations

from typing import Literal, Self, get_args

from styx_lab.core.time import Duration, duration_ms
from styx_lab.errors import FlowError
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.steps import CoGroup, Firing, Port, WindowJoin, WindowStep
from styx_lab.flow.steps.joined import How
from styx_lab.flow.stream.so_far import StreamSoFar
from styx_lab.flow.trigger import Trigger
from styx_lab.flow.window import Window

__all__ = ["WindowVerbs"]

Clock = Literal["event", "processing"]
"""What the windows' time is."""


class WindowVerbs(StreamSoFar):
    """Windows."""

    __slots__ = ()

    def window(
        self,
        window: Window,
        *,
        trigger: Trigger | None = None,
        discarding: bool = False,
        allowed_lateness: Duration = "0ms",
        clock: Clock = "event",
        name: str | None = None,
        **aggregates: Aggregate,
    ) -> Self:
        """Aggregate per key and window: one BusinessEvent for each firing of a window that has events.

        >>> from styx_lab.flow.aggregate import count, sum
        >>> from styx_lab.flow.stream.example import payments
        >>> from styx_lab.flow.trigger import EveryEvents
        >>> from styx_lab.flow.window import Sliding, Tumbling
        >>> list(payments().window(Sliding("5m", every="1m"), n=count(), total=sum("amount")).columns)
        ['card_id', 'window_start', 'window_end', 'n', 'total']
        >>> early = payments().window(Tumbling("1h"), trigger=EveryEvents(100, at_end=True), n=count())
        >>> list(early.columns)
        ['card_id', 'window_start', 'window_end', 'window_firing', 'n']
        >>> list(payments().window(Tumbling("1m"), clock="processing", n=count()).columns)
        ['card_id', 'window_start', 'window_end', 'n']

        Args:
            window: `Tumbling`, `Sliding`, `Cumulating`, `Session`, `Calendar`, `Global` or `Counted`.
            trigger: when it fires: `AtEnd` (the default of all that have an end), `Every`, `EveryEvents`, `When`,
                `AtEndOfInput`, `Never`.
            discarding: whether a firing empties the window; else each result has all events so far.
            allowed_lateness: how long after its end a window still takes late events; each makes it fire again at once.
            clock: `"event"` for windows of event time, `"processing"` for windows of when events are processed: of the
                newest arrival time so far, or of a tick of a live engine's clock after it.
            name: the step's name; `window` where none is given.
            aggregates: a column of the result for each: `n=count()`, `total=sum("amount")`.

        Time: a window fires when the watermark reaches its end less 1 ms, or as its trigger says. An event is late, and
        goes to `.late`, when all its windows ended more than `allowed_lateness` before the watermark. The result's time
        is the window's end less 1 ms; of a global or counted window the time of the event, or of the timer, that made
        it fire. `window_firing` counts how often a window fired before; it is there where it can fire more than once.
        In processing time a window fires when the clock reaches its end, and nothing is late; the result's time is the
        newest event time so far, and above the watermark.
        State: aggregates that can be merged (count, sum, mean, min, max) keep a partial a key and pane or window; the
        others keep the events of open windows.

        Raises:
            FlowError: when a window and a trigger do not go together, or an aggregate does not fit the columns.
        """
        name = self._name(name, "window")
        where = f"step {name!r}"
        if not isinstance(window, Window):
            raise FlowError("not a window", where=where, got=window, hint="Tumbling('5m'), Session('30m'), ...")
        if trigger is not None and not isinstance(trigger, Trigger):
            raise FlowError("not a trigger", where=where, got=trigger, hint="Every('1m'), EveryEvents(10), ...")
        for column, aggregate in aggregates.items():
            if not isinstance(aggregate, Aggregate):
                raise FlowError(
                    "not an aggregate", where=f"{where}, {column!r}", got=aggregate, hint="count(), sum('amount'), ..."
                )
        firing = _firing(trigger, discarding, allowed_lateness, clock, where)
        return self._append(WindowStep(name, (self.port,), window, tuple(aggregates.items()), firing))

    def window_join(
        self,
        other: StreamSoFar,
        window: Window,
        *,
        how: How = "inner",
        trigger: Trigger | None = None,
        discarding: bool = False,
        allowed_lateness: Duration = "0ms",
        clock: Clock = "event",
        suffix: str = "_right",
        name: str | None = None,
    ) -> Self:
        """Pair the events of two streams that have one key and are in one window, when the window fires.

        >>> from styx_lab.flow.stream.example import payments
        >>> from styx_lab.flow.window import Tumbling
        >>> small = payments().filter("amount < 1", name="small")
        >>> large = payments().filter("amount > 500", name="large")
        >>> list(small.window_join(large, Tumbling("10m")).columns)
        ['card_id', 'window_start', 'window_end', 'ts', 'amount', 'ts_right', 'amount_right']

        Args:
            other: the right side; keyed by columns of the same types.
            window: which windows; they act on the events of both sides together, so a session is one of both.
            how: `inner` gives left x right, left by left, in order of arrival; `left` and `full` also the events whose
                window has none of the other side, with nulls there.
            trigger, discarding, allowed_lateness, clock: as for `window()`; each firing gives all pairs again.
            suffix: put behind a right column's name that the left side has, too.
            name: the step's name.

        Time: as for `window()`; the watermark is the smaller of the two. Late events go to `.side("late_left")` and
        `.side("late_right")`. State: the events of open windows. Follows Flink's `JoinedStreams` (which is inner).

        Raises:
            FlowError: when a side has no key, or the keys' types differ.
        """
        firing = _firing(trigger, discarding, allowed_lateness, clock, "window_join()")

        def make(name: str, ports: tuple[Port, ...]) -> WindowJoin:
            return WindowJoin(name, ports, window, how, suffix, firing)

        return self._bring([other], name, "window_join", make)

    def co_group(
        self,
        other: StreamSoFar,
        window: Window,
        *,
        left: str = "left",
        right: str = "right",
        trigger: Trigger | None = None,
        discarding: bool = False,
        allowed_lateness: Duration = "0ms",
        clock: Clock = "event",
        name: str | None = None,
    ) -> Self:
        """Give the events of two streams that have one key and are in one window, as two lists of structs.

        >>> from styx_lab.flow.stream.example import payments
        >>> from styx_lab.flow.window import Session
        >>> small = payments().filter("amount < 1", name="small")
        >>> large = payments().filter("amount > 500", name="large")
        >>> list(small.co_group(large, Session("10m"), left="small", right="large").columns)
        ['card_id', 'window_start', 'window_end', 'small', 'large']

        Args:
            other: the right side; keyed by columns of the same types.
            window: which windows; they act on the events of both sides together.
            left, right: what the lists are called; either may be empty, not both.
            trigger, discarding, allowed_lateness, clock: as for `window()`.
            name: the step's name.

        Time, State: as for `window_join()`. Follows Flink's `CoGroupedStreams`.

        Raises:
            FlowError: when a side has no key, or the keys' types differ.
        """
        firing = _firing(trigger, discarding, allowed_lateness, clock, "co_group()")

        def make(name: str, ports: tuple[Port, ...]) -> CoGroup:
            return CoGroup(name, ports, window, left, right, firing)

        return self._bring([other], name, "co_group", make)


def _firing(trigger: Trigger | None, discarding: bool, lateness: Duration, clock: Clock, where: str) -> Firing:
    if clock not in get_args(Clock):
        raise FlowError("no such clock", where=where, got=clock, hint="clock='event' or clock='processing'")
    late_ms = duration_ms(lateness, where=f"{where}, allowed_lateness", zero=True)
    return Firing(trigger, discarding, late_ms, clock == "processing")
