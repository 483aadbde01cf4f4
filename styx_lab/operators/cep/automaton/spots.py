"""A part where it stands in its pattern: what it takes, what may be ignored before it, which nots are in force.

Law (oracle): the first part of a group is bound as the group is, not as itself; that is Flink's rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from styx_lab.flow.pattern.conditions import ALWAYS, Both, Condition, Negated
from styx_lab.flow.pattern.parts import Contiguity, Part, Relation

__all__ = ["Chain", "Spot", "both", "maybe_unless", "unless"]

_OUTER: Final[dict[Relation, Contiguity]] = {
    "begin": "strict",
    "next": "strict",
    "followed_by": "relaxed",
    "followed_by_any": "any",
    "not_next": "strict",
    "not_followed_by": "relaxed",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """Parts in a row, and where the row stands.

    Attributes:
        parts: the parts.
        group: the group they are the content of; None at the top.
        first_round: whether this is the first time round of the group.
        after: the part that comes after the group.
    """

    parts: tuple[Part, ...]
    group: Part | None = None
    first_round: bool = True
    after: Part | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """A part where it stands."""

    chain: Chain
    at: int

    @property
    def part(self) -> Part:
        """The part."""
        return self.chain.parts[self.at]

    @property
    def heads_group(self) -> bool:
        """Whether it is the first part of a group."""
        return self.chain.group is not None and self.at == 0

    @property
    def following(self) -> Part | None:
        """The part after it; after the last of a group, the part after the group."""
        return self.chain.parts[self.at + 1] if self.at + 1 < len(self.chain.parts) else self.chain.after

    @property
    def in_optional_first_round(self) -> bool:
        """Whether this is the first part, in the first round, of an optional group."""
        group = self.chain.group
        return group is not None and self.at == 0 and self.chain.first_round and group.quantifier.optional

    def guarded(self, condition: Condition) -> Condition:
        """The condition, and that the group's `until` does not hold (the innermost group's alone)."""
        return unless(None if self.chain.group is None else self.chain.group.until, condition)

    def take(self, part: Part | None = None) -> Condition:
        """What an event of a part must be like; this part, if none is named."""
        return self.guarded(condition_of(self.part if part is None else part))

    def always(self) -> Condition:
        """Any event, as long as the group's `until` does not hold."""
        return self.guarded(ALWAYS)

    def ignore_outer(self) -> Condition | None:
        """What may be ignored before the part's first event."""
        contiguity = _OUTER[self.part.relation]
        if self.heads_group:
            group = self.chain.group
            assert group is not None
            contiguity = _OUTER[group.relation] if self.chain.first_round else group.quantifier.inner
        return self._ignore(contiguity)

    def ignore_inner(self) -> Condition | None:
        """What may be ignored between the part's events."""
        contiguity = self.part.quantifier.inner
        if self.heads_group:
            group = self.chain.group
            assert group is not None
            contiguity = group.quantifier.inner
        return self._ignore(contiguity)

    def _ignore(self, contiguity: Contiguity) -> Condition | None:
        match contiguity:
            case "strict":
                return None
            case "relaxed":
                return self.guarded(Negated(condition_of(self.part)))
            case "any":
                return self.always()

    def nots(self) -> list[Part]:
        """The `not_followed_by` parts before this one that are still in force here, the nearest first."""
        found = []
        for part in reversed(self.chain.parts[: self.at]):
            if part.relation == "not_followed_by":
                found.append(part)
            elif not part.quantifier.optional:
                break
        return found


def condition_of(part: Part) -> Condition:
    return ALWAYS if part.condition is None else part.condition


def both(first: Condition, second: Condition) -> Condition:
    """Both, in this order; a condition that always holds is left out, for it says nothing."""
    if first == ALWAYS:
        return second
    return first if second == ALWAYS else Both((first, second))


def unless(until: Condition | None, condition: Condition) -> Condition:
    """The condition, as long as `until` does not hold."""
    return condition if until is None else both(Negated(until), condition)


def maybe_unless(until: Condition | None, condition: Condition | None) -> Condition | None:
    """The same, of a condition that may not be there."""
    return None if condition is None else unless(until, condition)
