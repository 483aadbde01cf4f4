"""Law (oracle): patterns mean what Apache Flink CEP means. The answers here were recorded from Flink 2.3."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from styx_lab.testing.cep.case import Case
from tests.cep.plain.answer import answer

CASES = Path(__file__).parent / "cases"
REFUSED = {
    "group-empty-loop": "it goes round for ever",
    "greedy-until-opt-behind-not": "the job dies",
    "notnext-opt-start-group": "the job dies",
    "odd-group-notnext-first-optional": "the job dies",
    "nf-after-optgroup-start": "the job dies",
}
"""What Flink accepts and then hangs or dies on; it is refused when built."""


def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for family in ("named", "corners"):
        with gzip.open(CASES / f"{family}.{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            found |= {value["id"]: value for value in map(json.loads, lines)}
    return found


FLINK = _load("results")
OURS = _load("cases")


def _by_key(result: Mapping[str, Any]) -> dict[Any, list[dict[str, Any]]]:
    """What came out, in order, matches and timeouts together; between keys there is no order."""
    found = defaultdict(list)
    for one in sorted((*result["matches"], *result["timeouts"]), key=lambda one: one["seq"]):
        found[one.get("key")].append({name: value for name, value in one.items() if name != "seq"})
    return dict(found)


def test_no_case_is_left_out() -> None:
    assert len(OURS) == 276
    assert OURS.keys() == FLINK.keys()


@pytest.mark.parametrize("name", sorted(OURS.keys() - REFUSED.keys()))
def test_the_reading_gives_what_flink_gives(name: str) -> None:
    ours, flink = answer(Case.of(OURS[name])), FLINK[name]
    if "error" in flink:
        assert ours["error"]["phase"] == flink["error"]["phase"]
    else:
        assert (_by_key(ours), ours["late"]) == (_by_key(flink), flink["late"])


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_flink_hangs_or_dies_on_is_refused(name: str) -> None:
    assert FLINK[name]["error"]["phase"] in {"hang", "runtime"}
    error = answer(Case.of(OURS[name]))["error"]
    assert (error["phase"], error["class"]) == ("pattern", "FlowError")
    assert "Try: " in error["message"]
