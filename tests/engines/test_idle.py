"""Idle partitions: decided by a live engine, journaled before they take effect, repeated by whoever comes after it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.connectors import MemorySource
from styx_lab.core.ports import Arrivals, is_live
from styx_lab.engines.decisions import Back, Decision, Idle
from styx_lab.engines.feed import Feed
from styx_lab.engines.plan import inputs_of
from styx_lab.engines.runner.journal import Journal, committed_count
from styx_lab.engines.runner.runner import Outcome, RunSettings, run
from styx_lab.engines.streamz import LiveFlow
from styx_lab.flow import aggregate as agg
from styx_lab.flow.flow import Flow
from styx_lab.testing import FakeClock
from styx_lab.testing.script_run import Ticking
from tests.engines.kit import Died, clean_run, decisions_of, no_model, outputs_of, watched_writes

pytestmark = pytest.mark.laws
FEWER = settings(max_examples=max(1, settings().max_examples // 4))
SCHEMA = {"ts": "int", "card_id": "str"}


class Lulls(MemorySource):
    """A live source: at some rows it has nothing for a number of reads, also when it is opened again there."""

    live = True

    def __init__(self, lulls: dict[int, int], **how: Any) -> None:
        super().__init__(**how)
        self._lulls = lulls
        self._left = dict(lulls)

    def read(self, most: int) -> Arrivals | None:
        """See `Source.read`."""
        row = self.position()["row"]
        if self._left.get(row, 0):
            self._left[row] -= 1
            nothing = pl.DataFrame(schema={"ts": pl.Int64, "card_id": pl.String})
            return Arrivals(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64), columns=nothing)
        ahead = [one for one in self._lulls if one > row]
        return super().read(min(most, min(ahead) - row) if ahead else most)

    def seek(self, position: Any) -> None:
        """See `Source.seek`."""
        super().seek(position)
        self._left = dict(self._lulls)


def a_source(name: str) -> Any:
    return styx.source(name, schema=SCHEMA, time="ts", key="card_id", max_delay="5ms", idle_after="4s")


def one_source() -> Flow:
    stream = a_source("one")
    counted = stream.window(styx.Tumbling("20ms"), n=agg.count())
    return styx.flow("one", counted.to("counts"), counted.late.to("late"), stream.to("raw"))


def two_sources() -> Flow:
    both = a_source("one").union(a_source("two"))
    counted = both.window(styx.Tumbling("20ms"), n=agg.count())
    return styx.flow("two", counted.to("counts"), counted.late.to("late"), both.to("raw"))


ONE, TWO = one_source(), two_sources()


def events(count: int, *, quiet: Sequence[int] = (), step: int = 7) -> dict[str, Any]:
    """Events of two partitions in turn; in the `quiet` rows the first is silent and the other goes on."""
    return {
        "events": [{"ts": 1_000 + step * row - 11 * (row % 3), "card_id": "ab"[row % 2]} for row in range(count)],
        "schema": ONE.sources[0].schema,
        "partition": [1 if row in quiet else row % 2 for row in range(count)],
        "arrival": [5_000 + 10 * row for row in range(count)],
    }


def inputs(flow: Flow, *, live: bool = True) -> dict[str, Any]:
    # Once everything is quiet, once a partition of two; the second source is silent while the first goes on.
    lulls = {"one": {20: 9, 45: 7}, "two": {8: 30}}
    rows = {"one": events(70, quiet=range(20, 44)), "two": events(24, step=20)}
    found = {}
    for step in flow.sources:
        how: dict[str, Any] = rows[step.name]
        found[step.name] = Lulls(lulls[step.name], **how) if live else MemorySource(**how)
    return found


def run_job(flow: Flow, folder: Path, **how: Any) -> Outcome:
    clock = FakeClock()
    settings = RunSettings(batch=how.get("batch", 5), commit_every=0, checkpoint_every=2)
    observers = [Ticking(clock)]
    return run(
        flow,
        inputs(flow),
        no_model,
        folder,
        settings=settings,
        clock=clock.seconds,
        wall=lambda: 5_000 + clock.ms(),
        observers=observers,
        stop=clock.event(),
    )


def repeated(flow: Flow, decisions: Sequence[Decision], sizes: Sequence[int]) -> dict[str, list[bytes]]:
    """A clean run over the same events with the same decisions, in slices of other sizes."""
    return clean_run(flow, inputs(flow, live=False), decisions, sizes)


@pytest.mark.parametrize("flow", [ONE, TWO], ids=["one", "two"])
def test_a_live_run_decides_and_a_clean_run_with_its_decisions_is_the_same(flow: Flow, tmp_path: Path) -> None:
    outcome = run_job(flow, tmp_path / "job")
    assert outcome.state == "finished"
    decisions = decisions_of(tmp_path / "job")
    idle = [one for one in decisions if isinstance(one, Idle)]
    assert len(idle) >= 4
    assert sum(outcome.counters[step.name].get("idle", 0) for step in flow.sources) == len(idle)
    found = outputs_of(flow, tmp_path / "job")
    for sizes in ([1], [7], [3, 1, 10_000]):
        assert repeated(flow, decisions, sizes) == found
    assert repeated(flow, [], [7]) != found, "the decisions show"
    if flow is TWO:
        left = next(one for one in idle if one.leaves and one.source == "two")
        back = next(one for one in decisions if isinstance(one, Back) and one.source == "two")
        assert back.number - left.number > 20, "the other source goes on meanwhile"


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


def test_a_decision_that_was_journaled_takes_effect_though_nothing_was_committed_since(tmp_path: Path) -> None:
    """The process dies between the journal's line and the commit after it."""
    whole = tmp_path / "whole"
    run_job(ONE, whole)
    first = next(one for one in decisions_of(whole) if isinstance(one, Idle))
    folder = tmp_path / "job"
    # With every write that is tried once more, until it dies right before the first decision.
    fatal = 30
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(Died), watched_writes(folder, fatal=fatal):
            run_job(ONE, folder)
        if committed_count(folder / "journal") >= first.number - 5:
            break
        fatal += 5
    with Journal(folder / "journal") as journal:
        assert not any(one.number >= first.number for one in journal.decisions)
        journal.decide(first)
    assert run_job(ONE, folder).state == "finished"
    decisions = decisions_of(folder)
    assert decisions.count(first) == 1
    assert outputs_of(ONE, folder) == repeated(ONE, decisions, [6])


def test_a_file_is_never_idle(tmp_path: Path) -> None:
    clock = FakeClock()
    sources = inputs(ONE, live=False)
    assert not is_live(sources["one"])
    how: dict[str, Any] = {"settings": RunSettings(batch=1), "observers": [Ticking(clock)], "clock": clock.seconds}
    assert run(ONE, sources, no_model, tmp_path / "job", **how).state == "finished"
    assert decisions_of(tmp_path / "job") == []
    assert outputs_of(ONE, tmp_path / "job") == repeated(ONE, [], [9])


def test_a_journal_of_before_has_no_decisions(tmp_path: Path) -> None:
    golden = Path(__file__).parents[1] / "golden" / "job-format-1" / "journal"
    path = tmp_path / "journal"
    path.write_bytes(golden.read_bytes())
    with Journal(path) as journal:
        assert journal.decisions == []
        assert journal.commits


def test_a_feed_keeps_who_has_left_in_its_position() -> None:
    feed = Feed(inputs(TWO), {step.name: step.schema.polars for step in TWO.sources})
    feed.decide([Idle(0, "two", 0, None), Idle(1, "two", 1, None, leaves=True)])
    for _ in range(3):
        feed.next(4)
    position = json.loads(json.dumps(feed.position()))
    assert position["left"] == ["two"]
    other = Feed(inputs(TWO), {step.name: step.schema.polars for step in TWO.sources})
    other.seek(position)
    assert other.position() == position
    piece = other.next(4)
    assert piece is not None
    assert list(piece.arrivals) == ["one"]


def test_in_a_notebook_time_passes_when_somebody_looks() -> None:
    clock = FakeClock()
    live = LiveFlow(TWO, inputs_of(inputs(TWO)), no_model, clock=clock.seconds)
    live.emit({"ts": 100, "card_id": "a"}, source="one")
    live.emit({"ts": 300, "card_id": "a"}, source="two")
    live.emit({"ts": 400, "card_id": "a"}, source="two")
    clock.advance("3s")
    live.tick()
    # Each source has a second partition, from which nothing ever comes.
    assert live.result().outputs["counts"].height == 0
    live.emit({"ts": 500, "card_id": "a"}, source="two")
    clock.advance("2s")
    live.tick()
    live.tick()
    assert live.result().counters["one"]["idle"] == 2
    assert live.result().counters["two"]["idle"] == 1
    assert live.result().outputs["counts"].height == 3, "the one that is quiet does not hold the other"
    live.emit({"ts": 200, "card_id": "a"}, source="one")
    result = live.finish()
    assert result.outputs["late"]["ts"].to_list() == [200], "who comes back never lowers the watermark"
    assert result.summary["events"] == 5


def test_what_stood_still_as_a_whole_heard_nothing_from_anybody(tmp_path: Path) -> None:
    """A laptop that is shut for an hour between two slices makes no partition idle."""
    clock = FakeClock()

    class Shut(Ticking):
        def observe(self, *_: Any) -> None:
            clock.advance("1h")

    how: dict[str, Any] = {"settings": RunSettings(batch=24), "observers": [Shut(clock)], "clock": clock.seconds}
    source = Lulls({48: 2}, **events(70))
    assert run(ONE, {"one": source}, no_model, tmp_path / "job", **how).state == "finished"
    assert decisions_of(tmp_path / "job") == []
