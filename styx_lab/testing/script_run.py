"""A script played by each engine: the chain, streamz, the runner.

Law (crash anywhere): what a crash takes is what the real one takes. The chain keeps only the bytes of its last
snapshot and the answers to what it asked outside; the runner only its folder; streamz nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from styx_lab.core.events import canonical_lines
from styx_lab.core.operator import Figures
from styx_lab.core.ports import Lookup, Scorer
from styx_lab.core.state import decode_state, encode_state
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Feed
from styx_lab.engines.ledger import Counters
from styx_lab.engines.plan import DEAD_LETTERS, inputs_of
from styx_lab.errors import FlowError, NotFoundError
from styx_lab.flow.flow import Flow
from styx_lab.operators.build import OpenModel
from styx_lab.operators.outside import AnswersInMemory, Outside
from styx_lab.testing.clock import FakeClock
from styx_lab.testing.script_source import Crash, Interruptions, script_sources

if TYPE_CHECKING:
    from styx_lab.testing.script import Script

__all__ = ["ENGINES", "EngineName", "Played", "Ticking", "play"]

EngineName = Literal["chain", "streamz", "runner"]
ENGINES: Final[tuple[EngineName, ...]] = ("chain", "streamz", "runner")
"""The engines that play scripts."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a script gave.

    Attributes:
        lines: the canonical JSON lines of each output, dead letters included.
        counters, summary: as in the ledger.
        starts: how often the engine was started.
        warnings: what the runner warned of.
        figures: what steps said of their columns.
    """

    lines: dict[str, list[bytes]]
    counters: Counters
    summary: dict[str, int]
    starts: int
    warnings: tuple[str, ...] = ()
    figures: Mapping[str, Figures] = field(default_factory=dict)

    def rows(self, output: str) -> list[dict[str, Any]]:
        """The rows of an output, read back from their JSON.

        Raises:
            NotFoundError: when there is no such output.
        """
        if output not in self.lines:
            raise NotFoundError("no such output", where="Played.rows()", got=output, hint=", ".join(self.lines))
        return [json.loads(line) for line in self.lines[output]]


@dataclass(frozen=True, slots=True)
class _Way:
    """How to play: see `Script.run`."""

    batch: int
    commit_every: float
    checkpoint_every: float
    open_model: OpenModel
    lookups: Mapping[str, Lookup]


def play(
    script: Script,
    flow: Flow,
    *,
    engine: EngineName,
    batch: int,
    commit_every: float,
    checkpoint_every: float,
    models: Mapping[str, Scorer],
    lookups: Mapping[str, Lookup],
    folder: Path | None,
) -> Played:
    """See `Script.run`."""

    def open_model(reference: str) -> Scorer:
        if reference not in models:
            raise NotFoundError(
                "the script has no such model", where="Script.run()", got=reference, hint="models={...}"
            )
        return models[reference]

    way = _Way(batch, commit_every, checkpoint_every, open_model, lookups)
    if engine == "chain":
        return _play_chain(script, flow, way)
    if engine == "streamz":
        return _play_streamz(script, flow, way)
    if engine != "runner":
        raise FlowError("no such engine", where="Script.run()", got=engine, hint=f"one of {', '.join(ENGINES)}")
    if folder is not None:
        return _play_runner(script, flow, way, folder)
    with TemporaryDirectory(prefix="styx-script-") as made:
        return _play_runner(script, flow, way, Path(made) / "job")


def _play_chain(script: Script, flow: Flow, way: _Way) -> Played:
    interruptions = Interruptions()
    lines: dict[str, list[bytes]] = {name: [] for name in (*flow.outputs, DEAD_LETTERS)}
    saved: _Saved | None = None
    starts = 0
    outside = Outside(way.lookups, AnswersInMemory(), FakeClock().event().wait)
    while True:
        starts += 1
        interruptions.start()
        sources = script_sources(script, flow, interruptions)
        feed = Feed(sources)
        chain = Chain(flow, inputs_of(sources), way.open_model, outside)
        if saved is not None:
            saved.restore(chain, feed)
        for name, found in lines.items():
            del found[0 if saved is None else saved.lines[name] :]
        try:
            slices = 0
            while (piece := feed.next(way.batch)) is not None:
                _add(lines, chain.feed(piece))
                slices += 1
                if interruptions.stop.is_set():
                    break
                if slices % max(1, int(way.checkpoint_every)) == 0:
                    saved = _Saved.of(chain, feed, lines)
            else:
                _add(lines, chain.end(feed.count))
                interruptions.paused = True
            saved = _Saved.of(chain, feed, lines)
        except Crash:
            continue
        finally:
            feed.close()
        if interruptions.paused:
            counters, figures = chain.ledger.steps, chain.plan.figures()
            return Played(lines, counters, chain.ledger.summary(), starts, figures=figures)


@dataclass(frozen=True, slots=True)
class _Saved:
    """A snapshot of a chain as it would be kept: bytes and JSON."""

    states: dict[str, bytes]
    rest: bytes
    lines: dict[str, int]

    @staticmethod
    def of(chain: Chain, feed: Feed, lines: Mapping[str, list[bytes]]) -> _Saved:
        states, counters = chain.snapshot()
        return _Saved(
            {name: encode_state(state) for name, state in states.items()},
            json.dumps([counters, feed.position()]).encode(),
            {name: len(found) for name, found in lines.items()},
        )

    def restore(self, chain: Chain, feed: Feed) -> None:
        counters, position = json.loads(self.rest)
        chain.restore({name: decode_state(data, where=name) for name, data in self.states.items()}, counters)
        feed.seek(position)


def _add(lines: dict[str, list[bytes]], frames: Mapping[str, pl.DataFrame]) -> None:
    for name, frame in frames.items():
        lines[name] += canonical_lines(frame)


def _play_streamz(script: Script, flow: Flow, way: _Way) -> Played:
    from styx_lab.engines.streamz import LiveFlow

    interruptions = Interruptions()
    starts = 0
    while True:
        starts += 1
        interruptions.start()
        sources = script_sources(script, flow, interruptions)
        feed = Feed(sources)
        live = LiveFlow(
            flow, inputs_of(sources), way.open_model, outside=Outside(way.lookups, wait=FakeClock().event().wait)
        )
        try:
            while (piece := feed.next(way.batch)) is not None:
                live.feed(piece)
                if interruptions.stop.is_set():
                    break
            else:
                live.finish()
                interruptions.paused = True
        except Crash:
            continue
        finally:
            feed.close()
        if interruptions.paused:
            result = live.result()
            lines = {name: canonical_lines(frame) for name, frame in result.outputs.items()}
            return Played(lines, result.counters, result.summary, starts, figures=result.figures)


class Ticking:
    """An observer that lets each slice take a second."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def begin(self) -> None:
        """See `Observer.begin`."""

    def observe(self, counters: Mapping[str, Mapping[str, int]], watermark: int, newest: int) -> None:
        """See `Observer.observe`."""
        self._clock.advance("1s")

    def finish(self) -> None:
        """See `Observer.finish`."""

    def fail(self, error: BaseException) -> None:
        """See `Observer.fail`."""


def _play_runner(script: Script, flow: Flow, way: _Way, folder: Path) -> Played:
    from styx_lab.engines.runner.runner import RunSettings, run
    from styx_lab.engines.runner.segments import read_output

    interruptions = Interruptions(FakeClock().event)
    settings = RunSettings(batch=way.batch, commit_every=way.commit_every, checkpoint_every=way.checkpoint_every)
    clock = FakeClock()
    warnings: list[str] = []
    starts = 0
    while True:
        starts += 1
        interruptions.start()
        try:
            outcome = run(
                flow,
                script_sources(script, flow, interruptions),
                way.open_model,
                folder,
                settings=settings,
                stop=interruptions.stop,
                observers=[Ticking(clock)],
                lookups=way.lookups,
                clock=clock.seconds,
            )
        except Crash:
            continue
        warnings += outcome.warnings
        if interruptions.paused or outcome.state == "finished":
            lines = {name: list(read_output(folder / "out", name)) for name in (*flow.outputs, DEAD_LETTERS)}
            summary, figures = dict(outcome.summary), outcome.figures
            return Played(lines, outcome.counters, summary, starts, tuple(warnings), figures)
