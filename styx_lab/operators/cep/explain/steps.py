"""How far a partial match got: the steps of a pattern, and which of them are done.

A step is a name that events are taken under, with the fewest events that a match has of it; what may be left out is no
step, unless there is nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from styx_lab.flow.pattern.parts import Part

__all__ = ["Progress", "Steps"]

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it got.

    Attributes:
        done: steps that have all the events they need.
        of: steps there are.
        events: events taken that were needed.
        needed: events that a match needs at least.
    """

    done: int
    of: int
    events: int
    needed: int

    @property
    def share(self) -> float:
        """Events taken of those that are needed."""
        return self.events / self.needed

    def __str__(self) -> str:
        events = (
            f", with {self.events} of {self.needed} events" if self.needed > self.of and self.done < self.of else ""
        )
        return f"{self.done} of {self.of} step{'' if self.of == 1 else 's'}{events}"


class Steps:
    """The steps of a pattern.

    >>> from styx_lab import Pattern
    >>> steps = Steps(Pattern.begin("a").times(2).followed_by("b").optional().next("c").parts)
    >>> steps.needed, str(steps.progress([("a", 0), ("a", 1), ("b", 2)])), steps.ordinal("c")
    ({'a': 2, 'c': 1}, '1 of 2 steps, with 2 of 3 events', 'second')

    Args:
        parts: the pattern's parts.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        found: dict[str, int] = {}
        _count(parts, 1, found)
        self.names = tuple(found)
        self.needed = {name: count for name, count in found.items() if count} or dict.fromkeys(found, 1)

    def progress(self, taken: Sequence[tuple[str, int]]) -> Progress:
        """How far one got that has taken these events."""
        counts = {name: sum(part == name for part, _ in taken) for name in self.needed}
        done = sum(counts[name] >= count for name, count in self.needed.items())
        events = sum(min(counts[name], count) for name, count in self.needed.items())
        return Progress(done, len(self.needed), events, sum(self.needed.values()))

    def ordinal(self, name: str) -> str | None:
        """Which step a name is: `third`; None where it is none, or far on."""
        places = list(self.needed)
        place = places.index(name) if name in places else len(_ORDINALS)
        return _ORDINALS[place] if place < len(_ORDINALS) else None


def _count(parts: Sequence[Part], rounds: int, found: dict[str, int]) -> None:
    for part in parts:
        if part.is_not:
            continue
        least = 0 if part.quantifier.optional else part.quantifier.least
        if part.group:
            _count(part.group, rounds * least, found)
        else:
            found[part.column] = found.get(part.column, 0) + rounds * least
