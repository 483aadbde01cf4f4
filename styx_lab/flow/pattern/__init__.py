"""Patterns as frozen data: pattern (what a user builds), parts, conditions, skip."""

from styx_lab.flow.pattern.pattern import Part, Pattern, Relation

__all__ = ["Part", "Pattern", "Relation"]
