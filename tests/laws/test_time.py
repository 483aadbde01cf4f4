"""What odd times and values do, on every engine: they are counted and routed, and close no window before its time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from styx_lab.flow import aggregate as agg
from styx_lab.flow.flow import flow
from styx_lab.flow.window import Tumbling
from styx_lab.testing import ENGINES, Played, Script
from styx_lab.testing.strategies import payments

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_700_000_000_000
COUNTED = payments(bound_ms=10).window(Tumbling("1h"), n=agg.count(), total=agg.sum("amount"))
FLOW = flow("counted", COUNTED.to("out"), COUNTED.late.to("late"))


def reasons(played: Played) -> Counter[str]:
    return Counter(row["reason"] for row in played.rows("dead_letters"))


def event(at: Any, amount: float | None = 1.0) -> dict[str, Any]:
    return {"ts": at, "card_id": "a", "amount": amount}


@pytest.mark.parametrize("engine", ENGINES)
def test_one_event_far_in_the_future_closes_no_window(engine: Any) -> None:
    script = Script()
    for place, at in enumerate([NOW, NOW + 366 * DAY, NOW + DAY + 21, NOW + DAY + 30, NOW + 1, NOW + 2]):
        script = script.event(event(at), arrival=NOW + 10 * place)
    played = script.end().run(FLOW, engine=engine, batch=2)
    # A day after its arrival is still taken; a millisecond more is not.
    assert reasons(played) == {"far_future": 2}
    assert played.summary["dead"] == 2
    assert [row["n"] for row in played.rows("out")] == [1, 1]
    assert played.summary["late"] == 2, "what is a day ahead moves the watermark"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_year_ahead_moves_nothing(engine: Any) -> None:
    script = Script().event(event(NOW), arrival=NOW).event(event(NOW + 366 * DAY), arrival=NOW + 1)
    played = script.event(event(NOW + 1), arrival=NOW + 2).end().run(FLOW, engine=engine, batch=1)
    assert (played.summary["late"], played.summary["dead"]) == (0, 1)
    assert [row["n"] for row in played.rows("out")] == [2]


@pytest.mark.parametrize("engine", ENGINES)
def test_late_by_a_millisecond_and_by_hours(engine: Any) -> None:
    start = NOW - NOW % HOUR
    script = Script()
    # The watermark after the second event is the window's last millisecond: the window is closed.
    for at in (start, start + HOUR + 9, start + HOUR - 1, start + HOUR + 10, start + HOUR - 1, start - 5 * HOUR):
        script = script.event(event(at), arrival=NOW + DAY)
    played = script.end().run(FLOW, engine=engine, batch=1)
    assert [row["n"] for row in played.rows("out")] == [2, 2]
    assert [row["ts"] for row in played.rows("late")] == [start + HOUR - 1, start - 5 * HOUR]
    assert played.summary == {
        "events": 6, "processed": 4, "late": 2, "dead": 0, "matches": 0, "notifications": 0
    }  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_no_time_text_as_time_and_nan_are_routed_and_counted(engine: Any) -> None:
    script = (
        Script()
        .event(event(NOW, float("nan")))
        .event(event(None))
        .event(event("yesterday"))
        .event(event(NOW, "12"))  # type: ignore[arg-type]
        .event({"ts": NOW, "card_id": None, "amount": 1.0})
        .event(event(NOW, None))
        .event(event(2**62))
        .end()
    )
    played = script.run(FLOW, engine=engine, batch=3)
    assert reasons(played) == {"no_time": 1, "wrong_type": 2, "null_key": 1, "bad_time": 1}
    assert played.counters["payments"]["nan_to_null"] == 1
    (row,) = played.rows("out")
    assert (row["n"], row["total"]) == (2, 0.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_partition_that_is_behind_holds_the_watermark(engine: Any) -> None:
    script = Script().event(event(NOW), partition=0)
    for place in range(4):
        script = script.event(event(NOW + place * HOUR), partition=1)
    played = script.event(event(NOW + 1), partition=0).end().run(FLOW, engine=engine, batch=1)
    assert played.summary["late"] == 0
    assert [row["n"] for row in played.rows("out")] == [3, 1, 1, 1]


@pytest.mark.parametrize("engine", ENGINES)
def test_times_before_1970_floor(engine: Any) -> None:
    script = Script().event(event(-1)).event(event(-HOUR)).event(event(0)).event(event(-HOUR - 1)).end()
    played = script.run(FLOW, engine=engine, batch=2)
    assert [(row["window_start"], row["n"]) for row in played.rows("out")] == [
        ("1969-12-31T23:00:00.000Z", 2),
        ("1970-01-01T00:00:00.000Z", 1),
    ]
    assert [row["ts"] for row in played.rows("late")] == [-HOUR - 1]
