"""The life of every partial match, put together from a trace: where it came from, what it took, how it ended.

Law: every partial match ends in exactly one way, and what a trace says of it is said of its life, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from styx_lab.operators.cep.reading import trace
from styx_lab.operators.cep.reading.trace import START

__all__ = ["End", "Life", "Lives", "lives_of"]

End = Literal["matched", "timed_out", "died", "stopped", "pruned", "dropped", "split", "held_back", "alive"]
"""How a partial match ended; at the end of what was read it may be `held_back` (complete, and waiting) or `alive`."""


@dataclass(slots=True, eq=False)
class Life:
    """A partial match.

    Attributes:
        number: what the trace calls it; 1 is the first.
        parent: the partial match that it was split from; None where an event began it.
        taken: its events in order, each with its part; those of its parent first.
        entries: what happened to it, in order; of its parent's life, only what came after the split.
        end: how it ended.
        end_at: when, ms; None where it did not.
        last: the entry that ended it.
    """

    number: int
    parent: int | None
    taken: list[tuple[str, int]]
    entries: list[trace.Entry] = field(default_factory=list)
    end: End = "alive"
    end_at: int | None = None
    last: trace.Entry | None = None

    def parts(self) -> dict[str, list[int]]:
        """Its events by part, in order."""
        found: dict[str, list[int]] = {}
        for part, event in self.taken:
            found.setdefault(part, []).append(event)
        return found

    def parts_text(self) -> str:
        """Its events by part, on one line: `a 0, 1; b 4`."""
        return "; ".join(f"{part} {', '.join(map(str, events))}" for part, events in self.parts().items())

    @property
    def looks(self) -> list[trace.Looked]:
        """Each time it looked at an event."""
        return [entry for entry in self.entries if isinstance(entry, trace.Looked)]

    def ended(self, end: End, at: int, last: trace.Entry) -> None:
        """It ends."""
        if self.end not in ("alive", "held_back", "split"):
            raise AssertionError(f"#{self.number} ended twice: {self.end}, {end}")
        self.end, self.end_at, self.last = end, at, last


@dataclass(frozen=True, slots=True, eq=False)
class Lives:
    """All of them.

    Attributes:
        all: by number.
        starts: what the start said of each event.
        times: the time of each event, ms.
    """

    all: dict[int, Life]
    starts: tuple[trace.Looked, ...]
    times: Sequence[int]

    def __iter__(self) -> Iterator[Life]:
        return iter(self.all.values())

    def start_of(self, life: Life) -> int:
        """When it began, ms."""
        return self.times[life.taken[0][1]]


def lives_of(entries: Iterable[trace.Entry], times: Sequence[int]) -> Lives:
    """The lives that a trace tells.

    >>> from styx_lab.operators.cep.reading.trace import Died, Looked, Started
    >>> told = [Looked(0, 1, (), 5, 0), Started(1, 0, "a", 1, 2, 5), Looked(1, 2, (), 6, 1), Died(1, 1, 2, (), 6)]
    >>> [(life.number, life.taken, life.end, life.end_at) for life in lives_of(told, [5, 6])]
    [(1, [('a', 0)], 'died', 6)]

    Args:
        entries: the trace; its events are numbers.
        times: the time of each event, ms.
    """
    lives: dict[int, Life] = {}
    starts: list[trace.Looked] = []
    for entry in entries:
        match entry:
            case trace.Came() | trace.Passed():
                continue
            case trace.Looked(partial=number) if number == START:
                starts.append(entry)
            case trace.Proceeded(partial=number) if number == START:
                continue
            case trace.Started(partial=number, event=event, part=part):
                lives[number] = Life(number, None, [(part, event)], [entry])
            case trace.Split(partial=number, into=into, at=at):
                _split(lives, lives[number], into, at, entry)
            case _:
                _happened(lives[entry.partial], entry)
    return Lives(lives, tuple(starts), times)


def _split(lives: dict[int, Life], life: Life, into: tuple[int, ...], at: int, entry: trace.Entry) -> None:
    life.entries.append(entry)
    for number in into:
        if number != life.number:
            lives[number] = Life(number, life.number, list(life.taken))
    if life.number not in into:
        life.ended("split", at, entry)


def _happened(life: Life, entry: trace.Entry) -> None:
    match entry:
        case trace.HeldBack(behind=behind) if any(
            isinstance(one, trace.HeldBack) and one.behind == behind for one in life.entries
        ):
            return  # told again
        case trace.Took(event=event, part=part):
            life.taken.append((part, event))
        case trace.Completed():
            life.end = "held_back"
        case trace.Died(at=at):
            life.ended("died", at, entry)
        case trace.Stopped(at=at):
            life.ended("stopped", at, entry)
        case trace.TimedOut(at=at):
            life.ended("timed_out", at, entry)
        case trace.Pruned(at=at):
            life.ended("pruned", at, entry)
        case trace.Dropped(at=at):
            life.ended("dropped", at, entry)
        case trace.Emitted(at=at):
            life.ended("matched", at, entry)
    life.entries.append(entry)
