"""`styx run` and the commands about jobs, as real processes with real signals: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from styx_lab.engines.runner.journal import committed_count
from styx_lab.workbench.signals import StopOnSignal


@pytest.fixture
def job(request, data, promoted, started):
    """A job of the test's own, and how to start it."""
    name = request.node.name.partition("[")[0]

    def start(*more):
        recording = data / "payments.recording.parquet"
        return started("run", "testing", "--job", name, "--store", promoted, "--input", recording, "--json", *more)

    start.name = name
    start.journal = promoted.parent / "jobs" / name / "journal"
    start.lines = lambda: output(promoted, name)
    return start


def output(store: Path, job: str) -> list[bytes]:
    folder = store.parent / "jobs" / job / "out"
    return [line for file in sorted(folder.glob("*/*.jsonl")) for line in file.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(data, promoted, started, ended):
    """What a run that nothing disturbs writes."""
    done = ended(
        started(
            "run",
            "testing",
            "--job",
            "calm",
            "--store",
            promoted,
            "--input",
            data / "payments.recording.parquet",
            "--json",
        )
    )
    assert done.code == 0, done.err
    assert done.json["outcome"]["state"] == "finished"
    lines = output(promoted, "calm")
    assert lines
    return lines


def wait_for(process: subprocess.Popen[str], journal: Path, events: int) -> None:
    """Until the process has committed so many events."""
    while not journal.exists() or committed_count(journal) < events:
        try:
            code = process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it ended with {code}: {process.stderr.read()}")


SLOWLY = ("--rate", 400)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl_c", "sigterm"])
def test_a_signal_drains_and_the_job_goes_on_where_it_was(job, undisturbed, number, code, ended):
    process = job(*SLOWLY, "--job", f"signal-{code}")
    journal = job.journal.parent.parent / f"signal-{code}" / "journal"
    wait_for(process, journal, 40)
    process.send_signal(number)
    done = ended(process)
    assert done.code == code, done.err
    assert done.json["outcome"]["state"] == "stopped"
    assert 40 <= done.json["outcome"]["count"] < 2_000
    assert "draining" in done.err
    again = ended(job("--job", f"signal-{code}"))
    assert again.code == 0
    assert again.json["outcome"]["state"] == "finished"
    assert again.json["outcome"]["replayed"] == 0
    assert output(job.journal.parents[2] / "store.db", f"signal-{code}") == undisturbed


def test_kill_9_loses_nothing_and_gives_nothing_twice(job, undisturbed, ended):
    for _ in range(2):
        process = job(*SLOWLY, "--checkpoint-every", 0.1)
        wait_for(process, job.journal, 40 + (committed_count(job.journal) if job.journal.exists() else 0))
        process.kill()
        ended(process)
    assert committed_count(job.journal) < 2_000
    done = ended(job())
    assert done.code == 0, done.err
    assert done.json["outcome"]["epoch"] == 3
    assert job.lines() == undisturbed


def test_a_second_ctrl_c_ends_it_at_once_and_loses_nothing(job, undisturbed, ended):
    process = job(*SLOWLY, "--batch", 1)
    wait_for(process, job.journal, 40)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130
    assert "Traceback" not in done.err
    assert ended(job()).code == 0
    assert job.lines() == undisturbed


def test_signals_set_the_event_in_another_thread_and_only_a_second_ctrl_c_raises():
    before = signal.getsignal(signal.SIGINT)
    said = []
    with StopOnSignal(said.append) as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.stop.wait(60)
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.interrupted == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [text.partition(":")[0] for text in said] == ["SIGINT"]
    assert signal.getsignal(signal.SIGINT) is before


def test_savepoint_and_stop_from_another_process(job, styx, promoted, undisturbed, data, ended):
    process = job(*SLOWLY)
    wait_for(process, job.journal, 40)
    listed = {one["job"]: one for one in styx("jobs", "--store", promoted, "--json").json["jobs"]}
    assert listed[job.name]["state"] == "running"
    twice = ended(job())
    assert twice.code in (70, 74)
    assert twice.json["error"]["what"]
    first = styx("savepoint", job.name, "--store", promoted, "--json")
    assert first.code == 0, first.err
    assert Path(first.json["savepoint"]).is_dir()
    second = styx("stop", job.name, "--savepoint", "--store", promoted, "--json")
    assert second.code == 0, second.err
    assert second.json["job"]["state"] == "stopped"
    assert Path(second.json["savepoint"]).is_dir()
    assert second.json["savepoint"] != first.json["savepoint"]
    stopped = ended(process)
    assert stopped.code == 0
    assert stopped.json["outcome"]["savepoint"] == second.json["savepoint"]
    assert styx("stop", job.name, "--store", promoted, "--json").code == 70
    # A new job that begins with the savepoint writes what the stopped one had not written yet.
    new = ended(job("--job", "from-savepoint", "--savepoint", second.json["savepoint"]))
    assert new.code == 0, new.err
    both = sorted(job.lines() + output(promoted, "from-savepoint"))
    assert both == sorted(undisturbed)
    assert "stopped" in styx("jobs", "--store", promoted).out


def test_show_knows_bundles_jobs_and_outputs(styx, promoted, undisturbed):
    assert styx("show", "testing", "--store", promoted, "--json").json["kind"] == "bundle"
    text = styx("show", "testing@1", "--store", promoted)
    assert "found" in text.out
    assert styx("show", "calm", "--store", promoted, "--json").json["kind"] == "job"
    lines = styx("show", "calm", "--output", "notifications", "--store", promoted).out.splitlines()
    rows = styx("show", "calm", "--output", "notifications", "--store", promoted, "--json").json["rows"]
    assert [json.loads(line) for line in lines] == rows
    assert {line.encode() for line in lines} < set(undisturbed)
    nothing = styx("show", "calm", "--output", "nothing", "--store", promoted, "--json")
    assert nothing.code == 66
    assert "notifications" in nothing.json["error"]["hint"]


def test_a_job_that_goes_on_needs_no_input_but_the_same_one(styx, here, data, promoted, undisturbed):
    again = styx("run", "testing", "--job", "calm", "--store", promoted, "--json")
    assert again.code == 0, again.err
    assert again.json["outcome"]["count"] == 2_000
    other = styx("run", "testing", "--job", "calm", "--store", promoted, "--input", data / "payments.jsonl", "--json")
    assert other.code == 70
    assert "input" in other.json["error"]["what"]
    new = styx("run", "testing", "--job", "new", "--store", promoted, "--json")
    assert new.code == 70
    assert "--input FILE" in new.json["error"]["hint"]


def test_an_input_that_was_not_there_can_be_put_right(styx, here, data, promoted, undisturbed):
    missing = styx("run", "testing", "--job", "typo", "--store", promoted, "--input", "payments.jsnl", "--json")
    assert missing.code == 66
    right = styx("run", "testing", "--job", "typo", "--store", promoted, "--input", data / "payments.recording.parquet")
    assert right.code == 0, right.err
    assert output(promoted, "typo") == undisturbed
