"""Verbs that aggregate over windows of events."""

from __future__ import annotations

from typing import Self

from styx_lab.core.time import Duration, duration_ms
from styx_lab.errors import FlowError
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.steps import Firing, WindowStep
from styx_lab.flow.stream.so_far import StreamSoFar
from styx_lab.flow.trigger import Trigger
from styx_lab.flow.window import Window

__all__ = ["WindowVerbs"]


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

        Args:
            window: `Tumbling`, `Sliding`, `Cumulating`, `Session`, `Calendar`, `Global` or `Counted`.
            trigger: when it fires: `AtEnd` (the default of all that have an end), `Every`, `EveryEvents`, `When`,
                `AtEndOfInput`, `Never`.
            discarding: whether a firing empties the window; else each result has all events so far.
            allowed_lateness: how long after its end a window still takes late events; each makes it fire again at once.
            name: the step's name; `window` where none is given.
            aggregates: a column of the result for each: `n=count()`, `total=sum("amount")`.

        Time: a window fires when the watermark reaches its end less 1 ms, or as its trigger says. An event is late, and
        goes to `.late`, when all its windows ended more than `allowed_lateness` before the watermark. The result's time
        is the window's end less 1 ms; of a global or counted window the time of the event, or of the timer, that made
        it fire. `window_firing` counts how often a window fired before; it is there where it can fire more than once.
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
        firing = Firing(trigger, discarding, _lateness(allowed_lateness, where))
        return self._append(WindowStep(name, (self.port,), window, tuple(aggregates.items()), firing))


def _lateness(length: Duration, where: str) -> int:
    return duration_ms(length, where=f"{where}, allowed_lateness", zero=True)
