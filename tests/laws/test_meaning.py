"""What each row-wise verb means, said with rows: the laws alone would also hold of a verb that means something else."""

from __future__ import annotations

from typing import Any

import pytest

from styx_lab.core.events import identity
from styx_lab.flow.flow import flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.stream import Stream
from styx_lab.testing import ENGINES, Played, Script
from styx_lab.testing.strategies import payments
from tests.laws.verbs import CARDS, MODELS

ROWS: list[dict[str, Any]] = [
    {"ts": 1, "card_id": "a", "amount": 700.0, "status": "declined", "tries": 2},
    {"ts": 2, "card_id": "b", "amount": None, "status": "ok", "tries": None},
    {"ts": 3, "card_id": "c", "amount": 3.0, "status": None, "tries": 4},
]
STREAM = payments()


@pytest.fixture(params=ENGINES)
def play(request: pytest.FixtureRequest) -> Any:
    def run(*streams: Stream, batch: int = 2) -> Played:
        script = Script()
        for row in ROWS:
            script = script.event(row)
        return script.end().run(flow("meaning", *streams), engine=request.param, batch=batch, models=MODELS)

    return run


def kept(played: Played) -> list[int]:
    return [row["ts"] for row in played.rows("out")]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("amount > 500", [1]),
        ("NOT amount > 500", [3]),
        ("amount > 500 OR status = 'ok'", [1, 2]),
        ("amount IS NULL", [2]),
        ("status <> 'ok'", [1]),
        ("TRUE", [1, 2, 3]),
        ("FALSE", []),
    ],
)
def test_filter_keeps_what_is_true_and_null_is_false(play: Any, condition: str, expected: list[int]) -> None:
    played = play(STREAM.filter(condition).to("out"))
    assert kept(played) == expected
    assert played.counters["filter"].get("filtered", 0) == 3 - len(expected)


def test_select_and_with_columns_compute(play: Any) -> None:
    played = play(
        STREAM.select("card_id", doubled="amount * 2").to("out"), STREAM.with_columns(amount="tries + 1").to("other")
    )
    rows = [{name: value for name, value in row.items() if name[0] != "_"} for row in played.rows("out")]
    assert rows == [
        {"card_id": "a", "doubled": 1400.0},
        {"card_id": "b", "doubled": None},
        {"card_id": "c", "doubled": 6.0},
    ]
    assert [(row["amount"], row["status"]) for row in played.rows("other")] == [
        (3, "declined"),
        (None, "ok"),
        (5, None),
    ]


def test_key_by_refuses_events_without_the_key(play: Any) -> None:
    played = play(STREAM.key_by("status", "tries").to("out"))
    assert kept(played) == [1]
    assert [(row["reason"], row["detail"], row["step"]) for row in played.rows("dead_letters")] == [
        ("null_key", "tries", "key_by"),
        ("null_key", "status", "key_by"),
    ]


def test_union_takes_rows_in_order_ties_by_port(play: Any) -> None:
    first = STREAM.with_columns(tries="1", name="first").filter("card_id <> 'b'", name="some")
    second = STREAM.with_columns(tries="2", name="second")
    played = play(first.union(second).to("out"), batch=10)
    assert [(row["ts"], row["tries"]) for row in played.rows("out")] == [(1, 1), (1, 2), (2, 2), (3, 1), (3, 2)]


def test_enrich_adds_what_the_table_has(play: Any) -> None:
    played = play(STREAM.enrich(CARDS, on="card_id").to("out"))
    assert [(row["limit"], row["owner"]) for row in played.rows("out")] == [(100.0, "Ann"), (None, "Bo"), (None, None)]
    assert played.counters["enrich"]["not_found"] == 1


def test_score_adds_the_answer_and_refuses_what_has_none(play: Any) -> None:
    played = play(STREAM.score("risk", into="risk").to("out"))
    assert [(row["ts"], row["risk"]) for row in played.rows("out")] == [(1, 2.7)]
    assert [row["reason"] for row in played.rows("dead_letters")] == ["not_scored", "not_scored"]


def test_notify_says_what_and_has_an_id_of_what_it_was_made_from(play: Any) -> None:
    matched = STREAM.detect(Pattern.begin("any").where("amount > 1")).notify("found", message="{card_id}!")
    played = play(STREAM.notify("seen", message="{card_id} {tries}").to("out"), matched.to("matches"))
    assert [row["message"] for row in played.rows("out")] == ["a 2", "b n/a", "c 4"]
    expected = [identity("meaning", "seen", ["payments", 0, offset]) for offset in range(3)]
    assert [row["id"] for row in played.rows("out")] == expected
    assert [row["message"] for row in played.rows("matches")] == ["a!", "c!"]
    origin = ["detect", ["c"], {"any": [["payments", 0, 2]]}]
    assert played.rows("matches")[1]["id"] == identity("meaning", "found", origin)
    assert played.rows("matches")[1]["key"] == '["c"]'


def test_an_output_has_what_its_stream_has_and_streams_are_used_twice(play: Any) -> None:
    played = play(STREAM.to("out").to("again").filter("amount > 500").to("some"))
    assert played.lines["out"] == played.lines["again"]
    assert played.lines["some"] == played.lines["out"][:1]
