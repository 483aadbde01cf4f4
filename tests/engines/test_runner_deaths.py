"""Law (crash anywhere): the runner dies at any of its writes, starts again, and gives what an undisturbed run gives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.engines.runner.checkpoint import read_checkpoint, usable_checkpoints
from styx_lab.engines.runner.journal import Commit, Journal
from styx_lab.testing import FakeClock, Script
from styx_lab.testing.script_run import Ticking
from tests.engines.kit import FLOW, Died, outputs, run_job, watched_writes

pytestmark = pytest.mark.laws
FEWER = settings(max_examples=max(1, settings().max_examples // 2))


class _SetAfterOne(Ticking):
    """An observer that asks for a stop after the first slice."""

    def __init__(self, stop: Event) -> None:
        super().__init__(FakeClock())
        self._stop = stop

    def observe(self, *_: object) -> None:
        """A slice is through."""
        self._stop.set()


@cache
def undisturbed() -> tuple[dict[str, list[bytes]], dict[str, int], dict[str, dict[str, int]], int]:
    """Outputs, summary, counters, and how many writes there were."""
    with TemporaryDirectory() as made:
        folder = Path(made) / "job"
        with watched_writes(folder) as watch:
            outcome = run_job(folder)
        return outputs(folder), dict(outcome.summary), outcome.counters, watch.count


def check_finished(folder: Path) -> None:
    outcome = run_job(folder)
    lines, summary, counters, _ = undisturbed()
    assert outcome.state == "finished"
    assert outputs(folder) == lines
    assert outcome.summary == summary
    assert outcome.counters == counters
    assert not list(folder.rglob("*.partial"))


def check_nothing_is_visible_that_was_not_committed(folder: Path) -> None:
    committed: list[Commit] = []
    if (folder / "journal").exists():
        with Journal(folder / "journal") as journal:
            committed = journal.commits
    known = {(output, one["file"]) for commit in committed for output, one in commit.segments.items()}
    visible = {(path.parent.name, path.name) for path in folder.glob("out/*/*.jsonl")}
    assert visible <= known


def test_the_input_says_something() -> None:
    lines, summary, _, writes = undisturbed()
    assert all(lines.values())
    assert summary["matches"] > 3
    assert summary["late"] > 3
    assert writes > 100


@FEWER
@given(st.data())
def test_death_at_any_write(data: st.DataObject) -> None:
    writes = undisturbed()[3]
    with TemporaryDirectory() as made:
        folder = Path(made) / "job"
        # Some die again, on the way back.
        for fatal in data.draw(st.lists(st.integers(0, writes - 1), min_size=1, max_size=3)):
            with watched_writes(folder, fatal=fatal), suppress(Died):
                run_job(folder)
            check_nothing_is_visible_that_was_not_committed(folder)
        check_finished(folder)


@pytest.mark.slow
def test_death_at_every_write(tmp_path: Path) -> None:
    for fatal in range(undisturbed()[3]):
        folder = tmp_path / str(fatal)
        with watched_writes(folder, fatal=fatal), pytest.raises(Died):
            run_job(folder)
        check_nothing_is_visible_that_was_not_committed(folder)
        check_finished(folder)


def test_death_while_a_checkpoint_is_written_again_at_the_same_place(tmp_path: Path) -> None:
    """A source that has nothing for a while: each interval writes a checkpoint of the same place."""
    script = Script()
    for place in range(3):
        script = script.event("a", at=place).idle()
    script = script.end()
    with watched_writes(tmp_path) as watch:
        expected = script.run(FLOW, engine="runner", batch=1, checkpoint_every=0, folder=tmp_path / "whole")
    for fatal in range(0, watch.count, 5):
        folder = tmp_path / str(fatal)
        with watched_writes(folder, fatal=fatal), pytest.raises(Died):
            script.run(FLOW, engine="runner", batch=1, checkpoint_every=0, folder=folder)
        found = script.run(FLOW, engine="runner", batch=1, checkpoint_every=0, folder=folder)
        assert found.lines == expected.lines
        assert found.summary == expected.summary


def test_a_whole_checkpoint_is_never_given_up_for_a_new_one_of_the_same_place(tmp_path: Path) -> None:
    """A job is stopped, started, and stopped again before it reads anything."""
    stop = Event()
    first = tmp_path / "first"
    run_job(first, batch=40, stop=stop, observers=[_SetAfterOne(stop)])
    (newest,) = usable_checkpoints(first / "checkpoints")
    with watched_writes(shutil.copytree(first, tmp_path / "copy")) as watch:
        assert run_job(tmp_path / "copy", stop=stop).state == "stopped"
    for fatal in range(watch.count):
        folder = shutil.copytree(first, tmp_path / str(fatal))
        with watched_writes(folder, fatal=fatal), pytest.raises(Died):
            run_job(folder, stop=stop)
        assert read_checkpoint(folder / "checkpoints" / newest.name).count == 40
    check_finished(tmp_path / "copy")


_CHILD = """
import os, signal, sys
from pathlib import Path
from tests.engines.kit import _WATCH, outputs, run_job, watched_writes
folder, fatal = Path(sys.argv[1]), int(sys.argv[2])
def kill(event, arguments):
    if _WATCH.folder is not None and _WATCH.count >= fatal:
        _WATCH.folder = None
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
with watched_writes(folder):
    run_job(folder)
"""


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(4))
def test_sigkill(turn: int, tmp_path: Path) -> None:
    """A real process, really killed, at moments that differ from run to run; then again; then it may finish."""
    folder = tmp_path / "job"
    writes = undisturbed()[3]
    for time in range(2):
        fatal = int.from_bytes(os.urandom(4)) % (writes - 10) // (time + 1) + 1
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, str(folder), str(fatal)], cwd=Path(__file__).parents[2], check=False
        )
        # The second may be through before it is killed.
        assert child.returncode in ((-signal.SIGKILL,) if time == 0 else (-signal.SIGKILL, 0)), fatal
    check_finished(folder)
