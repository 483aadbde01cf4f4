"""Law (oracle): patterns mean what Apache Flink CEP 2.3 means, order of output included; its answers are recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from styx_lab.testing.cep.answer import answer
from styx_lab.testing.cep.case import Case
from tests.cep.flink import load

SIZES = [1, 7, 10_000]
REFUSED = {
    "group-empty-loop": "it goes round for ever",
    "greedy-until-opt-behind-not": "the job dies",
    "notnext-opt-start-group": "the job dies",
    "odd-group-notnext-first-optional": "the job dies",
    "nf-after-optgroup-start": "the job dies",
}
"""What Flink accepts and then hangs or dies on; it is refused when built."""
CASES, RESULTS = load("named", "corners")
RANDOM, RANDOM_RESULTS = load("random")
SAME = sorted(CASES.keys() - REFUSED.keys())
PORTIONS = [sorted(RANDOM)[first : first + 100] for first in range(0, len(RANDOM), 100)]


def view(result: Mapping[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """What came out for each key, in order, matches and timeouts together; between keys there is no order.

    The time of a match that no event of its own completed is left out: ours is its deadline.
    """
    if "error" in result:
        return {"error": result["error"]["phase"]}
    found = defaultdict(list)
    for one in sorted((*result["matches"], *result["timeouts"]), key=lambda one: one["seq"]):
        told = {name: value for name, value in one.items() if name != "seq"}
        if "match" in told:
            last = max(events[place]["t"] for places in told["match"].values() for place in places)
            # The answer says no more than Flink's does: there a silent match never has its last event's time.
            told["silent"] = told["ts"] != last
            if told["silent"]:
                del told["ts"]
        found[one.get("key")].append(told)
    return {"late": result["late"], **found}


def test_no_case_is_left_out() -> None:
    assert len(CASES) == 276
    assert len(RANDOM) >= 1_500
    assert CASES.keys() == RESULTS.keys()
    assert RANDOM.keys() == RANDOM_RESULTS.keys()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SAME)
def test_flink_gives_the_same(name: str, size: int) -> None:
    events = CASES[name]["events"]
    assert view(answer(Case.of(CASES[name]), size), events) == view(RESULTS[name], events)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_flink_hangs_or_dies_on_is_refused(name: str) -> None:
    assert RESULTS[name]["error"]["phase"] in {"hang", "runtime"}
    error = answer(Case.of(CASES[name]))["error"]
    assert (error["phase"], error["class"]) == ("pattern", "FlowError")
    assert "Try: " in error["message"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("portion", range(len(PORTIONS)))
def test_flink_gives_the_same_for_cases_at_random(portion: int, size: int) -> None:
    assert [name for name in PORTIONS[portion] if not _same(name, size)] == []


def _same(name: str, size: int) -> bool:
    ours, flink, events = answer(Case.of(RANDOM[name]), size), RANDOM_RESULTS[name], RANDOM[name]["events"]
    if flink.get("error", {}).get("class") == "NullPointerException":
        return "error" in ours  # Flink takes such a pattern and dies of it; ours is refused when built
    return view(ours, events) == view(flink, events)
