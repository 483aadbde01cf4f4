"""The runner: a flow, headless, over replayable sources, every event taking effect once.

Law (crash anywhere): killed at any instant and started again, it gives the outputs of an undisturbed run. A commit is
one journal line. After a start the newest checkpoint at or below the last commit is loaded, the input between the two
is run again with its outputs dropped, and the run goes on.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final, Literal

from styx_lab.core.operator import Figures
from styx_lab.core.ports import Lookup, Observer, Source, is_live
from styx_lab.engines.chain import Chain
from styx_lab.engines.decisions import Back, Decision
from styx_lab.engines.feed import Feed, Slice
from styx_lab.engines.idle import IdleWatch
from styx_lab.engines.ledger import Counters
from styx_lab.engines.pace import Pace
from styx_lab.engines.plan import inputs_of
from styx_lab.engines.runner.answers import AnswerFile
from styx_lab.engines.runner.checkpoint import (
    Checkpoint,
    prune,
    read_checkpoint,
    usable_checkpoints,
    write_checkpoint,
)
from styx_lab.engines.runner.folder import JobFolder
from styx_lab.engines.runner.journal import Commit, Journal
from styx_lab.engines.runner.segments import Segments
from styx_lab.engines.runner.watched import watched
from styx_lab.engines.telling import tell
from styx_lab.engines.ticks import TickWatch
from styx_lab.errors import CheckpointError, InputMissingError, OutputError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import LookupJoin
from styx_lab.operators.build import OpenModel
from styx_lab.operators.lookup import LookupOperator
from styx_lab.operators.outside import Outside

__all__ = ["Outcome", "RunSettings", "run"]

_KEPT_CHECKPOINTS: Final = 2
_IDLE_SECONDS: Final = 0.005
_LONGEST_LOOK: Final = 1.0
"""Seconds between two looks at the input that count as quiet, at most; the rest nobody listened."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a job runs; none of it shows in what it gives.

    Attributes:
        batch: events a slice, at most.
        commit_every: seconds between commits.
        checkpoint_every: seconds between checkpoints.
        rate: events a second, at most; None for as fast as it goes.
    """

    batch: int = 10_000
    commit_every: float = 0.1
    checkpoint_every: float = 10.0
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: `finished` at the end of input, `stopped` when it was asked to.
        epoch: how often the job was started so far.
        count: input events, and decisions of the engine (a partition was idle, the clock ticked), committed.
        replayed: events run again after this start.
        summary, counters: as in the ledger.
        sizes: how much state each step held when the run ended: keys and the like, and bytes.
        warnings: what a person should know: damaged checkpoints passed over, checkpoints that could not be written.
        savepoint: the folder of the savepoint that was asked for with the stop.
        figures: what steps say of their columns: null rates and drift of a model's inputs.
    """

    state: Literal["finished", "stopped"]
    epoch: int
    count: int
    replayed: int
    summary: Mapping[str, int]
    counters: Counters
    sizes: Mapping[str, Mapping[str, int]]
    warnings: Sequence[str] = field(default_factory=tuple)
    savepoint: str | None = None
    figures: Mapping[str, Figures] = field(default_factory=dict)


def run(  # noqa: PLR0913 -- two clocks among them, so that a test owns both
    flow: Flow,
    sources: Mapping[str, Source],
    open_model: OpenModel,
    folder: Path,
    *,
    settings: RunSettings | None = None,
    start_from: Checkpoint | None = None,
    stop: Event | None = None,
    observers: Sequence[Observer] = (),
    lookups: Mapping[str, Lookup] | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], int] = _wall_ms,
) -> Outcome:
    """Run a job, or go on with one, until its input ends or it is asked to stop.

    Args:
        flow: what to run.
        sources: an opened source for each source step; closed at the end.
        open_model: opens a model by its reference.
        folder: the job's folder; what is in it is gone on with.
        settings: batch size and intervals.
        start_from: a savepoint to begin with; only in a new folder.
        stop: set to drain: the slice in hand is finished, committed and checkpointed.
        observers: told the counters after each slice.
        lookups: what the flow looks up in, by name; they stay open. What they answer is kept in the job's folder.
        clock: seconds, for intervals.
        wall: epoch ms, for the time of a decision.

    Raises:
        RunError: when another process runs the job.
        CheckpointError: when the folder is of another flow, or cannot be trusted.
        OutputError: when a commit cannot be written. What was committed before stays.
    """
    with JobFolder(folder) as job:
        feed = Feed(sources, {step.name: step.schema.polars for step in flow.sources})
        try:
            with Journal(job.journal) as journal, AnswerFile(job.answers) as answers:
                stop = stop or Event()
                # Who asks for a stop does not wait for a lookup that is away.
                outside = Outside(lookups or {}, answers, stop.wait)
                runner = _Runner(
                    flow,
                    feed,
                    sources,
                    open_model,
                    outside,
                    answers,
                    job,
                    journal,
                    settings or RunSettings(),
                    clock,
                    wall,
                )
                runner.recover(start_from)
                with watched(observers):
                    return runner.go(stop, observers)
        finally:
            feed.close()


def _questions(checkpoint: Checkpoint, flow: Flow) -> dict[str, int]:
    """The number of the first question that each lookup asks after a checkpoint."""
    return {
        step.name: LookupOperator.next_question(checkpoint.states[step.name])
        for step in flow.steps
        if isinstance(step, LookupJoin)
    }


class _Runner:
    def __init__(  # noqa: PLR0913 -- all that `run` opened
        self,
        flow: Flow,
        feed: Feed,
        sources: Mapping[str, Source],
        open_model: OpenModel,
        outside: Outside,
        answers: AnswerFile,
        job: JobFolder,
        journal: Journal,
        settings: RunSettings,
        clock: Callable[[], float],
        wall: Callable[[], int],
    ) -> None:
        self._flow = flow
        self._feed = feed
        self._job = job
        self._journal = journal
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self._live = [name for name, source in sources.items() if is_live(source)]
        self._inputs = inputs_of(sources)
        self._answers = answers
        self._chain = Chain(flow, self._inputs, open_model, outside)
        self._segments = Segments(job.outputs, list(self._chain.plan.output_schemas()))
        self._replayed = 0
        self._warnings: list[str] = []
        self._savepoint: str | None = None
        # Of each checkpoint that this run knows, the first question of each lookup after it.
        self._asked: dict[int, dict[str, int]] = {}

    def recover(self, start_from: Checkpoint | None) -> None:
        """Bring outputs and state to the last commit."""
        committed = self._journal.last
        self._segments.recover(self._journal.commits)
        prune(self._job.checkpoints, keep=_KEPT_CHECKPOINTS)
        begun_from = None
        if not self._journal.commits:
            # A savepoint becomes the job's first checkpoint, so that a later start finds it again, even one after a
            # crash before the first commit: checkpoints of the job's own are only written after a commit.
            if start_from is not None:
                write_checkpoint(self._job.checkpoints / f"{start_from.count:016d}", start_from)
            begun_from = next((int(path.name) for path in usable_checkpoints(self._job.checkpoints)), None)
        self._load(committed.count if begun_from is None else begun_from)
        self._journal.hello(host=socket.gethostname(), pid=os.getpid(), flow=self._flow.hash)
        if begun_from is not None:
            committed = Commit(1, self._journal.epoch, begun_from)
            self._journal.commit(committed)
        # Journaled decisions come again, also those after the last commit: they took effect when they were journaled.
        self._feed.decide(self._journal.decisions)
        while self._feed.count < committed.count:
            piece = self._feed.next(min(self._settings.batch, committed.count - self._feed.count))
            if piece is None:
                raise CheckpointError(
                    "the input is shorter than what was committed",
                    where=str(self._job.path),
                    got=f"{self._feed.count:,} of {committed.count:,} events",
                    hint="put the same input back",
                )
            self._chain.feed(piece)
            self._replayed += len(piece)
        if committed.ended:
            self._chain.end(self._feed.count)
        self._answers.ask_on()

    def _load(self, most: int) -> None:
        for path in usable_checkpoints(self._job.checkpoints, most):
            try:
                saved = read_checkpoint(path)
            except (CheckpointError, InputMissingError) as error:
                self._warnings.append(f"passed over a damaged checkpoint: {error}")
                continue
            if saved.flow != self._flow.hash:
                raise CheckpointError(
                    "the job's folder is of another flow",
                    where=str(self._job.path),
                    got=saved.flow[:12],
                    hint=f"this flow is {self._flow.hash[:12]}; start a new job, from a savepoint if it is to go on",
                )
            self._asked[saved.count] = _questions(saved, self._flow)
            self._chain.restore(saved.states, saved.counters)
            self._feed.seek(saved.position)
            return

    def go(self, stop: Event, observers: Sequence[Observer]) -> Outcome:
        """Slice after slice, until the end or the stop."""
        if self._journal.last.ended:
            return self._outcome("finished")
        committed = checkpointed = self._clock()
        pace = Pace(self._settings.batch, self._settings.rate, clock=self._clock)
        watch = IdleWatch(self._chain.plan, self._live, self._clock, longest=_LONGEST_LOOK)
        ticks = TickWatch(self._chain.plan, self._live, self._clock)
        while not self._asked_to_stop(stop):
            piece = self._feed.next(pace.allow(stop))
            if piece is None:
                self._segments.take(self._chain.end(self._feed.count))
                self._commit(ended=True)
                self._tell(observers)
                return self._outcome("finished")
            pace.count(len(piece))
            if not len(piece):
                # A live source has nothing now: do not spin.
                stop.wait(_IDLE_SECONDS)
            self._segments.take(self._chain.feed(piece))
            watch.seen(piece)
            ticks.seen(piece)
            self._decide(watch, ticks)
            now = self._clock()
            if now - committed >= self._settings.commit_every:
                self._commit()
                committed = now
            if now - checkpointed >= self._settings.checkpoint_every:
                self._checkpoint()
                checkpointed = now
            self._tell(observers)
        self._checkpoint()
        return self._outcome("stopped")

    def _decide(self, watch: IdleWatch, ticks: TickWatch) -> None:
        """Make the decisions that are due, each journaled before it takes effect."""
        if self._feed.repeating:
            return
        for name in self._feed.returned():
            self._take_effect(Back(self._feed.count, name))
        for name, partition in watch.due():
            source = self._chain.plan.sources[name]
            last = set(source.partitions) - set(source.idle_partitions) <= {partition}
            self._enter(self._feed.idle(name, partition, at=self._wall(), last=last))
        for name in ticks.due():
            ticks.seen(self._enter(self._feed.tick(name, at=self._wall())))

    def _enter(self, decision: Decision) -> Slice:
        """Make a decision that is an entry of the sequence."""
        self._take_effect(decision)
        piece = self._feed.next(1)
        assert piece is not None
        self._segments.take(self._chain.feed(piece))
        return piece

    def _take_effect(self, decision: Decision) -> None:
        self._journal.decide(decision)
        self._feed.decide([decision])

    def _asked_to_stop(self, stop: Event) -> bool:
        asked = self._job.request()
        if asked is not None and asked["what"] == "savepoint":
            self._commit()
            try:
                self._savepoint = str(write_checkpoint(self._job.savepoints / asked["name"], self._now()))
            except OutputError as error:
                self._warnings.append(f"the savepoint could not be written, the job goes on: {error}")
        if asked is not None and asked.get("stop", asked["what"] == "stop"):
            stop.set()
        return stop.is_set()

    def _commit(self, *, ended: bool = False) -> None:
        last = self._journal.last
        if self._feed.count == last.count and not ended:
            return
        # What is committed was made with these answers: they must be there for good before it is.
        self._answers.sync()
        number = last.number + 1
        commit = Commit(number, self._journal.epoch, self._feed.count, self._segments.write(number), ended)
        self._journal.commit(commit)
        self._segments.publish(commit)

    def _now(self) -> Checkpoint:
        states, counters = self._chain.snapshot()
        return Checkpoint(self._flow.hash, self._feed.count, self._feed.position(), states, counters)

    def _checkpoint(self) -> None:
        # What is in the state must be committed first: a checkpoint above the last commit could not be used.
        self._commit()
        now = self._now()
        try:
            write_checkpoint(self._job.checkpoints / f"{now.count:016d}", now)
        except OutputError as error:
            self._warnings.append(f"a checkpoint could not be written, the job goes on: {error}")
            return
        prune(self._job.checkpoints, keep=_KEPT_CHECKPOINTS)
        self._asked[now.count] = _questions(now, self._flow)
        self._cut_answers()

    def _cut_answers(self) -> None:
        """Let go of what was answered before the oldest checkpoint, which a recovery can begin at."""
        there = [int(path.name) for path in usable_checkpoints(self._job.checkpoints)]
        self._asked = {count: first for count, first in self._asked.items() if count in there}
        # One alone may turn out to be damaged, and then everything is run again; one that this run neither wrote nor
        # read may be.
        if len(there) < _KEPT_CHECKPOINTS or len(self._asked) < len(there):
            return
        try:
            self._answers.cut(self._asked[there[-1]])
        except OutputError as error:
            self._warnings.append(f"the file of answers could not be cut, the job goes on: {error}")

    def _tell(self, observers: Sequence[Observer]) -> None:
        tell(observers, self._chain.ledger, self._chain.plan)

    def _outcome(self, state: Literal["finished", "stopped"]) -> Outcome:
        ledger = self._chain.ledger
        return Outcome(
            state,
            self._journal.epoch,
            self._feed.count,
            self._replayed,
            ledger.summary(),
            ledger.steps,
            self._chain.plan.sizes(),
            tuple(self._warnings),
            self._savepoint,
            self._chain.plan.figures(),
        )
