"""The timed script and the fake clock: what they say happens, on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import FlowError, NotFoundError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.flow import flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.stream import source
from styx_lab.flow.window import Tumbling
from styx_lab.testing import ENGINES, FakeClock, Script
from styx_lab.testing.strategies import payments

STREAM = payments(bound_ms=0)
TWICE = flow("twice", STREAM.detect(Pattern.begin("two").times(2)).notify("told", message="{card_id}").to("out"))
COUNTED = flow("counted", STREAM.window(Tumbling("10ms"), n=agg.count()).to("out"))


@pytest.mark.parametrize("engine", ENGINES)
def test_crashes_and_restarts_happen_and_do_not_show(engine: str) -> None:
    plain = Script().event("a", at=1).event("a", at=2).event("b", at=30).event("b", at=31).end()
    crashing = (
        Script().crash().event("a", at=1).crash().event("a", at=2).idle().restart().event("b", at=30).crash()
        .event("b", at=31).crash().end()
    )  # fmt: skip
    expected = plain.run(TWICE, engine=engine)
    found = crashing.run(TWICE, engine=engine, batch=1, checkpoint_every=1)
    assert (found.lines, found.counters, found.summary) == (expected.lines, expected.counters, expected.summary)
    assert [row["message"] for row in found.rows("out")] == ["a", "b"]
    assert (expected.starts, found.starts) == (1, 6)


@pytest.mark.parametrize("engine", ENGINES)
def test_without_an_end_nothing_fires_that_waits_for_one(engine: str) -> None:
    script = Script().event("a", at=1).event("a", at=2).event("a", at=14)
    assert [row["n"] for row in script.run(COUNTED, engine=engine).rows("out")] == [2]
    assert [row["n"] for row in script.end().run(COUNTED, engine=engine).rows("out")] == [2, 1]


@pytest.mark.parametrize("engine", ENGINES)
def test_payloads_and_partitions(engine: str) -> None:
    script = (
        Script()
        .event({"ts": 1, "card_id": "a"}, partition=1, arrival=5)
        .payload(b"{", partition=2, arrival=6)
        .payload(b'{"ts": 2, "card_id": "b"}', partition=1, arrival=7)
        .end()
    )
    played = script.run(flow("raw", STREAM.to("out")), engine=engine)
    assert [(row["card_id"], row["_partition"], row["_offset"]) for row in played.rows("out")] == [
        ("a", 1, 0),
        ("b", 1, 1),
    ]
    assert [(row["partition"], row["offset"]) for row in played.rows("dead_letters")] == [(2, 0)]


def test_times_are_written_as_the_source_has_them() -> None:
    for word in ("int", "str", "datetime"):
        stream = source("s", schema={"at": word, "k": "str"}, time="at", key="k")
        (row,) = Script().event("a", at=1_500).end().run(flow("one", stream.to("out"))).rows("out")
        assert (row["k"], row["_time"]) == ("a", "1970-01-01T00:00:01.500Z")


def test_the_runner_keeps_its_job_where_it_is_told(tmp_path: Path) -> None:
    Script().event("a", at=1).end().run(TWICE, engine="runner", folder=tmp_path / "job")
    assert (tmp_path / "job" / "journal").exists()


def test_a_script_is_a_value() -> None:
    one = Script().event("a", at=1)
    two = one.event("b", at=2)
    assert (len(one), len(two)) == (1, 2)
    assert one + Script().event("b", at=2) == two
    assert not two.ended
    assert two.end().ended
    with pytest.raises(FlowError, match="nothing can follow"):
        two.end().crash()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(FlowError, match="follows from its events"):
        Script().watermark(5).run(TWICE)
    with pytest.raises(FlowError, match="no such engine"):
        Script().run(TWICE, engine="flank")  # type: ignore[arg-type]
    with pytest.raises(FlowError, match="no such source"):
        Script().event("a", at=1, source="other").run(TWICE)
    with pytest.raises(FlowError, match="or none has"):
        Script().event("a", at=1, arrival=3).event("a", at=2).run(TWICE)
    with pytest.raises(FlowError, match="one key column"):
        Script().event("a", at=1).run(flow("raw", payments(keyed=False).to("out")))
    both = flow("both", STREAM.to("a"), payments("refunds").to("b"))
    with pytest.raises(FlowError, match="several sources"):
        Script().event("a", at=1).run(both)
    with pytest.raises(FlowError, match="takes the stream of a source"):
        Script().batch(STREAM.filter("amount > 1"))
    with pytest.raises(NotFoundError, match="no such model"):
        Script().run(flow("scored", STREAM.score("risk", into="risk").to("out")))
    with pytest.raises(NotFoundError, match="no such output"):
        Script().end().run(TWICE).rows("other")


def test_a_batch_has_watermarks_of_events_and_of_its_own() -> None:
    script = Script().watermark(-5).event("a", at=3).watermark(2).watermark(10).event("b", at=4).event("c", at=20).end()
    batch = script.batch(payments(bound_ms=2))
    assert batch.before == MIN_WATERMARK
    assert batch.order.tolist() == [2, 8, 10]
    assert batch.steps.order.tolist() == [1, 3, 5, 7, 11, 13]
    assert batch.steps.mark.tolist() == [-5, 0, 2, 10, 17, MAX_WATERMARK]
    assert batch.watermarks().tolist() == [-5, 10, 10]
    assert len(Script().batch(STREAM)) == 0
    assert len(Script().event("a", at=1).batch(STREAM).steps) == 1


def test_the_clock_moves_when_told() -> None:
    clock = FakeClock(1_000, tick="2ms")
    assert [clock.ms(), clock.ms()] == [1_002, 1_004]
    clock.advance("1m")
    assert clock.ms() == 61_006
    stop = clock.event()
    before = clock.seconds()
    assert not stop.wait(0.25)
    assert clock.seconds() - before == pytest.approx(0.252)
    with pytest.raises(AssertionError, match="nobody will set"):
        stop.wait()
    stop.set()
    assert stop.wait()
    with pytest.raises(FlowError):
        clock.advance("soon")
