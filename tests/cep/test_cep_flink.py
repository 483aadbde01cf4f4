"""Law (oracle): patterns mean what Apache Flink CEP means. The answers here were recorded from Flink 2.3."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from styx_lab.errors import FlowError
from tests.cep.kit import Found, batch, columns_of, detect, detector, pattern_of, script_of

CASES = Path(__file__).parent / "cases"


def _load(name: str) -> dict[str, Any]:
    lines = (CASES / f"named.{name}.jsonl").read_text().splitlines()
    return {value["id"]: value for value in map(json.loads, lines)}


CASE, RESULT = _load("cases"), _load("results")
REFUSED = [name for name in CASE if "error" in RESULT[name]]
GOOD = [name for name in CASE if name not in REFUSED]


def test_the_cases_are_those_that_use_the_words_there_are() -> None:
    assert CASE.keys() == RESULT.keys()
    assert (len(GOOD), len(REFUSED)) == (37, 4)


def _by_key(matches: list[Found]) -> dict[Any, list[Found]]:
    grouped = defaultdict(list)
    for match in matches:
        grouped[match.key].append(match)
    return dict(grouped)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", GOOD)
def test_flink_gives_the_same(name: str, size: int) -> None:
    case, result = CASE[name], RESULT[name]
    columns = columns_of(case)
    whole = batch(script_of(case), columns, delay=case["watermark"].get("delay"))
    found, late = detect(detector(pattern_of(case), columns, "key"), "key", whole.slices(size))
    expected = [
        Found(
            one.get("key", "all"),
            tuple((part, tuple(places)) for part, places in one["match"].items()),
            one["ts"],
            one["wm"],
        )
        for one in result["matches"]
    ]
    # Per key in Flink's order; between keys Flink promises none.
    assert _by_key(found) == _by_key(expected)
    assert late == result["late"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_flink_refuses_is_refused(name: str) -> None:
    with pytest.raises(FlowError):
        pattern_of(CASE[name]).check(columns_of(CASE[name]), where="case")
