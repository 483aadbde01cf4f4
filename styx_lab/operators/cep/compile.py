"""A pattern as the table that the matcher runs: one row for each event that a match takes.

Law (oracle): Flink CEP's automaton for `begin`, `next`, `followedBy`, `times` and `consecutive`. A part that takes n
events is n states; the first follows as the part does, the others as its inner contiguity says (relaxed, or strict
when consecutive). None of these forks a partial match, so a partial match is just a state number and the events taken
so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern import Pattern

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
    bits: list[int] = []
    strict: list[bool] = []
    slices = []
    for bit, part in enumerate(pattern.parts):
        first = len(bits)
        for repeat in range(part.times or 1):
            bits.append(bit)
            strict.append(part.consecutive if repeat else part.relation == "next")
        slices.append((first, len(bits)))
    return Program(
        np.array(bits, np.int64),
        np.array(strict, np.bool_),
        -1 if pattern.within_ms is None else pattern.within_ms,
        tuple(part.conditions for part in pattern.parts),
        tuple(slices),
    )
