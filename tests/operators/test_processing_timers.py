"""Timers of processing time: when they are taken, in which order, and what they see."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import styx_lab as styx
from styx_lab import Flow
from styx_lab.core.operator import Operator
from styx_lab.errors import CheckpointError
from styx_lab.operators.build import build
from styx_lab.testing import ENGINES, Script
from tests.engines.kit import no_model
from tests.operators import process_kinds as kinds


def told(process: type[styx.Process] = kinds.ByTheClock, **how: Any) -> Flow:
    source = styx.source(
        "told", schema={"ts": "int", "key": "str", "do": "str"}, time="ts", key="key", **{"max_delay": "10ms", **how}
    )
    return styx.flow("f", source.process(process).to("out"))


def came(script: Script, *events: tuple[int, int, str], key: str = "a") -> Script:
    """Events of (arrival, event time, do)."""
    for arrival, at, do in events:
        script = script.event({"key": key, "do": do}, at=at, arrival=arrival)
    return script


def said(script: Script, **how: Any) -> list[str]:
    return [row["said"] for row in script.end().run(told(), **how).rows("out")]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_timer_is_taken_when_the_clock_reaches_it(engine: Any) -> None:
    begun = came(Script(), (100, 5, "20"))
    assert said(begun.tick(119).tick(120), engine=engine) == ["event 100", "clock 120 120"]
    # Before the event that moves the clock to it.
    assert said(came(begun, (120, 6, "")), engine=engine) == ["event 100", "clock 120 120", "event 120"]
    assert said(came(begun, (119, 6, "")), engine=engine) == ["event 100", "event 119", "clock 120 120"]
    # One that says it came before is taken at the clock's time.
    late = came(begun.tick(150), (101, 7, "5"), (155, 8, ""))
    assert said(late, engine=engine) == ["event 100", "clock 120 150", "event 150", "clock 155 155", "event 155"]


def test_timers_are_taken_in_order_of_time_then_of_setting() -> None:
    script = came(came(Script(), (100, 5, "30 20 30 25 -25")), (100, 5, "30 10"), key="b").tick(200)
    found = [(row["key"], row["said"]) for row in script.end().run(told()).rows("out")]
    assert found[2:] == [("b", "clock 110 200"), ("a", "clock 120 200"), ("a", "clock 130 200"), ("b", "clock 130 200")]


def test_a_timer_of_the_past_is_due_when_the_clock_moves_next() -> None:
    script = came(Script(), (100, 5, "@90"), (100, 6, ""), (99, 7, ""), (101, 8, ""))
    assert said(script) == ["event 100", "event 100", "event 100", "clock 90 101", "event 101"]


def test_the_clock_moves_before_the_watermark() -> None:
    # The event of 40 brings the clock to 130 and then the watermark to 29.
    script = came(Script(), (100, 5, "30 w20"), (130, 40, ""))
    assert said(script) == ["event 100", "clock 130 130", "event 130", "watermark 25 130"]


def test_a_tick_is_no_step_of_the_watermark() -> None:
    """A timer of event time whose time has passed waits for the watermark, whoever else asks for ticks."""
    script = came(Script(), (100, 500, ""), (100, 5, "w1 50")).tick(130)
    assert said(came(script, (140, 501, ""))) == [
        "event 100", "event 100", "event 140", "watermark 6 140", "clock 150 150",
    ]  # fmt: skip


def test_what_is_given_is_late_for_nobody_and_tells_when() -> None:
    script = came(Script(), (100, 5, "20"), (105, 900, ""), (106, 7, "")).tick(125)
    row = next(row for row in script.end().run(told()).rows("out") if row["said"].startswith("clock"))
    assert (row["_time"], row["_arrival"]) == ("1970-01-01T00:00:00.900Z", "1970-01-01T00:00:00.125Z")
    assert row["_origin"] == '["process",["a"],["processing_timer",120],0]'


def test_at_the_end_of_input_all_are_due() -> None:
    assert said(came(Script(), (100, 5, "500 w70 20"))) == [
        "event 100", "watermark 75 100", "clock 120 120", "clock 600 600",
    ]  # fmt: skip


def test_a_heartbeat_that_never_stops_ends_with_the_input() -> None:
    found = came(Script(), (100, 5, ""), (195, 6, "")).end().run(told(kinds.Heartbeat))
    (letter,) = found.rows("dead_letters")
    assert letter["reason"] == "endless_timers"
    assert 1_000 < len(found.rows("out")) < 1_100
    assert len({row["_origin"] for row in found.rows("out")}) == len(found.rows("out"))


def test_one_that_fails_leaves_a_dead_letter_and_nothing_else() -> None:
    found = came(Script(), (100, 5, "")).tick(111).end().run(told(kinds.FailsByTheClock))
    assert found.rows("out") == []
    (letter,) = found.rows("dead_letters")
    assert letter["detail"].startswith("DataError at 1970-01-01T00:00:00.110000+00:00 of processing time: ")
    assert "not after itself" in letter["detail"]
    assert json.loads(base64.b64decode(letter["payload"]))["_time"] == "1970-01-01T00:00:00.005Z"
    assert (found.counters["process"]["timers"], found.counters["process"]["dead_timers"]) == (1, 1)


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ("!context.processing_timer(5)", "processing timer: a timer is set for a time"),
        ("!context.processing_timer('soon')", "processing timer: not a duration"),
        ("!context.processing_timer('3000000d')", "beyond the calendar"),
        ("!context.processing_timer(datetime(2024,1,1))", "a time needs a time zone"),
        ("!context.delete_processing_timer('1s')", "keep what context.processing_timer"),
    ],
)
def test_a_timer_that_cannot_be(do: str, expected: str) -> None:
    (letter,) = came(Script(), (100, 5, do)).end().run(told()).rows("dead_letters")
    assert expected in letter["detail"]


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ("context.processing_timer('1s')", "def on_processing_timer"),
        ("context.processing_time", "only for a class that reckons in processing time"),
    ],
)
def test_a_class_without_the_method(do: str, expected: str) -> None:
    source = styx.source("told", schema={"ts": "int", "do": "str"}, time="ts")
    rules = source.filter("do = 'rule'")
    flow = styx.flow("f", source.process(kinds.Does, broadcast={"rule": rules}).to("out"))
    (letter,) = Script().event({"do": do}, at=5).end().run(flow).rows("dead_letters")
    assert expected in letter["detail"]


def test_without_arrival_times_the_newest_event_time_is_the_clock() -> None:
    script = Script().event({"key": "a", "do": "20"}, at=5).event({"key": "a", "do": ""}, at=3)
    script = script.event({"key": "a", "do": ""}, at=25)
    assert said(script) == ["event 5", "event 5", "clock 25 25", "event 25"]


def test_a_state_with_such_timers_is_no_state_without() -> None:
    def opened(process: type[styx.Process]) -> Operator:
        flow = told(process)
        return build(flow.step("process"), flow, flow.types(), no_model)

    for one, other in ((kinds.Heartbeat, kinds.Sets), (kinds.Sets, kinds.Heartbeat)):
        with pytest.raises(CheckpointError, match="declared other state"):
            opened(one).restore([opened(other).snapshot()])


def test_who_waits_for_the_clock_is_told() -> None:
    flow = told()
    operator = build(flow.step("process"), flow, flow.types(), no_model)
    source = styx.source("told", schema={"ts": "int", "key": "str", "do": "str"}, time="ts", key="key")
    batch = came(Script(), (100, 5, "w3"), (101, 6, "20")).tick(130).batch(source)
    waits = []
    for piece in batch.slices(1):
        operator.process([piece])
        waits.append((operator.waits_for_clock, operator.size()["timers"]))
    assert waits[0] == (False, 1)
    assert waits[-1][0] is False
    assert Flow.from_json(flow.to_json()) == flow
    assert '"processing_timers": true' in flow.to_json().replace('":true', '": true')
