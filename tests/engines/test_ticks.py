"""Ticks of the clock: made by a live engine, journaled before they take effect, repeated by whoever comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.connectors import MemorySource
from styx_lab.engines.decisions import Decision, Tick
from styx_lab.engines.plan import inputs_of
from styx_lab.engines.runner.runner import Outcome, RunSettings, run
from styx_lab.engines.streamz import LiveFlow
from styx_lab.flow import aggregate as agg
from styx_lab.flow.flow import Flow
from styx_lab.testing import FakeClock
from styx_lab.testing.script_run import Ticking
from tests.engines.kit import Died, clean_run, decisions_of, no_model, outputs_of, watched_writes
from tests.engines.test_idle import FEWER, Lulls
from tests.laws.steps import Quiet

pytestmark = pytest.mark.laws
SCHEMA = {"ts": "int", "card_id": "str"}


def a_source(name: str) -> Any:
    return styx.source(name, schema=SCHEMA, time="ts", key="card_id", max_delay="5ms", idle_after="4s")


def a_flow(*names: str) -> Flow:
    stream = a_source(names[0])
    stream = stream.union(*(a_source(name) for name in names[1:])) if names[1:] else stream
    tumbling = stream.window(styx.Tumbling("3s"), clock="processing", name="tumbling", n=agg.count())
    sessions = stream.window(styx.Session("2s"), clock="processing", name="sessions", n=agg.count())
    quiet = stream.process(Quiet)
    return styx.flow("-".join(names), tumbling.to("counts"), sessions.to("visits"), quiet.to("quiet"), stream.to("raw"))


ONE, TWO = a_flow("one"), a_flow("one", "two")


def inputs(flow: Flow, *, live: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = {}
    lulls = {"one": {20: 9, 45: 7}, "two": {8: 12}}
    for step, rows in zip(flow.sources, (60, 24), strict=False):
        how: dict[str, Any] = {
            "events": [{"ts": 1_000 + 7 * row - 11 * (row % 3), "card_id": "ab"[row % 2]} for row in range(rows)],
            "schema": ONE.sources[0].schema,
            "arrival": [5_000 + 10 * row for row in range(rows)],
        }
        found[step.name] = Lulls(lulls[step.name], **how) if live else MemorySource(**how)
    return found


def run_job(flow: Flow, folder: Path, *, live: bool = True, batch: int = 5) -> Outcome:
    clock = FakeClock()
    return run(
        flow,
        inputs(flow, live=live),
        no_model,
        folder,
        settings=RunSettings(batch=batch, commit_every=0, checkpoint_every=2),
        clock=clock.seconds,
        wall=lambda: 5_000 + clock.ms(),
        observers=[Ticking(clock)],
        stop=clock.event(),
    )


def repeated(flow: Flow, decisions: Sequence[Decision], sizes: Sequence[int]) -> dict[str, list[bytes]]:
    """A clean run over the same events with the same decisions, in slices of other sizes."""
    return clean_run(flow, inputs(flow, live=False), decisions, sizes)


@pytest.mark.parametrize("flow", [ONE, TWO], ids=["one", "two"])
def test_a_live_run_ticks_and_a_clean_run_with_its_ticks_is_the_same(flow: Flow, tmp_path: Path) -> None:
    outcome = run_job(flow, tmp_path / "job")
    assert outcome.state == "finished"
    decisions = decisions_of(tmp_path / "job")
    ticks = [one for one in decisions if isinstance(one, Tick)]
    assert len(ticks) >= 2
    assert sum(outcome.counters[step.name].get("ticks", 0) for step in flow.sources) == len(ticks)
    found = outputs_of(flow, tmp_path / "job")
    for sizes in ([1], [7], [3, 1, 10_000]):
        assert repeated(flow, decisions, sizes) == found
    assert repeated(flow, [], [7]) != found, "the ticks show"


@pytest.mark.parametrize("flow", [ONE, TWO], ids=["one", "two"])
@FEWER
@given(data=st.data())
def test_death_at_any_write(flow: Flow, data: st.DataObject) -> None:
    with TemporaryDirectory() as made:
        folder = Path(made) / "job"
        for fatal in data.draw(st.lists(st.integers(0, 400), min_size=1, max_size=3)):
            with watched_writes(folder, fatal=fatal), suppress(Died):
                run_job(flow, folder, batch=data.draw(st.sampled_from([1, 5, 7])))
        assert run_job(flow, folder).state == "finished"
        decisions = decisions_of(folder)
        assert [one.number for one in decisions] == sorted(one.number for one in decisions)
        assert outputs_of(flow, folder) == repeated(flow, decisions, [4])


def test_what_is_quiet_fires_before_the_next_event(tmp_path: Path) -> None:
    run_job(ONE, tmp_path / "job")
    ticks = [one for one in decisions_of(tmp_path / "job") if isinstance(one, Tick)]
    # The source is silent before its 20th event: its windows fire meanwhile, and then nothing waits and nothing ticks.
    assert ticks[0].number >= 20
    visits = [line for line in outputs_of(ONE, tmp_path / "job")["visits"] if b'"n":10' in line]
    assert len(visits) == 2
    quiet = [one.at for one in ticks if one.number < 20 + 9]
    assert quiet == sorted(set(quiet))
    assert len(quiet) < 9, "nothing waits any more"


def test_neither_a_file_nor_a_flow_of_event_time_ticks(tmp_path: Path) -> None:
    run_job(ONE, tmp_path / "file", live=False)
    assert not [one for one in decisions_of(tmp_path / "file") if isinstance(one, Tick)]
    assert outputs_of(ONE, tmp_path / "file") == repeated(ONE, [], [9])
    counted = a_source("one").window(styx.Tumbling("20ms"), n=agg.count())
    flow = styx.flow("of-event-time", counted.to("counts"))
    run_job(flow, tmp_path / "event-time")
    assert not [one for one in decisions_of(tmp_path / "event-time") if isinstance(one, Tick)]


def test_in_a_notebook_the_clock_ticks_when_somebody_says_so() -> None:
    live = LiveFlow(ONE, inputs_of(inputs(ONE)), no_model, clock=FakeClock().seconds)
    live.emit({"ts": 100, "card_id": "a"}, arrival=7_000)
    live.emit({"ts": 300, "card_id": "a"}, arrival=7_500)
    live.tick(at=8_999)
    assert live.result().outputs["counts"].height == 0
    live.tick(at=9_000)
    live.tick(at=8_000)
    assert live.result().outputs["counts"]["n"].to_list() == [2]
    live.tick()
    live.emit({"ts": 400, "card_id": "a"}, arrival=9_100)
    live.emit({"ts": 500, "card_id": "a"})
    result = live.finish()
    assert result.outputs["counts"]["n"].to_list() == [2, 2]
    assert result.counters["one"]["ticks"] == 4
    # The machine's clock, which is long past that of the events.
    assert result.outputs["counts"]["window_start"].dt.year()[1] > 2_000
