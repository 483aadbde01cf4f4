"""The laws over idle decisions anywhere in a script: cut, engine and crash do not show; and what a decision means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.connectors import Recording, RecordingSource
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.core.schema import Schema
from styx_lab.errors import FlowError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.flow import Flow
from styx_lab.flow.pattern import Pattern
from styx_lab.testing import ENGINES, Script, check_source
from styx_lab.testing.strategies import interrupted, scripts
from tests.laws.kit import FEWER, SIZES, assert_nothing_silent, assert_same, play
from tests.laws.verbs import Case

pytestmark = pytest.mark.laws
SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str", "tries": "int"}


def payments(name: str = "payments", **how: Any) -> Any:
    return styx.source(name, schema=SCHEMA, time="ts", key="card_id", **{"idle_after": "30s", **how})


def counted(name: str, stream: Any, **how: Any) -> Case:
    windows = stream.window(styx.Tumbling("20ms"), n=agg.count(), total=agg.sum("amount"))
    return Case(name, styx.flow(name, windows.to("out"), windows.late.to("late"), stream.to("raw")), **how)


def two_sources() -> Case:
    both = payments().union(payments("refunds", max_delay="20ms"))
    return counted("two", both, sources=("payments", "refunds"))


def matched() -> Case:
    pattern = Pattern.begin("two").where("status = 'declined'").times(2).within("100ms")
    stream = payments(max_delay="20ms").detect(pattern)
    return Case("matched", styx.flow("matched", stream.to("out"), stream.late.to("late")))


CASES = [
    counted("windows", payments(max_delay="20ms")),
    counted("punctuated", payments(watermark=styx.Punctuated("CASE WHEN tries > 1 THEN ts END"))),
    two_sources(),
    matched(),
]


@st.composite
def with_idle(draw: st.DrawFn, script: Script, sources: tuple[str, ...]) -> Script:
    """The script with decisions put in anywhere before its end."""
    made = Script()
    for moment in script.moments:
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
            name = draw(st.sampled_from(sources)) if len(sources) > 1 else None
            made = made.idle_partition(draw(st.integers(0, 3)), source=name)
        made = Script((*made.moments, moment))
    return made


@pytest.mark.parametrize("case", CASES, ids=str)
@FEWER
@given(data=st.data())
def test_the_laws(case: Case, data: st.DataObject) -> None:
    script = data.draw(with_idle(data.draw(scripts(sources=case.sources, bound_ms=20)), case.sources))
    whole = play(script, case)
    assert_nothing_silent(whole, case, events=sum(moment.what == "event" for moment in script.moments))
    for size in (1, 7):
        assert_same(play(script, case, batch=size), whole)
    assert_same(play(script, case, engine="streamz", batch=data.draw(SIZES)), whole)
    crashing = data.draw(interrupted(script))
    for engine in ("chain", "runner"):
        assert_same(play(crashing, case, engine=engine, batch=data.draw(SIZES)), whole)


def event(ts: int, **more: Any) -> dict[str, Any]:
    return {"ts": ts, "card_id": "a", "amount": 1.0, "status": "ok", "tries": 1, **more}


def late(script: Script, engine: Any, **how: Any) -> list[int]:
    played = script.end().run(counted("f", payments(**how)).flow, engine=engine, batch=2)
    return [row["ts"] for row in played.rows("late")]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_idle_partition_means(engine: Any) -> None:
    held = Script().event(event(5), partition=0).event(event(45), partition=1)
    assert late(held.event(event(6), partition=1), engine) == [], "the first holds the watermark"
    freed = held.idle_partition(0)
    assert late(freed.event(event(6), partition=1), engine) == [6]
    assert late(freed.event(event(6), partition=0), engine) == [6], "who comes back never lowers the watermark"
    # Back again, it holds the watermark where it is now.
    back = freed.event(event(50), partition=0).event(event(100), partition=1)
    assert late(back.event(event(55), partition=1), engine) == []
    assert late(back.idle_partition(0).event(event(55), partition=1), engine) == [55]


@pytest.mark.parametrize("engine", ENGINES)
def test_where_all_are_idle_the_watermark_stays(engine: Any) -> None:
    both = Script().event(event(5), partition=0).event(event(45), partition=1).idle_partition(1).idle_partition(0)
    assert late(both.event(event(6), partition=1), engine) == []
    assert late(both.event(event(90), partition=1).event(event(46), partition=1), engine) == [46]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_partition_that_never_spoke_can_be_idle(engine: Any) -> None:
    script = Script().event(event(5), partition=1).idle_partition(0).event(event(45), partition=1)
    assert late(script.event(event(6), partition=1), engine) == [6]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dead_letter_does_not_bring_a_partition_back(engine: Any) -> None:
    script = Script().event(event(5), partition=0).event(event(45), partition=1).idle_partition(0)
    script = script.event(event(6, card_id=None), partition=0).event(event(85), partition=1)
    assert late(script.event(event(46), partition=1), engine) == [46]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_source_that_does_not_ask_takes_no_notice(engine: Any) -> None:
    script = Script().event(event(5), partition=0).event(event(45), partition=1).idle_partition(0)
    assert late(script.event(event(6), partition=1), engine, idle_after=None) == []


ENTRIES = st.lists(
    st.tuples(st.sampled_from(["payments", "refunds"]), st.integers(0, 1), st.one_of(st.none(), st.integers(0, 60))),
    max_size=20,
)


def plain(entries: list[tuple[str, int, int | None]]) -> list[int]:
    """The events that come late for windows of 1 ms behind the union, by the definition; None is an idle decision."""
    names = ("payments", "refunds")
    known = {name: {partition for of, partition, _ in entries if of == name} or {0} for name in names}
    greatest: dict[tuple[str, int], int] = {}
    active = {name: set(known[name]) for name in names}
    marks, found = dict.fromkeys(names, -(2**63)), []
    for name, partition, ts in entries:
        if ts is None:
            active[name].discard(partition)
        else:
            if min(marks.values()) >= ts:
                found.append(ts)
            active[name].add(partition)
            greatest[name, partition] = max(greatest.get((name, partition), ts), ts)
        if active[name]:
            own = min(greatest.get((name, one), -(2**62)) for one in active[name])
            marks[name] = max(marks[name], own - 1)
        spoken = [marks[one] for one in names if active[one]]
        for one in names:
            if not active[one] and spoken:
                marks[one] = max(marks[one], min(spoken))
    return found


@given(ENTRIES)
def test_sources_that_meet_are_the_definition(entries: list[tuple[str, int, int | None]]) -> None:
    script = Script()
    for place, (name, partition, ts) in enumerate(entries):
        if ts is None:
            script = script.idle_partition(partition, at=place, source=name)
        else:
            script = script.event(event(ts), arrival=place, partition=partition, source=name)
    both = payments().union(payments("refunds"))
    windows = both.window(styx.Tumbling("1ms"), n=agg.count())
    played = script.end().run(styx.flow("f", windows.late.to("late")), batch=3)
    assert [row["ts"] for row in played.rows("late")] == plain(entries)


def record(path: Path) -> Path:
    with RecordingWriter(path, name="payments", schema=Schema(SCHEMA), time="ts") as writer:
        writer.idle(2, at=99)
        for row, (ts, partition) in enumerate([(5, 0), (45, 1), (46, 1), (6, 1), (50, 0), (90, 1), (47, 1)]):
            payload = b'{"ts":%d,"card_id":"a","amount":1,"status":"ok","tries":1}' % ts
            writer.write([payload], partition=[partition], offset=[row], arrival=[100 + row])
            if row in (2, 5):
                writer.idle(0, at=100 + row)
        writer.idle(1, at=200)
    return path


def test_a_recording_keeps_decisions_and_a_replay_repeats_them(tmp_path: Path) -> None:
    path = record(tmp_path / "a.recording.parquet")
    recording = Recording.open(path)
    recording.verify()
    assert recording.about.format == 2
    assert [(one["row"], one["partition"]) for one in recording.about.idle] == [(0, 2), (3, 0), (6, 0), (7, 1)]
    check_source(lambda: RecordingSource(path))
    flow = counted("f", payments()).flow
    expected = {"late": [6, 47]}
    for size in (1, 2, 10_000):
        result = flow.replay(path, batch=size)
        assert {"late": result.outputs["late"]["ts"].to_list()} == expected
        assert result.counters["payments"]["idle"] == 4
    assert counted("f", payments(idle_after=None)).flow.replay(path).outputs["late"].height == 0


def test_a_cut_of_a_recording_begins_with_who_is_idle(tmp_path: Path) -> None:
    recording = Recording.open(record(tmp_path / "a.recording.parquet"))
    cut = recording.cut(3, 6, tmp_path / "b.recording.parquet")
    assert [(one["row"], one["partition"]) for one in cut.about.idle] == [(0, 2), (0, 0), (3, 0)]
    later = recording.cut(5, 7, tmp_path / "c.recording.parquet")
    # The first partition came back in row 4.
    assert [(one["row"], one["partition"]) for one in later.about.idle] == [(0, 2), (1, 0), (2, 1)]


def test_a_recording_without_decisions_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a.recording.parquet"
    with RecordingWriter(path, name="p", schema=Schema({"a": "int"})) as writer:
        writer.write([b'{"a":1}'], partition=[0], offset=[0], arrival=[1])
    assert Recording.open(path).about.format == 1
    assert RecordingSource(path).position() == {"row": 0}


def test_it_is_stored_with_its_flow_and_refused_where_it_is_no_length() -> None:
    flow = CASES[0].flow
    assert Flow.from_json(flow.to_json()) == flow
    assert "idle after 30s" in flow.sources[0].summary()
    for bad in ("soon", "0s", "-1s"):
        with pytest.raises(FlowError, match="idle_after"):
            payments(idle_after=bad)
