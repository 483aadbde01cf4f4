"""Patterns as frozen data: pattern (what a user builds), parts, conditions, skip, look-backs, drawings."""

from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.conditions import ALWAYS, Both, Call, Condition, Either, Negated, Where
from styx_lab.flow.pattern.given import ConditionLike
from styx_lab.flow.pattern.lookback import Lookback
from styx_lab.flow.pattern.matched import Fold, matched
from styx_lab.flow.pattern.parts import GROUP, ONCE, Contiguity, Part, Quantifier, Relation
from styx_lab.flow.pattern.pattern import Pattern

__all__ = [
    "ALWAYS",
    "GROUP",
    "NO_SKIP",
    "ONCE",
    "AfterMatch",
    "Both",
    "Call",
    "Condition",
    "ConditionLike",
    "Contiguity",
    "Either",
    "Fold",
    "Lookback",
    "Negated",
    "Part",
    "Pattern",
    "Quantifier",
    "Relation",
    "Where",
    "matched",
]
