"""Conditions of a pattern's parts: what an event must be like, given what the partial match has taken so far.

Law: a condition is frozen data. Its leaves are expressions and functions; the rest is `and`, `or`, `not`.
"""

from __future__ import annotations

from dataclasses import dataclass

from styx_lab.flow.carried import Carried
from styx_lab.flow.expression import Expression

__all__ = ["ALWAYS", "Both", "Call", "Condition", "Either", "Negated", "Where"]


@dataclass(frozen=True, slots=True)
class Where:
    """An expression over the event's columns, and over what `matched("a").amount.sum()` reads; null is false."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A user's own function `(event, match) -> bool`, carried by the flow as its module's source."""

    function: Carried


@dataclass(frozen=True, slots=True)
class Both:
    """All must hold, tried in order until one does not; none means any event."""

    of: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """One must hold, tried in order until one does; none means no event."""

    of: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Negated:
    """Must not hold."""

    of: Condition


Condition = Where | Call | Both | Either | Negated
ALWAYS = Both()
