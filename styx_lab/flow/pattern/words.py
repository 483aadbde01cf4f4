"""A pattern in words: the one line that drawings of flows and messages show, and the words for how often."""

from __future__ import annotations

from collections.abc import Sequence

from styx_lab.core.time import duration_text
from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.given import condition_text
from styx_lab.flow.pattern.parts import Part, Quantifier

__all__ = ["bounds", "how_often", "pattern_line", "relation_words"]


def pattern_line(parts: Sequence[Part], after_match: AfterMatch, within_ms: int | None) -> str:
    """The pattern on one line."""
    text = _chain(parts)
    text += f", within {duration_text(within_ms)}" if within_ms else ""
    return text + (f", after a match {after_match}" if after_match != NO_SKIP else "")


def relation_words(part: Part) -> str:
    """How it follows the part before: `followed by`."""
    return part.relation.replace("_", " ")


def how_often(quantifier: Quantifier) -> list[str]:
    """How often a part is taken, phrase by phrase; nothing for just once."""
    words = []
    if quantifier.kind == "loop":
        words.append(f"{quantifier.least} or more")
    elif quantifier.kind == "times":
        one = quantifier.least == quantifier.most
        words.append(f"{quantifier.least}" if one else f"{quantifier.least} to {quantifier.most}")
    if quantifier.inner != "relaxed":
        words.append("consecutive" if quantifier.inner == "strict" else "any combination")
    if quantifier.greedy:
        words.append("greedy")
    if quantifier.optional:
        words.append("optional")
    if quantifier.window_ms:
        words.append(f"{duration_text(quantifier.window_ms)} apart at most")
    return words


def bounds(part: Part) -> list[str]:
    """What else bounds a part: its until, and the time since the event before."""
    words = []
    if part.until is not None:
        words.append(f"until {condition_text(part.until)}")
    if part.gap_ms:
        words.append(f"less than {duration_text(part.gap_ms)} after the event before")
    return words


def _chain(parts: Sequence[Part]) -> str:
    return " -> ".join(_part(part) for part in parts)


def _part(part: Part) -> str:
    words = how_often(part.quantifier)
    named = f"({_chain(part.group)})" if part.group else part.name
    text = f"{relation_words(part)} {named}" + (f"[{', '.join(words)}]" if words else "")
    if part.condition is not None:
        text += f" where {condition_text(part.condition)}"
    return text + "".join(f" {one}" for one in bounds(part))
