"""Parts become an automaton, from the last part to the first, as Flink CEP 2.3 lays out its states.

Law (oracle): the states, the order in which they are made, their names and the order of their edges are Flink's.

What a pattern cannot be is refused before (see `flow/pattern/structure.py`): some of it would be laid out without end.
"""

from __future__ import annotations

from typing import Literal

from styx_lab.flow.pattern.after_match import AfterMatch
from styx_lab.flow.pattern.conditions import Condition, Negated
from styx_lab.flow.pattern.parts import Part
from styx_lab.flow.pattern.structure import END, refuse_broken
from styx_lab.operators.cep.automaton.spots import Chain, Spot, both, maybe_unless, unless
from styx_lab.operators.cep.automaton.states import Automaton, Edge, State

__all__ = ["build_automaton", "lay_out"]


def build_automaton(parts: tuple[Part, ...], after_match: AfterMatch) -> Automaton:
    """The automaton of a pattern's parts.

    >>> from styx_lab.flow.pattern.after_match import NO_SKIP
    >>> automaton = build_automaton((Part("a", "begin"), Part("b", "followed_by", within_ms=5)), NO_SKIP)
    >>> [(state.name, state.kind, [(edge.action, edge.target) for edge in state.edges]) for state in automaton.states]
    [('$endState$', 'final', []), ('b', 'normal', [('take', 0), ('ignore', 1)]), ('a', 'start', [('take', 1)])]
    >>> automaton.start, automaton.final, automaton.within_ms
    (2, 0, 5)

    There is one final state, number 0. (Flink copies it where it drops stop edges; the copies mean the same.)

    Args:
        parts: the parts in order; the first begins the pattern.
        after_match: the skip strategy, handed on.

    Raises:
        FlowError: as `refuse_broken`.
    """
    refuse_broken(parts, after_match)
    return lay_out(parts, after_match)


def lay_out(parts: tuple[Part, ...], after_match: AfterMatch) -> Automaton:
    """As `build_automaton`, of parts that were tried already; what `refuse_broken` refuses may have no automaton."""
    layout = _Layout()
    final = layout.state(END, "final")
    layout.window = parts[-1].within_ms
    start = layout.chain(Chain(parts), final)
    start.kind = "start"
    return Automaton(tuple(layout.states), layout.number(start), layout.number(final), layout.window or 0, after_match)


_Kind = Literal["start", "normal", "pending", "stop", "final"]


class _Layout:
    """The states so far, with what the parts later in the pattern have left behind."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.window: int | None = None
        """The smallest `within` so far, from the last part on."""
        self._numbers: dict[int, int] = {}
        self._names: set[str] = set()
        self._stops: dict[str, State] = {}
        self._before_greed: dict[int, State] = {}
        """By a state's number: its copy from before a greedy loop made its edges narrower."""

    def number(self, state: State) -> int:
        return self._numbers[id(state)]

    def state(self, name: str, kind: _Kind = "normal", *, gaps_of: Part | None = None) -> State:
        """A new state.

        Args:
            name: what it is called, if that is free.
            kind: one of the five kinds.
            gaps_of: the part whose gap window bounds the wait here, if it has one.
        """
        free, count = name, 0
        while free in self._names:
            free, count = f"{name}:{count}", count + 1
        self._names.add(free)
        made = State(free, free.split(":")[0], kind)
        if gaps_of is not None:
            made.gap_ms = _gap(gaps_of, free)
        self._numbers[id(made)] = len(self.states)
        self.states.append(made)
        return made

    def _take(self, state: State, target: State, condition: Condition) -> None:
        state.edges.append(Edge("take", self.number(target), condition))

    def _ignore(self, state: State, target: State, condition: Condition) -> None:
        state.edges.append(Edge("ignore", self.number(target), condition))

    def _proceed(self, state: State, target: State, condition: Condition) -> None:
        state.edges.append(Edge("proceed", self.number(target), condition))

    def chain(self, chain: Chain, sink: State) -> State:
        """Parts in a row, in front of a state; gives the state they begin in."""
        for at in range(len(chain.parts) - 1, 0, -1):
            sink = self._middle(Spot(chain, at), sink)
            within = chain.parts[at - 1].within_ms
            if within is not None and (self.window is None or within < self.window):
                self.window = within
        return self._part(Spot(chain, 0), sink)

    def _middle(self, spot: Spot, sink: State) -> State:
        part = spot.part
        match part.relation:
            case "not_followed_by":
                windowed = part.gap_ms is not None or (self.window or 0) > 0
                return self._pending(spot) if windowed and sink.kind == "final" else sink
            case "not_next":
                return self._not_next(spot, sink)
            case _:
                return self._part(spot, sink)

    def _pending(self, spot: Spot) -> State:
        """A `not_followed_by` that ends the pattern: what waits here for its window's end is a match then."""
        state = self.state(spot.part.name, "pending", gaps_of=spot.part)
        self._proceed(state, self._stop(spot.part.name, spot.take()), spot.take())
        self._ignore(state, state, Negated(spot.take()))
        return state

    def _not_next(self, spot: Spot, sink: State) -> State:
        state = self.state(spot.part.name, gaps_of=spot.part)
        stop = self._stop(spot.part.name, spot.take())
        if sink.kind == "final":
            # To proceed would complete a match with the event before, which has not shown what comes next.
            self._ignore(state, sink, Negated(spot.take()))
        else:
            self._proceed(state, sink, Negated(spot.take()))
        self._proceed(state, stop, spot.take())
        return state

    def _stop(self, name: str, condition: Condition) -> State:
        if name not in self._stops:
            self._stops[name] = self.state(name, "stop")
            self._take(self._stops[name], self._stops[name], condition)
        return self._stops[name]

    def _add_stops(self, state: State, spot: Spot) -> None:
        for part in spot.nots():
            self._proceed(state, self._stop(part.name, spot.take(part)), spot.take(part))

    def _add_stop_of_following(self, state: State, spot: Spot) -> None:
        following = spot.following
        if following is not None and following.relation == "not_followed_by":
            self._proceed(state, self._stop(following.name, spot.take(following)), spot.take(following))

    def _part(self, spot: Spot, sink: State) -> State:
        """A part that takes events, in front of a state."""
        quantifier = spot.part.quantifier
        match quantifier.kind:
            case "single":
                take, ignore = spot.take(), spot.ignore_outer()
                entry = self._once(spot, sink, sink, take, ignore, optional=quantifier.optional, first_round=True)
            case "times":
                assert quantifier.most is not None
                entry = self._times(spot, sink, sink, quantifier.least, quantifier.most)
            case "loop":
                looping = self._loop(spot, self._strip(sink, spot))
                entry = self._times(spot, looping, sink, quantifier.least, quantifier.least)
        self._add_stops(entry, spot)
        return entry

    def _times(self, spot: Spot, sink: State, after: State, least: int, most: int) -> State:
        part = spot.part
        take = unless(part.until, spot.take())
        ignore = maybe_unless(part.until, spot.ignore_inner())
        if part.quantifier.greedy and least < most:
            _forbid(sink, take)
        for _ in range(most - least):
            sink = self._once(spot, sink, after, take, ignore, optional=True, first_round=False)
            self._add_stop_of_following(sink, spot)
        for _ in range(least - 1):
            sink = self._once(spot, sink, after, take, ignore, optional=False, first_round=False)
            self._add_stop_of_following(sink, spot)
        optional = part.quantifier.optional
        return self._once(spot, sink, after, take, spot.ignore_outer(), optional=optional, first_round=True)

    def _once(
        self,
        spot: Spot,
        sink: State,
        after: State,
        take: Condition,
        ignore: Condition | None,
        *,
        optional: bool,
        first_round: bool,
    ) -> State:
        """One event of a part, or one round of a group."""
        part = spot.part
        if part.group:
            entry = self.chain(Chain(part.group, part, first_round, spot.following), sink)
            if optional:
                self._proceed(entry, after, spot.always())
            return entry
        state = self.state(part.name, gaps_of=part)
        taken = self._strip(sink, spot)
        self._take(state, taken, take)
        if optional:
            self._leave_out(state, after, spot)
        if ignore is not None:
            waiting = state
            if optional or spot.in_optional_first_round:
                waiting = self.state(part.name)
                self._take(waiting, taken, take)
                self._ignore(waiting, waiting, ignore)
                self._add_stops(waiting, spot)
            self._ignore(state, waiting, ignore)
        return state

    def _leave_out(self, state: State, after: State, spot: Spot) -> None:
        part = spot.part
        if not part.quantifier.greedy or part.until is None:
            self._proceed(state, after, spot.always())
            return
        copy = self._before_greed[self.number(after)]
        self._proceed(state, copy, both(spot.always(), part.until))
        self._proceed(state, after, both(spot.always(), Negated(part.until)))

    def _loop(self, spot: Spot, sink: State) -> State:
        part = spot.part
        if part.group:
            again = self.state(part.name, gaps_of=part)
            entry = self.chain(Chain(part.group, part, first_round=False, after=spot.following), again)
            self._proceed(entry, sink, spot.always())
            self._proceed(again, entry, spot.always())
            return entry
        take = unless(part.until, spot.take())
        ignore = maybe_unless(part.until, spot.ignore_inner())
        looping = self.state(part.name, gaps_of=part)
        leave = spot.always()
        if part.quantifier.greedy:
            if part.until is not None:
                copy = self._copy(sink)
                self._before_greed[self.number(sink)] = copy
                self._proceed(looping, copy, both(leave, part.until))
                leave = both(leave, Negated(part.until))
            _forbid(sink, spot.take())
        self._proceed(looping, sink, leave)
        self._take(looping, looping, take)
        self._add_stop_of_following(looping, spot)
        if ignore is not None:
            waiting = self.state(part.name)
            self._take(waiting, looping, take)
            self._ignore(waiting, waiting, ignore)
            self._ignore(looping, waiting, ignore)
            self._add_stop_of_following(waiting, spot)
        return looping

    def _copy(self, state: State) -> State:
        """A state once more, as it is now."""
        if state.kind == "final":
            return state
        copy = self.state(state.part, state.kind)
        self._copy_edges(state, copy, state.edges)
        return copy

    def _copy_edges(self, state: State, copy: State, edges: list[Edge]) -> None:
        own = self.number(state)
        for edge in edges:
            target = self.number(copy) if edge.target == own else edge.target
            copy.edges.append(Edge(edge.action, target, edge.condition))

    def _strip(self, state: State, spot: Spot) -> State:
        """A state without the stop edges of the nots that an optional part ends by taking an event."""
        nots = {part.name for part in spot.nots()}
        if not nots or not spot.part.quantifier.optional or state.kind == "final":
            return state
        copy = self.state(state.name, state.kind)
        for edge in state.edges:
            target = self.states[edge.target]
            if edge.action != "proceed":
                self._copy_edges(state, copy, [edge])
            elif target.kind != "stop":
                self._proceed(copy, self._strip(target, spot), edge.condition)
            elif target.name not in nots:
                self._proceed(copy, target, edge.condition)
        return copy


def _gap(part: Part, name: str) -> int | None:
    """The bound on the wait in a state: the part's own, or its quantifier's in all but the first state made of it."""
    if part.quantifier.kind == "single":
        return part.gap_ms or None
    return (part.quantifier.window_ms or None) if ":" in name else None


def _forbid(state: State, taken: Condition) -> None:
    """Greed: what the loop takes goes no further."""
    for edge in state.edges:
        edge.condition = both(edge.condition, Negated(taken))
