"""Verbs that aggregate over windows of events."""

from __future__ import annotations

from typing import Self

from styx_lab.errors import FlowError
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.steps import WindowStep
from styx_lab.flow.stream.so_far import StreamSoFar
from styx_lab.flow.window import Sliding, Tumbling, Window

__all__ = ["WindowVerbs"]


class WindowVerbs(StreamSoFar):
    """Windows of event time."""

    __slots__ = ()

    def window(self, window: Window, *, name: str | None = None, **aggregates: Aggregate) -> Self:
        """Aggregate per key and window of event time: one BusinessEvent for each window that has events.

        >>> from styx_lab.flow.stream.example import payments
        >>> from styx_lab.flow.aggregate import count, sum
        >>> list(payments().window(Sliding("5m", every="1m"), n=count(), total=sum("amount")).columns)
        ['card_id', 'window_start', 'window_end', 'n', 'total']

        Time: a window fires when the watermark reaches its end less 1 ms. An event is late, and goes to `.late`, when
        none of its windows is still open. State: per key, one partial for each pane of an open window.
        """
        name = self._name(name, "window")
        if not isinstance(window, Tumbling | Sliding):
            raise FlowError("not a window", where=f"step {name!r}", got=window, hint="Tumbling('5m') or Sliding(...)")
        for column, aggregate in aggregates.items():
            if not isinstance(aggregate, Aggregate):
                raise FlowError(
                    "not an aggregate",
                    where=f"step {name!r}, {column!r}",
                    got=aggregate,
                    hint="count(), sum('amount'), ...",
                )
        return self._append(WindowStep(name, (self.port,), window, tuple(aggregates.items())))
