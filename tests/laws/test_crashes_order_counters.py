"""The laws, for every verb: crash anywhere, order within the bound, nothing silent; and all for flows at random."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.testing import Script
from styx_lab.testing.strategies import arrangements, flows, interrupted, scripts
from tests.laws.kit import (
    CASES,
    FEWER,
    NOT_BY_ARRIVAL,
    SIZES,
    assert_nothing_silent,
    assert_same,
    by_key,
    play,
    timeless,
)
from tests.laws.verbs import BOUND, Case

pytestmark = pytest.mark.laws


@CASES
@FEWER
@given(data=st.data())
def test_a_crash_anywhere_does_not_show(case: Case, data: st.DataObject) -> None:
    script = data.draw(scripts(sources=case.sources, bound_ms=BOUND, most=20))
    expected = play(script, case)
    crashing = data.draw(interrupted(script))
    how = {
        "batch": data.draw(SIZES),
        "commit_every": data.draw(st.sampled_from([0, 1, 3])),
        "checkpoint_every": data.draw(st.sampled_from([0, 1, 2, 5])),
    }
    for engine in ("chain", "runner"):
        found = play(crashing, case, engine=engine, **how)
        assert_same(found, expected)
        assert found.warnings == ()


@NOT_BY_ARRIVAL
@FEWER
@given(data=st.data())
def test_the_order_of_arrival_within_the_bound_does_not_show(case: Case, data: st.DataObject) -> None:
    one, other = data.draw(arrangements(sources=case.sources, bound_ms=BOUND))
    first, second = play(one, case, batch=7), play(other, case, batch=7)
    assert first.summary == second.summary
    assert first.summary["late"] == 0
    for name in first.lines:
        rows, others = timeless(first, name), timeless(second, name)
        assert Counter(rows) == Counter(others), name
        if case.ordered and name == "out":
            assert by_key(rows) == by_key(others)


@CASES
@FEWER
@given(data=st.data())
def test_nothing_is_silent(case: Case, data: st.DataObject) -> None:
    script = data.draw(scripts(sources=case.sources, bound_ms=BOUND))
    played = play(script, case, batch=data.draw(SIZES))
    assert_nothing_silent(played, case, events=sum(moment.what == "event" for moment in script.moments))


@given(flows(bound_ms=BOUND), scripts(bound_ms=BOUND), st.data())
def test_flows_at_random_keep_the_laws(flow: Any, script: Script, data: st.DataObject) -> None:
    case = Case("drawn", flow)
    expected = play(script, case)
    assert_nothing_silent(expected, case, events=sum(moment.what == "event" for moment in script.moments))
    assert_same(play(script, case, batch=data.draw(SIZES)), expected)
    assert_same(play(script, case, engine="streamz", batch=data.draw(SIZES)), expected)
    crashing = data.draw(interrupted(script))
    assert_same(play(crashing, case, engine="runner", batch=data.draw(SIZES)), expected)
