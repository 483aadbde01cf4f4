"""What happened to each partial match, event by event: the entries of a trace.

Law: a trace tells all. Every partial match begins with `Started` or comes out of a `Split`; it ends with `Died`,
`Stopped`, `TimedOut`, `Pruned`, `Dropped` or `Emitted`; one that has none of them is still alive, or held back.

Partial matches have numbers. Number 0 is the start, which every event may leave; it never ends. A partial match with
one outcome keeps its number; where an event gives it several, `Split` says which numbers they get, in order. If just
one of several lives on (the others are completed matches), that one keeps the number. Where an event that meets a not
also completes matches, `Split` gives those their numbers, and `Stopped` ends the partial match itself.

Entries come in the order of what happened: for every event `Came`; then, for each partial match in turn, `Looked`, and
what came of it; then what became of completed matches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from styx_lab.flow.pattern.conditions import Call, Where
from styx_lab.operators.cep.automaton.states import Edge

__all__ = [
    "START",
    "Came",
    "Completed",
    "Died",
    "Dropped",
    "Emitted",
    "Entry",
    "HeldBack",
    "Ignored",
    "Looked",
    "Passed",
    "Proceeded",
    "Pruned",
    "Split",
    "Started",
    "Stopped",
    "TimedOut",
    "Took",
    "Tracer",
    "Tried",
]

START: Final = 0
"""The number of the start."""


@dataclass(frozen=True, slots=True)
class Tried:
    """An edge that was tried with an event.

    Attributes:
        state: the number of the state that it leaves.
        edge: the edge.
        held: whether its condition held.
        leaves: the parts of its condition that were looked at, in order, and whether each held.
    """

    state: int
    edge: Edge
    held: bool
    leaves: tuple[tuple[Where | Call, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Came:
    """An event is tried.

    Attributes:
        event: the event.
        at: its time, ms.
    """

    event: Any
    at: int


@dataclass(frozen=True, slots=True)
class Passed:
    """Time passes, and what has waited too long times out.

    Attributes:
        at: the time now, ms.
    """

    at: int


@dataclass(frozen=True, slots=True)
class Looked:
    """A partial match tried the edges of its state with the event, and of the states it could proceed to.

    Attributes:
        partial: its number.
        state: the state it is in.
        tried: the edges in the order they were tried.
        at: the event's time, ms.
        event: the event.
    """

    partial: int
    state: int
    tried: tuple[Tried, ...]
    at: int
    event: Any


@dataclass(frozen=True, slots=True)
class Proceeded:
    """It went on to another state with the same event.

    Attributes:
        partial: its number.
        source: the state it left.
        target: the state it came to.
        at: the event's time, ms.
    """

    partial: int
    source: int
    target: int
    at: int


@dataclass(frozen=True, slots=True)
class Split:
    """An event gave a partial match several outcomes.

    Attributes:
        partial: its number.
        into: the numbers of the outcomes, in order; one of them may be its own.
        at: the event's time, ms.
    """

    partial: int
    into: tuple[int, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Started:
    """A partial match began with this event.

    Attributes:
        partial: its number.
        event: its first event.
        part: the part that took it.
        source: the state that took it.
        target: the state it waits in now.
        at: the event's time, ms.
    """

    partial: int
    event: Any
    part: str
    source: int
    target: int
    at: int


@dataclass(frozen=True, slots=True)
class Took:
    """A partial match took an event; the attributes are those of `Started`."""

    partial: int
    event: Any
    part: str
    source: int
    target: int
    at: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """A partial match let an event pass.

    Attributes:
        partial: its number.
        event: the event.
        source: the state it was in.
        target: the state it waits in now.
        at: the event's time, ms.
    """

    partial: int
    event: Any
    source: int
    target: int
    at: int


@dataclass(frozen=True, slots=True)
class Died:
    """A partial match had no way on.

    Attributes:
        partial: its number.
        event: the event that it could neither take nor ignore.
        state: the state it was in.
        tried: the edges that were tried; those that failed say why.
        at: the event's time, ms.
    """

    partial: int
    event: Any
    state: int
    tried: tuple[Tried, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """An event met a `not_next` or `not_followed_by`. (What the same event completed stands.)

    Attributes:
        partial: its number.
        event: the event.
        by: the parts whose nots it met.
        at: the event's time, ms.
    """

    partial: int
    event: Any
    by: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A partial match waited too long, and is reported.

    Attributes:
        partial: its number.
        state: the state it waited in.
        bound: which window it exceeded: that of the whole match, or that between two events.
        deadline: when that window ended, ms.
        at: the time at which it was seen, ms.
    """

    partial: int
    state: int
    bound: Literal["within", "gap"]
    deadline: int
    at: int


@dataclass(frozen=True, slots=True)
class Completed:
    """A partial match is a match.

    Attributes:
        partial: its number.
        by: what made it one: its `own` last event, an `other` event (which was not what must not come next), or
            `silence` (a window that ended without what must not follow).
        event: that event; None for silence.
        deadline: for silence: when the window ended, ms.
        at: the time now, ms.
    """

    partial: int
    by: Literal["own", "other", "silence"]
    event: Any
    deadline: int | None
    at: int


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A match must wait, for one that started earlier is still alive. It is told each time the match is looked at.

    Attributes:
        partial: the match's number.
        behind: the number of the one it waits for.
        at: the time now, ms.
    """

    partial: int
    behind: int
    at: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """The skip strategy took a partial match, or one that was held back, away.

    Attributes:
        partial: its number.
        match: the number of the match that was let out.
        was: `live`, or `completed` and held back.
        at: the time now, ms.
    """

    partial: int
    match: int
    was: Literal["live", "completed"]
    at: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A partial match went because its key had too many.

    Attributes:
        partial: its number.
        beyond: which went: the `oldest` or the `newest`.
        most: how many a key may have.
        at: the time now, ms.
    """

    partial: int
    beyond: Literal["oldest", "newest"]
    most: int
    at: int


@dataclass(frozen=True, slots=True)
class Emitted:
    """A match is let out.

    Attributes:
        partial: its number.
        at: the time now, ms.
    """

    partial: int
    at: int


Entry = (
    Came
    | Passed
    | Looked
    | Proceeded
    | Split
    | Started
    | Took
    | Ignored
    | Died
    | Stopped
    | TimedOut
    | Completed
    | HeldBack
    | Pruned
    | Dropped
    | Emitted
)
Tracer = Callable[[Entry], None]
"""What takes the entries of a trace, one by one."""
