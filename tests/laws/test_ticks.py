"""The laws over ticks anywhere in a script, for windows of processing time: cut, engine and crash do not show; and what
a tick means.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.connectors import Recording, RecordingSource
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, FlowError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.flow import Flow
from styx_lab.flow.pattern import Pattern
from styx_lab.operators.build import build
from styx_lab.testing import ENGINES, Script, check_operator, check_source
from styx_lab.testing.strategies import interrupted, scripts
from tests.engines.kit import no_model
from tests.laws.kit import FEWER, SIZES, assert_nothing_silent, assert_same, play
from tests.laws.steps import Clocked, ClockedAlone
from tests.laws.verbs import Case

pytestmark = pytest.mark.laws
SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str", "tries": "int"}
WINDOWS = [
    styx.Tumbling("20ms"),
    styx.Sliding("30ms", every="10ms"),
    styx.Cumulating("40ms", step="10ms"),
    styx.Session("15ms"),
]


def payments(name: str = "payments", **how: Any) -> Any:
    return styx.source(name, schema=SCHEMA, time="ts", **{"key": "card_id", "max_delay": "20ms", **how})


def counted(name: str, stream: Any, window: Any = WINDOWS[0], **how: Any) -> Case:
    """Windows of processing time, and behind them windows of event time, to which no result may be late."""
    windows = stream.window(window, clock="processing", n=agg.count(), total=agg.sum("amount"), **how)
    again = windows.window(styx.Tumbling("50ms"), name="again", results=agg.count())
    flow = styx.flow(name, windows.to("out"), again.to("sums"), again.late.to("late"), stream.to("raw"))
    return Case(name, flow, by_arrival=True, sources=tuple(step.name for step in flow.sources))


def clocked(name: str, stream: Any, **others: Any) -> Case:
    """A process with timers of both kinds, and windows of event time behind it, for which nothing is late."""
    process = stream.process(Clocked if others else ClockedAlone, others=others)
    again = process.window(styx.Tumbling("50ms"), name="again", results=agg.count())
    flow = styx.flow(name, process.to("out"), again.to("sums"), again.late.to("late"), stream.to("raw"))
    return Case(name, flow, by_arrival=True, sources=tuple(step.name for step in flow.sources))


def two_sources() -> Any:
    return payments(idle_after="30s").union(payments("refunds", idle_after="30s"))


def joined(window: Any, **how: Any) -> Any:
    return payments().window_join(payments("refunds"), window, clock="processing", name="first", **how)


PATTERN = Pattern.begin("two").where("status = 'declined'").times(2).within("100ms")
CASES = [
    *(counted(window.kind, payments(), window) for window in WINDOWS),
    counted("every-two", payments(), trigger=styx.EveryEvents(2, at_end=True)),
    counted("every-so-often", payments(), trigger=styx.Every("7ms")),
    counted("discarding", payments(), trigger=styx.When("tries > 1", at_end=True), discarding=True),
    counted("filtered", payments().filter("tries > 1")),
    counted("two", two_sources()),
    counted(
        "windows-of-windows",
        payments().window(styx.Session("10ms"), name="first", clock="processing", amount=agg.sum("amount")),
    ),
    counted("interval-join", payments().interval_join(payments("refunds"), "-9ms", "15ms", how="left")),
    counted("sorted", payments().sort()),
    counted("cooled", payments().cooldown("9ms")),
    counted("as-of", payments().asof_join(payments("refunds"))),
    counted("matched", payments().detect(PATTERN).with_columns(amount="CAST(1.5 AS DOUBLE)")),
    counted("window-join", joined(styx.Tumbling("20ms"))),
    counted("window-join-full", joined(styx.Session("15ms"), how="full")),
    counted("window-join-early", joined(styx.Tumbling("30ms"), trigger=styx.Every("7ms"), discarding=True)),
    counted(
        "co-group",
        payments()
        .co_group(payments("refunds"), styx.Sliding("30ms", every="10ms"), clock="processing", name="first")
        .with_columns(amount="CAST(1.5 AS DOUBLE)"),
    ),
    clocked("process", payments()),
    clocked("process-without-key", payments(key=())),
    clocked("process-of-two", payments(idle_after="30s"), refund=payments("refunds", idle_after="30s")),
    clocked("process-of-a-union", two_sources().filter("tries > 1")),
    counted("of-a-process", payments().process(ClockedAlone).with_columns(tries="n")),
    counted("windows-of-event-time", payments().window(styx.Tumbling("10ms"), name="first", amount=agg.sum("amount"))),
]


@st.composite
def with_ticks(draw: st.DrawFn, script: Script, sources: tuple[str, ...]) -> Script:
    """The script with ticks and idle decisions put in anywhere before its end."""
    made = Script()
    now = next((one.arrival for one in script.moments if one.arrival is not None), 0)
    for moment in script.moments:
        for ahead in draw(st.sampled_from([[], [], [], [0], [-5, 12], [3, 3], [40], [21, 200]])):
            name = draw(st.sampled_from(sources)) if len(sources) > 1 else None
            made = made.tick(now + ahead, source=name)
            if draw(st.sampled_from([False, False, True])):
                made = made.idle_partition(draw(st.integers(0, 2)), source=name)
        made = Script((*made.moments, moment))
        now = now if moment.arrival is None else moment.arrival
    return made


@pytest.mark.parametrize("case", CASES, ids=str)
@FEWER
@given(data=st.data())
def test_the_laws(case: Case, data: st.DataObject) -> None:
    script = data.draw(with_ticks(data.draw(scripts(sources=case.sources, bound_ms=20)), case.sources))
    whole = play(script, case)
    assert_nothing_silent(whole, case, events=sum(moment.what == "event" for moment in script.moments))
    assert whole.rows("late") == [], "no result is late for the step behind it"
    for size in (1, 7):
        assert_same(play(script, case, batch=size), whole)
    assert_same(play(script, case, engine="streamz", batch=data.draw(SIZES)), whole)
    crashing = data.draw(interrupted(script))
    for engine in ("chain", "runner"):
        assert_same(play(crashing, case, engine=engine, batch=data.draw(SIZES)), whole)


@FEWER
@given(data=st.data())
def test_the_kit(data: st.DataObject) -> None:
    window = data.draw(st.sampled_from(WINDOWS))
    stream = payments()
    windows = stream.window(window, clock="processing", n=agg.count(), last=agg.last("tries"))
    flow = styx.flow("f", windows.to("out"), stream.process(ClockedAlone).to("clocked"))
    script = data.draw(with_ticks(data.draw(scripts(bound_ms=20)), ("payments",)))
    for name in ("window", "process"):
        check_operator(lambda step=name: build(flow.step(step), flow, flow.types(), no_model), script.batch(stream))


EVENTS = st.lists(
    st.one_of(st.tuples(st.just("tick"), st.integers(0, 80)), st.tuples(st.sampled_from("ab"), st.integers(0, 80))),
    max_size=25,
)


def plain_sessions(entries: list[tuple[str, int]], gap: int) -> list[tuple[str, int, int, int]]:
    """Sessions by the definition: key, start, end, how many; in order of firing, then of each key's first event."""
    now, found = -1, []
    open_: dict[str, list[int]] = {}

    def fire(until: float) -> None:
        due = sorted((times[-1] + gap, place) for place, times in enumerate(open_.values()) if times[-1] + gap <= until)
        names = list(open_)
        for end, place in due:
            times = open_.pop(names[place])
            found.append((names[place], times[0], end, len(times)))

    for key, at in entries:
        now = max(now, at)
        fire(now)
        if key != "tick":
            open_.setdefault(key, []).append(now)
    fire(float("inf"))
    return found


def plain_tumbling(entries: list[tuple[str, int]], size: int) -> list[tuple[str, int, int, int]]:
    now, found = -1, []
    open_: dict[tuple[int, str], int] = defaultdict(int)
    for key, at in [*entries, ("tick", 10**9)]:
        now = max(now, at)
        for start, name in sorted(open_, key=lambda one: one[0]):
            if start + size <= now:
                found.append((name, start, start + size, open_.pop((start, name))))
        if key != "tick":
            open_[now // size * size, key] += 1
    return found


@pytest.mark.parametrize(
    ("window", "plain"), [(WINDOWS[0], plain_tumbling), (WINDOWS[3], plain_sessions)], ids=["tumbling", "session"]
)
@given(entries=EVENTS)
def test_windows_are_the_definition(window: Any, plain: Any, entries: list[tuple[str, int]]) -> None:
    """Whatever the event times: they play no part."""
    script = Script()
    for place, (key, at) in enumerate(entries):
        script = script.tick(at) if key == "tick" else script.event({"ts": 7 * place % 5, "card_id": key}, arrival=at)
    found = payments().window(window, clock="processing", n=agg.count())
    rows = script.end().run(styx.flow("f", found.to("out")), batch=3).rows("out")
    length = 20 if plain is plain_tumbling else 15
    edges = [(row["card_id"], ms(row["window_start"]), ms(row["window_end"]), row["n"]) for row in rows]
    assert edges == plain(entries, length)


SIDES = st.lists(
    st.tuples(st.sampled_from(["payments", "refunds", "tick"]), st.sampled_from("ab"), st.integers(0, 60)), max_size=20
)


@FEWER
@given(entries=SIDES)
def test_a_window_join_is_the_definition(entries: list[tuple[str, str, int]]) -> None:
    """Each pair of one key whose events were taken in one window of the clock, whatever the event times."""
    script, sides = Script(), {"payments": [], "refunds": []}
    # Sources are merged by their times of arrival.
    for place, (source, key, at) in enumerate(sorted(entries, key=lambda one: one[2])):
        if source == "tick":
            script = script.tick(at, source="payments")
            continue
        sides[source].append((key, at // 20 * 20, place))
        script = script.event({"ts": 50 - place, "card_id": key, "tries": place}, arrival=at, source=source)
    rows = script.end().run(styx.flow("f", joined(WINDOWS[0]).to("out")), batch=3).rows("out")
    found = [(row["card_id"], ms(row["window_start"]), row["tries"], row["tries_right"]) for row in rows]
    expected = [(*left, right[2]) for left in sides["payments"] for right in sides["refunds"] if left[:2] == right[:2]]
    assert sorted(found) == sorted(expected)
    assert [start for _, start, *_ in found] == sorted(start for _, start, *_ in found)


def ms(text: str) -> int:
    # All times here are within the first second of 1970.
    assert text.startswith("1970-01-01T00:00:00")
    return int(text.removesuffix("Z").rpartition(".")[2])


def event(ts: int, **more: Any) -> dict[str, Any]:
    return {"ts": ts, "card_id": "a", "amount": 1.0, "status": "ok", "tries": 1, **more}


def out(script: Script, engine: Any = "chain", **how: Any) -> list[tuple[int, int, int]]:
    rows = script.end().run(counted("f", payments(), **how).flow, engine=engine, batch=2).rows("out")
    return [(ms(row["window_start"]), row["n"], ms(row["_time"])) for row in rows]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_tick_means(engine: Any) -> None:
    held = Script().event(event(5), arrival=105)
    assert out(held.event(event(6), arrival=106), engine) == [(100, 2, 6)]
    # An event that says it came before the tick is taken at the tick's time.
    assert out(held.tick(120).event(event(6), arrival=106), engine) == [(100, 1, 5), (120, 1, 6)]
    assert out(held.tick(119).event(event(6), arrival=106), engine) == [(100, 2, 6)], "the end is not reached yet"
    assert out(held.tick(150).tick(110).event(event(6), arrival=106), engine) == [(100, 1, 5), (140, 1, 6)]


def test_a_result_stands_where_the_tick_does_and_has_its_time_of_arrival() -> None:
    script = Script().event(event(5), arrival=105).tick(131).event(event(900), arrival=140).end()
    first, _ = script.run(counted("f", payments()).flow).rows("out")
    assert (ms(first["_arrival"]), ms(first["_time"])) == (131, 5)


def test_event_time_takes_no_notice_of_ticks() -> None:
    windows = payments().window(styx.Tumbling("20ms"), n=agg.count())
    flow = styx.flow("f", windows.to("out"), windows.late.to("late"))
    plain = Script().event(event(5), arrival=105).event(event(45), arrival=145).end()
    ticking = Script().event(event(5), arrival=105).tick(131).event(event(45), arrival=145).end()
    assert ticking.run(flow).lines == plain.run(flow).lines
    assert ticking.run(flow).counters["payments"]["ticks"] == 1


def test_without_arrival_times_the_data_clock_goes() -> None:
    script = Script().event(event(5)).tick(500).event(event(30)).event(event(29))
    assert out(script) == [(0, 1, 30), (20, 2, 30)]


def record(path: Path) -> Path:
    with RecordingWriter(path, name="payments", schema=Schema(SCHEMA), time="ts") as writer:
        for row, ts in enumerate([5, 45, 46, 6, 50]):
            payload = b'{"ts":%d,"card_id":"a","amount":1,"status":"ok","tries":1}' % ts
            writer.write([payload], partition=[0], offset=[row], arrival=[100 + row])
            if row in (1, 3):
                writer.tick(100 + 20 * row)
        writer.tick(777)
    return path


def test_a_recording_keeps_ticks_and_a_replay_repeats_them(tmp_path: Path) -> None:
    path = record(tmp_path / "a.recording.parquet")
    recording = Recording.open(path)
    recording.verify()
    assert recording.about.format == 3
    check_source(lambda: RecordingSource(path))
    flow = counted("f", payments()).flow
    for size in (1, 2, 10_000):
        result = flow.replay(path, batch=size)
        assert result.outputs["out"]["n"].to_list() == [2, 2, 1]
        assert result.counters["payments"]["ticks"] == 3
        assert result.counters["payments"]["read"] == 5


def test_a_cut_of_a_recording_begins_with_the_clock_as_it_stood(tmp_path: Path) -> None:
    recording = Recording.open(record(tmp_path / "a.recording.parquet"))
    cut = recording.cut(4, 5, tmp_path / "b.recording.parquet")
    assert [(one["row"], one["at"]) for one in cut.about.idle] == [(0, 160), (1, 777)]
    found = counted("f", payments()).flow.replay(tmp_path / "b.recording.parquet").outputs["out"]
    assert found["window_start"].dt.epoch("ms").to_list() == [160]


def test_a_recording_of_a_form_to_come_is_refused(tmp_path: Path) -> None:
    about = Recording.open(record(tmp_path / "a.recording.parquet")).about
    with pytest.raises(DataError, match="not known"):
        about.from_text(about.to_text().replace('"format": 3', '"format": 4'), where="here")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_is_stored_with_its_flow(case: Case) -> None:
    assert Flow.from_json(case.flow.to_json()) == case.flow
    step = next(step for step in case.flow.steps if step.wants_ticks)
    assert "of processing time" in step.summary()


def test_what_makes_no_sense_is_refused() -> None:
    for how, said in [
        ({"allowed_lateness": "5ms"}, "nothing is late"),
        ({"window": styx.Global(), "trigger": styx.EveryEvents(3)}, "does not depend on time"),
        ({"window": styx.Counted(3)}, "does not depend on time"),
        ({"trigger": styx.AtEndOfInput()}, "end of input"),
    ]:
        window = how.pop("window", WINDOWS[0])
        with pytest.raises(FlowError, match=said):
            payments().window(window, clock="processing", n=agg.count(), **how)
    for how, said in [({"allowed_lateness": "5ms"}, "nothing is late"), ({"clock": "wall"}, "no such clock")]:
        for verb in ("window_join", "co_group"):
            with pytest.raises(FlowError, match=said):
                getattr(payments(), verb)(payments("refunds"), WINDOWS[0], **{"clock": "processing", **how})
    with pytest.raises(FlowError, match="these are of processing time"):
        joined(WINDOWS[0]).top(1, by="amount")
    results = payments().window(WINDOWS[0], clock="processing", n=agg.count()).filter("n > 1")
    for refused in (lambda: results.top(1, by="n"), lambda: results.trend("n", over=2)):
        with pytest.raises(FlowError, match="these are of processing time"):
            refused()
    with pytest.raises(FlowError, match="no such clock"):
        payments().window(WINDOWS[0], clock="wall", n=agg.count())


def test_a_pattern_behind_takes_the_results() -> None:
    windows = payments().window(WINDOWS[0], clock="processing", n=agg.count())
    twice = windows.detect(Pattern.begin("two").where("n > 1").times(2).within("1m"))
    script = Script().event(event(5), arrival=105).event(event(6), arrival=106).tick(120)
    script = script.event(event(7), arrival=125).event(event(8), arrival=126).tick(140).end()
    assert len(script.run(styx.flow("f", twice.to("out"), twice.late.to("late")), batch=1).rows("out")) == 1


@pytest.mark.parametrize("idle", [False, True], ids=["both", "one idle"])
@pytest.mark.parametrize("ticking", ["payments", "refunds"])
def test_ticks_go_through_steps_with_two_inputs(ticking: str, idle: bool) -> None:
    """Also where the watermark of the two does not move: a tick of either source is a tick of what they make."""
    one, two = payments(idle_after="30s"), payments("refunds", idle_after="30s")
    pairs = one.interval_join(two, "-9ms", "15ms", how="left")
    for name, stream in (("union", two_sources()), ("join", pairs)):
        script = Script().event(event(5), arrival=105, source="payments")
        script = script.event(event(6), arrival=105, source="refunds")
        if idle:
            script = script.idle_partition(0, at=105, source="refunds")
        script = script.tick(121, source=ticking).event(event(7), arrival=106, source=ticking).end()
        rows = script.run(counted(name, stream).flow).rows("out")
        found = [(ms(row["window_start"]), row["n"]) for row in rows]
        assert found == ([(100, 2), (120, 1)] if name == "union" else [(100, 1), (120, 1)]), name


def test_a_result_is_above_a_watermark_that_went_on_without_its_stream() -> None:
    script = Script().event(event(5, tries=2), arrival=105).event(event(400), arrival=106).tick(121).end()
    (row,) = script.run(counted("f", payments().filter("tries > 1")).flow).rows("out")
    assert ms(row["_time"]) == 380, "the watermark is at 379"
