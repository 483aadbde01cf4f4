"""A pattern as the table that the matcher runs: one row for each event that a match takes.

Law (oracle): Flink CEP's automaton for `begin`, `next`, `followedBy`, `times` and `consecutive`. A part that takes n
events is n states; the first follows as the part does, the others as its inner contiguity says (relaxed, or strict
when consecutive). None of these forks a partial match, so a partial match is just a state number and the events taken
so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern import Both, Part, Pattern, Where

__all__ = ["Program", "compile_pattern"]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A compiled pattern.

    Attributes:
        bits: int64 per state: which part's condition it waits for, as a bit number.
        strict: bool per state: whether the key's very next event must meet it.
        within_ms: a match spans less than this; -1 where there is no bound.
        conditions: per part, the expressions that must all hold.
        slices: per part, the states it takes, as (first, one past the last).
    """

    bits: np.ndarray
    strict: np.ndarray
    within_ms: int
    conditions: tuple[tuple[Expression, ...], ...]
    slices: tuple[tuple[int, int], ...]

    @property
    def length(self) -> int:
        """How many events a match has."""
        return len(self.bits)


def compile_pattern(pattern: Pattern) -> Program:
    """The table of a pattern."""
    pattern.check_structure()
    bits: list[int] = []
    strict: list[bool] = []
    slices = []
    for bit, part in enumerate(pattern.parts):
        first = len(bits)
        for repeat in range(part.quantifier.least):
            bits.append(bit)
            strict.append(part.quantifier.inner == "strict" if repeat else part.relation == "next")
        slices.append((first, len(bits)))
    return Program(
        np.array(bits, np.int64),
        np.array(strict, np.bool_),
        pattern.within_ms or -1,
        tuple(_conditions(part) for part in pattern.parts),
        tuple(slices),
    )


def _conditions(part: Part) -> tuple[Expression, ...]:
    """The expressions that must all hold for an event of the part (`choice.py` lets no other condition come here)."""
    match part.condition:
        case None:
            return ()
        case Where():
            return (part.condition.expression,)
        case Both() if all(isinstance(one, Where) for one in part.condition.of):
            return tuple(one.expression for one in part.condition.of if isinstance(one, Where))
    raise FlowError("the matcher of chains does not know this condition", where=part.where, got=part.condition)
