"""What happens in a slice between its events: moves of the clock and steps of the watermark, in order.

Law (re-chunking): a turn has its place in the sequence, whatever slice it is in. A step moves the clock before it moves
the watermark, as the event that it came of did.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from styx_lab.core.batch import Steps
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.operators.process.timers import Timers
from styx_lab.operators.window.by_window.clock import PLACES, STEP, Pace

__all__ = ["Slice", "Turn", "turns_of"]

_MOST_AT_THE_END = 1_000
"""So many timers that others set are taken for one key at the end of input; more would never end."""


class Turn(NamedTuple):
    """One move of the clock, or of the watermark.

    Attributes:
        place: where it stands; there are `PLACES` of them to one of the sequence.
        order: its place in the sequence.
        clock: the time of the clock, epoch ms.
        mark: the watermark that a step moves to; None where only the clock moves.
        newest: the newest event time so far, where the clock is followed.
    """

    place: int
    order: int
    clock: int
    mark: int | None = None
    newest: int = 0

    @property
    def ends(self) -> bool:
        """Whether it is the end of input."""
        return self.mark == MAX_WATERMARK


def turns_of(steps: Steps, pace: Pace | None) -> list[Turn]:
    """The turns of a slice with these steps, in order.

    Args:
        steps: the steps of the watermark.
        pace: how the clock goes, where somebody asks.
    """
    orders, clocks, marks = steps.order.tolist(), steps.clock.tolist(), steps.mark.tolist()
    if pace is None:
        return [
            Turn(PLACES * order + STEP, order, clock, mark)
            for order, clock, mark in zip(orders, clocks, marks, strict=True)
        ]
    newest = pace.newest(steps.order).tolist()
    found = [
        Turn(PLACES * order + STEP, order, clock, mark, known)
        for order, clock, mark, known in zip(orders, clocks, marks, newest, strict=True)
    ]
    places = pace.steps.order
    known_by_then = pace.newest(places // PLACES).tolist()
    found += [
        Turn(place, place // PLACES, clock, None, known)
        for place, clock, known in zip(places.tolist(), pace.steps.clock.tolist(), known_by_then, strict=True)
    ]
    return sorted(found, key=lambda turn: (turn.place, turn.mark is not None))


class Slice:
    """What is known and found out about a slice: where watermark and clock are, and what failed.

    Attributes:
        turns: what happens between its events.
        watermark, clock: how far they have come.
        fired: how many timers were taken.
        dead: the events that failed: input, row, order, reason.
        lost: the timers that failed: key, event time, order, clock, reason.
    """

    __slots__ = ("_chains", "_first", "_reached", "clock", "dead", "fired", "lost", "turns", "watermark")

    def __init__(self, turns: list[Turn], watermark: int, clock: int) -> None:
        self.turns = turns
        self.watermark = watermark
        self.clock = clock
        self.fired = 0
        self.dead: list[tuple[int, int, int, str]] = []
        self.lost: list[tuple[Any, int, int, int, str]] = []
        self._first: dict[int, int] = {}
        self._chains: dict[Any, int] = {}
        self._reached: dict[Any, int] = {}

    def now(self, key: Any, now: int) -> int:
        """The time by which a key's state lives, which does not go back.

        At the end of input timers of both kinds take turns: what one of event time saw gone stays gone for the others.
        """
        return max(now, self._reached.get(key, now))

    def reach(self, key: Any, now: int) -> None:
        """A timer of a key was taken at a time."""
        if self._first:
            self._reached[key] = now

    def end(self, timers: dict[int, Timers]) -> None:
        """The input ends: from here on timers that others set are counted."""
        self._first = {kind: one.next_number for kind, one in timers.items()}

    def endless(self, kind: int, number: int, key: Any) -> str | None:
        """Why this timer of a key is one too many; None where it is not."""
        if not self._first or number < self._first[kind]:
            return None
        self._chains[key] = self._chains.get(key, 0) + 1
        return _ENDLESS if self._chains[key] > _MOST_AT_THE_END else None


_ENDLESS = (
    f"endless_timers: at the end of input more than {_MOST_AT_THE_END} timers of a key set one another; look at "
    "context.ended before setting the next"
)
