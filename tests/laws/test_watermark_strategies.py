"""The laws over each watermark strategy: cut, engine, crash do not show; nothing is silent; each means its rule."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab import col
from styx_lab.errors import FlowError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.carried import Carried
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import SourceStep
from styx_lab.flow.stream import Stream
from styx_lab.flow.watermark import Ascending, BoundedDelay, OwnWatermark, Punctuated
from styx_lab.testing import ENGINES, Script
from styx_lab.testing.strategies import interrupted, scripts
from tests.laws.kit import FEWER, SIZES, assert_nothing_silent, assert_same, play
from tests.laws.own_watermark import EverySecond, Halved
from tests.laws.verbs import Case

pytestmark = pytest.mark.laws
SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str", "tries": "int"}


def payments(watermark: Any, **how: Any) -> Stream:
    return styx.source("payments", schema=SCHEMA, time="ts", key="card_id", watermark=watermark, **how)


def counted(name: str, watermark: Any) -> Case:
    """A window and its late events: where a watermark stands shows in both."""
    stream = payments(watermark)
    windows = stream.window(styx.Tumbling("20ms"), n=agg.count(), total=agg.sum("amount"))
    return Case(name, styx.flow(name, windows.to("out"), windows.late.to("late"), stream.to("raw")))


CASES = [
    counted("bounded", BoundedDelay("20ms")),
    counted("ascending", Ascending()),
    counted("punctuated", Punctuated("CASE WHEN status = 'declined' THEN ts - 5 END")),
    counted("punctuated-by-time", Punctuated(col("_time"))),
    # A strict cast that many events cannot take.
    counted("punctuated-strictly", Punctuated("CASE WHEN tries > 1 THEN CAST(card_id AS BIGINT) ELSE ts END")),
    counted("own", OwnWatermark(EverySecond)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@FEWER
@given(data=st.data())
def test_the_laws(case: Case, data: st.DataObject) -> None:
    script = data.draw(scripts(bound_ms=20))
    whole = play(script, case)
    assert_nothing_silent(whole, case, events=sum(moment.what == "event" for moment in script.moments))
    for size in (1, 7):
        assert_same(play(script, case, batch=size), whole)
    assert_same(play(script, case, engine="streamz", batch=data.draw(SIZES)), whole)
    crashing = data.draw(interrupted(script))
    for engine in ("chain", "runner"):
        assert_same(play(crashing, case, engine=engine, batch=data.draw(SIZES)), whole)


def event(ts: Any, status: str | None = "ok", tries: int | None = 1) -> dict[str, Any]:
    return {"ts": ts, "card_id": "a", "amount": 1.0, "status": status, "tries": tries}


@pytest.mark.parametrize("engine", ENGINES)
def test_punctuated_applies_after_its_event_and_never_goes_back(engine: Any) -> None:
    marked = Punctuated("CASE WHEN status = 'mark' THEN tries END")
    script = (
        Script()
        .event(event(10))
        # It is late for its own mark, were the mark in force before it.
        .event(event(15, "mark", 20))
        .event(event(20))
        .event(event(21))
        .event(event(100, "mark", 5))
        .event(event(20))
        .event(event(22))
        .end()
    )
    played = script.run(counted("m", marked).flow, engine=engine, batch=2)
    assert [row["ts"] for row in played.rows("late")] == []
    # Nothing up to 20 is expected any more; a window is closed when its last ms is.
    assert [(row["window_start"][-4:], row["n"]) for row in played.rows("out")] == [
        ("000Z", 2), ("020Z", 4), ("100Z", 1)
    ]  # fmt: skip
    script = Script().event(event(15, "mark", 19)).event(event(19)).event(event(20)).end()
    assert [row["ts"] for row in script.run(counted("m", marked).flow, engine=engine).rows("late")] == [19]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_partition_without_a_mark_holds_the_others(engine: Any) -> None:
    marked = Punctuated("CASE WHEN status = 'mark' THEN ts END")
    script = Script().event(event(1), partition=0).event(event(500, "mark"), partition=1)
    held = script.event(event(3), partition=1).end().run(counted("m", marked).flow, engine=engine)
    assert held.summary["late"] == 0
    freed = script.event(event(400, "mark"), partition=0).event(event(3), partition=1).end()
    assert freed.run(counted("m", marked).flow, engine=engine).summary["late"] == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mark_that_is_none_is_a_letter_and_moves_nothing(engine: Any) -> None:
    case = counted("m", Punctuated("tries"))
    now = 1_700_000_000_000
    script = Script()
    for place, mark in enumerate([now, 2**62, -(2**62), now + 400 * 86_400_000, None, now + 1]):
        script = script.event(event(now + 3, tries=mark), arrival=now + place)
    played = script.end().run(case.flow, engine=engine, batch=2)
    assert Counter(row["reason"] for row in played.rows("dead_letters")) == {"bad_watermark": 2, "far_future": 1}
    assert played.summary["late"] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_class_of_ones_own_that_fails_costs_the_event(engine: Any) -> None:
    script = Script().event(event(10, "")).event(event(11, "ok", 4)).event(event(12)).event(event(13)).end()
    played = script.run(counted("own", OwnWatermark(EverySecond)).flow, engine=engine)
    assert [(row["reason"], row["detail"]) for row in played.rows("dead_letters")] == [
        ("bad_watermark", "ValueError: no status"),
        ("bad_watermark", "TypeError: a watermark is int (epoch ms), a d"),
    ]


@pytest.mark.parametrize("engine", ["chain", "runner"])
def test_what_a_class_of_ones_own_keeps_outlives_a_crash(engine: Any) -> None:
    case = counted("own", OwnWatermark(EverySecond))
    events = [event(10 * place + 60 * (place % 3)) for place in range(9)]
    whole = Script(tuple(m for one in events for m in Script().event(one).moments)).end().run(case.flow)
    assert whole.summary["late"] > 0
    for place in range(9):
        script = Script()
        for number, one in enumerate(events):
            script = script.crash().event(one) if number == place else script.event(one)
        assert_same(script.end().run(case.flow, engine=engine, batch=1, checkpoint_every=1), whole)


def test_the_short_forms_are_the_same_flow() -> None:
    plain = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    assert payments(BoundedDelay("2s")) == plain
    assert payments(Ascending()) == payments(BoundedDelay("0ms")) == payments(None)
    assert isinstance(plain.steps[0], SourceStep)
    assert list(plain.steps[0].details()) == ["schema", "time", "key", "max_delay_ms", "max_future_ms"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_strategy_is_stored_with_its_flow(case: Case) -> None:
    assert Flow.from_json(case.flow.to_json()) == case.flow
    assert str(case.flow)


def refusals() -> list[tuple[str, Any, str]]:
    return [
        ("both", lambda: payments(Ascending(), max_delay="2s"), "say one of the two"),
        ("no strategy", lambda: payments("2s"), "not a watermark strategy.*BoundedDelay"),
        ("no delay", lambda: BoundedDelay("soon"), "not a duration"),
        ("negative delay", lambda: BoundedDelay("-1s"), "must be positive"),
        ("unknown column", lambda: payments(Punctuated("mark")), "mark"),
        ("of text", lambda: payments(Punctuated("status")), "must be a time.*String"),
        ("of floats", lambda: payments(Punctuated("amount")), "must be a time.*Float64"),
        ("arrival", lambda: payments(Punctuated("_arrival")), "_arrival"),
        ("over events", lambda: payments(Punctuated("MAX(ts)")), "MAX looks at more than one event"),
        ("no expression", lambda: Punctuated(3), "not an expression"),  # type: ignore[arg-type]
        ("a name", lambda: OwnWatermark("my_module:EverySecond"), "not a class"),  # type: ignore[arg-type]
        ("an object", lambda: OwnWatermark(EverySecond()), "not a class"),  # type: ignore[arg-type]
        ("lacks a method", lambda: OwnWatermark(Halved), r"no method snapshot\(\)"),
        ("a class in a function", lambda: OwnWatermark(_inner()), "cannot be carried.*%%styx module"),
        ("not there", lambda: _run("x = 1"), "watermark, module 'mine': .*no such class; got 'Mine'"),
        ("fails", lambda: _run("x = 1\nimport no_such_module"), "module 'mine', line 2: .*no_such_module"),
        ("halved", lambda: _run("class Mine: ..."), "lacks a method"),
        ("with arguments", lambda: _run("class Mine:\n    def __init__(self, x): ..."), "cannot be made: TypeError"),
        ("no stored strategy", lambda: _stored({"type": "other"}), "unknown watermark strategy"),
        ("stored name", lambda: _stored({"type": "own", "class": "x; import os"}), "unknown watermark strategy"),
        ("stored class", lambda: _stored({"type": "own", "class": {"name": "x"}}), "'payments', watermark: .*damaged"),
    ]


def _inner() -> type:
    class Inner(EverySecond):
        pass

    return Inner


def _run(source: str) -> Any:
    own = OwnWatermark(Carried("mine", "Mine", source))
    return Script().event(event(1)).end().run(counted("f", own).flow)


def _stored(value: dict[str, Any]) -> Flow:
    flow = counted("f", OwnWatermark(EverySecond)).flow.as_dict()
    flow["steps"][0]["watermark"] = value
    return Flow.from_json(json.dumps(flow))


@pytest.mark.parametrize(("build", "words"), [pytest.param(*one[1:], id=one[0]) for one in refusals()])
def test_what_is_no_strategy_is_refused(build: Any, words: str) -> None:
    with pytest.raises(FlowError, match=rf"(?s){words}"):
        build()


def test_a_flow_carries_the_class_of_its_watermark() -> None:
    # A module of that name is nowhere: what runs is what the flow carries.
    own = OwnWatermark(replace(OwnWatermark(EverySecond).code, module="no_module_of_that_name"))
    flow = Flow.from_json(counted("own", own).flow.to_json())
    assert (str(own), own.code.name) == ("by EverySecond", "EverySecond")
    script = Script(tuple(m for place in range(9) for m in Script().event(event(10 * place)).moments)).end()
    assert_same(script.run(flow), script.run(counted("own", OwnWatermark(EverySecond)).flow))
