"""The slow, obvious reading of an automaton, for the events of one key: what a pattern means.

Law (oracle): the matches and timeouts are those of Flink CEP 2.3, in its order. What is fast is tried against this, and
what explains a match replays this.

Time: `advance(t)` is said before the events of each new `t`, and at each watermark. Times are 64 bits and wrap, as
Flink's do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Literal, TypeVar

from styx_lab.errors import RunError, StyxError
from styx_lab.flow.pattern.conditions import Both, Call, Condition, Either, Negated, Where
from styx_lab.operators.cep.automaton.states import Automaton, Edge, State
from styx_lab.operators.cep.reading import trace
from styx_lab.operators.cep.reading.heap import Heap
from styx_lab.operators.cep.reading.trace import START, Tracer, Tried

__all__ = ["Beyond", "Emission", "EventId", "Holds", "Partial", "Reading", "wrapped"]

E = TypeVar("E")

EventId = tuple[int, int]
"""An event's time, and its number in the order of processing."""

Holds = Callable[[Where | Call, E, Sequence[tuple[str, E]]], bool]
"""`holds(leaf, event, accepted)`: whether a leaf of a condition holds for an event, given what was accepted so far."""

Beyond = Literal["error", "drop_oldest", "drop_newest"]
"""What becomes of one partial match more than a key may have."""

_NEVER: Final = -1


def wrapped(number: int) -> int:
    """A whole number in 64 bits.

    >>> wrapped(2**63 - 1 - -1)
    -9223372036854775808
    """
    return (number + 2**63) % 2**64 - 2**63


@dataclass(frozen=True, slots=True, eq=False)
class Partial(Generic[E]):
    """A partial match, or a completed one.

    Attributes:
        number: what a trace calls it.
        state: the number of the state it is in.
        accepted: its events in order, each with its part's name.
        ids: their ids.
        last_ms: the time of its last event; -1 of the start.
        by: what completed it.
        deadline_ms: where silence did: when.
    """

    number: int
    state: int
    accepted: tuple[tuple[str, E], ...] = ()
    ids: tuple[EventId, ...] = ()
    last_ms: int = _NEVER
    by: Literal["own", "other", "silence"] | None = None
    deadline_ms: int | None = None

    @property
    def start_id(self) -> EventId | None:
        """The id of its first event; None of the start."""
        return self.ids[0] if self.ids else None

    @property
    def start_ms(self) -> int:
        """The time of its first event; -1 of the start."""
        return self.ids[0][0] if self.ids else _NEVER

    def parts(self) -> dict[str, list[E]]:
        """Its events by part, in order."""
        found: dict[str, list[E]] = {}
        for part, event in self.accepted:
            found.setdefault(part, []).append(event)
        return found

    def ids_of(self, part: str | None) -> list[EventId]:
        """The ids of a part's events."""
        return [id_ for id_, (name, _) in zip(self.ids, self.accepted, strict=True) if name == part]


@dataclass(frozen=True, slots=True)
class Emission(Generic[E]):
    """A match or a timeout.

    Attributes:
        kind: which.
        parts: the events by part.
        at: its time as Flink has it, ms: when it came out; of a timeout, when it was due.
        by: what completed a match: its `own` last event, an `other` event, or `silence`; None of a timeout.
        deadline_ms: of a match by silence: when its window ended.
        partial: its number in the trace.
    """

    kind: Literal["match", "timeout"]
    parts: Mapping[str, Sequence[E]]
    at: int
    by: Literal["own", "other", "silence"] | None
    deadline_ms: int | None
    partial: int


def _rank(partial: Partial[Any]) -> tuple[bool, EventId]:
    """By first event; the start is last."""
    return (partial.start_id is None, partial.start_id or (0, 0))


class Reading(Generic[E]):
    """The automaton of one key, with its partial matches.

    >>> from styx_lab.flow.pattern.after_match import NO_SKIP
    >>> from styx_lab.flow.pattern.parts import Part
    >>> from styx_lab.operators.cep.automaton.build import build_automaton
    >>> any_two = build_automaton((Part("a", "begin"), Part("b", "next")), NO_SKIP)
    >>> reading = Reading[str](any_two, lambda leaf, event, accepted: True)
    >>> reading.take("x", 1), [(match.parts, match.at) for match in reading.take("y", 2)]
    ([], [({'a': ['x'], 'b': ['y']}, 2)])

    Args:
        automaton: the pattern.
        holds: says whether a leaf of a condition holds.
        tracer: is given the entries of the trace, if there is one.
        most: how many partial matches may live at a time; None is no bound.
        beyond: what becomes of one more.
    """

    def __init__(
        self,
        automaton: Automaton,
        holds: Holds[E],
        tracer: Tracer | None = None,
        *,
        most: int | None = None,
        beyond: Beyond = "error",
    ) -> None:
        self._automaton = automaton
        self._holds = holds
        self._most = most
        self._beyond = beyond
        self._tell: Tracer = tracer if tracer is not None else _nobody
        self._numbers = START
        self._events = 0
        self._live: Heap[Partial[E]] = Heap(_rank, [Partial(START, automaton.start)])
        self._completed: Heap[Partial[E]] = Heap(_rank)
        self.started = False
        """Whether the last event began a partial match, at a time after 0: Flink sets a timer for its window then."""

    @property
    def live(self) -> list[Partial[E]]:
        """The partial matches in the order of the queue, the start among them."""
        return list(self._live)

    @property
    def held_back(self) -> list[Partial[E]]:
        """The completed matches that are not let out yet, in the order of their queue."""
        return list(self._completed)

    def advance(self, at: int) -> list[Emission[E]]:
        """Time passes: what has waited too long times out, or is a match now."""
        self._tell(trace.Passed(at))
        live: Heap[Partial[E]] = Heap(_rank)
        silent: Heap[Partial[E]] = Heap(_rank)
        timeouts: list[Emission[E]] = []
        for partial in self._live:
            overdue = self._overdue(partial, at)
            if overdue is None:
                live.add(partial)
                continue
            bound, deadline = overdue
            if self._state(partial.state).kind == "pending":
                silent.add(replace(partial, by="silence", deadline_ms=deadline))
                self._tell(trace.Completed(partial.number, "silence", None, deadline, at))
            else:
                timeouts.append(Emission("timeout", partial.parts(), deadline, None, None, partial.number))
                self._tell(trace.TimedOut(partial.number, partial.state, bound, deadline, at))
        self._live = live
        return self._let_out(silent, at) + timeouts

    def _overdue(self, partial: Partial[E], at: int) -> tuple[Literal["within", "gap"], int] | None:
        if partial.start_id is None:
            return None
        gap, within = self._state(partial.state).gap_ms, self._automaton.within_ms
        if gap and wrapped(at - partial.last_ms) >= gap:
            return "gap", wrapped(partial.last_ms + gap)
        if within > 0 and wrapped(at - partial.start_ms) >= within:
            return "within", wrapped(partial.start_ms + within)
        return None

    def take(self, event: E, at: int) -> list[Emission[E]]:
        """An event is tried by every partial match; gives the matches that come out.

        Raises:
            RunError: when a condition raises, a skip with `throw_on_miss` misses, or too many partial matches live.
        """
        self._tell(trace.Came(event, at))
        id_ = (at, self._events)
        self._events += 1
        self.started = False
        live: Heap[Partial[E]] = Heap(_rank)
        done: Heap[Partial[E]] = Heap(_rank)
        for partial in self._live:
            for outcome in self._step(partial, event, id_):
                (live if outcome.by is None else done).add(outcome)
        self._live = live
        self._drop_beyond(at)
        return self._let_out(done, at)

    def _drop_beyond(self, at: int) -> None:
        """Drop partial matches beyond the most: the oldest or the newest starts first."""
        if self._most is None or len(self._live) - 1 <= self._most:
            return
        if self._beyond == "error":
            raise RunError(f"one key has more than {self._most:,} partial matches", where="pattern")
        while len(self._live) - 1 > self._most:
            if self._beyond == "drop_oldest":
                gone = self._live.poll()
                self._tell(trace.Dropped(gone.number, "oldest", self._most, at))
            else:
                newest = max((one.start_id for one in self._live if one.start_id is not None), default=None)
                gone = [one for one in self._live if one.start_id == newest][-1]
                self._live.drop(lambda one, gone=gone: one is gone)  # type: ignore[misc]
                self._tell(trace.Dropped(gone.number, "newest", self._most, at))

    def _step(self, partial: Partial[E], event: E, id_: EventId) -> list[Partial[E]]:
        """What an event makes of one partial match: what lives on, and what is completed."""
        begins = partial.start_id is None
        tried: list[Tried] = []
        outcomes: list[tuple[Partial[E], Tried]] = []
        for one in self._ways(partial, event, tried):
            if one.edge.action == "ignore":
                if not begins:
                    # Most often it waits on where it is.
                    still = partial.state == one.edge.target
                    outcomes.append((partial if still else replace(partial, state=one.edge.target), one))
                continue
            name = self._state(one.state).part
            taken = replace(
                partial,
                state=one.edge.target,
                accepted=(*partial.accepted, (name, event)),
                ids=(*partial.ids, id_),
                last_ms=id_[0],
            )
            outcomes.append((taken, one))
            if self._proceeds_to_final(partial, one.edge.target, event):
                outcomes.append((replace(taken, state=self._automaton.final), one))
        self._tell(trace.Looked(partial.number, partial.state, tuple(tried), id_[0], event))
        for one in tried:
            if one.held and one.edge.action == "proceed":
                self._tell(trace.Proceeded(partial.number, one.state, one.edge.target, id_[0]))
        if begins:
            # Also where the event completes the match at once.
            self.started |= any(outcome.start_ms > 0 for outcome, _ in outcomes)
        return self._settled(partial, event, id_[0], outcomes, tuple(tried))

    def _settled(
        self,
        partial: Partial[E],
        event: E,
        at: int,
        outcomes: list[tuple[Partial[E], Tried]],
        tried: tuple[Tried, ...],
    ) -> list[Partial[E]]:
        """The outcomes that stand, with their numbers."""
        begins = partial.start_id is None
        stops = [outcome.state for outcome, _ in outcomes if self._state(outcome.state).kind == "stop"]
        stands = [
            (outcome, one)
            for outcome, one in outcomes
            if self._state(outcome.state).kind == "final" or (not stops and self._state(outcome.state).kind != "stop")
        ]
        numbers = self._numbered(partial, [outcome.state for outcome, _ in stands], stopped=bool(stops))
        if not begins and tuple(numbers) != (partial.number,) and numbers:
            self._tell(trace.Split(partial.number, tuple(numbers), at))
        found = []
        for number, (outcome, one) in zip(numbers, stands, strict=True):
            final = self._state(outcome.state).kind == "final"
            by: Literal["own", "other"] | None = None
            if final:
                by = "own" if one.edge.action == "take" else "other"
            self._tell_way(number, begins, one, outcome.state, event, at)
            if by is not None:
                self._tell(trace.Completed(number, by, event, None, at))
            same = outcome.number == number and outcome.by == by
            found.append(outcome if same else replace(outcome, number=number, by=by))
        if stops:
            if begins:
                raise RunError("a not stopped the start", where=self._where(stops[0]), got=event)
            by_parts = tuple(dict.fromkeys(self._state(stop).part for stop in stops))
            self._tell(trace.Stopped(partial.number, event, by_parts, at))
        elif not begins and not found:
            self._tell(trace.Died(partial.number, event, partial.state, tried, at))
        if begins:
            found.append(partial)
        return found

    def _tell_way(self, number: int, begins: bool, one: Tried, target: int, event: E, at: int) -> None:
        if one.edge.action == "ignore":
            self._tell(trace.Ignored(number, event, one.state, target, at))
        else:
            kind = trace.Started if begins else trace.Took
            self._tell(kind(number, event, self._state(one.state).part, one.state, target, at))

    def _numbered(self, partial: Partial[E], targets: list[int], *, stopped: bool) -> list[int]:
        """The numbers of outcomes: who is alone keeps the number, and so does who alone lives on."""
        living = [target for target in targets if self._state(target).kind != "final"]
        keeps: int | None = None
        if partial.start_id is not None and not stopped:
            if len(targets) == 1:
                keeps = 0
            elif len(living) == 1:
                keeps = targets.index(living[0])
        numbers = []
        for place in range(len(targets)):
            if place == keeps:
                numbers.append(partial.number)
            else:
                self._numbers += 1
                numbers.append(self._numbers)
        return numbers

    def _ways(self, partial: Partial[E], event: E, tried: list[Tried]) -> list[Tried]:
        """The edges that take or ignore the event: a stack of states, each state's edges in order."""
        found = []
        stack = [partial.state]
        while stack:
            number = stack.pop()
            for edge in self._state(number).edges:
                one = self._try(number, edge, event, partial)
                tried.append(one)
                if not one.held:
                    continue
                if edge.action == "proceed":
                    stack.append(edge.target)
                else:
                    found.append(one)
        return found

    def _proceeds_to_final(self, partial: Partial[E], state: int, event: E) -> bool:
        """Whether the end can be reached with the same event, given what was accepted before it."""
        stack = [state]
        while stack:
            number = stack.pop()
            for edge in self._state(number).edges:
                if edge.action == "proceed" and self._try(number, edge, event, partial).held:
                    if self._state(edge.target).kind == "final":
                        return True
                    stack.append(edge.target)
        return False

    def _try(self, state: int, edge: Edge, event: E, partial: Partial[E]) -> Tried:
        leaves: list[tuple[Where | Call, bool]] = []
        try:
            held = self._meets(edge.condition, event, partial, leaves)
        except StyxError:
            raise
        except Exception as error:
            raise RunError(
                f"a condition raised {type(error).__name__}: {error}", where=self._where(state), got=event
            ) from error
        return Tried(state, edge, held, tuple(leaves))

    def _meets(
        self, condition: Condition, event: E, partial: Partial[E], leaves: list[tuple[Where | Call, bool]]
    ) -> bool:
        match condition:
            case Both():
                return all(self._meets(one, event, partial, leaves) for one in condition.of)
            case Either():
                return any(self._meets(one, event, partial, leaves) for one in condition.of)
            case Negated():
                return not self._meets(condition.of, event, partial, leaves)
        held = self._holds(condition, event, partial.accepted)
        leaves.append((condition, held))
        return held

    def _let_out(self, new: Heap[Partial[E]], at: int) -> list[Emission[E]]:
        """Completed matches are let out as the skip strategy allows."""
        out: list[Emission[E]] = []
        skips = self._automaton.after_match.strategy != "no_skip"
        for match in new:
            self._completed.add(match)
        while (least := self._completed.peek()) is not None:
            if skips:
                earliest = self._live.peek()
                assert least.start_id is not None
                if earliest is not None and earliest.start_id is not None and earliest.start_id < least.start_id:
                    self._tell(trace.HeldBack(least.number, earliest.number, at))
                    break
            self._completed.poll()
            self._prune(least, at)
            self._tell(trace.Emitted(least.number, at))
            out.append(Emission("match", least.parts(), at, least.by, least.deadline_ms, least.number))
        return out

    def _prune(self, match: Partial[E], at: int) -> None:
        upto = self._skip_to(match)
        if upto is None:
            return

        def dropped(partial: Partial[E]) -> bool:
            return partial.start_id is not None and partial.start_id < upto

        for gone in self._live.drop(dropped):
            self._tell(trace.Pruned(gone.number, match.number, "live", at))
        for gone in self._completed.drop(dropped):
            self._tell(trace.Pruned(gone.number, match.number, "completed", at))

    def _skip_to(self, match: Partial[E]) -> EventId | None:
        """Every start before this id is dropped; None drops none."""
        skip = self._automaton.after_match
        if skip.strategy == "no_skip":
            return None
        if skip.strategy == "skip_to_next":
            return _after(match.ids[0])
        if skip.strategy == "skip_past_last_event":
            return _after(match.ids[-1])
        ids = match.ids_of(skip.part)
        if not ids:
            if skip.throw_on_miss:
                raise RunError(
                    "a match has no event of the part that the skip goes to", where=f"pattern part {skip.part!r}"
                )
            return None
        target = ids[0] if skip.strategy == "skip_to_first" else ids[-1]
        if skip.throw_on_miss and target == match.ids[0]:
            raise RunError("the skip goes to the first event of the match", where=f"pattern part {skip.part!r}")
        return target

    def _state(self, number: int) -> State:
        return self._automaton.states[number]

    def _where(self, state: int) -> str:
        return f"pattern part {self._state(state).part!r}"


def _after(id_: EventId) -> EventId:
    return (id_[0], id_[1] + 1)


def _nobody(entry: trace.Entry) -> None:
    """Listens to no trace."""
