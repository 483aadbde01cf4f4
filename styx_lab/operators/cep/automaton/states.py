"""A pattern as an automaton: states with ordered edges, as Flink CEP 2.3 has them.

Law (oracle): the states, their names and the order of their edges are Flink's; its meaning and even its order of output
depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from styx_lab.flow.pattern.after_match import AfterMatch
from styx_lab.flow.pattern.conditions import Condition

__all__ = ["Automaton", "Edge", "State"]


@dataclass(slots=True, eq=False)
class Edge:
    """One way out of a state.

    Attributes:
        action: `take` the event, `ignore` it, or `proceed` to another state with the same event.
        target: the number of the state it leads to.
        condition: what must hold for it.
    """

    action: Literal["take", "ignore", "proceed"]
    target: int
    condition: Condition


@dataclass(slots=True, eq=False)
class State:
    """One state.

    Attributes:
        name: its part's name, with `:0`, `:1`, ... where that was taken already, in order of creation.
        part: what a match calls events that are taken here: the name up to its first `:`.
        kind: which of the five kinds.
        edges: the ways out, in order.
        gap_ms: a partial match that waits here times out so long after its last event; None without.
    """

    name: str
    part: str
    kind: Literal["start", "normal", "pending", "stop", "final"]
    edges: list[Edge] = field(default_factory=list)
    gap_ms: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """All states of a pattern.

    Attributes:
        states: by number.
        start: the number of the start state; a partial match without events waits there.
        final: the number of the final state.
        within_ms: a match must end less than so long after its first event; 0 means no bound.
        after_match: the skip strategy.
    """

    states: tuple[State, ...]
    start: int
    final: int
    within_ms: int
    after_match: AfterMatch
