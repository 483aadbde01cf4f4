"""Ticks: how the clock of processing time goes on while nothing arrives. An input, like an event.

Law (re-chunking, crash anywhere): a tick has a number in the flow's one sequence. The engine that reads live makes
it, the runner journals it before it takes effect, a recovery and a replay repeat it where it was and make none of their
own.

An event brings its arrival time with it, so ticks are made only where a source is quiet and a step behind it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from styx_lab.engines.feed import Slice
from styx_lab.engines.plan import Plan

__all__ = ["TickWatch"]

_EVERY: Final = 1.0
"""Seconds of quiet after which the clock ticks, and between two ticks."""


class TickWatch:
    """Watches which sources are quiet: `watch.seen(piece)` after each slice, then `watch.due()`.

    Args:
        plan: the flow's operators; only sources with a step of processing time behind them are watched.
        live: the sources that are read live. What is read from a file brings its clock along.
        clock: seconds; never goes back.
    """

    def __init__(self, plan: Plan, live: Collection[str], clock: Callable[[], float]) -> None:
        self._plan = plan
        self._clock = clock
        self._heard = {name: clock() for name in plan.ticking if name in live}

    def seen(self, piece: Slice) -> None:
        """A slice came, of events or of decisions."""
        for name in self._heard.keys() & piece.arrivals.keys():
            if len(piece.arrivals[name]):
                self._heard[name] = self._clock()

    def due(self) -> list[str]:
        """The sources whose clock should tick now, in the order of the flow's."""
        now = self._clock()
        return [
            name for name, heard in self._heard.items() if now - heard >= _EVERY and self._plan.waits_for_clock(name)
        ]
