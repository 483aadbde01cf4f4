"""The streamz engine: our batches run through ordinary streamz nodes, one for each step.

Law (engine parity): streamz only carries batches from operator to operator. Its own windows, sources and checkpoints
are not used, for they know arrival order alone. Any node can be tapped with `.map`, `.sink` or a graph of the user's
own; what a tap does cannot change what the flow gives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import polars as pl
from streamz import Stream

from styx_lab.connectors import MemorySource
from styx_lab.core.batch import Batch
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.core.ports import Observer, Source
from styx_lab.engines.decisions import Idle, Tick, decision_arrivals
from styx_lab.engines.feed import Feed, Slice
from styx_lab.engines.idle import IdleWatch
from styx_lab.engines.ledger import Ledger
from styx_lab.engines.pace import Pace
from styx_lab.engines.plan import DEAD_LETTERS, Inputs, Plan, dead_in_order, inputs_of
from styx_lab.engines.result import Result, gather
from styx_lab.engines.telling import tell
from styx_lab.errors import FlowError, RunError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import Port, SourceStep, Step, To
from styx_lab.operators.build import OpenModel
from styx_lab.operators.outside import NOTHING_OUTSIDE, Outside

__all__ = ["LiveFlow", "replay"]

Events = Mapping[str, Any] | Sequence[Mapping[str, Any]] | pl.DataFrame


class _StepNode(Stream):  # type: ignore[misc]
    """A streamz node that runs one operator: waits for the slice on all its inputs, then emits it on each port."""

    def __init__(
        self, step: Step, upstreams: Mapping[Port, Stream], run: Callable[[Sequence[Batch]], Emission]
    ) -> None:
        self.step = step
        self.emission: Emission | None = None
        self.inputs: list[Batch] = []
        self._run = run
        # A union may read one port twice. A source step reads its arrivals, which are no step's.
        self._from = [upstreams[port] for port in step.inputs or upstreams]
        self._held: dict[int, Batch] = {}
        # The side ports are streams of their own; held here, for streamz forgets nodes that nobody holds.
        self.ports: dict[str, Stream] = {OUT: self}
        super().__init__(upstreams=list(dict.fromkeys(upstreams.values())), stream_name=step.name)

    def side(self, name: str) -> Stream:
        return self.ports.setdefault(name, Stream(stream_name=f"{self.step.name}.{name}"))

    def update(self, x: Batch, who: Stream | None = None, metadata: Any = None) -> Any:
        self._held[id(who)] = x
        if len(self._held) < len(self.upstreams):
            return []
        self.inputs = [self._held[id(upstream)] for upstream in self._from]
        self._held = {}
        self.emission = self._run(self.inputs)
        results = []
        for name, batch in self.emission.ports.items():
            if name in self.ports:
                results += self.ports[name]._emit(batch)
        return results


class LiveFlow:
    """A flow on streamz, to be fed, tapped and watched. Make one with `flow.live()`.

    Attributes:
        flow: the flow.
        outputs: the streamz node of each output, carrying frames; dead letters under `dead_letters`.
    """

    def __init__(
        self,
        flow: Flow,
        inputs: Mapping[str, Inputs],
        open_model: OpenModel,
        *,
        outside: Outside = NOTHING_OUTSIDE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.flow = flow
        self._plan = Plan(flow, inputs, open_model, outside)
        self._inputs = inputs
        self._watch = IdleWatch(self._plan, list(inputs), clock)
        self._ledger = Ledger(flow)
        self._nodes: dict[str, _StepNode] = {}
        self._heads: dict[str, Stream] = {}
        self._count = 0
        self._offsets = dict.fromkeys(self._plan.sources, 0)
        self._pieces: list[dict[str, pl.DataFrame]] = []
        self._observers: list[Observer] = []
        self._ended = False
        self._failed: BaseException | None = None
        self.outputs: dict[str, Stream] = {DEAD_LETTERS: Stream(stream_name=DEAD_LETTERS)}
        for step in flow.steps:
            self._wire(step)

    def _wire(self, step: Step) -> None:
        if isinstance(step, SourceStep):
            self._heads[step.name] = head = Stream(stream_name=f"{step.name} (arrivals)")
            self._nodes[step.name] = _StepNode(step, {Port(step.name, "arrivals"): head}, _passed_on)
            return
        upstreams = {
            port: self._nodes[port.step] if port.name == OUT else self._nodes[port.step].side(port.name)
            for port in step.inputs
        }
        if isinstance(step, To):
            plan, name = self._plan, step.name
            node = _StepNode(step, upstreams, lambda batches: Emission({OUT: batches[0]}))
            self.outputs[name] = node.map(lambda batch, step=step: plan.shown(step, batch))
        else:
            operator: Operator = self._plan.operators[step.name]
            node = _StepNode(step, upstreams, operator.process)
        self._nodes[step.name] = node

    def step(self, name: str, port: str = OUT) -> Stream:
        """The streamz node of a step, carrying a `Batch` for each slice: tap it with `.map`, `.sink`, ...

        Args:
            name: the step's name.
            port: `out`, or `late` of a window or pattern.
        """
        self.flow.step(name)
        node = self._nodes[name]
        return node if port == OUT else node.side(port)

    def frames(self, name: str, port: str = OUT) -> Stream:
        """The same as a streamz stream of Polars frames; slices without rows are left out."""
        return self.step(name, port).map(lambda batch: batch.frame).filter(lambda frame: frame.height > 0)

    def observe(self, observer: Observer) -> None:
        """Tell an observer (a monitor) the counters after each slice, and how the run ends."""
        self._observers.append(observer)
        observer.begin()

    def emit(self, events: Events, *, source: str | None = None, arrival: int | None = None) -> None:
        """Feed events: one dict, many dicts, or a frame.

        Args:
            events: in a dict a value of the wrong type makes a dead letter; a frame must have the schema's columns and
                types.
            source: which source, where the flow has several.
            arrival: when they arrived, epoch ms. Without it they arrive when the newest event time so far says so.

        Raises:
            FlowError: on an unknown source.
            SchemaError: when a frame is not of the schema.
            RunError: after `finish()`, or after a step failed.
        """
        name = self._source(source)
        step = next(step for step in self.flow.sources if step.name == name)
        many = [events] if isinstance(events, Mapping) else events
        came = None if arrival is None else [arrival] * len(many)
        self._look()
        found = MemorySource(many, step.schema, name=f"{step.where}, emit()", arrival=came).read(len(many))
        if found is None:
            return
        height, first = len(found), self._offsets[name]
        self._offsets[name] += height
        arrivals = replace(found, offset=np.arange(first, first + height, dtype=np.int64))
        self.feed(Slice({name: arrivals}, {name: np.arange(self._count, self._count + height, dtype=np.int64)}))

    def tick(self, at: int | None = None) -> None:
        """Let time pass: a source that says `idle_after` and was quiet for so long does not hold the watermark now,
        and the clock of windows of processing time moves on.

        `emit` looks for idle sources too, before its events, and its events bring their arrival times; between them
        nobody looks but who calls this.

        Args:
            at: processing time, epoch ms; by default now.
        """
        self._look()
        for name in self._plan.ticking:
            self._enter(Tick(self._count, name, time.time_ns() // 1_000_000 if at is None else at))

    def _look(self) -> None:
        for name, partition in self._watch.due():
            self._enter(Idle(self._count, name, partition, at=None))

    def _enter(self, decision: Idle | Tick) -> None:
        name = decision.source
        schema = next(step.schema.polars for step in self.flow.sources if step.name == name)
        arrivals = decision_arrivals(decision, self._inputs[name].format, schema)
        self.feed(Slice({name: arrivals}, {name: np.array([self._count], np.int64)}))

    def _source(self, name: str | None) -> str:
        known = list(self._plan.sources)
        if name is None and len(known) == 1:
            return known[0]
        if name not in self._plan.sources:
            raise FlowError("say which source", where="emit()", got=name, hint=f"source= one of {', '.join(known)}")
        return name

    def feed(self, piece: Slice) -> None:
        """Feed a slice of the input's sequence."""
        emissions = self._plan.take(piece)
        self._count += len(piece)
        self._watch.seen(piece)
        self._pass_on(emissions)

    def finish(self) -> Result:
        """End the input: all that waits for a time fires. Gives the result of everything so far."""
        if not self._ended:
            order = 2 * self._count + 1
            self._pass_on({name: source.end(order) for name, source in self._plan.sources.items()})
            self._ended = True
            for observer in self._observers:
                observer.finish()
        return self.result()

    def fail(self, error: BaseException) -> None:
        """Say that the run ended with an error; nothing can be fed any more."""
        if self._failed is None:
            self._failed = error
            for observer in self._observers:
                observer.fail(error)

    def result(self) -> Result:
        """Everything that came out so far."""
        outputs = gather(self._pieces, self._plan.output_schemas())
        self._pieces = [outputs]
        return Result(self.flow, outputs, self._ledger.steps, self._ledger.summary(), self._plan.figures())

    def sizes(self) -> dict[str, dict[str, int]]:
        """How much state each step holds now: `keys`, `events` and the like by its kind, and `bytes`.

        >>> import styx_lab as styx
        >>> cards = styx.source("cards", schema={"ts": "int", "card": "str"}, time="ts", key="card")
        >>> live = styx.flow("spent", cards.window(styx.Session("1m"), n=styx.count()).to("out")).live()
        >>> live.emit([{"ts": 1, "card": "a"}, {"ts": 2, "card": "b"}])
        >>> live.sizes()["window"]["keys"]
        2
        """
        return self._plan.sizes()

    def _pass_on(self, emissions: Mapping[str, Emission]) -> None:
        if self._ended:
            raise RunError("the input has ended", where=f"flow {self.flow.name!r}", hint="start another: flow.live()")
        if self._failed is not None:
            raise RunError(
                "a step failed before", where=f"flow {self.flow.name!r}", got=str(self._failed), hint="start another"
            ) from self._failed
        try:
            for name, emission in emissions.items():
                self._heads[name].emit(emission)
        except BaseException as error:
            self.fail(error)
            raise
        self._close_slice()

    def _close_slice(self) -> None:
        rows: dict[str, pl.DataFrame] = {}
        said = []
        for step in self.flow.steps:
            node = self._nodes[step.name]
            assert node.emission is not None
            if isinstance(step, To):
                rows[step.name] = self._plan.shown(step, node.emission.ports[OUT])
            else:
                said.append(node.emission)
            inputs = [] if isinstance(step, SourceStep) else node.inputs
            self._ledger.note(step, inputs, Emission({}) if isinstance(step, To) else node.emission)
            node.emission = None
        self._ledger.close_slice()
        rows[DEAD_LETTERS] = dead_in_order(said)
        self.outputs[DEAD_LETTERS].emit(rows[DEAD_LETTERS])
        self._pieces.append(rows)
        tell(self._observers, self._ledger, self._plan)


def _passed_on(inputs: Sequence[Any]) -> Emission:
    # A source's node is fed with what the source operator said.
    return inputs[0]  # type: ignore[no-any-return]


def replay(
    flow: Flow,
    sources: Mapping[str, Source],
    open_model: OpenModel,
    *,
    outside: Outside = NOTHING_OUTSIDE,
    batch: int = 10_000,
    observers: Sequence[Observer] = (),
    limit: int | None = None,
    rate: float | None = None,
) -> Result:
    """Run a flow over finite sources at full speed, through streamz.

    Args:
        flow: what to run.
        sources: an opened source for each source step; closed at the end.
        open_model: opens a model by its reference.
        outside: what the flow looks up in; stays open.
        batch: events a slice; shows in no output.
        observers: told the counters after each slice.
        limit: stop after so many events.
        rate: events a second, at most.
    """
    feed = Feed(sources)
    try:
        live = LiveFlow(flow, inputs_of(sources), open_model, outside=outside)
        for observer in observers:
            live.observe(observer)
        pace, never = Pace(batch, rate), Event()
        try:
            while limit is None or feed.count < limit:
                allowed = pace.allow(never)
                piece = feed.next(allowed if limit is None else min(allowed, limit - feed.count))
                if piece is None:
                    break
                pace.count(len(piece))
                live.feed(piece)
        except BaseException as error:
            live.fail(error)
            raise
        return live.finish()
    finally:
        feed.close()
