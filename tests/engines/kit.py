"""What the tests of the engines share: a flow that uses time and keys, its input, runs of it, death at any write."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from styx_lab.connectors import MemorySource
from styx_lab.core.events import canonical_lines
from styx_lab.core.ports import Scorer, Source
from styx_lab.engines.chain import Chain
from styx_lab.engines.decisions import Decision
from styx_lab.engines.feed import Feed
from styx_lab.engines.plan import DEAD_LETTERS, inputs_of
from styx_lab.engines.runner.journal import Journal
from styx_lab.engines.runner.runner import Outcome, RunSettings, run
from styx_lab.engines.runner.segments import read_output
from styx_lab.errors import NotFoundError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.window import Tumbling
from styx_lab.testing import FakeClock
from styx_lab.testing.script_run import Ticking
from styx_lab.testing.strategies import payments

EVENTS: list[dict[str, Any]] = [
    {
        "ts": 1_000 + 10 * number - 40 * (number % 5),
        "card_id": "abc"[number * 7 % 3],
        "amount": None if number % 11 == 3 else 100.0 * (number % 8),
        "status": "declined" if number % 3 else "ok",
        "tries": number % 4,
    }
    if number % 13
    else {"ts": "no time", "card_id": "a"}
    for number in range(60)
]


def a_flow(name: str = "job") -> Flow:
    """A pattern, a window and late events; three outputs and dead letters."""
    stream = payments(bound_ms=30)
    pattern = Pattern.begin("two").where("status = 'declined'").times(2).followed_by("drain").where("amount > 500")
    matched = stream.detect(pattern.within("400ms"), amount="drain.amount")
    counted = stream.window(Tumbling("50ms"), n=agg.count(), total=agg.sum("amount"))
    return flow(
        name,
        matched.notify("block", message="{card_id}: {amount:.1f}").to("notifications"),
        counted.to("counts"),
        counted.late.to("late"),
    )


FLOW = a_flow()


def no_model(reference: str) -> Scorer:
    """There are none."""
    raise NotFoundError("no models here", where="test", got=reference)


def source(events: list[dict[str, Any]] | None = None) -> MemorySource:
    """The input, opened anew."""
    return MemorySource(EVENTS if events is None else events, FLOW.sources[0].schema)


def run_job(folder: Path, *, sources: Mapping[str, Any] | None = None, **how: Any) -> Outcome:
    """Run the job, or go on with it: five events a slice, a commit each, a checkpoint every other slice."""
    clock = FakeClock()
    settings = RunSettings(
        batch=how.pop("batch", 5),
        commit_every=how.pop("commit_every", 0),
        checkpoint_every=how.pop("checkpoint_every", 2),
    )
    observers = [Ticking(clock), *how.pop("observers", ())]
    return run(
        how.pop("flow", FLOW),
        {"payments": source()} if sources is None else sources,
        no_model,
        folder,
        settings=settings,
        clock=clock.seconds,
        observers=observers,
        **how,
    )


def outputs(folder: Path) -> dict[str, list[bytes]]:
    """What a reader of the job's folder sees."""
    return outputs_of(FLOW, folder)


def outputs_of(flow: Flow, folder: Path) -> dict[str, list[bytes]]:
    """What a reader of a folder sees of another flow's job."""
    return {name: list(read_output(folder / "out", name)) for name in (*flow.outputs, DEAD_LETTERS)}


def decisions_of(folder: Path) -> list[Decision]:
    """What a job's journal has of decisions."""
    with Journal(folder / "journal") as journal:
        return list(journal.decisions)


def clean_run(
    flow: Flow, sources: Mapping[str, Source], decisions: Sequence[Decision], sizes: Sequence[int]
) -> dict[str, list[bytes]]:
    """The output of a run without a folder, over the same events with the same decisions, in slices of these sizes."""
    feed = Feed(sources, {step.name: step.schema.polars for step in flow.sources})
    feed.decide(decisions)
    chain = Chain(flow, inputs_of(sources), no_model)
    found: dict[str, list[bytes]] = {name: [] for name in (*flow.outputs, DEAD_LETTERS)}

    def add(frames: dict[str, pl.DataFrame]) -> None:
        for name, frame in frames.items():
            found[name] += canonical_lines(frame)

    turn = 0
    while (piece := feed.next(sizes[turn % len(sizes)])) is not None:
        add(chain.feed(piece))
        turn += 1
    add(chain.end(feed.count))
    return found


class Died(BaseException):
    """The process is dead."""


class _Watch:
    """Counts the writes below a folder and, from the fatal one on, lets none happen."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.fatal = -1
        self.count = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None or event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            return
        path = arguments[0]
        if event == "open" and not (arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        # Where a folder is deleted, names are relative to its handle.
        if event not in ("os.remove", "os.rmdir") and not str(path).startswith(self.folder):
            return
        self.count += 1
        if self.fatal >= 0 and self.count > self.fatal:
            raise Died(f"{event} {path}")


_WATCH = _Watch()
_added: list[bool] = []


@contextmanager
def watched_writes(folder: Path, *, fatal: int = -1) -> Iterator[_Watch]:
    """Within, writes below the folder are counted; from the fatal one on, each raises `Died` instead."""
    if not _added:
        sys.addaudithook(_WATCH)
        _added.append(True)
    _WATCH.folder, _WATCH.fatal, _WATCH.count = str(folder), fatal, 0
    try:
        yield _WATCH
    finally:
        _WATCH.folder = None
