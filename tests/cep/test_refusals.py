"""What is refused of a pattern is what its automaton shows cannot be, and all of it: two ways to see the same."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from styx_lab import Pattern
from styx_lab.errors import FlowError
from styx_lab.flow.pattern.after_match import AfterMatch
from styx_lab.flow.pattern.parts import Part
from styx_lab.flow.pattern.structure import refuse_broken
from styx_lab.testing.strategies import patterns_of_all_kinds
from tests.cep.reading_kit import chains
from tests.cep.refusals import what_cannot_be

WINDOWS = st.sampled_from([None, None, None, 0, 1, 3, 20])


@st.composite
def odd_parts(draw: st.DrawFn) -> tuple[Part, ...]:
    """Parts in a row with windows anywhere, names that may be there twice, and what can be left out anywhere."""

    def changed(parts: tuple[Part, ...]) -> tuple[Part, ...]:
        made = []
        for part in parts:
            quantifier = part.quantifier
            if draw(st.integers(0, 3)) == 0 and not part.relation.startswith("not"):
                quantifier = replace(quantifier, optional=True)
            name = draw(st.sampled_from([part.name] * 40 + ["p0", "$endState$"])) if not part.group else part.name
            within = draw(WINDOWS)
            made.append(replace(part, name=name, quantifier=quantifier, within_ms=within, group=changed(part.group)))
        return tuple(made)

    return changed(draw(chains(depth=2)))


def is_refused(parts: tuple[Part, ...], after_match: AfterMatch) -> bool:
    try:
        refuse_broken(parts, after_match)
    except FlowError:
        return True
    return False


@settings(max_examples=400)
@given(odd_parts(), st.sampled_from([None] * 6 + ["p0", "p1", "p0p0"]))
def test_just_what_cannot_be_is_refused(parts: tuple[Part, ...], target: str | None) -> None:
    skip = AfterMatch("no_skip" if target is None else "skip_to_first", target)
    why = what_cannot_be(parts, skip)
    event(str(why))
    assert is_refused(parts, skip) == (why is not None), why


@settings(max_examples=200)
@given(patterns_of_all_kinds(checked=False, lookback=False, depth=3))
def test_of_patterns_that_can_be_said_too(pattern: Pattern) -> None:
    why = what_cannot_be(pattern.parts, pattern.after_match)
    assert is_refused(pattern.parts, pattern.after_match) == (why is not None), why
