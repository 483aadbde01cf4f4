"""The reading by hand: the corners of the meaning, and all matches of plain chains against a search of every choice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.time import MAX_WATERMARK
from styx_lab.errors import RunError
from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.conditions import Call, Where
from styx_lab.flow.pattern.parts import Part, Quantifier, Relation
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.reading.keyed import KeyedReading
from styx_lab.operators.cep.reading.reading import Reading, wrapped
from tests.cep.reading_kit import LETTERS, Letter, holds, is_, read, told, word

LOOP = Quantifier("loop", 1, None)


def _parts(*said: tuple[str, Relation, str] | Part) -> tuple[Part, ...]:
    return tuple(one if isinstance(one, Part) else Part(one[0], one[1], is_(one[2])) for one in said)


A = ("a", "begin", "a")
PLAIN = st.lists(
    st.tuples(st.sampled_from(["next", "followed_by", "followed_by_any"]), st.sampled_from(["a", "b", "ab", "abc"])),
    min_size=1,
    max_size=4,
)


@given(PLAIN, st.text(LETTERS, max_size=9), st.sampled_from([0, 2, 3, 5]))
def test_a_chain_finds_every_choice_of_events_that_fits(said: list[Any], text: str, within: int) -> None:
    parts = [Part("p0", "begin", is_(said[0][1]), within_ms=within)]
    parts += [Part(f"p{place}", relation, is_(letters)) for place, (relation, letters) in enumerate(said) if place]
    events = word(text)
    found = [
        tuple(event.at for events_ in one.parts.values() for event in events_)
        for one in read(parts, events)
        if one.kind == "match"
    ]
    assert sorted(found) == sorted(_choices(said, events, within))


def _choices(said: Sequence[tuple[Relation, str]], events: Sequence[Letter], within: int) -> list[tuple[int, ...]]:
    """Every choice of events, looked at whole: each meets its part, and what lies between may be ignored."""
    out = []
    for places in combinations(range(len(events)), len(said)):
        times = tuple(events[place].at for place in places)
        fits = all(events[place].name in letters for place, (_, letters) in zip(places, said, strict=True))
        for before, after, (relation, letters) in zip(places, places[1:], said[1:], strict=False):
            between = events[before + 1 : after]
            fits = fits and (relation != "next" or not between)
            fits = fits and (relation != "followed_by" or not any(event.name in letters for event in between))
        if fits and (within == 0 or times[-1] - times[0] < within):
            out.append(times)
    return out


def test_next_after_a_loop_lets_only_the_branch_of_the_event_right_before_through() -> None:
    parts = _parts(Part("b", "begin", is_("b"), quantifier=LOOP), ("c", "next", "c"))
    assert told(read(parts, word("bbac"))) == []
    assert told(read(parts, word("babc"))) == ["b=b1,b3 c=c4", "b=b3 c=c4"]


def test_what_meets_the_condition_but_is_barred_by_until_ends_the_branch() -> None:
    loop = Part("b", "followed_by", is_("bc"), is_("c"), LOOP)
    assert told(read(_parts(A, loop, ("d", "followed_by", "a")), word("acba"))) == []
    assert told(read(_parts(A, loop, ("d", "followed_by", "a")), word("abca"))) == ["a=a1 b=b2 d=a4"]


def test_greed_leaves_nothing_that_it_could_take() -> None:
    loose = Part("b", "followed_by", is_("b"), quantifier=LOOP)
    greedy = Part("b", "followed_by", is_("b"), quantifier=Quantifier("loop", 1, None, greedy=True))
    all_ = ["a=a1 b=b2 c=b3", "a=a1 b=b2,b3 c=c4"]
    assert told(read(_parts(A, loose, ("c", "followed_by", "bc")), word("abbc"))) == all_
    assert told(read(_parts(A, greedy, ("c", "followed_by", "bc")), word("abbc"))) == all_[1:]


def test_an_event_that_meets_the_not_and_completes_the_match_is_a_match() -> None:
    both = _parts(A, ("n", "not_followed_by", "b"), ("c", "followed_by", "bc"))
    assert told(read(both, word("ab"))) == ["a=a1 c=b2"]
    assert told(read((*both, Part("d", "followed_by", is_("a"))), word("aba"))) == []


def test_a_not_next_at_the_end_takes_one_more_event() -> None:
    parts = _parts(A, ("n", "not_next", "b"))
    assert told(read(parts, word("ab"))) == []
    (match,) = read(parts, word("ac"))
    assert (match.by, match.at, dict(match.parts)) == ("other", 2, {"a": [Letter("a", 1)]})


def test_silence_completes_a_not_that_ends_the_pattern() -> None:
    parts = _parts(A, Part("n", "not_followed_by", is_("b"), within_ms=5))
    (match,) = [one for one in read(parts, [Letter("a", 1), Letter("c", 6)]) if one.kind == "match"]
    assert (match.by, match.at, match.deadline_ms) == ("silence", 6, 6)
    assert read(parts, [Letter("a", 1), Letter("b", 5), Letter("c", 9)]) == []


def test_a_not_at_the_end_after_a_loop_times_out_where_no_event_followed() -> None:
    loop = Part("b", "followed_by", is_("b"), quantifier=LOOP)
    parts = _parts(A, loop, Part("n", "not_followed_by", is_("c"), within_ms=5))
    out = read(parts, [Letter("a", 1), Letter("b", 2), Letter("a", 20)])
    assert (told(out), told(out, "timeout")) == ([], ["a=a1 b=b2"])
    out = read(parts, [Letter("a", 1), Letter("b", 2), Letter("x", 3), Letter("a", 20)])
    assert (told(out), told(out, "timeout")) == (["a=a1 b=b2"], ["a=a1 b=b2"])


def test_an_event_at_the_end_of_the_window_is_outside() -> None:
    parts = _parts(A, Part("b", "followed_by", is_("b"), within_ms=4))
    out = read(parts, [Letter("a", 1), Letter("b", 5)])
    assert [(one.kind, one.at, one.by) for one in out] == [("timeout", 5, None)]
    assert told(read(parts, [Letter("a", 1), Letter("b", 4)])) == ["a=a1 b=b4"]


def test_a_gap_window_is_of_the_part_that_waits_and_counts_from_the_last_event() -> None:
    parts = _parts(A, Part("b", "followed_by", is_("b"), gap_ms=3), ("c", "followed_by", "c"))
    assert told(read(parts, [Letter("a", 1), Letter("b", 3), Letter("c", 50)])) == ["a=a1 b=b3 c=c50"]
    out = read(parts, [Letter("a", 1), Letter("b", 4)])
    assert [(one.kind, one.at) for one in out] == [("timeout", 4)]


def test_a_match_is_held_back_while_an_earlier_one_lives() -> None:
    # A skip to the first event prunes nothing of that start, so the first a stays in its loop until it times out.
    parts = _parts(A, Part("b", "next", is_("b"), quantifier=LOOP, within_ms=6))
    reading = Reading(build_automaton(parts, AfterMatch("skip_to_first", "a")), holds)
    assert [told(reading.take(event, event.at)) for event in word("abab")] == [[], ["a=a1 b=b2"], [], ["a=a1 b=b2,b4"]]
    assert [one.start_ms for one in reading.held_back] == [3]
    assert [(one.kind, one.at, one.by) for one in reading.advance(7)] == [
        ("match", 7, "own"),
        ("timeout", 7, None),
    ]
    assert reading.held_back == []


def test_which_of_the_equal_starts_comes_first_decides_what_a_skip_leaves() -> None:
    parts = _parts(Part("b", "begin", is_("b"), quantifier=LOOP), ("c", "followed_by", "c"))
    assert told(read(parts, word("bbbc"), AfterMatch("skip_to_next"))) == [
        "b=b1,b2,b3 c=c4",
        "b=b2,b3 c=c4",
        "b=b3 c=c4",
    ]
    assert told(read(parts, word("bbbc"), AfterMatch("skip_past_last_event"))) == ["b=b1,b2,b3 c=c4"]


@pytest.mark.parametrize("strategy", ["skip_to_first", "skip_to_last"])
def test_a_skip_that_misses_ends_the_job_if_it_was_told_to(strategy: Any) -> None:
    parts = _parts(A, Part("b", "followed_by", is_("b"), quantifier=Quantifier(optional=True)), ("c", "next", "c"))
    assert told(read(parts, word("ac"), AfterMatch(strategy, "b"))) == ["a=a1 c=c2"]
    with pytest.raises(RunError, match="no event of the part"):
        read(parts, word("ac"), AfterMatch(strategy, "b", throw_on_miss=True))
    with pytest.raises(RunError, match="first event of the match"):
        read(parts, word("ac"), AfterMatch(strategy, "a", throw_on_miss=True))


def test_a_condition_that_raises_names_the_part_and_the_event() -> None:
    def wrong(leaf: Where | Call, event: Letter, accepted: Sequence[tuple[str, Letter]]) -> bool:
        raise ZeroDivisionError("by nought")

    reading = Reading(build_automaton(_parts(A), NO_SKIP), wrong)
    with pytest.raises(
        RunError, match=r"part 'a': a condition raised ZeroDivisionError: by nought; got Letter"
    ) as error:
        reading.take(Letter("a", 1), 1)
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_conditions_see_what_this_branch_accepted_and_not_the_event() -> None:
    seen: list[tuple[str, str]] = []

    def watch(leaf: Where | Call, event: Letter, accepted: Sequence[tuple[str, Letter]]) -> bool:
        seen.append((event.name, "".join(part + one.name for part, one in accepted)))
        return holds(leaf, event, accepted)

    reading = Reading(build_automaton(_parts(A, ("b", "next", "b")), NO_SKIP), watch)
    for event in word("ab"):
        reading.take(event, event.at)
    assert seen == [("a", ""), ("b", "aa"), ("b", "")]


class TestManyKeys:
    """Event time over keys."""

    TWO = _parts(A, Part("b", "followed_by", is_("b"), within_ms=5))

    def _keys(self, parts: tuple[Part, ...] = TWO, **more: Any) -> KeyedReading[Letter]:
        return KeyedReading(build_automaton(parts, NO_SKIP), holds, **more)

    def test_events_wait_for_the_watermark_and_come_in_order(self) -> None:
        keys = self._keys()
        assert keys.event("k", Letter("b", 3), 3)
        assert keys.event("k", Letter("a", 2), 2)
        assert keys.watermark(2) == []
        ((key, match),) = keys.watermark(3)
        assert (key, told([match]), match.at) == ("k", ["a=a2 b=b3"], 3)

    def test_late_is_by_the_watermark_of_all(self) -> None:
        keys = self._keys()
        keys.event("k", Letter("a", 9), 9)
        keys.watermark(9)
        assert not keys.event("other", Letter("a", 9), 9)
        assert keys.event("other", Letter("a", 10), 10)
        assert keys.watermark(8) == []
        assert not keys.event("other", Letter("a", 9), 9)

    def test_another_keys_events_show_a_timeout(self) -> None:
        keys = self._keys()
        keys.event("k", Letter("a", 1), 1)
        keys.event("other", Letter("c", 7), 7)
        ((key, timeout),) = keys.watermark(7)
        assert (key, timeout.kind, timeout.at) == ("k", "timeout", 6)

    @pytest.mark.parametrize(("start", "seen"), [(1, 1), (0, 0), (-3, 0)])
    def test_a_start_not_after_nought_has_no_timer(self, start: int, seen: int) -> None:
        keys = self._keys()
        keys.event("k", Letter("a", start), start)
        keys.watermark(start)
        assert len(keys.watermark(100)) == seen

    def test_a_gap_window_has_no_timer(self) -> None:
        keys = self._keys(_parts(A, Part("b", "followed_by", is_("b"), gap_ms=3)))
        keys.event("k", Letter("a", 1), 1)
        assert [keys.watermark(mark) for mark in (1, 50, MAX_WATERMARK)] == [[], [], []]

    def test_a_negative_start_never_times_out_at_the_end_for_the_difference_wraps(self) -> None:
        keys = self._keys()
        keys.event("k", Letter("a", -9), -9)
        assert keys.watermark(MAX_WATERMARK) == []
        assert wrapped(MAX_WATERMARK - -9) < 0

    def test_one_jump_of_the_watermark_gives_timeouts_between_the_events(self) -> None:
        keys = self._keys()
        for event in [Letter("a", 1), Letter("a", 8), Letter("b", 9), Letter("a", 20)]:
            keys.event("k", event, event.at)
        out = [emission for _, emission in keys.watermark(100)]
        assert [(one.kind, one.at) for one in out] == [("timeout", 6), ("match", 9), ("timeout", 25)]

    def test_a_tie_is_in_order_of_arrival_or_as_said(self) -> None:
        tie = [Letter("b", 2), Letter("a", 2)]
        for order, found in ((None, 0), (lambda event: event.name, 1)):
            keys = self._keys(order=order)
            for event in tie:
                keys.event("k", event, 2)
            assert len(keys.watermark(2)) == found
        keys = self._keys(order=lambda event: {"a": "x"}.get(event.name, 1))
        for event in tie:
            keys.event("k", event, 2)
        with pytest.raises(RunError, match="cannot be put in order"):
            keys.watermark(2)
