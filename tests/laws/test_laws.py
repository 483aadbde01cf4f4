"""The laws, for every verb and engine: re-chunking, parity, crash anywhere, order within the bound, nothing silent."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.flow.steps import STEPS
from styx_lab.testing import Played, Script
from styx_lab.testing.strategies import arrangements, flows, interrupted, scripts
from tests.laws.verbs import BOUND, MODELS, VERBS, Case, all_cases

pytestmark = pytest.mark.laws

CASES = pytest.mark.parametrize("case", all_cases(), ids=str)
# Each law is tried on some thirty flows: a quarter of the profile's examples for each is enough.
FEWER = settings(max_examples=max(1, settings().max_examples // 4))
SIZES = st.sampled_from([1, 2, 3, 7, 10_000])


def play(script: Script, case: Case, **how: Any) -> Played:
    return script.run(case.flow, models=MODELS, **how)


def assert_same(found: Played, expected: Played, *, counters: bool = True) -> None:
    assert found.lines.keys() == expected.lines.keys()
    for name, lines in expected.lines.items():
        assert found.lines[name] == lines, name
    if counters:
        assert nonzero(found.counters) == nonzero(expected.counters)
        assert found.summary == expected.summary


def nonzero(counters: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {step: {name: count for name, count in named.items() if count} for step, named in counters.items()}


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


@CASES
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


def timeless(played: Played, output: str) -> list[str]:
    """Rows without what says when, and from which place, an event came: that is the order of arrival itself."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            # A dead letter's payload is the row's JSON where the source handed out rows.
            left = ("_arrival", "_detected", "_offset", "_origin", "id", "detected", "notified", "offset", "arrival")
            left += ("payload",)
            return {name: strip(one) for name, one in value.items() if name not in left}
        return [strip(one) for one in value] if isinstance(value, list) else value

    return [json.dumps(strip(row), sort_keys=True) for row in played.rows(output)]


def by_key(rows: list[str]) -> dict[Any, list[str]]:
    found = defaultdict(list)
    for row in rows:
        fields = json.loads(row)
        found[fields.get("key"), fields.get("card_id"), fields.get("status"), fields.get("tries")].append(row)
    return found


@CASES
@FEWER
@given(data=st.data())
def test_nothing_is_silent(case: Case, data: st.DataObject) -> None:
    script = data.draw(scripts(sources=case.sources, bound_ms=BOUND))
    played = play(script, case, batch=data.draw(SIZES))
    assert_nothing_silent(played, case, events=sum(moment.what == "event" for moment in script.moments))


def assert_nothing_silent(played: Played, case: Case, *, events: int) -> None:
    for step in case.flow.steps:
        counters = played.counters[step.name]
        assert counters["in"] == counters["processed"] + counters["late"] + counters["dead"], step.name
        assert min(counters.values()) >= 0, step.name
        if step.verb == "source":
            assert counters["read"] == counters["decoded"] + counters["dead"]
            assert counters["read"] == counters["in"]
            assert counters["decoded"] == counters["out"]
        else:
            outs = {port: played.counters[port.step]["out"] for port in step.inputs if port.name == "out"}
            if len(outs) == len(step.inputs):
                assert counters["in"] == sum(outs.values()), f"{step.name}: what one step gives the next one gets"
        if step.verb == "filter":
            assert counters["out"] + counters.get("filtered", 0) == counters["processed"]
        if step.verb in ("select", "with_columns", "key_by", "union", "enrich", "score", "notify"):
            assert counters["out"] == counters["processed"]
        if step.verb == "to":
            assert counters["in"] == len(played.lines[step.name])
    dead = Counter(row["step"] for row in played.rows("dead_letters"))
    letters = {name: one["dead"] + one.get("dead_matches", 0) for name, one in played.counters.items()}
    assert dead == {name: count for name, count in letters.items() if count}
    assert all(row["reason"] for row in played.rows("dead_letters"))
    summary = played.summary
    assert summary["events"] == events == sum(played.counters[name]["read"] for name in case.sources)
    assert summary["events"] == summary["processed"] + summary["late"] + summary["dead"]
    assert summary["matches"] == sum(one.get("matches", 0) for one in played.counters.values())
    assert summary["notifications"] == sum(one.get("notifications", 0) for one in played.counters.values())
    for name in ("late", "dead"):
        assert summary[name] <= sum(one[name] for one in played.counters.values())


@given(flows(bound_ms=BOUND), scripts(bound_ms=BOUND), st.data())
def test_flows_at_random_keep_the_laws(flow: Any, script: Script, data: st.DataObject) -> None:
    case = Case("drawn", flow)
    expected = play(script, case)
    assert_nothing_silent(expected, case, events=sum(moment.what == "event" for moment in script.moments))
    assert_same(play(script, case, batch=data.draw(SIZES)), expected)
    assert_same(play(script, case, engine="streamz", batch=data.draw(SIZES)), expected)
    crashing = data.draw(interrupted(script))
    assert_same(play(crashing, case, engine="runner", batch=data.draw(SIZES)), expected)
