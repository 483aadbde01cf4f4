"""What the tests of the laws share: playing a case, and what must be the same or add up."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from styx_lab.flow.steps import Score
from styx_lab.testing import Played, Script
from tests.laws.verbs import MODELS, Case, all_cases, lookups

CASES = pytest.mark.parametrize("case", all_cases(), ids=str)
NOT_BY_ARRIVAL = pytest.mark.parametrize("case", [case for case in all_cases() if not case.by_arrival], ids=str)
# Each law is tried on some thirty flows, so that a few examples for each are many for all.
FEWER = settings(max_examples=max(5, settings().max_examples // 8))
SIZES = st.sampled_from([1, 2, 3, 7, 10_000])


def play(script: Script, case: Case, **how: Any) -> Played:
    return script.run(case.flow, models=MODELS, lookups=lookups(), **how)


def assert_same(found: Played, expected: Played, *, counters: bool = True) -> None:
    assert found.lines.keys() == expected.lines.keys()
    for name, lines in expected.lines.items():
        assert found.lines[name] == lines, name
    if counters:
        assert nonzero(found.counters) == nonzero(expected.counters)
        assert found.summary == expected.summary
        assert found.figures == expected.figures


def nonzero(counters: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {step: {name: count for name, count in named.items() if count} for step, named in counters.items()}


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
        if step.verb == "split":
            parts = sum(count for name, count in counters.items() if name.startswith("to_"))
            assert counters["out"] + parts == counters["processed"], f"{step.name}: every event is in exactly one part"
        if step.verb == "deduplicate":
            assert counters["out"] + counters.get("repeats", 0) == counters["processed"]
        # At the end of input nothing waits any more.
        if step.verb == "sort":
            assert counters["out"] == counters["processed"]
        if step.verb == "cooldown":
            assert counters["out"] + counters.get("suppressed", 0) == counters["processed"]
        if step.verb in ("top", "trend"):
            left = counters.get("outranked", 0) + counters.get("replaced", 0)
            assert counters["out"] + left == counters["processed"]
        if step.verb == "lookup":
            left = counters.get("not_found", 0) if getattr(step, "missing", "") == "drop" else 0
            assert counters["out"] + left == counters["processed"]
            assert counters.get("asked", 0) <= counters["in"]
        if step.verb == "filter":
            assert counters["out"] + counters.get("filtered", 0) == counters["processed"]
        if step.verb in ("select", "with_columns", "key_by", "union", "enrich", "score", "notify"):
            assert counters["out"] == counters["processed"]
        if isinstance(step, Score):
            faults = {fault: counters.get(fault, 0) for fault in step.policies}
            assert counters["dead"] == sum(faults[fault] for fault, policy in step.policies.items() if policy == "dead")
        if step.verb == "to":
            assert counters["in"] == len(played.lines[step.name])
    dead = Counter(row["step"] for row in played.rows("dead_letters"))
    letters = {
        name: one["dead"] + sum(one.get(what, 0) for what in ("dead_matches", "dead_timers", "failed_conditions"))
        for name, one in played.counters.items()
    }
    assert dead == {name: count for name, count in letters.items() if count}
    assert all(row["reason"] for row in played.rows("dead_letters"))
    summary = played.summary
    assert summary["events"] == events == sum(played.counters[name]["read"] for name in case.sources)
    assert summary["events"] == summary["processed"] + summary["late"] + summary["dead"]
    assert summary["matches"] == sum(one.get("matches", 0) for one in played.counters.values())
    assert summary["notifications"] == sum(one.get("notifications", 0) for one in played.counters.values())
    for name in ("late", "dead"):
        assert summary[name] <= sum(one[name] for one in played.counters.values())
