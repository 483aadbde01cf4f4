"""The checker of neutral patterns: how a case is read, and what it says of bad files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from styx_lab.errors import DataError
from styx_lab.flow.pattern.after_match import NO_SKIP
from styx_lab.flow.pattern.conditions import Condition
from styx_lab.flow.pattern.parts import Part
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.reading.reading import Reading
from styx_lab.testing.cep.__main__ import main
from styx_lab.testing.cep.case import Case, read_cases
from tests.cep.plain.answer import answer
from tests.cep.plain.condition import Event, condition_of, holds

ANY = {"rel": "begin", "name": "a", "calls": []}


def _case(events: list[dict[str, Any]], **rest: Any) -> Case:
    return Case.of(
        {"id": "x", "pattern": {"steps": [ANY]}, "watermark": {"strategy": "explicit"}, "events": events} | rest
    )


def _meets(said: dict[str, Any], event: Event, accepted: list[tuple[str, Event]] | None = None) -> bool:
    def look(leaf: Any, seen: Event, _: Any) -> bool:
        return holds(leaf, seen, accepted or [])

    condition: Condition = condition_of(said)
    reading = Reading[Event](build_automaton((Part("a", "begin", condition),), NO_SKIP), look)
    return bool(reading.take(event, 1))


def test_a_bounded_watermark_follows_the_events_and_never_goes_back() -> None:
    case = _case([{"t": 10}, {"t": 4}, {"wm": 3}, {"wm": 8}, {"t": 20}], watermark={"strategy": "bounded", "delay": 5})
    answered = answer(case)
    assert [(one["match"], one["wm"]) for one in answered["matches"]] == [({"a": [0]}, 14), ({"a": [4]}, 2**63 - 1)]
    assert answered["late"] == [1]


@pytest.mark.parametrize(
    ("said", "event", "found"),
    [
        ({"op": "!=", "field": "value", "value": 3}, {}, False),
        ({"op": "!=", "field": "value", "value": 3}, {"value": None}, False),
        ({"op": "!=", "field": "value", "value": 3}, {"value": "3"}, False),
        ({"op": "!=", "field": "value", "value": 1}, {"value": True}, False),
        ({"op": "==", "field": "value", "value": 3}, {"value": 3.0}, True),
        ({"op": "<", "field": "value", "value": "\uffff"}, {"value": "\U0001f600"}, True),
        ({"op": "not", "arg": {"op": "==", "field": "value", "value": 3}}, {}, True),
        ({"op": "or", "args": [{"op": "true"}, {"op": "throw"}]}, {}, True),
        ({"op": "and", "args": [{"op": "false"}, {"op": "throw"}]}, {}, False),
    ],
)
def test_comparisons(said: dict[str, Any], event: Event, found: bool) -> None:
    assert _meets(said, event) is found


@pytest.mark.parametrize(
    ("agg", "right"),
    [
        ({"fn": "sum"}, 5),
        ({"fn": "avg"}, 2.5),
        ({"fn": "min", "mul": 2, "add": 1}, 3),
        ({"fn": "max"}, 4),
        ({"fn": "count"}, 3),
        ({"fn": "first"}, 4),
        ({"fn": "last"}, "z"),
    ],
)
def test_looks_back(agg: dict[str, Any], right: Any) -> None:
    accepted: list[tuple[str, Event]] = [("b", {"value": 4}), ("c", {"value": 9}), ("b", {"value": 1})]
    accepted.append(("b", {"value": "z"}))
    said = {"op": "==", "field": "value", "agg": {"of": "b", "field": "value"} | agg}
    assert _meets(said, {"value": right}, accepted)
    assert not _meets(said, {"value": 77}, accepted)


@pytest.mark.parametrize("empty", [True, False])
def test_a_look_back_at_nothing_gives_what_the_case_says(empty: bool) -> None:
    said = {"op": "<", "field": "value", "empty": empty, "agg": {"fn": "last", "of": "b", "field": "value"}}
    assert _meets(said, {"value": 1}) is empty


def test_the_command_answers_a_line_a_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        json.dumps({"id": name, "pattern": {"steps": [ANY]}, "watermark": {"strategy": "explicit"}, "events": []})
        for name in ("one", "two")
    ]
    path = tmp_path / "cases.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    assert main([str(path), "--batch", "1", "--only", "t"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["two"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{", "cannot be read"),
        ('{"id": "x"}', "this is no case"),
        (
            json.dumps({"id": "x", "pattern": {"steps": [ANY]}, "watermark": {"strategy": "odd"}, "events": []}),
            "no such",
        ),
        (
            json.dumps({"id": "x", "pattern": {}, "watermark": {"strategy": "explicit"}, "events": []}),
            "this is no case",
        ),
    ],
)
def test_what_is_no_case_is_refused_with_its_line(
    bad: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n" + bad)
    assert main([str(path)]) == 65
    error = capsys.readouterr().err
    assert says in error
    assert "line 2" in error
    with pytest.raises(DataError):
        list(read_cases(path))


@pytest.mark.parametrize(
    "steps",
    [
        [{"rel": "odd", "name": "a"}],
        [{"rel": "begin"}],
        [{"rel": "begin", "name": "a", "calls": [{"call": "odd"}]}],
        [{"rel": "begin", "name": "a", "calls": [{"call": "where", "cond": {"op": "odd"}}]}],
        [{"rel": "begin", "name": "a", "calls": [{"call": "where", "cond": {"op": "=="}}]}],
        [{"rel": "begin", "name": "a", "calls": [{"call": "where", "cond": {"op": "==", "field": "x"}}]}],
        [{"rel": "begin", "name": "a", "calls": [{"call": "where", "cond": {"op": "==", "field": "x", "agg": {}}}]}],
        [{"rel": "begin", "name": "a", "calls": [{"call": "times", "n": "two"}]}],
        [{"rel": "begin", "name": "a", "calls": [{"call": "subtype", "kind": "odd"}]}],
        [3],
    ],
)
def test_a_pattern_that_cannot_be_read_is_no_refusal_but_a_bad_case(steps: list[Any]) -> None:
    with pytest.raises(DataError, match="case 'x', pattern"):
        answer(_case([], pattern={"steps": steps}))


def test_a_key_that_is_a_list_is_no_case() -> None:
    with pytest.raises(DataError, match="a key is"):
        _case([{"t": 1, "k": [1]}], keyed="k")


@pytest.mark.parametrize("event", [{"name": "a"}, {"t": 1.5}, {"t": True}, {"t": 2**63}, {"wm": "1"}, 7])
def test_an_event_without_a_time_is_no_case(event: Any) -> None:
    with pytest.raises(DataError, match="place 0"):
        _case([event])
