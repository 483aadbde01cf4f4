"""Stop, drain, savepoint, start from one: a job does what it is asked, and none of it shows in what it gives."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from styx_lab.engines.pace import Pace
from styx_lab.engines.runner.checkpoint import read_checkpoint, usable_checkpoints
from styx_lab.engines.runner.folder import JobFolder
from styx_lab.errors import RunError
from styx_lab.testing import FakeClock
from tests.engines.kit import EVENTS, a_flow, outputs, run_job, source


class _After:
    """An observer that does something after so many slices."""

    def __init__(self, slices: int, what: object) -> None:
        self._left = slices
        self._what = what

    def begin(self) -> None:
        """A run begins."""

    def observe(self, *_: object) -> None:
        """A slice is through."""
        self._left -= 1
        if self._left == 0:
            self._what()  # type: ignore[operator]

    def finish(self) -> None:
        """It ended."""

    def fail(self, error: BaseException) -> None:
        """It failed."""


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, list[bytes]]:
    run_job(tmp_path / "whole")
    return outputs(tmp_path / "whole")


def _ask(folder: Path, what: str, **details: object) -> object:
    return lambda: JobFolder(folder).ask(what, **details)


def test_a_stop_drains_and_the_next_start_goes_on(tmp_path: Path, whole: dict[str, list[bytes]]) -> None:
    folder, stop = tmp_path / "job", Event()
    outcome = run_job(folder, stop=stop, observers=[_After(5, stop.set)], commit_every=100, checkpoint_every=100)
    assert (outcome.state, outcome.count, outcome.summary["events"]) == ("stopped", 25, 25)
    assert [path.name for path in usable_checkpoints(folder / "checkpoints")] == [f"{25:016d}"]
    seen = outputs(folder)
    assert all(seen[name] == whole[name][: len(seen[name])] for name in whole)
    outcome = run_job(folder)
    assert (outcome.state, outcome.epoch, outcome.replayed, outcome.count) == ("finished", 2, 0, len(EVENTS))
    assert outputs(folder) == whole


def test_a_job_that_is_through_stays_through(tmp_path: Path, whole: dict[str, list[bytes]]) -> None:
    first = run_job(tmp_path / "job")
    again = run_job(tmp_path / "job")
    assert (again.state, again.summary, again.counters) == ("finished", first.summary, first.counters)
    assert outputs(tmp_path / "job") == whole


def test_a_stop_before_the_first_event(tmp_path: Path, whole: dict[str, list[bytes]]) -> None:
    stop = Event()
    stop.set()
    assert run_job(tmp_path / "job", stop=stop).count == 0
    assert run_job(tmp_path / "job").state == "finished"
    assert outputs(tmp_path / "job") == whole


def test_a_stop_is_asked_for_through_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    outcome = run_job(folder, observers=[_After(3, _ask(folder, "stop"))])
    assert (outcome.state, outcome.count) == ("stopped", 15)
    assert not (folder / "request.json").exists()


def test_a_savepoint_without_a_stop(tmp_path: Path, whole: dict[str, list[bytes]]) -> None:
    folder = tmp_path / "job"
    outcome = run_job(folder, observers=[_After(3, _ask(folder, "savepoint", name="before"))])
    assert outcome.state == "finished"
    assert outcome.savepoint is not None
    assert read_checkpoint(Path(outcome.savepoint)).count == 15
    assert outputs(folder) == whole


@pytest.mark.parametrize("slices", [1, 4, 11])
def test_a_new_job_starts_from_a_savepoint(slices: int, tmp_path: Path, whole: dict[str, list[bytes]]) -> None:
    """The old job's output up to the savepoint, then the new job's: together the whole."""
    folder = tmp_path / "job"
    asked = _ask(folder, "savepoint", name="now", stop=True)
    outcome = run_job(folder, observers=[_After(slices, asked)])
    assert (outcome.state, outcome.count) == ("stopped", 5 * slices)
    assert outcome.savepoint is not None
    saved = read_checkpoint(Path(outcome.savepoint))
    new = tmp_path / "new"
    after = run_job(new, start_from=saved, batch=3)
    assert (after.state, after.replayed, after.summary["events"]) == ("finished", 0, len(EVENTS))
    before, then = outputs(folder), outputs(new)
    assert {name: before[name] + then[name] for name in whole} == whole


@pytest.mark.parametrize("slices", [1, 3])
def test_a_job_that_started_from_a_savepoint_survives_a_crash(
    slices: int, tmp_path: Path, whole: dict[str, list[bytes]]
) -> None:
    folder = tmp_path / "job"
    outcome = run_job(folder, observers=[_After(4, _ask(folder, "savepoint", name="now", stop=True))])
    assert outcome.savepoint is not None
    saved = read_checkpoint(Path(outcome.savepoint))
    new = tmp_path / "new"

    def die() -> None:
        raise RuntimeError("dead")

    with pytest.raises(RuntimeError, match="dead"):
        run_job(new, start_from=saved, batch=3, commit_every=2, observers=[_After(slices, die)])
    # With or without the savepoint being named again.
    run_job(new, start_from=saved if slices == 1 else None)
    before, then = outputs(folder), outputs(new)
    assert {name: before[name] + then[name] for name in whole} == whole


def test_a_savepoint_of_another_flow_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    outcome = run_job(folder, observers=[_After(4, _ask(folder, "savepoint", name="now", stop=True))])
    assert outcome.savepoint is not None
    with pytest.raises(Exception, match="of another flow"):
        run_job(tmp_path / "new", flow=a_flow("another"), start_from=read_checkpoint(Path(outcome.savepoint)))


def test_a_source_that_the_flow_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such source"):
        run_job(tmp_path / "job", sources={"payments": source(), "refunds": source()})


@pytest.mark.parametrize("rate", [10.0, 400.0, 50_000.0])
def test_the_pace_is_kept_by_the_clock(rate: float) -> None:
    clock = FakeClock()
    stop = clock.event()
    pace = Pace(100, rate, clock=clock.seconds)
    read = 0
    while clock.seconds() < 5:
        allowed = pace.allow(stop)
        assert 1 <= allowed <= 100
        pace.count(allowed)
        read += allowed
    assert read == pytest.approx(5 * rate, rel=0.05)
    clock.advance("1h")
    burst = pace.allow(stop)
    assert burst <= max(1, rate / 10), "a stall is not followed by a rush"
    stop.set()
    assert pace.allow(stop) >= 1


def test_what_is_unbounded_does_not_wait() -> None:
    clock = FakeClock()
    assert Pace(100, None, clock=clock.seconds).allow(clock.event()) == 100
    assert clock.seconds() == 0.0
