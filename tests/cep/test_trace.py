"""Law: a trace tells all, and it is true: the matches and timeouts can be told again from it alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given

from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.conditions import Call, Where
from styx_lab.flow.pattern.parts import Part, Quantifier
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.automaton.states import Automaton
from styx_lab.operators.cep.reading import trace
from styx_lab.operators.cep.reading.reading import Reading
from styx_lab.operators.cep.reading.trace import START, Entry
from tests.cep.reading_kit import WORDS, Letter, automata, holds, is_, run, word

_ENDS = (trace.Died, trace.Stopped, trace.TimedOut, trace.Pruned, trace.Emitted)


class _Told:
    """What a trace says, from its entries alone."""

    def __init__(self, entries: list[Entry]) -> None:
        self.events: dict[int, list[tuple[str, Letter]]] = {}
        self.alive: set[int] = set()
        self.out: list[tuple[str, int, list[tuple[str, Letter]]]] = []
        self.split: set[int] = set()
        for entry in entries:
            self._follow(entry)

    def _follow(self, entry: Entry) -> None:
        match entry:
            case trace.Started():
                assert entry.partial not in self.events
                self.events[entry.partial] = [(entry.part, entry.event)]
                self.alive.add(entry.partial)
            case trace.Split():
                assert entry.partial in self.alive
                for number in set(entry.into) - {entry.partial}:
                    assert number not in self.events
                    self.events[number] = self.events[entry.partial]
                    self.alive.add(number)
                if entry.partial not in entry.into:
                    self.alive.remove(entry.partial)
                    self.split.add(entry.partial)
            case trace.Took():
                assert entry.partial in self.alive
                self.events[entry.partial] = [*self.events[entry.partial], (entry.part, entry.event)]
            case trace.Stopped() if entry.partial in self.split:
                pass
            case trace.Died() | trace.Stopped() | trace.Pruned():
                self.alive.remove(entry.partial)
            case trace.TimedOut():
                self.alive.remove(entry.partial)
                self.out.append(("timeout", entry.deadline, self.events[entry.partial]))
            case trace.Emitted():
                self.alive.remove(entry.partial)
                self.out.append(("match", entry.at, self.events[entry.partial]))
            case trace.Ignored() | trace.Completed() | trace.HeldBack():
                assert entry.partial in self.alive
            case trace.Looked() | trace.Proceeded():
                assert entry.partial == START or entry.partial in self.alive


@given(automata(), WORDS)
def test_the_trace_tells_what_came_out_and_who_is_alive(automaton: Automaton, events: list[Letter]) -> None:
    entries: list[Entry] = []
    reading = Reading(automaton, holds, entries.append)
    out = run(reading, events)
    told = _Told(entries)
    plain = [
        (one.kind, one.at, sorted((part, event.at, event.name) for part, found in one.parts.items() for event in found))
        for one in out
    ]
    again = [(kind, at, sorted((part, event.at, event.name) for part, event in found)) for kind, at, found in told.out]
    # A trace tells of timeouts as they are seen, before the matches that they let out.
    assert Counter(map(str, again)) == Counter(map(str, plain))
    assert [one for one in again if one[0] == "match"] == [one for one in plain if one[0] == "match"]
    alive = {partial.number for partial in (*reading.live, *reading.held_back)} - {START}
    assert told.alive == alive


@given(automata(), WORDS)
def test_a_trace_changes_nothing(automaton: Automaton, events: list[Letter]) -> None:
    watched: list[Entry] = []
    assert run(Reading(automaton, holds), events) == run(Reading(automaton, holds, watched.append), events)
    assert [entry.event for entry in watched if isinstance(entry, trace.Came)] == events


def _entries(parts: tuple[Part, ...], text: str, skip: AfterMatch = NO_SKIP) -> list[Entry]:
    entries: list[Entry] = []
    run(Reading(build_automaton(parts, skip), holds, entries.append), word(text))
    return entries


def _ends(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if isinstance(entry, _ENDS)]


def test_a_death_says_which_conditions_failed() -> None:
    (died,) = _ends(_entries((Part("a", "begin", is_("a")), Part("b", "next", is_("b"))), "ac"))
    assert isinstance(died, trace.Died)
    assert died.event == Letter("c", 2)
    (tried,) = died.tried
    assert (tried.edge.action, tried.held, tried.leaves) == ("take", False, ((is_("b"), False),))


def test_a_stop_says_by_which_not() -> None:
    parts = (Part("a", "begin", is_("a")), Part("n", "not_followed_by", is_("c")), Part("b", "followed_by", is_("b")))
    (stopped,) = _ends(_entries(parts, "ac"))
    assert stopped == trace.Stopped(1, Letter("c", 2), ("n",), 2)


def test_a_split_gives_numbers_and_the_branch_that_lives_on_alone_keeps_its_own() -> None:
    loop = Part("b", "followed_by", is_("b"), quantifier=Quantifier("loop", 1, None))
    entries = _entries((Part("a", "begin", is_("a")), loop), "ab")
    assert [entry for entry in entries if isinstance(entry, trace.Split | trace.Took | trace.Emitted)] == [
        trace.Split(1, (1, 2), 2),
        trace.Took(1, Letter("b", 2), "b", 3, 1, 2),
        trace.Took(2, Letter("b", 2), "b", 3, 0, 2),
        trace.Emitted(2, 2),
    ]


def test_what_is_held_back_and_what_is_pruned_are_told() -> None:
    parts = (Part("a", "begin", is_("ab")), Part("b", "followed_by", is_("b")))
    entries = _entries(parts, "abb", AfterMatch("skip_past_last_event"))
    assert [entry for entry in _ends(entries) if isinstance(entry, trace.Pruned)] == [trace.Pruned(2, 1, "live", 2)]


def test_a_match_that_was_held_back_can_be_pruned() -> None:
    def odd(leaf: Where | Call, event: Letter, accepted: Sequence[tuple[str, Letter]]) -> bool:
        return holds(leaf, event, accepted) and all((event.at - one.at) % 2 for _, one in accepted)

    parts = (Part("a", "begin", is_("a")), Part("b", "followed_by", is_("b")))
    entries: list[Entry] = []
    run(Reading(build_automaton(parts, AfterMatch("skip_past_last_event")), odd, entries.append), word("aabb"))
    fates = [entry for entry in entries if isinstance(entry, trace.HeldBack | trace.Pruned | trace.Emitted)]
    assert fates == [
        trace.HeldBack(2, 1, 3),
        trace.HeldBack(2, 1, 4),  # as time passes, before the event
        trace.Pruned(2, 1, "completed", 4),
        trace.Emitted(1, 4),
    ]
