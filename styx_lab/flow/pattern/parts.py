"""The parts of a pattern and how often they repeat, as frozen data with Flink's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from styx_lab.flow.pattern.conditions import Condition

__all__ = ["GROUP", "ONCE", "Contiguity", "Part", "Quantifier", "Relation"]

Relation = Literal["begin", "next", "followed_by", "followed_by_any", "not_next", "not_followed_by"]
Contiguity = Literal["strict", "relaxed", "any"]

GROUP: Final = "GroupPattern"
"""What every group is called: Flink's word."""


@dataclass(frozen=True, slots=True)
class Quantifier:
    """How often a part is taken.

    Attributes:
        kind: `single`, `times` (`least` to `most`) or `loop` (`least` or more).
        least: the fewest times; 1 of a single.
        most: the most times; of a loop None.
        optional: whether it may be left out.
        greedy: whether it takes what the next part could take too.
        inner: how its events follow each other.
        window_ms: the window given to `times` or `one_or_more`, which bounds gaps; None without.
    """

    kind: Literal["single", "times", "loop"] = "single"
    least: int = 1
    most: int | None = 1
    optional: bool = False
    greedy: bool = False
    inner: Contiguity = "relaxed"
    window_ms: int | None = None


ONCE: Final = Quantifier()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a pattern: a named event (or several), or a group of parts.

    Attributes:
        name: what its events are called in a match; `GROUP` of a group.
        relation: how it follows the part before.
        condition: what its events must be like; None means any event.
        until: what ends its loop.
        quantifier: how often it is taken.
        within_ms: the last `within` said on it, for the whole match; None without, 0 means no window.
        gap_ms: the bound on the time since the event before it; None without.
        group: the parts of a group; empty for a named part.
    """

    name: str
    relation: Relation
    condition: Condition | None = None
    until: Condition | None = None
    quantifier: Quantifier = ONCE
    within_ms: int | None = None
    gap_ms: int | None = None
    group: tuple[Part, ...] = ()

    @property
    def column(self) -> str:
        """What a match calls its events: the name up to its first `:`."""
        return self.name.partition(":")[0]

    @property
    def is_not(self) -> bool:
        """Whether it says what may not come."""
        return self.relation in ("not_next", "not_followed_by")

    @property
    def where(self) -> str:
        """How errors name it."""
        return "a group of the pattern" if self.group else f"pattern part {self.name!r}"
