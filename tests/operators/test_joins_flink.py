"""Law (oracle): joins mean what Apache Flink means. The answers here were recorded from Flink 2.3."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from styx_lab.testing.windows.answer import answer
from styx_lab.testing.windows.case import Case

CASES = Path(__file__).parent / "cases"


def _load(name: str) -> dict[str, Any]:
    lines = (CASES / f"joins.{name}.jsonl").read_text().splitlines()
    return {value["id"]: value for value in map(json.loads, lines)}


CASE, RESULT = _load("cases"), _load("results")


def _view(result: dict[str, Any], kind: str) -> Any:
    """Per key the sequence of results; the partners that one event finds in an interval join, in any order."""
    if "error" in result:
        return result["error"]["phase"]
    keys: dict[str, list[str]] = defaultdict(list)
    rows = [{name: value for name, value in row.items() if name != "seq"} for row in result["out"]]
    for key, group in itertools.groupby(sorted(rows, key=lambda row: row["key"]), lambda row: row["key"]):
        if kind == "intervalJoin":
            runs = itertools.groupby(group, lambda row: max(row["left"], row["right"]))
            keys[key] = [line for _, run in runs for line in sorted(map(json.dumps, run))]
        else:
            keys[key] = list(map(json.dumps, group))
    return keys, result["late"]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", CASE)
def test_flink_gives_the_same(name: str, size: int) -> None:
    kind = CASE[name]["op"]["type"]
    assert _view(answer(Case.of(CASE[name]), size), kind) == _view(RESULT[name], kind)


def test_there_are_cases_of_both_kinds() -> None:
    assert CASE.keys() == RESULT.keys()
    assert Counter(one["op"]["type"] for one in CASE.values()) == {"intervalJoin": 22, "temporalJoin": 16}
