"""The actions: replay, live, train, promote, run, stop, savepoint, show, as a person takes them one after the other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from threading import Event, Thread
from typing import Any

import polars as pl
import pytest

import styx_lab as styx
from styx_lab import Flow, Result, RunSettings, SqliteStore, Tumbling, workbench
from styx_lab.connectors import RecordingWriter
from styx_lab.core.events import canonical_json
from styx_lab.core.schema import Schema
from styx_lab.engines.result import digest_lines
from styx_lab.errors import InputMissingError, NotFoundError, RunError, SchemaError, StyxError
from styx_lab.workbench.headless import start_job
from styx_lab.workbench.inputs import open_inputs

SCHEMA = {"ts": "int", "card_id": "str", "amount": "float"}
EVENTS = [{"ts": 250 * n, "card_id": f"c{n % 5}", "amount": float(n * 37 % 1_000)} for n in range(4_000)]


def spending() -> Flow:
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="1s")
    large = payments.window(Tumbling("10s"), n=styx.count(), spent=styx.sum("amount")).filter("spent > 3000")
    return styx.flow("spending", large.notify("much", message="{card_id} spent {spent:.2f}").to("notifications"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "payments.recording.parquet"
    count = len(EVENTS)
    with RecordingWriter(path, name="payments", schema=Schema(SCHEMA), time="ts", key=["card_id"]) as writer:
        times = [event["ts"] for event in EVENTS]
        payloads = [canonical_json(event) for event in EVENTS]
        writer.write(payloads, partition=[0] * count, offset=range(count), arrival=times)
    return path


@pytest.fixture(scope="module")
def promoted(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store") / "store.db"
    promotion = workbench.promote(spending(), recording, store=store, alias="production")
    assert promotion.bundle == "spending@1"
    assert promotion.golden_outputs["notifications"] > 0
    return store


@pytest.fixture(scope="module")
def undisturbed(recording: Path) -> Result:
    return spending().replay(recording)


def lines_digest(job: str, store: Path) -> str:
    return digest_lines(workbench.read_job_output(job, "notifications", store=store))


def test_a_job_writes_what_the_replay_gave(promoted: Path, recording: Path, undisturbed: Result) -> None:
    report = workbench.run_bundle("spending@production", recording, job="calm", store=promoted)
    assert report.outcome.state == "finished"
    assert report.outcome.summary == undisturbed.summary
    assert lines_digest("calm", promoted) == undisturbed.digest()
    record = next(job for job in workbench.list_jobs(store=promoted) if job.job == "calm")
    assert (record.state, record.reason) == ("finished", "the end of its input")
    again = workbench.run_bundle("spending", job="calm", store=promoted)
    assert (again.outcome.state, again.outcome.summary) == ("finished", undisturbed.summary)
    assert lines_digest("calm", promoted) == undisturbed.digest()


class _Watch:
    """Sets an event once so many events were read."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.reached = wanted, Event()

    def begin(self) -> None: ...

    def finish(self) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def observe(self, counters: Any, watermark: int, newest: int) -> None:
        if counters["payments"]["read"] >= self.wanted:
            self.reached.set()


def in_background(**arguments: Any) -> tuple[Thread, list[Any]]:
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(workbench.run_bundle(**arguments))
        except StyxError as error:
            ended.append(error)

    thread = Thread(target=run)
    thread.start()
    return thread, ended


def test_stop_with_a_savepoint_and_go_on_in_another_job(promoted: Path, recording: Path, undisturbed: Result) -> None:
    watch = _Watch(500)
    slow = RunSettings(batch=100, rate=2_000, commit_every=0)
    thread, ended = in_background(
        reference="spending", inputs=recording, job="first", store=promoted, settings=slow, observers=[watch]
    )
    assert watch.reached.wait(60)
    record, savepoint = workbench.ask_stop("first", store=promoted, savepoint=True)
    thread.join(60)
    assert record.state == "stopped"
    outcome = ended[0].outcome
    assert outcome.state == "stopped"
    assert 500 <= outcome.count < 4_000
    assert str(savepoint) == outcome.savepoint
    second = workbench.run_bundle("spending", recording, job="second", store=promoted, savepoint=outcome.savepoint)
    assert second.outcome.summary == undisturbed.summary
    first = list(workbench.read_job_output("first", "notifications", store=promoted))
    rest = list(workbench.read_job_output("second", "notifications", store=promoted))
    assert first
    assert rest
    assert digest_lines(first + rest) == undisturbed.digest()
    # The first job can go on as well, and gives the same.
    workbench.run_bundle("spending", job="first", store=promoted)
    assert lines_digest("first", promoted) == undisturbed.digest()


def test_a_savepoint_of_a_running_job_leaves_it_running(promoted: Path, recording: Path, undisturbed: Result) -> None:
    watch, stop = _Watch(300), Event()
    slow = RunSettings(batch=100, rate=2_000)
    thread, _ = in_background(
        reference="spending", inputs=recording, job="asked", store=promoted, settings=slow, observers=[watch], stop=stop
    )
    assert watch.reached.wait(60)
    savepoint = workbench.ask_savepoint("asked", store=promoted)
    assert (savepoint / "manifest.json").exists()
    stop.set()
    thread.join(60)
    workbench.run_bundle("spending", job="asked", store=promoted)
    assert lines_digest("asked", promoted) == undisturbed.digest()


def test_a_second_start_of_a_running_job_is_refused(promoted: Path, recording: Path) -> None:
    watch, stop = _Watch(20), Event()
    thread, _ = in_background(
        reference="spending",
        inputs=recording,
        job="twice",
        store=promoted,
        settings=RunSettings(batch=10, rate=50),
        observers=[watch],
        stop=stop,
    )
    assert watch.reached.wait(60)
    process = start_job("spending", {"payments": str(recording)}, job="twice", store=promoted)
    said, _ = process.communicate(timeout=120)
    stop.set()
    thread.join(60)
    assert process.returncode != 0
    assert "running" in json.loads(said)["error"] or "runs already" in json.loads(said)["error"]


@pytest.mark.slow
def test_a_killed_job_goes_on(promoted: Path, recording: Path, undisturbed: Result) -> None:
    from styx_lab.engines.runner.journal import committed_count

    settings = RunSettings(batch=50, rate=2_000, commit_every=0.01, checkpoint_every=0.1)
    journal = promoted.parent / "jobs" / "killed" / "journal"
    for wanted in (400, 1_500, 2_600):
        process = start_job("spending", {"payments": str(recording)}, job="killed", store=promoted, settings=settings)
        wait_for(
            lambda wanted=wanted, process=process: committed_count(journal) >= wanted or process.poll() is not None
        )
        process.kill()
        process.wait()
    assert next(job for job in workbench.list_jobs(store=promoted) if job.job == "killed").state == "lost"
    said, _ = start_job("spending", {"payments": str(recording)}, job="killed", store=promoted).communicate(timeout=120)
    assert json.loads(said)["outcome"]["epoch"] == 4
    assert lines_digest("killed", promoted) == undisturbed.digest()


def wait_for(condition: Any) -> None:
    waiting = Event()
    for _ in range(6_000):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("the condition did not hold in time")


@pytest.mark.slow
def test_sigterm_drains(promoted: Path, recording: Path, undisturbed: Result) -> None:
    from styx_lab.engines.runner.journal import committed_count

    settings = RunSettings(batch=50, rate=2_000, commit_every=0.01)
    process = start_job("spending", {"payments": str(recording)}, job="drained", store=promoted, settings=settings)
    wait_for(lambda: committed_count(promoted.parent / "jobs" / "drained" / "journal") >= 300)
    process.terminate()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    outcome = json.loads(said)["outcome"]
    assert outcome["state"] == "stopped"
    resumed = workbench.run_bundle("spending", job="drained", store=promoted)
    # All that was read had been committed and checkpointed: nothing is run again.
    assert resumed.outcome.replayed == 0
    assert lines_digest("drained", promoted) == undisturbed.digest()


def test_a_changed_input_is_refused(promoted: Path, recording: Path, tmp_path: Path) -> None:
    workbench.run_bundle("spending", recording, job="settled", store=promoted)
    other = tmp_path / "payments.recording.parquet"
    styx.Recording.open(recording).cut(0, 100, other)
    with pytest.raises(RunError, match="input has changed"):
        workbench.run_bundle("spending", other, job="settled", store=promoted)


def test_names_that_are_not_there(promoted: Path, recording: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"spendings.*spending"):
        workbench.run_bundle("spendings", recording, store=promoted)
    with pytest.raises(NotFoundError, match="nothing has that name"):
        workbench.show("unknown", store=promoted)
    with pytest.raises(NotFoundError):
        workbench.read_job_output("nobody", "notifications", store=promoted)
    with pytest.raises(RunError, match="a new job needs an input"):
        workbench.run_bundle("spending", job="new", store=promoted)
    with pytest.raises(InputMissingError, match=r"nowhere\.jsonl"):
        spending().replay(tmp_path / "nowhere.jsonl")


def test_show_tells_what_a_bundle_is(promoted: Path) -> None:
    shown = workbench.show("spending", store=promoted)
    assert (shown["kind"], shown["name"], shown["version"]) == ("bundle", "spending", 1)
    assert "tumbling 10s" in shown["drawing"]["text"]


def test_inputs_by_source(recording: Path) -> None:
    flow = spending()
    assert list(open_inputs(flow, {"payments": recording})) == ["payments"]
    with pytest.raises(RunError, match=r"no such source.*'payment'"):
        open_inputs(flow, {"payment": recording})
    other = styx.source("payments", schema=SCHEMA | {"amount": "int"}, time="ts")
    with pytest.raises(SchemaError, match=r"amount.*float"):
        open_inputs(styx.flow("other", other.to("out")), recording)


def test_live_gives_what_a_replay_gives(undisturbed: Result) -> None:
    running = spending().live()
    frames = running.frames("window").map(lambda frame: frame.height).sink_to_list()
    for event in EVENTS[:50]:
        running.emit(event)
    running.emit(EVENTS[50:60])
    running.emit(pl.DataFrame(EVENTS[60:]))
    result = running.finish()
    assert result.digest() == spending().replay(EVENTS).digest()
    assert result.summary == undisturbed.summary
    assert sum(frames) == result.counters["window"]["out"]
    with pytest.raises(RunError, match="the input has ended"):
        running.emit(EVENTS[0])


def test_a_tap_that_raises_is_seen(tmp_path: Path) -> None:
    running = spending().live()
    running.step("payments").map(lambda batch: 1 / 0).sink(print)
    with pytest.raises(ZeroDivisionError):
        running.emit(EVENTS[0])
    with pytest.raises(RunError, match="a step failed before"):
        running.emit(EVENTS[1])


def test_the_bundle_runs_without_the_notebook_libraries(promoted: Path, recording: Path) -> None:
    """The runner needs neither Jupyter, streamz, pandas nor scikit-learn."""
    code = (
        "import sys\n"
        "from styx_lab import workbench\n"
        f"workbench.run_bundle('spending', {str(recording)!r}, job='slim', store={str(promoted)!r})\n"
        "heavy = {'streamz', 'pandas', 'sklearn', 'IPython', 'anywidget', 'pypmml', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    import sys

    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_training_keeps_a_model(tmp_path: Path) -> None:
    rows = pl.DataFrame({"amount": [float(n) for n in range(200)], "fraud": [int(n > 120) for n in range(200)]})
    store = tmp_path / "store.db"
    training = workbench.train("fraud", rows, target="fraud", store=store, alias="champion")
    assert training.model == "fraud@1"
    assert training.report["auc"] > 0.9
    with SqliteStore(store) as kept:
        assert kept.get_model("fraud@champion").sha256 == training.sha256
    with pytest.raises(InputMissingError):
        workbench.train("fraud", tmp_path / "nowhere.csv", target="fraud", store=store)
