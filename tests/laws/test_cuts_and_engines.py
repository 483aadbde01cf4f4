"""The laws, for every verb and engine: re-chunking, and engine parity to the byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.flow.steps import STEPS
from styx_lab.testing.strategies import scripts
from tests.laws.kit import CASES, FEWER, SIZES, assert_same, play
from tests.laws.verbs import BOUND, VERBS, Case

pytestmark = pytest.mark.laws


def test_every_verb_has_flows_to_try_the_laws_on() -> None:
    assert VERBS.keys() == STEPS.keys()
    for verb, make in VERBS.items():
        assert make()
        for case in make():
            assert any(step.verb == verb for step in case.flow.steps), f"{case} does not use {verb}"


@CASES
@FEWER
@given(data=st.data())
def test_the_cut_does_not_show(case: Case, data: st.DataObject) -> None:
    script = data.draw(scripts(sources=case.sources, bound_ms=BOUND))
    whole = play(script, case)
    for size in (1, 7):
        assert_same(play(script, case, batch=size), whole)


@CASES
@FEWER
@given(data=st.data())
def test_every_engine_gives_the_same_bytes(case: Case, data: st.DataObject) -> None:
    script = data.draw(scripts(sources=case.sources, bound_ms=BOUND))
    expected = play(script, case)
    assert_same(play(script, case, engine="streamz", batch=data.draw(SIZES)), expected)
    assert_same(play(script, case, engine="runner", batch=data.draw(SIZES), commit_every=1), expected)
