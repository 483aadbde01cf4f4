"""Law (oracle): just those patterns are refused as a whole that Flink refuses, or hangs or dies of.

The reference builds the states and the ways on from them in full, as Flink's compiler has them, and looks for what
hangs and dies: a way on in a circle, a stop that is reached before any event was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given

from styx_lab import Pattern
from styx_lab.errors import FlowError
from styx_lab.flow.pattern import Part
from styx_lab.flow.pattern.structure import refuse_broken, whole_window
from styx_lab.testing.strategies import patterns_of_all_kinds


@dataclass(eq=False)
class State:
    name: str
    kind: str = "normal"
    ways_on: list[State] = field(default_factory=list)


class Compiler:
    """All states with their ways on; what takes or ignores an event leads on from another event only."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.stops: dict[str, State] = {}
        self.missing_copy = False

    def stop(self, part: Part) -> State:
        return self.stops.setdefault(part.name, State(part.name, "stop"))

    def chain(self, parts: Sequence[Part], sink: State, after: Part | None) -> State:
        for place in reversed(range(len(parts))):
            part = parts[place]
            if part.relation == "not_followed_by":
                if sink.kind == "final" and (part.gap_ms is not None or self.window > 0):
                    sink = State(part.name, "pending", [self.stop(part)])
            elif part.relation == "not_next":
                others = [] if sink.kind == "final" else [sink]
                sink = State(part.name, "normal", [*others, self.stop(part)])
            else:
                sink = self.convert(parts, place, sink, after)
            after = part
            if place and parts[place - 1].within_ms is not None:
                self.window = min(self.window or 2**62, parts[place - 1].within_ms or 0)
        return sink

    def convert(self, parts: Sequence[Part], place: int, sink: State, after: Part | None) -> State:
        part, nots = parts[place], []
        for before in reversed(parts[:place]):
            if before.relation == "not_followed_by":
                nots.append(before)
            elif not before.quantifier.optional:
                break
        stopping = after is not None and after.relation == "not_followed_by"
        much = part.quantifier
        target = sink
        if much.kind == "loop":
            if part.group:
                dummy = State("GroupPattern")
                target = self.chain(part.group, dummy, after)
                target.ways_on.append(sink)
                dummy.ways_on.append(target)
            else:
                self.missing_copy |= bool(part.until and much.greedy and much.optional and nots)
                target = State(part.name, "normal", [sink])
        for optional in [True] * ((much.most or much.least) - much.least) + [False] * (much.least - 1):
            target = self.once(part, target, sink, after, optional=optional)
            if stopping and after is not None:
                target.ways_on.append(self.stop(after))
        entry = self.once(part, target, sink, after, optional=much.optional)
        entry.ways_on += [self.stop(one) for one in nots]
        return entry

    def once(self, part: Part, target: State, sink: State, after: Part | None, *, optional: bool) -> State:
        entry = self.chain(part.group, target, after) if part.group else State(part.name)
        if optional:
            entry.ways_on.append(sink)
        return entry


def reached(state: State) -> set[State]:
    seen, left = set(), [state]
    while left:
        for one in left.pop().ways_on:
            if one not in seen:
                seen.add(one)
                left.append(one)
    return seen


def is_broken(pattern: Pattern) -> bool:
    compiler = Compiler(pattern.parts[-1].within_ms or 0)
    start = compiler.chain(pattern.parts, State("end", "final"), None)
    dies = any(state.kind == "stop" for state in reached(start))
    return dies or compiler.missing_copy or hangs(pattern)


def hangs(pattern: Pattern) -> bool:
    """Whether a loop over a group goes round without an event: its group, alone, leads through to its end."""

    def through(parts: Sequence[Part]) -> bool:
        end = State("end", "sink")
        entry = Compiler(0).chain(parts, end, None)
        return entry is end or end in reached(entry)

    def found(parts: Sequence[Part]) -> bool:
        return any(
            bool(part.group) and (found(part.group) or (part.quantifier.kind == "loop" and through(part.group)))
            for part in parts
        )

    return found(pattern.parts)


def _with_windows_that_fit(pattern: Pattern) -> bool:
    last = pattern.parts[-1]
    return last.relation != "not_followed_by" or bool(pattern.within_ms or last.gap_ms)


@given(patterns_of_all_kinds(checked=False, lookback=False, skips=False, depth=3))
def test_just_what_hangs_or_dies_is_refused(pattern: Pattern) -> None:
    try:
        pattern.check_structure()
    except FlowError as error:
        if "apart" in str(error) or "needs a length of time" in str(error):
            return
        assert is_broken(pattern)
    else:
        assert not is_broken(pattern)


@given(patterns_of_all_kinds())
def test_what_is_drawn_is_written_and_read_again(pattern: Pattern) -> None:
    assert Pattern.from_json(pattern.to_json(), where="again") == pattern
    assert whole_window(pattern.parts) == pattern.within_ms
    refuse_broken(pattern.parts, pattern.after_match)


A = Pattern.begin("a")
OPTIONAL = Pattern.begin("x").optional()


@pytest.mark.parametrize(
    ("name", "make"),
    {
        "an event must have come before the not": lambda: A.next(OPTIONAL).not_next("n").followed_by("c"),
        "a not at the end that waits for nothing": lambda: Pattern.begin(OPTIONAL).within("9ms").not_followed_by("n"),
        "a not that a not_next makes void": lambda: A.not_followed_by("m").not_next("n").next("c"),
        "a group that must come, with parts that need not": lambda: Pattern.begin(
            OPTIONAL.followed_by("y")
        ).one_or_more(),
        "an optional loop of a group that must come": lambda: Pattern.begin(A.next("b")).one_or_more().optional(),
        "an empty group, several times": lambda: A.next(OPTIONAL).times(2, 3),
        "greedy with until behind a not, not optional": lambda: (
            A.not_followed_by("n").followed_by("b").one_or_more().greedy().until("x > 1").next("c")
        ),
        "greedy with until behind an optional part": lambda: (
            A.followed_by("o").optional().followed_by("b").one_or_more().greedy().optional().until("x > 1").next("c")
        ),
        "a window of one round that is not in use": lambda: A.followed_by("b").times(1, window="9s").within("1s"),
        "a gap on a part that repeats is not in use": lambda: (
            A.next("b").one_or_more().within("9s", between=True).within("1s")
        ),
        "a part named as groups are": lambda: Pattern.begin("GroupPattern").next(A),
        "a not at the end of a last group": lambda: Pattern.begin(A.not_followed_by("n")),
        "a not at the end with a gap": lambda: A.not_followed_by("n").within("5ms", between=True),
    }.items(),
)
def test_what_is_odd_and_taken(name: str, make: Callable[[], Pattern]) -> None:
    make().check_structure()
    assert Pattern.from_json(make().to_json(), where=name) == make()


@pytest.mark.parametrize(
    ("name", "make", "word"),
    [
        ("in a loop in a group", lambda: A.next(Pattern.begin(OPTIONAL).one_or_more()), "'x'"),
        ("all parts optional", lambda: A.next(OPTIONAL.next("y").times(0, 2)).times_or_more(2), "'x', 'y'"),
        ("an empty group in a loop", lambda: Pattern.begin(Pattern.begin(OPTIONAL).times(2)).one_or_more(), "'x'"),
        ("a not first", lambda: Pattern.begin(OPTIONAL).not_followed_by("n").next("c"), "'n'"),
        ("a not first, behind a not", lambda: Pattern.begin(OPTIONAL).not_next("m").not_next("n").next("c"), "'m'"),
        ("a not first, at the end", lambda: Pattern.begin(OPTIONAL).not_followed_by("n").within("9ms"), "'n'"),
        ("a not first, in a group", lambda: Pattern.begin(Pattern.begin(OPTIONAL).not_next("n").next("b")), "'n'"),
        (
            "greedy with until behind a not, over an optional part",
            lambda: (
                A.not_followed_by("n").next("o").optional().next("b").one_or_more().greedy().optional().until("x > 1")
            ),
            "'b'",
        ),
        ("a round's window", lambda: Pattern.begin(A.times(1, window="9s")).times(2).within("1s"), "'a'"),
    ],
)
def test_what_hangs_or_dies_is_refused_by_name(name: str, make: Callable[[], Pattern], word: str) -> None:
    with pytest.raises(FlowError, match=word) as refused:
        make().check_structure()
    assert refused.value.hint, name
