"""Hypothesis strategies of patterns of every kind.

Law: what is drawn is valid: it builds, nothing in it makes Flink hang or die, and what it looks back at is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final

import polars as pl
from hypothesis import assume, reject
from hypothesis import strategies as st

from styx_lab.core.time import duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.pattern import AfterMatch, Part, Pattern, Where, matched
from styx_lab.flow.pattern.given import leaves
from styx_lab.flow.pattern.lookback import folds_of
from styx_lab.flow.pattern.structure import every_part

__all__ = ["CONDITIONS", "patterns_of_all_kinds"]

CONDITIONS: Final = (
    "status = 'declined'",
    "status = 'ok'",
    "status <> 'ok'",
    "amount > 500",
    "amount <= 500",
    "tries >= 2",
    "amount IS NULL",
    "tries % 2 = 0",
    "status = 'declined' OR amount > 500",
)
"""Conditions over the events of `payments`, as SQL text."""


@st.composite
def patterns_of_all_kinds(
    draw: st.DrawFn,
    *,
    conditions: Sequence[Any] = CONDITIONS,
    column: str = "amount",
    most: int = 4,
    depth: int = 2,
    lookback: bool = True,
    skips: bool = True,
    checked: bool = True,
) -> Pattern:
    """Valid patterns of every construct there is: all relations, groups, quantifiers, nots, windows, skips, look-backs.

    Args:
        conditions: what to draw conditions from.
        column: a column of numbers, for look-backs.
        most: how many parts a pattern or group has, at most.
        depth: how deep groups stand in groups, at most.
        lookback: whether conditions may look back.
        skips: whether a match may do something to others.
        checked: whether what only the whole can be refused for is left out.
    """
    size = draw(st.integers(1, 2 * most))
    names = [f"p{number}" for number in range(size)]
    asked: st.SearchStrategy[Any] = st.sampled_from(list(conditions))
    if lookback:
        # Mostly at the first parts, which are there in the end.
        asked = st.one_of(asked, asked, _lookbacks(column, names[:2]))
    pattern = _chain(draw, iter(names), asked, min(most, size), depth)
    assume(_asked(pattern.parts) <= {part.column for part in every_part(pattern.parts)})
    if skips and draw(st.booleans()):
        pattern = pattern.with_after_match(draw(_skips([part.name for part in pattern.parts])))
    if draw(st.booleans()) or pattern.parts[-1].relation == "not_followed_by":
        pattern = pattern.within(duration_text(draw(st.integers(5, 120))))
    try:
        pattern.check_structure()
    except FlowError:
        if checked:
            reject()
    return pattern


def _skips(names: Sequence[str]) -> st.SearchStrategy[AfterMatch]:
    named = st.sampled_from(names)
    return st.one_of(
        st.sampled_from([AfterMatch.skip_to_next(), AfterMatch.skip_past_last_event()]),
        named.map(AfterMatch.skip_to_first),
        named.map(AfterMatch.skip_to_last),
    )


@st.composite
def _lookbacks(draw: st.DrawFn, column: str, parts: Sequence[str]) -> pl.Expr:
    part = matched(draw(st.sampled_from(parts)))
    word = draw(st.sampled_from(["first", "last", "sum", "mean", "min", "max", "count"]))
    asked = part.count() if word == "count" else getattr(part[column], word)()
    compared = pl.col(column) > asked * draw(st.sampled_from([0.5, 1, 2]))
    otherwise = draw(st.sampled_from([None, True, False]))
    return compared if otherwise is None else compared.fill_null(otherwise)


def _asked(parts: Sequence[Part]) -> set[str]:
    found = set()
    for part in parts:
        for leaf in [*leaves(part.condition), *leaves(part.until)]:
            if isinstance(leaf, Where):
                found |= {fold.part for fold in folds_of(leaf.expression)}
        found |= _asked(part.group)
    return found


def _chain(draw: st.DrawFn, names: Iterator[str], conditions: st.SearchStrategy[Any], most: int, depth: int) -> Pattern:
    pattern = Pattern(())
    for place in range(draw(st.integers(1, most))):
        name = next(names, None)
        if name is None:
            break
        relations = ["next", "followed_by", "followed_by_any", "followed_by", "not_next", "not_followed_by"]
        relation = draw(st.sampled_from(relations)) if place else "begin"
        part: str | Pattern = name
        if depth and not relation.startswith("not") and draw(st.integers(0, 3)) == 0:
            part = _chain(draw, chain([name], names), conditions, max(most - 1, 1), depth - 1)
        calls = draw(st.lists(st.sampled_from(sorted(_CALLS)), max_size=5))
        # Whatever cannot be said just here is left unsaid.
        with suppress(FlowError):
            pattern = pattern.followed(relation, part)
            for call in calls:
                with suppress(FlowError):
                    pattern = _CALLS[call](draw, pattern, conditions)
    return pattern


def _counts(draw: st.DrawFn, least: int) -> tuple[int, int]:
    first = draw(st.integers(least, 2))
    return first, draw(st.integers(max(first, 1), 3))


def _window(draw: st.DrawFn) -> str | None:
    length = draw(st.one_of(st.none(), st.none(), st.integers(0, 15)))
    return None if length is None else duration_text(length)


_CALLS: Final[dict[str, Callable[[st.DrawFn, Pattern, st.SearchStrategy[Any]], Pattern]]] = {
    "where": lambda draw, pattern, conditions: pattern.where(draw(conditions)),
    "where again": lambda draw, pattern, conditions: pattern.where(draw(conditions)),
    "or_where": lambda draw, pattern, conditions: pattern.or_where(draw(conditions)),
    "until": lambda draw, pattern, conditions: pattern.until(draw(conditions)),
    "times": lambda draw, pattern, _: pattern.times(draw(st.integers(1, 3)), window=_window(draw)),
    "times range": lambda draw, pattern, _: pattern.times(*_counts(draw, 0), window=_window(draw)),
    "times_or_more": lambda draw, pattern, _: pattern.times_or_more(draw(st.integers(1, 2)), window=_window(draw)),
    "one_or_more": lambda draw, pattern, _: pattern.one_or_more(window=_window(draw)),
    "loop until": lambda draw, pattern, conditions: pattern.one_or_more().until(draw(conditions)),
    "greedy loop": lambda _, pattern, __: pattern.one_or_more().greedy(),
    "optional": lambda _, pattern, __: pattern.optional(),
    "greedy": lambda _, pattern, __: pattern.greedy(),
    "consecutive": lambda _, pattern, __: pattern.consecutive(),
    "allow_combinations": lambda _, pattern, __: pattern.allow_combinations(),
    "within": lambda draw, pattern, _: pattern.within(duration_text(draw(st.integers(0, 60)))),
    "between": lambda draw, pattern, _: pattern.within(duration_text(draw(st.integers(0, 20))), between=True),
}
