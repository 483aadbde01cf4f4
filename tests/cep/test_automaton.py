"""The automaton of a pattern: sound whatever the pattern, and Flink's states for some by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from styx_lab.errors import FlowError
from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.parts import GROUP, Part, Quantifier
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.automaton.states import Automaton
from tests.cep.reading_kit import automata, is_
from tests.cep.refusals import what_cannot_be

LOOP = Quantifier("loop", 1, None)
OPTIONAL = Quantifier(optional=True)


def _a(**more: object) -> Part:
    return replace(Part("a", "begin", is_("a")), **more)  # type: ignore[arg-type]


def _b(**more: object) -> Part:
    return replace(Part("b", "followed_by", is_("b")), **more)  # type: ignore[arg-type]


def _drawn(automaton: Automaton) -> list[str]:
    """Each state with its edges: `b:0 -> take b, ignore b:0`."""
    names = [state.name for state in automaton.states]
    return [
        f"{state.name} -> {', '.join(f'{edge.action} {names[edge.target]}' for edge in state.edges)}"
        for state in automaton.states
    ]


@given(automata())
def test_an_automaton_is_sound(automaton: Automaton) -> None:
    states = automaton.states
    assert len({state.name for state in states}) == len(states)
    assert [number for number, state in enumerate(states) if state.kind == "start"] == [automaton.start]
    assert [number for number, state in enumerate(states) if state.kind == "final"] == [automaton.final]
    assert states[automaton.final].edges == []
    for number, state in enumerate(states):
        assert state.part == state.name.split(":")[0]
        for edge in state.edges:
            assert 0 <= edge.target < len(states)
            # The start takes no part in a match, so nothing may lead back to it.
            assert edge.target != automaton.start or number == automaton.start
        if state.kind == "stop":
            assert [(edge.action, edge.target) for edge in state.edges] == [("take", number)]


@given(automata())
def test_every_state_that_waits_can_be_reached_and_can_end(automaton: Automaton) -> None:
    forward = [{edge.target for edge in state.edges} for state in automaton.states]
    back: list[set[int]] = [set() for _ in forward]
    for number, targets in enumerate(forward):
        for target in targets:
            back[target].add(number)
    reached = _spread(forward, automaton.start)
    ends = _spread(back, automaton.final)
    assert automaton.final in reached or any(automaton.states[number].kind == "pending" for number in reached)
    for number in reached:
        assert (
            number in ends or automaton.states[number].kind in {"stop", "pending"} or _pends(forward, number, automaton)
        )


def _spread(edges: list[set[int]], first: int) -> set[int]:
    seen, left = {first}, [first]
    while left:
        for target in edges[left.pop()] - seen:
            seen.add(target)
            left.append(target)
    return seen


def _pends(forward: list[set[int]], number: int, automaton: Automaton) -> bool:
    return any(automaton.states[one].kind == "pending" for one in _spread(forward, number))


def test_a_loop_is_laid_out_from_its_end() -> None:
    assert _drawn(build_automaton((_a(), _b(quantifier=LOOP)), NO_SKIP)) == [
        "$endState$ -> ",
        "b -> proceed $endState$, take b, ignore b:0",
        "b:0 -> take b, ignore b:0",
        "b:1 -> take b, ignore b:1",
        "a -> take b:1",
    ]


def test_an_optional_part_behind_a_not_has_a_way_without_it() -> None:
    parts = (_a(), Part("n", "not_followed_by", is_("c")), _b(quantifier=OPTIONAL), Part("d", "followed_by", is_("a")))
    assert _drawn(build_automaton(parts, NO_SKIP)) == [
        "$endState$ -> ",
        "d -> take $endState$, ignore d, proceed n",
        "n -> take n",
        "b -> take d:0, proceed d, ignore b:0, proceed n",
        "d:0 -> take $endState$, ignore d:0",
        "b:0 -> take d:0, ignore b:0, proceed n",
        "a -> take b",
    ]


def test_a_not_at_the_end_waits_for_its_window() -> None:
    automaton = build_automaton((_a(), Part("n", "not_followed_by", is_("c"), within_ms=5)), NO_SKIP)
    assert _drawn(automaton) == ["$endState$ -> ", "n -> proceed n:0, ignore n", "n:0 -> take n:0", "a -> take n"]
    assert [state.kind for state in automaton.states] == ["final", "pending", "stop", "start"]


def test_a_group_loop_comes_back_through_a_state_of_its_own() -> None:
    group = Part(GROUP, "followed_by", quantifier=LOOP, group=(_a(), _b()))
    assert _drawn(build_automaton((Part("x", "begin"), group), NO_SKIP)) == [
        "$endState$ -> ",
        "GroupPattern -> proceed a",
        "b -> take GroupPattern, ignore b",
        "a -> take b, ignore a, proceed $endState$",
        "b:0 -> take a, ignore b:0",
        "a:0 -> take b:0, ignore a:0",
        "x -> take a:0",
    ]


def test_which_states_carry_the_window_of_a_quantifier() -> None:
    thrice = Quantifier("times", 3, 3, window_ms=2)
    gaps = [(state.name, state.gap_ms) for state in build_automaton((_a(), _b(quantifier=thrice)), NO_SKIP).states]
    assert gaps == [("$endState$", None), ("b", None), ("b:0", 2), ("b:1", 2), ("a", None)]


def test_the_whole_window_is_the_smallest_but_for_the_last_part_of_a_group() -> None:
    content = (Part("c", "begin", within_ms=9), Part("d", "next", within_ms=1))
    group = Part(GROUP, "followed_by", within_ms=20, group=content)
    assert build_automaton((_a(within_ms=30), group), NO_SKIP).within_ms == 9
    assert build_automaton((_a(within_ms=0), group), NO_SKIP).within_ms == 0


_EMPTY = Part(GROUP, "followed_by", quantifier=LOOP, group=(replace(_a(), quantifier=OPTIONAL),))


@pytest.mark.parametrize(
    ("parts", "skip", "says", "sees"),
    [
        ((), NO_SKIP, "at least one part", "names"),
        ((_a(), _a(relation="next")), NO_SKIP, "the same name", "names"),
        ((_a(), Part(GROUP, "next", group=(_a(),))), NO_SKIP, "the same name", "names"),
        ((_a(name="$endState$"),), NO_SKIP, "the end's", "names"),
        ((_a(),), AfterMatch("skip_to_first", "b"), "goes to a part that the pattern does not have", "skip"),
        ((_a(), Part("n", "not_followed_by")), NO_SKIP, "needs a length of time", "unending not"),
        ((_a(), _b(gap_ms=9, within_ms=8)), NO_SKIP, "may be no longer than", "gap"),
        ((Part("x", "begin"), _EMPTY), NO_SKIP, "for ever", "round"),
        (
            (replace(_EMPTY, quantifier=Quantifier(), relation="begin"), Part("n", "not_next")),
            NO_SKIP,
            "before any event was taken",
            "stopped start",
        ),
        (
            (
                _a(),
                Part("n", "not_followed_by"),
                _b(quantifier=replace(LOOP, optional=True, greedy=True), until=is_("c")),
                Part("d", "followed_by"),
            ),
            NO_SKIP,
            "greedy loop",
            "greed",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    parts: tuple[Part, ...], skip: AfterMatch, says: str, sees: str
) -> None:
    assert what_cannot_be(parts, skip) == sees
    with pytest.raises(FlowError, match=says):
        build_automaton(parts, skip)


def test_a_not_behind_a_group_that_can_be_empty_is_fine_where_something_comes_before() -> None:
    group = Part(GROUP, "followed_by", group=(replace(_b(), relation="begin", quantifier=OPTIONAL),))
    assert build_automaton((_a(), group, Part("n", "not_next", is_("c")), Part("d", "next")), NO_SKIP).states
