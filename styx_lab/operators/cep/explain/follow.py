"""The slow reading of one key, followed: its trace, what came out, and which events were late, dead or left out.

Law (re-chunking): what is followed is the sequence of events and watermark steps of the run, as the step got it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import TIME
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.flow.steps import Detect
from styx_lab.flow.types import StreamType
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.automaton.states import Automaton
from styx_lab.operators.cep.explain.leaves import Leaves
from styx_lab.operators.cep.reading import trace
from styx_lab.operators.cep.reading.keyed import KeyedReading, LeftOutError
from styx_lab.operators.cep.reading.reading import Emission, Partial

__all__ = ["Followed", "follow"]

_KEY = "the key"


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What happened to a key.

    Attributes:
        step: the step.
        automaton: its pattern.
        leaves: tells conditions.
        frame: the key's events in order of arrival; an event is the number of its row.
        times: the time of each, ms.
        entries: the trace, without what stands for nothing (`Passed`).
        emissions: what came out, in order.
        timed_out: the partial matches that timed out, as they were then, by number.
        late: the events that came behind the watermark, with that watermark.
        dead: the events that an expression could not take, with the reason.
        left_out: the events on which a function failed, with the reason.
    """

    step: Detect
    automaton: Automaton
    leaves: Leaves
    frame: pl.DataFrame
    times: Sequence[int]
    entries: list[trace.Entry] = field(default_factory=list)
    emissions: list[Emission[int]] = field(default_factory=list)
    timed_out: dict[int, Partial[int]] = field(default_factory=dict)
    late: dict[int, int] = field(default_factory=dict)
    dead: dict[int, str] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)


def follow(step: Detect, stream: StreamType, batches: Iterable[Batch], *, forgiving: bool = False) -> Followed:
    """Follow the reading of one key.

    Args:
        step: the step, with the pattern.
        stream: the type of its events.
        batches: the rows of the key, with all watermark steps.
        forgiving: take late events too, as if the watermark came at the end: what would have been.

    Raises:
        RunError: when a skip with `throw_on_miss` misses, or a key has too many partial matches.
    """
    pieces = list(batches)
    frame = pl.concat([piece.frame for piece in pieces]) if pieces else pl.DataFrame(schema=stream.schema)
    automaton = build_automaton(step.pattern.parts, step.pattern.after_match)
    leaves = Leaves(step, stream, automaton, frame)
    times = frame[TIME].to_physical().to_list()
    followed = Followed(step, automaton, leaves, frame, times, dead=dict(leaves.dead))
    _Follower(followed, _ranks(step, frame)).run(pieces, forgiving=forgiving)
    return followed


def _ranks(step: Detect, frame: pl.DataFrame) -> list[int] | None:
    """The place of each event among those of its time; nulls come last."""
    if step.order_by is None:
        return None
    ranks = frame[step.order_by].rank("dense", descending=step.descending)
    found: list[int] = ranks.fill_null(frame.height + 1).cast(pl.Int64).to_list()
    return found


class _Follower:
    def __init__(self, followed: Followed, ranks: list[int] | None) -> None:
        self._followed = followed
        self._reading = KeyedReading[int](
            followed.automaton,
            followed.leaves.holds,
            order=None if ranks is None else ranks.__getitem__,
            tracer=self._told,
            most=followed.step.max_partials,
            beyond=followed.step.overflow,
            left_out=self._left_out,
        )
        self._came = 0
        # The partial matches at the last moment that passed: of those that time out then, many at once.
        self._living: dict[int, Partial[int]] | None = None

    def run(self, pieces: Sequence[Batch], *, forgiving: bool) -> None:
        """All events and watermark steps, in the order of the sequence."""
        number = 0
        for piece in pieces:
            marks, orders = piece.steps.mark, piece.steps.order
            before = piece.watermarks().tolist()
            at = 0
            for row in range(len(piece)):
                upto = int(np.searchsorted(orders, piece.order[row], side="left"))
                if not forgiving:
                    self._move(marks[at:upto])
                at = upto
                self._event(number, before[row], forgiving=forgiving)
                number += 1
            if not forgiving:
                self._move(marks[at:])
        if forgiving:
            self._followed.emissions.extend(one for _, one in self._reading.watermark(MAX_WATERMARK))

    def _event(self, number: int, mark: int, *, forgiving: bool) -> None:
        time = self._followed.times[number]
        if time <= mark and not forgiving:
            self._followed.late[number] = mark
            self._followed.dead.pop(number, None)
        elif number not in self._followed.dead:
            read = self._reading.event(_KEY, number, time)
            assert read, "what is not late for the step is not late for the reading"

    def _move(self, marks: np.ndarray) -> None:
        """The steps that anything waits for; the others change nothing for this key."""
        while len(marks) and (due := self._reading.due()) is not None:
            at = int(np.searchsorted(marks, due, side="left"))
            if at == len(marks):
                return
            self._followed.emissions.extend(one for _, one in self._reading.watermark(int(marks[at])))
            marks = marks[at + 1 :]

    def _told(self, key: Hashable, entry: trace.Entry) -> None:
        if isinstance(entry, trace.Passed):
            self._living = None
            return
        if isinstance(entry, trace.Came):
            self._came = len(self._followed.entries)
        if isinstance(entry, trace.TimedOut):
            if self._living is None:
                self._living = {partial.number: partial for partial in self._reading.live(key)}
            self._followed.timed_out[entry.partial] = self._living[entry.partial]
        self._followed.entries.append(entry)

    def _left_out(self, key: Hashable, event: int, error: LeftOutError) -> None:
        del key
        # What was told of it did not happen.
        del self._followed.entries[self._came :]
        self._followed.left_out[event] = error.what
