"""Law (oracle): Flink's recorded patterns are read, refused where Flink refuses or dies, and read and written alike."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from styx_lab.errors import FlowError
from styx_lab.flow.pattern import Pattern

CASES = Path(__file__).parent.parent / "cep" / "cases"


def _load(name: str) -> dict[str, Any]:
    with gzip.open(CASES / f"named.{name}.jsonl.gz", "rt") as lines:
        return {value["id"]: value for value in map(json.loads, lines)}


CASE, RESULT = _load("cases"), _load("results")
COLUMNS = {
    "t": pl.Int64(),
    "key": pl.String(),
    "name": pl.String(),
    "value": pl.Float64(),
    "price": pl.Float64(),
    "kind": pl.String(),
}
# These jobs end on what happens in them, not on their pattern.
BY_EVENTS = {"skip-miss-throw", "skip-first-elem-throw"}
THROWS = {name for name in CASE if '"throw"' in json.dumps(CASE[name]["pattern"])}
REFUSED = sorted(name for name in CASE if "error" in RESULT[name] and name not in BY_EVENTS | THROWS)
TAKEN = sorted(CASE.keys() - REFUSED - THROWS)


def read(name: str) -> Pattern:
    pattern = Pattern.from_json(CASE[name]["pattern"], where="case", columns=COLUMNS)
    pattern.check_structure()
    return pattern


def test_all_recorded_patterns_are_tried() -> None:
    assert (len(CASE), len(REFUSED), len(THROWS)) == (247, 38, 2)


@pytest.mark.parametrize("name", TAKEN)
def test_what_flink_takes_is_taken_and_written_and_read_again(name: str) -> None:
    pattern = read(name)
    written = pattern.to_json()
    assert Pattern.from_json(json.loads(json.dumps(written)), where="again") == pattern
    assert Pattern.from_json(written, where="again").to_json() == written
    pattern.check(COLUMNS, where="case")
    assert str(pattern)


@pytest.mark.parametrize("name", REFUSED)
def test_what_flink_refuses_or_dies_of_is_refused(name: str) -> None:
    with pytest.raises(FlowError) as refused:
        read(name)
    assert refused.value.hint or "whole number" in refused.value.what
    assert refused.value.where
