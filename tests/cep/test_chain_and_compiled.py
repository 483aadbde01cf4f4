"""Law: which operator runs a pattern shows in no result, nor in the order of results."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab import Pattern
from styx_lab.flow.steps.detect import MOST_PARTIALS
from styx_lab.operators.cep.choice import why_not_chain

SOURCE = styx.source(
    "events", schema={"at": "int", "kind": "str", "who": "str"}, time="at", time_unit="s", key="who", max_delay="9s"
)


@st.composite
def chains(draw: st.DrawFn) -> Pattern:
    """Patterns that never fork."""
    pattern: Pattern | None = None
    for place in range(draw(st.integers(1, 3))):
        name, kind = f"p{place}", draw(st.sampled_from(["kind = 'a'", "kind = 'b'", "kind <> 'c'", "true"]))
        if pattern is None:
            pattern = Pattern.begin(name)
        else:
            pattern = pattern.followed(draw(st.sampled_from(["next", "followed_by"])), name)
        pattern = pattern.where(kind)
        if draw(st.booleans()):
            pattern = pattern.times(draw(st.integers(1, 2)))
            pattern = pattern.consecutive() if draw(st.booleans()) else pattern
    assert pattern is not None
    return pattern.within(f"{draw(st.integers(1, 6))}s") if draw(st.booleans()) else pattern


events = st.lists(
    st.fixed_dictionaries(
        {"at": st.integers(0, 9), "kind": st.sampled_from("aabbc"), "who": st.sampled_from(["ann", "ann", "bob"])}
    ),
    min_size=12,
    max_size=25,
)


def _found(pattern: Pattern, given: list[dict[str, Any]], most: int) -> tuple[pl.DataFrame, str | None]:
    detected = SOURCE.detect(pattern, max_partials=most)
    step = detected.steps[-1]
    return styx.flow("either", detected.to("out")).replay(given).outputs["out"], why_not_chain(step, {})


@settings(max_examples=300)
@given(chains(), events)
def test_both_give_the_same_rows(pattern: Pattern, given: list[dict[str, Any]]) -> None:
    by_chain, why_not = _found(pattern, given, MOST_PARTIALS)
    assert why_not is None
    by_automaton, why = _found(pattern, given, MOST_PARTIALS - 1)
    assert why == "the partial matches of a key are bounded"
    assert by_chain.equals(by_automaton)
