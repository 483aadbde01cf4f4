"""Law (oracle): windows and joins mean what Apache Flink means. The answers here were recorded from Flink 2.3."""

from __future__ import annotations

import pytest

from styx_lab.testing.windows.answer import answer
from tests.operators.neutral import load, ours, text, view

CASES, RESULTS = load("named")
RANDOM = load("random")
SIZES = [1, 7, 10_000]

REFUSED = {
    "global-et": "a global window has no end to fire at",  # Flink finds out when the first event comes
    "global-cont-end": "fire for ever",  # Flink does
}
"""What we refuse when it is built, with the reason."""
KEPT = {"session-dyn-equal": [0, 1, 2, 3, 4]}
"""Sessions that Flink empties by a defect, with the contents that they have here."""
SAME = [name for name in CASES if name not in REFUSED and name not in KEPT]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SAME)
def test_flink_gives_the_same(name: str, size: int) -> None:
    kind = RESULTS[name]["kind"]
    assert ours(CASES[name], size, kind) == view(RESULTS[name], kind)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", ["window", "windowJoin", "coGroup", "intervalJoin", "temporalJoin"])
def test_flink_gives_the_same_for_cases_at_random(family: str, size: int) -> None:
    cases, results = RANDOM
    kinds = {name: result["kind"] for name, result in results.items() if result["kind"].split("/")[0] == family}
    assert len(kinds) >= 100
    differ = [name for name, kind in kinds.items() if ours(cases[name], size, kind) != view(results[name], kind)]
    assert differ == []


def test_there_are_cases_of_every_kind() -> None:
    assert len(SAME) == 170
    assert {result["kind"].split("/")[0] for result in RESULTS.values()} == {
        "window", "windowJoin", "coGroup", "intervalJoin", "temporalJoin"
    }  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_flink_finds_out_late_is_refused_when_built(name: str) -> None:
    given = answer(CASES[name])
    assert given["error"]["phase"] == "spec"
    assert REFUSED[name] in given["error"]["message"]
    assert RESULTS[name]["error"]["phase"] in ("runtime", "hang")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", KEPT)
def test_a_session_that_flink_empties_keeps_its_contents(name: str, size: int) -> None:
    (given,), (recorded,) = answer(CASES[name], size)["out"], RESULTS[name]["out"]
    assert given["values"]["collect"] == KEPT[name]
    assert text(given["window"]) == text(recorded["window"])
    assert set(recorded["values"]["collect"]) < set(KEPT[name])
