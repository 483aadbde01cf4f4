"""Idle partitions: the one decision of event time that depends on the wall clock, and so an input like an event.

Law (re-chunking, crash anywhere): a decision has a number in the flow's one sequence. The engine that reads live makes
it, the runner journals it before it takes effect, a recovery and a replay repeat it where it was and make none of their
own.

A decision takes a partition out of the minimum of its source's watermark until its next event. Where the last partition
of one of several sources goes, the sequence is no longer held up by that source (it `leaves`), until it comes `back`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from styx_lab.engines.feed import Slice
from styx_lab.engines.plan import Plan

__all__ = ["IdleWatch"]


class IdleWatch:
    """Watches from which partitions nothing comes: `watch.seen(piece)` after each slice, then `watch.due()`.

    Args:
        plan: the flow's operators; only sources that say `idle_after` are watched.
        live: the sources that are read live. What is read from a file is never idle, it only has not been read yet.
        clock: seconds; never goes back.
        longest: seconds that may count between two looks. What stood still as a whole (a long commit, a laptop that was
            shut) heard nothing from anybody; None where nobody reads.
    """

    def __init__(
        self, plan: Plan, live: Collection[str], clock: Callable[[], float], *, longest: float | None = None
    ) -> None:
        self._sources = {
            step.name: (plan.sources[step.name], step.idle_ms / 1_000)
            for step in plan.flow.sources
            if step.idle_ms is not None and step.name in live
        }
        self._clock = clock
        self._longest = longest
        self._looked = clock()
        self._now = 0.0
        self._heard = {
            (name, partition): 0.0 for name, (source, _) in self._sources.items() for partition in source.partitions
        }

    def seen(self, piece: Slice) -> None:
        """A slice came."""
        self._look()
        for name in self._sources.keys() & piece.arrivals.keys():
            arrivals = piece.arrivals[name]
            came = arrivals.partition if arrivals.idle is None else arrivals.partition[~arrivals.idle]
            for partition in np.unique(came).tolist():
                self._heard[name, partition] = self._now

    def due(self) -> list[tuple[str, int]]:
        """Sources and partitions that are idle from now on, in the order of the flow's sources."""
        self._look()
        return [
            (name, partition)
            for name, (source, longest) in self._sources.items()
            for partition in sorted(of for name_of, of in self._heard if name_of == name)
            if self._now - self._heard[name, partition] >= longest and partition not in source.idle_partitions
        ]

    def _look(self) -> None:
        now = self._clock()
        passed = max(now - self._looked, 0.0)
        self._now += passed if self._longest is None else min(passed, self._longest)
        self._looked = now
