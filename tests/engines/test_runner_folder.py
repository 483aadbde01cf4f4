"""The job folder: journal, checkpoints, segments, lock, and a disk that is full."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from styx_lab.core.state import State
from styx_lab.engines.runner.checkpoint import (
    Checkpoint,
    prune,
    read_checkpoint,
    usable_checkpoints,
    write_checkpoint,
)
from styx_lab.engines.runner.durable import PARTIAL
from styx_lab.engines.runner.folder import JobFolder
from styx_lab.engines.runner.journal import Commit, Journal, committed_count
from styx_lab.engines.runner.segments import Segments
from styx_lab.errors import CheckpointError, InputMissingError, OutputError, RunError
from tests.engines.kit import FLOW, a_flow, outputs, run_job

ROOT = Path(__file__).parents[2]


# The journal.


def _journal(path: Path, commits: int) -> None:
    with Journal(path) as journal:
        journal.hello(host="here", pid=1, flow="f")
        for number in range(journal.last.number + 1, journal.last.number + 1 + commits):
            journal.commit(Commit(number, journal.epoch, 10 * number, {"out": {"file": f"{number}", "rows": 1}}))


def test_the_journal_reads_back_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    _journal(path, 2)
    _journal(path, 1)
    with Journal(path) as journal:
        assert [commit.number for commit in journal.commits] == [1, 2, 3]
        assert [commit.epoch for commit in journal.commits] == [1, 1, 2]
        assert journal.last.count == 30
        assert journal.epoch == 2
    assert committed_count(path) == 30
    assert committed_count(tmp_path / "none") == 0


def test_a_torn_last_line_was_never_committed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    _journal(path, 3)
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        with Journal(path) as journal:
            assert journal.last.number == 2, end
        assert path.read_bytes() == whole[:last], "what was torn is gone, so that the next line is whole"
    _journal(path, 1)
    assert committed_count(path) == 30


@pytest.mark.parametrize("place", [0, 5, 40])
def test_a_journal_that_is_damaged_before_its_end_is_refused(place: int, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    _journal(path, 3)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged before its end"):
        Journal(path)


def test_a_damaged_journal_stops_the_job_and_changes_nothing(tmp_path: Path) -> None:
    run_job(tmp_path)
    before = outputs(tmp_path)
    data = bytearray((tmp_path / "journal").read_bytes())
    data[20] ^= 1
    (tmp_path / "journal").write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged before its end"):
        run_job(tmp_path)
    assert outputs(tmp_path) == before
    assert (tmp_path / "journal").read_bytes() == data


def test_a_whole_last_line_that_is_damaged_gives_no_row_twice(tmp_path: Path) -> None:
    """What is visible and in no commit must not stay when its events are run again in other slices."""
    run_job(tmp_path / "whole")
    folder = tmp_path / "job"
    with pytest.raises(_Enough):
        run_job(folder, batch=20, checkpoint_every=100, observers=[_StopAt(2)])
    data = bytearray((folder / "journal").read_bytes())
    data[-10] ^= 1
    (folder / "journal").write_bytes(data)
    run_job(folder, batch=1)
    assert outputs(folder) == outputs(tmp_path / "whole")


# Checkpoints.


def _checkpoint(count: int, flow: str = "f") -> Checkpoint:
    state = State({"n": count}, {})
    return Checkpoint(flow, count, {"count": count}, {"a": state, "b": state}, {"steps": {}})


def test_a_checkpoint_reads_back(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "0000000000000007", _checkpoint(7))
    assert read_checkpoint(folder) == _checkpoint(7)
    assert usable_checkpoints(tmp_path, 7) == [folder]
    assert usable_checkpoints(tmp_path, 6) == []


@pytest.mark.parametrize("file", ["manifest.json", "000.state", "001.state"])
@pytest.mark.parametrize("harm", ["flip", "cut", "delete", "empty"])
def test_a_damaged_checkpoint_is_refused(file: str, harm: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "0000000000000007", _checkpoint(7)) / file
    data = bytearray(path.read_bytes())
    if harm == "delete":
        path.unlink()
    elif harm == "flip":
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    else:
        path.write_bytes(data[: len(data) // 2] if harm == "cut" else b"")
    with pytest.raises((CheckpointError, InputMissingError)):
        read_checkpoint(path.parent)


def test_a_checkpoint_with_another_value_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "0000000000000007", _checkpoint(7)) / "000.state"
    data = path.read_bytes()
    assert data.count(b'"n": 7') == 1
    path.write_bytes(data.replace(b'"n": 7', b'"n": 8'))
    with pytest.raises(CheckpointError, match="changed"):
        read_checkpoint(path.parent)


def test_prune_keeps_the_newest_whole_ones(tmp_path: Path) -> None:
    for count in (5, 10, 20):
        write_checkpoint(tmp_path / f"{count:016d}", _checkpoint(count))
    (tmp_path / f"{30:016d}{PARTIAL}").mkdir()
    prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{10:016d}", f"{20:016d}"]


@pytest.mark.parametrize("harm", ["flip", "delete", "folder"])
def test_a_damaged_checkpoint_is_passed_over_for_an_older_one_and_said_so(harm: str, tmp_path: Path) -> None:
    run_job(tmp_path / "whole")
    folder = tmp_path / "job"
    with pytest.raises(_Enough):
        run_job(folder, observers=[_StopAt(8)])
    newest, older = usable_checkpoints(folder / "checkpoints")
    if harm == "folder":
        shutil.rmtree(newest)
        newest.mkdir()
    else:
        state = next(newest.glob("*.state"))
        if harm == "delete":
            state.unlink()
        else:
            state.write_bytes(state.read_bytes()[:-1] + b"?")
    outcome = run_job(folder)
    assert any("damaged checkpoint" in warning and newest.name in warning for warning in outcome.warnings)
    assert outcome.replayed == 40 - int(older.name)
    assert outputs(folder) == outputs(tmp_path / "whole")


class _Enough(Exception):
    """A test has seen enough."""


class _StopAt:
    """An observer that breaks off a run after so many slices, without a drain."""

    def __init__(self, slices: int) -> None:
        self._left = slices

    def begin(self) -> None:
        """A run begins."""

    def observe(self, *_: object) -> None:
        """A slice is through."""
        self._left -= 1
        if self._left == 0:
            raise _Enough

    def finish(self) -> None:
        """It ended."""

    def fail(self, error: BaseException) -> None:
        """It failed."""


def test_another_flow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(_Enough):
        run_job(tmp_path, observers=[_StopAt(8)])
    before = (tmp_path / "journal").read_bytes()
    with pytest.raises(CheckpointError, match="of another flow"):
        run_job(tmp_path, flow=a_flow("another"))
    assert (tmp_path / "journal").read_bytes() == before


def test_a_shorter_input_is_refused(tmp_path: Path) -> None:
    from tests.engines.kit import EVENTS, source

    with pytest.raises(_Enough):
        run_job(tmp_path, observers=[_StopAt(7)], checkpoint_every=100)
    with pytest.raises(CheckpointError, match="shorter than what was committed"):
        run_job(tmp_path, sources={"payments": source(EVENTS[:20])})


# Segments.


def _lines(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()]


def test_a_crash_between_journal_and_rename(tmp_path: Path) -> None:
    """The commit has happened; the next start gives its segments their names."""
    import polars as pl

    segments = Segments(tmp_path, ["out", "other"])
    segments.take({"out": pl.DataFrame({"a": [1, 2]}), "other": pl.DataFrame({"a": [3]})})
    commit = Commit(1, 1, 3, segments.write(1))
    assert _lines(tmp_path / "out") == []
    Segments(tmp_path, ["out", "other"]).recover([commit])
    assert _lines(tmp_path / "out") == [b'{"a":1}', b'{"a":2}']
    assert _lines(tmp_path / "other") == [b'{"a":3}']


def test_a_crash_before_the_journal(tmp_path: Path) -> None:
    """The commit has not happened; the next start drops what was written aside."""
    import polars as pl

    segments = Segments(tmp_path, ["out"])
    segments.take({"out": pl.DataFrame({"a": [1]})})
    segments.write(1)
    Segments(tmp_path, ["out"]).recover([])
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_or_changed_segment_is_refused(tmp_path: Path) -> None:
    run_job(tmp_path)
    newest = max((tmp_path / "out" / "counts").glob("*.jsonl"))
    data = newest.read_bytes()
    newest.write_bytes(data.replace(b"1", b"2", 1))
    with pytest.raises(CheckpointError, match="changed"):
        run_job(tmp_path)
    newest.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        run_job(tmp_path)
    newest.write_bytes(data)
    assert run_job(tmp_path).state == "finished"


# The lock.


def test_a_second_run_of_a_job_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with JobFolder(tmp_path), pytest.raises(RunError, match=f"running already.*pid {os.getpid()}"):
        run_job(tmp_path)
    assert run_job(tmp_path).state == "finished"


def test_a_refused_run_leaves_what_the_first_is_asked_for(tmp_path: Path) -> None:
    with JobFolder(tmp_path) as job:
        job.ask("stop")
        with pytest.raises(RunError):
            run_job(tmp_path)
        assert job.request() == {"what": "stop"}


_HOLD = """
import sys
from pathlib import Path
from styx_lab.engines.runner.folder import JobFolder
with JobFolder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_holds_the_job_until_it_dies(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"running already.*pid {other.pid}"):
            run_job(tmp_path)
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert run_job(tmp_path).state == "finished"


# A full disk.

_FULL = """
import json, resource, signal, sys
from pathlib import Path
from styx_lab.errors import OutputError
from tests.engines.kit import run_job
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    outcome = run_job(Path(sys.argv[1]), batch=int(sys.argv[3]), commit_every=int(sys.argv[4]))
except OutputError as error:
    print(json.dumps({"error": str(error), "exit": error.exit_code}))
else:
    print(json.dumps({"state": outcome.state, "warnings": outcome.warnings}))
"""


def _full(folder: Path, limit: int, batch: int, commit_every: int) -> dict[str, object]:
    command = [sys.executable, "-c", _FULL, str(folder), str(limit), str(batch), str(commit_every)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_full_disk_stops_the_job_with_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    run_job(tmp_path / "whole")
    whole = outputs(tmp_path / "whole")
    folder = tmp_path / "job"
    # The journal, or a segment, is the first file that may not grow: a commit fails.
    answer = _full(folder, 1_500, 5, 0)
    assert "cannot write" in str(answer["error"])
    assert answer["exit"] == OutputError.exit_code
    seen = outputs(folder)
    assert all(seen[name] == whole[name][: len(seen[name])] for name in whole), "what was committed before stays"
    assert run_job(folder).state == "finished"
    assert outputs(folder) == whole


def test_a_checkpoint_that_cannot_be_written_is_a_warning_and_the_job_goes_on(tmp_path: Path) -> None:
    run_job(tmp_path / "whole")
    sizes = [path.stat().st_size for path in (tmp_path / "whole").glob("out/*/*.jsonl")]
    states = [path.stat().st_size for path in (tmp_path / "whole").glob("checkpoints/*/*")]
    journal = (tmp_path / "whole" / "journal").stat().st_size
    limit = max(*sizes, journal) + 500
    assert max(states) > limit, "a checkpoint is larger than what a commit writes"
    folder = tmp_path / "job"
    answer = _full(folder, limit, 5, 0)
    assert answer["state"] == "finished"
    assert any("could not be written" in warning for warning in answer["warnings"])  # type: ignore[attr-defined]
    assert outputs(folder) == outputs(tmp_path / "whole")
    assert not list(folder.rglob("*.partial"))


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        run_job(tmp_path / "file" / "job")
    assert FLOW.name == "job"
