"""Jobs: a promoted bundle run headless, watched, asked for a savepoint, stopped and gone on with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from styx_lab.bundles.bundle import Bundle, environment, read_bundle
from styx_lab.bundles.verify import verify_in_clean_process
from styx_lab.connectors import Recording
from styx_lab.connectors.kafka.source import KafkaSource
from styx_lab.connectors.recording import is_recording
from styx_lab.core.operator import Figures
from styx_lab.core.ports import Observer
from styx_lab.engines.runner.checkpoint import read_checkpoint
from styx_lab.engines.runner.durable import write_durably
from styx_lab.engines.runner.folder import JobFolder
from styx_lab.engines.runner.runner import Outcome, RunSettings, run
from styx_lab.engines.runner.segments import read_output
from styx_lab.errors import NotFoundError, RunError, StyxError
from styx_lab.stores import JobRecord, SqliteStore
from styx_lab.workbench.inputs import Inputs, is_topics, named_inputs, open_inputs, topics_of
from styx_lab.workbench.lookups import Lookups, lasting, opened_lookups

__all__ = ["JobReport", "ask_savepoint", "ask_stop", "list_jobs", "read_job_output", "run_bundle"]

_ABOUT = "job.json"
INPUTS = "inputs"
"""Beside a step's counters in a job's record: what is known of the inputs of its model."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """How a start of a job ended.

    Attributes:
        job: its id.
        bundle: what it runs, as `card-fraud@1`.
        folder: its folder; outputs are in `out/`.
        outcome: state, counters, warnings.
    """

    job: str
    bundle: str
    folder: str
    outcome: Outcome


class _Heartbeat:
    """Tells the store, at most once a second, that the job lives."""

    def __init__(self, store: SqliteStore, job: JobRecord) -> None:
        self._store = store
        self._job = job
        self._last = float("-inf")
        self._figures: Callable[[], Mapping[str, Figures]] = dict

    def begin(self) -> None:
        pass

    def finish(self) -> None:
        pass

    def fail(self, error: BaseException) -> None:
        pass

    def take_figures(self, figures: Callable[[], Mapping[str, Figures]]) -> None:
        self._figures = figures

    def observe(self, counters: Mapping[str, Mapping[str, int]], watermark: int, newest: int) -> None:
        now = time.monotonic()
        if now - self._last >= 1:
            self._last = now
            told = _with_inputs(counters, self._figures())
            self._store.heartbeat(self._job.job, told, watermark, epoch=self._job.epoch)


def _with_inputs(
    counters: Mapping[str, Mapping[str, int]], figures: Mapping[str, Figures]
) -> dict[str, dict[str, Any]]:
    """The counters as the store keeps them, with what is known of a model's inputs beside them, under `inputs`."""
    return {step: {**counts, **_inputs(figures.get(step))} for step, counts in counters.items()}


def _inputs(figures: Figures | None) -> dict[str, Figures]:
    return {} if figures is None else {INPUTS: figures}


def run_bundle(
    reference: str,
    inputs: Inputs | None = None,
    *,
    job: str | None = None,
    store: str | Path | None = None,
    settings: RunSettings | None = None,
    savepoint: str | Path | None = None,
    stop: Event | None = None,
    observers: Sequence[Observer] = (),
    lookups: Lookups | None = None,
) -> JobReport:
    """Run a promoted bundle headless, or go on with a job that was stopped or killed.

    Args:
        reference: the bundle: `card-fraud`, `card-fraud@3` or `card-fraud@production`; of a job that is gone on with
        it must
            be the same version.
        inputs: a file, or topics with an end, for each source; may be left out where a job goes on.
        job: the job's id; the flow's name where none is given. Its folder is `jobs/ID` beside the store.
        store: the store; the default one where none is named.
        settings: batch size, intervals, rate.
        savepoint: a savepoint's folder to begin with.
        stop: set to drain and stop.
        observers: told the counters after each batch.
        lookups: what the flow looks up in, by name: objects, which stay open, or texts such as
            `sqlite:cards.db?table=limits`. Texts may be left out where a job goes on, or be others by then. What is
            answered is kept in the job's folder.

    Raises:
        NotFoundError: when there is no such bundle.
        BundleError: when it was changed, or replays to another output under the versions installed here.
        RunError: when the job is running already, its input changed, or a lookup is missing or does not fit.
    """
    with SqliteStore(store) as kept:
        version, data = kept.get_bundle(reference)
        bundle = read_bundle(data)
        if bundle.manifest["environment"] != environment():
            # Other versions than it was promoted with: it must show again that they change nothing.
            verify_in_clean_process(data)
        name = job or bundle.name
        folder = kept.path.parent / "jobs" / name
        pinned = f"{bundle.name}@{version}"
        flow = bundle.flow()
        paths, lookups = _settle(bundle, pinned, folder, inputs, lookups or {})
        start_from = None if savepoint is None else read_checkpoint(Path(savepoint))
        record = kept.register_job(name, bundle=pinned, folder=folder)
        heartbeat = _Heartbeat(kept, record)
        try:
            with opened_lookups(flow, lookups) as known:
                outcome = run(
                    flow,
                    open_inputs(flow, paths),
                    bundle.open_model(),
                    folder,
                    settings=settings,
                    start_from=start_from,
                    stop=stop,
                    observers=[heartbeat, *observers],
                    lookups=known,
                )
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                kept.finish_job(name, "stopped", "it was interrupted before it could drain", epoch=record.epoch)
            else:
                reason = str(error) if isinstance(error, StyxError) else f"{type(error).__name__}: {error}"
                kept.finish_job(name, "failed", reason, epoch=record.epoch)
            raise
        kept.heartbeat(name, _with_inputs(outcome.counters, outcome.figures), None, epoch=record.epoch)
        reason = "the end of its input" if outcome.state == "finished" else "it was asked to stop"
        kept.finish_job(name, outcome.state, reason, epoch=record.epoch)
        return JobReport(name, pinned, str(folder), outcome)


def _settle(
    bundle: Bundle, pinned: str, folder: Path, inputs: Inputs | None, lookups: Lookups
) -> tuple[dict[str, str], Lookups]:
    """The files a job reads, the same at every start, and what it looks up in, kept in its folder."""
    about = folder / _ABOUT
    known: dict[str, Any] | None = json.loads(about.read_bytes()) if about.exists() else None
    if known is not None and known["bundle_sha256"] != bundle.sha256:
        raise RunError(
            "the job runs another bundle",
            where=f"job {folder.name!r}",
            got=f"{pinned}; it runs {known['bundle']}",
            hint="start a new job (--job NAME), from a savepoint of this one if it is to go on (--savepoint)",
        )
    if inputs is None:
        if known is None:
            raise RunError("a new job needs an input", where=f"job {folder.name!r}", hint="--input FILE")
        paths: dict[str, str] = known["inputs"]
        said = known.get("said", {})
    else:
        given = named_inputs(bundle.flow(), inputs)
        for source, one in given.items():
            if not isinstance(one, str | Path) and not is_topics(one):
                raise RunError("a job reads files or topics", where=f"source {source!r}", got=type(one).__name__)
        said = {source: str(one) for source, one in given.items()}
        # `latest` was another offset when the job began: it reads what it began with.
        same = known is not None and known.get("said") == said
        paths = known["inputs"] if same and known is not None else {}
        paths = paths or {source: _lasting(source, one) for source, one in given.items()}
    content = {source: _content(path) for source, path in paths.items()}
    if known is not None and known["content"] != content:
        raise RunError(
            "the job's input has changed",
            where=f"job {folder.name!r}",
            got=paths,
            hint="put the same input back, or start a new job (--job NAME)",
        )
    folder.mkdir(parents=True, exist_ok=True)
    texts = {} if known is None else known.get("lookups", {})
    texts |= {name: lasting(one) for name, one in lookups.items() if isinstance(one, str)}
    value = {"bundle": pinned, "bundle_sha256": bundle.sha256, "inputs": paths, "content": content, "lookups": texts}
    value["said"] = said
    write_durably(about, json.dumps(value, indent=1).encode())
    return paths, {**texts, **{name: one for name, one in lookups.items() if not isinstance(one, str)}}


def _lasting(source: str, given: object) -> str:
    """An input as a text that says the same at every start: a whole path, or topics with offsets in place of words."""
    if not is_topics(given):
        return str(Path(str(given)).resolve())
    topics = topics_of(given)
    if topics.live:
        raise RunError(
            "a job reads topics to an end",
            where=f"source {source!r}",
            got=str(topics),
            hint="say where to stop: stop=latest, a time, or offsets",
        )
    opened = KafkaSource(topics)
    try:
        return str(opened.pinned())
    finally:
        opened.close()


def _content(given: str) -> str:
    """What tells one input from another: a recording's content hash; of other files the size; topics by offsets."""
    if is_topics(given):
        return given
    path = Path(given)
    return Recording.open(path).about.content_sha256 if is_recording(path) else f"{path.stat().st_size} bytes"


def list_jobs(*, store: str | Path | None = None) -> list[JobRecord]:
    """Every job the store knows, the first started first; one whose process is gone is `lost`."""
    with SqliteStore(store) as kept:
        return kept.list_jobs()


def read_job_output(job: str, output: str, *, store: str | Path | None = None) -> Iterator[bytes]:
    """The committed lines of a job's output, in order.

    Raises:
        NotFoundError: when there is no such job or output.
    """
    with SqliteStore(store) as kept:
        folder = Path(kept.get_job(job).folder) / "out"
    if not (folder / output).is_dir():
        there = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
        raise NotFoundError("no such output", where=f"job {job!r}", got=output, hint=f"one of {', '.join(there)}")
    return read_output(folder, output)


def ask_stop(
    job: str, *, store: str | Path | None = None, savepoint: bool = False, wait: float = 60
) -> tuple[JobRecord, Path | None]:
    """Ask a running job to drain and stop, and wait until it has; with a savepoint first where that is asked.

    Returns:
        The job as it ended, and the savepoint's folder; None where none was asked for or it could not be written.

    Raises:
        RunError: when it does not run, or does not stop in time.
    """
    record = _running(job, store)
    folder = JobFolder(Path(record.folder))
    path = _savepoint_path(record, folder)
    details = {"name": path.name, "stop": True} if savepoint else {}
    folder.ask("savepoint" if savepoint else "stop", **details)
    _wait(lambda: _get(job, store).state != "running", job, wait)
    return _get(job, store), path if savepoint and path.exists() else None


def ask_savepoint(job: str, *, store: str | Path | None = None, wait: float = 60) -> Path:
    """Ask a running job for a savepoint, and wait for it; gives its folder.

    Raises:
        RunError: when the job does not run, or gives none in time.
    """
    record = _running(job, store)
    folder = JobFolder(Path(record.folder))
    path = _savepoint_path(record, folder)
    folder.ask("savepoint", name=path.name)
    _wait(path.exists, job, wait)
    return path


def _savepoint_path(record: JobRecord, folder: JobFolder) -> Path:
    return folder.savepoints / f"{record.job}-{record.epoch}-{time.time_ns() // 1_000_000}"


def _get(job: str, store: str | Path | None) -> JobRecord:
    with SqliteStore(store) as kept:
        return kept.get_job(job)


def _running(job: str, store: str | Path | None) -> JobRecord:
    record = _get(job, store)
    if record.state != "running":
        raise RunError("the job does not run", where=f"job {job!r}", got=record.state, hint="styx run starts it again")
    return record


def _wait(done: Callable[[], bool], job: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise RunError("the job did not answer in time", where=f"job {job!r}", got=f"{seconds:.0f} s")
        time.sleep(0.02)
