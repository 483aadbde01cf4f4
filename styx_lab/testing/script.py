"""A timed script: events, watermarks, crashes and the end of input, one after the other, played by any engine.

Law: a script is a value, and what it gives depends on its events and watermarks alone; a crash, a restart, an idle
moment or the engine that plays it must not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from styx_lab.errors import FlowError

if TYPE_CHECKING:
    from styx_lab.core.batch import Batch
    from styx_lab.core.ports import Lookup, Scorer
    from styx_lab.flow.flow import Flow
    from styx_lab.flow.stream import Stream
    from styx_lab.testing.script_run import EngineName, Played

__all__ = ["Moment", "Script"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a script.

    Attributes:
        what: `event`, `idle_partition`, `tick`, `watermark`, `crash`, `restart`, `idle` or `end`.
        event: of an event: its fields, the text of its key, or its payload's bytes.
        at: event time of an event, or the watermark, epoch ms.
        arrival: when an event arrived, or a partition was found idle, or what the clock ticks to, epoch ms.
        partition: the partition an event came from, or that is idle.
        source: the source it came from, where the flow has several.
    """

    what: Literal["event", "idle_partition", "tick", "watermark", "crash", "restart", "idle", "end"]
    event: Mapping[str, Any] | str | bytes = ""
    at: int | None = None
    arrival: int | None = None
    partition: int = 0
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """What happens, in order: `Script().event("a", at=3).crash().event("a", at=5).end()`.

    >>> from styx_lab.flow.flow import flow
    >>> from styx_lab.flow.stream import source
    >>> from styx_lab.flow.pattern import Pattern
    >>> cards = source("cards", schema={"ts": "int", "card": "str"}, time="ts", key="card")
    >>> matches = cards.detect(Pattern.begin("two").times(2).within("1m"))
    >>> twice = flow("twice", matches.notify("n", message="{card}").to("out"))
    >>> script = Script().event("a", at=3).event("b", at=4).crash().event("a", at=5).end()
    >>> [script.run(twice, engine=engine).rows("out")[0]["message"] for engine in ("chain", "streamz", "runner")]
    ['a', 'a', 'a']

    Each method gives a new script; the one it is called on stays as it is.
    """

    moments: tuple[Moment, ...] = ()

    def event(
        self,
        event: Mapping[str, Any] | str,
        *,
        at: int | None = None,
        arrival: int | None = None,
        partition: int = 0,
        source: str | None = None,
    ) -> Script:
        """An event arrives.

        Args:
            event: its fields, by the source's schema; a text is the value of the source's one key column.
            at: its event time, epoch ms: put into the source's time column, in its form, or the timestamp that the
                source gives. Without it the fields must have one.
            arrival: when it arrives, epoch ms; of the events of one source all have one, or none has.
            partition: the partition it comes from.
            source: which source, where the flow has several.
        """
        return self._then(Moment("event", event, at, arrival, partition, source))

    def payload(
        self, payload: bytes, *, arrival: int | None = None, partition: int = 0, source: str | None = None
    ) -> Script:
        """Bytes arrive, which need not be an event; the source's other events are then written as JSON, too."""
        return self._then(Moment("event", payload, None, arrival, partition, source))

    def watermark(self, mark: int) -> Script:
        """The watermark moves to `mark` (epoch ms) without an event: for `batch()`; `run()` refuses it, for the
        watermark of a flow follows from its events alone.
        """
        return self._then(Moment("watermark", at=mark))

    def crash(self, *, source: str | None = None) -> Script:
        """The engine dies here, without warning, and is started again."""
        return self._then(Moment("crash", source=source))

    def restart(self, *, source: str | None = None) -> Script:
        """The engine is asked to stop here, drains, and is started again."""
        return self._then(Moment("restart", source=source))

    def idle(self, *, source: str | None = None) -> Script:
        """For a moment the source has nothing."""
        return self._then(Moment("idle", source=source))

    def idle_partition(self, partition: int = 0, *, at: int | None = None, source: str | None = None) -> Script:
        """It is decided that a partition is idle: an input, with its place in the sequence as an event has.

        >>> from styx_lab.flow.flow import flow
        >>> from styx_lab.flow.stream import source
        >>> from styx_lab.flow.window import Tumbling
        >>> from styx_lab.flow import aggregate as agg
        >>> cards = source("cards", schema={"ts": "int", "card": "str"}, time="ts", key="card", idle_after="30s")
        >>> counted = cards.window(Tumbling("10ms"), n=agg.count())
        >>> script = Script().event("a", at=3).event("a", at=25, partition=1).idle_partition(0).event("a", at=4)
        >>> script.end().run(flow("f", counted.late.to("late"))).rows("late")[0]["ts"]
        4

        Args:
            partition: which.
            at: when it is decided, epoch ms; by default with the arrival of the event before it.
            source: whose, where the flow has several.

        A source that does not say `idle_after` takes no notice.
        """
        return self._then(Moment("idle_partition", arrival=at, partition=partition, source=source))

    def tick(self, at: int, *, source: str | None = None) -> Script:
        """The clock of processing time comes to a time: an input, with its place in the sequence as an event has.

        >>> from styx_lab.flow.flow import flow
        >>> from styx_lab.flow.stream import source
        >>> from styx_lab.flow.window import Tumbling
        >>> from styx_lab.flow import aggregate as agg
        >>> cards = source("cards", schema={"ts": "int", "card": "str"}, time="ts", key="card")
        >>> counted = cards.window(Tumbling("10ms"), clock="processing", n=agg.count())
        >>> script = Script().event("a", at=3, arrival=103).tick(110).event("a", at=4, arrival=105).end()
        >>> [row["n"] for row in script.run(flow("f", counted.to("out"))).rows("out")]
        [1, 1]

        Args:
            at: epoch ms. The clock never goes back; where the source's events have no arrival times it stays.
            source: whose, where the flow has several.

        Steps of event time take no notice.
        """
        return self._then(Moment("tick", arrival=at, source=source))

    def end(self) -> Script:
        """The input ends: the watermark goes to infinity. Nothing can follow."""
        return self._then(Moment("end"))

    def _then(self, moment: Moment) -> Script:
        if self.ended:
            raise FlowError(
                "nothing can follow the end of input", where="Script", got=moment.what, hint="end() comes last"
            )
        return Script((*self.moments, moment))

    def __add__(self, other: Script) -> Script:
        script = self
        for moment in other.moments:
            script = script._then(moment)
        return script

    def __len__(self) -> int:
        return len(self.moments)

    @property
    def ended(self) -> bool:
        """Whether the input ends."""
        return bool(self.moments) and self.moments[-1].what == "end"

    def run(
        self,
        flow: Flow,
        *,
        engine: EngineName = "chain",
        batch: int = 10_000,
        commit_every: float = 0,
        checkpoint_every: float = 2,
        models: Mapping[str, Scorer] | None = None,
        lookups: Mapping[str, Lookup] | None = None,
        folder: Path | None = None,
    ) -> Played:
        """Play the script with an engine; gives everything that came out.

        Args:
            flow: what to run.
            engine: `chain` (the operators in order; a crash restores the last snapshot, as bytes, into a new chain),
                `streamz` (after a crash it begins anew, as in a notebook), or `runner` (a job folder, opened again).
            batch: events a slice, at most.
            commit_every: the runner's interval between commits, where each slice takes one second.
            checkpoint_every: the interval between checkpoints, likewise.
            models: the scorers behind the references that the flow names.
            lookups: what the flow looks up in, by name.
            folder: where the runner keeps its job; a folder that is deleted afterwards where none is given.

        Time: runs at once, by a fake clock.

        Raises:
            FlowError: when the script and the flow do not fit together.
        """
        from styx_lab.testing.script_run import play

        return play(
            self,
            flow,
            engine=engine,
            batch=batch,
            commit_every=commit_every,
            checkpoint_every=checkpoint_every,
            models=models or {},
            lookups=lookups or {},
            folder=folder,
        )

    def batch(self, stream: Stream) -> Batch:
        """The script as one batch of a source's stream, for trying an operator by itself.

        >>> from styx_lab.flow.stream import source
        >>> cards = source("cards", schema={"ts": "int", "card": "str"}, time="ts", key="card", max_delay="2ms")
        >>> batch = Script().event("a", at=3).watermark(10).event("a", at=12).end().batch(cards)
        >>> batch.order.tolist(), batch.steps.order.tolist(), batch.steps.mark.tolist()[:-1]
        ([0, 4], [1, 3, 7], [0, 10])

        Each event, idle partition, tick and `watermark` has a place in the sequence; crashes, restarts and idle
        moments have none.

        Raises:
            FlowError: when the stream is more than a source, or the script does not fit it.
        """
        from styx_lab.testing.script_source import script_batch

        return script_batch(self, stream)
