"""Measuring: answers come first, cases run in turns, a report can be written and read again. No figure is asserted."""

import json

import pytest

from styx_lab.bench.harness import ONE_CORE, Case, Report, measure, measure_apart
from styx_lab.errors import NotFoundError, RunError


def test_answers_come_first_and_cases_run_in_turns():
    calls = []

    def case(name):
        return Case(lambda: calls.append(name) or 3, lambda: calls.append(f"{name}?"))

    report = measure({"a": case("a"), "b": case("b")}, repeats=3, base="b")
    assert calls == ["a?", "b?", "a", "b", "b", "a", "a", "b"]
    assert [case.answer for case in report.cases] == ["right", "right"]
    assert report.case("b").ratio == 1.0
    assert report.case("a").events == 3
    assert len(report.case("a").seconds) == 3
    assert report.case("a").slowest <= report.case("a").rate <= report.case("a").fastest


def test_a_wrong_answer_gets_no_figure():
    ran = []
    report = measure({"bad": Case(lambda: ran.append(1) or 1, lambda: "2 outputs where 3 are right")}, repeats=2)
    assert ran == []
    assert report.case("bad").answer == "wrong: 2 outputs where 3 are right"
    assert report.case("bad").rate is None
    assert not report.right


def test_a_peer_that_may_be_wrong_is_marked():
    report = measure({"peer": Case(lambda: 1, lambda: "lost some", may_be_wrong=True)}, repeats=2)
    assert report.case("peer").answer == "wrong: lost some"
    assert report.case("peer").rate > 0
    assert report.right


def test_an_unchecked_case_is_marked_and_runs_once_before_the_clock():
    ran = []
    report = measure({"plain": lambda: ran.append(1) or 1}, repeats=2)
    assert len(ran) == 3
    assert report.case("plain").answer == "unchecked"


def test_a_report_is_json_and_comes_back():
    report = measure({"a": lambda: 5}, repeats=2, base="a")
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report
    assert {"polars", "numpy"} <= set(report.machine.libraries)
    assert report.machine.processors >= 1


def test_mistakes_are_named():
    with pytest.raises(RunError, match="needs a case"):
        measure({})
    with pytest.raises(RunError, match="needs a case"):
        measure({"a": lambda: 1}, repeats=0)
    with pytest.raises(NotFoundError, match="base is no case"):
        measure({"a": lambda: 1}, base="b")
    with pytest.raises(RunError, match="case 'a'"):
        measure({"a": lambda: 0})
    changing = iter(range(1, 9))
    with pytest.raises(RunError, match="same events"):
        measure({"a": lambda: next(changing)})
    with pytest.raises(NotFoundError, match="one of a"):
        measure({"a": lambda: 1}, repeats=1).case("b")


def test_a_process_apart_keeps_to_one_core(monkeypatch):
    for name in ONE_CORE:
        monkeypatch.delenv(name, raising=False)
    apart = measure_apart("styx_lab.bench.cases:handwritten_cases", "W3", 1_000, 20_000, repeats=1)
    assert apart.machine.one_core
    assert [case.answer for case in apart.cases] == ["right", "right"]
    assert not measure({"a": lambda: 1}, repeats=1).machine.one_core


def test_a_process_that_fails_says_why():
    with pytest.raises(RunError, match=r"No module named .*styx_lab\.bench\.nowhere"):
        measure_apart("styx_lab.bench.nowhere:cases", repeats=1)
