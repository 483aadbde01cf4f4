"""What no pattern may be, seen in its automaton: the oracle of `flow/pattern/structure.py`.

It lays the automaton out in full, and looks for what cannot be: a state that leads back to itself without an event, a
stop that is reached before any event was taken, a window that does not fit; where there is no end to laying it out, or
a copy is missing that Flink looks for, there is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from styx_lab.flow.pattern.after_match import AfterMatch
from styx_lab.flow.pattern.parts import Part
from styx_lab.operators.cep.automaton.build import lay_out
from styx_lab.operators.cep.automaton.states import Automaton, State

__all__ = ["what_cannot_be"]


def what_cannot_be(parts: tuple[Part, ...], after_match: AfterMatch) -> str | None:
    """What is wrong with a pattern, in a word or two; None where nothing is."""
    names = list(_names(parts))
    if not names or len(set(names)) < len(names) or "$endState$" in names:
        return "names"
    if after_match.part is not None and after_match.part not in {part.name for part in parts}:
        return "skip"
    try:
        automaton = lay_out(parts, after_match)
    except RecursionError:
        return "round"
    except KeyError:
        return "greed"
    return _wrong(automaton, parts[-1], _window(parts))


def _wrong(automaton: Automaton, last: Part, within: int | None) -> str | None:
    states = automaton.states
    if last.relation == "not_followed_by" and not within and not last.gap_ms:
        return "unending not"
    if within is not None and any((state.gap_ms or 0) > within for state in states):
        return "gap"
    if any(number in _reached(states, number) for number in range(len(states))):
        return "round"
    if any(states[number].kind == "stop" for number in _reached(states, automaton.start)):
        return "stopped start"
    return None


def _names(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        if part.group:
            yield from _names(part.group)
        else:
            yield part.name


def _window(parts: tuple[Part, ...], *, group: bool = False) -> int | None:
    """The smallest window; in a group, the last part's does not count."""
    found = [part.within_ms for part in (parts[:-1] if group else parts)]
    found += [_window(part.group, group=True) for part in parts if part.group]
    return min((one for one in found if one is not None), default=None)


def _reached(states: tuple[State, ...], first: int) -> set[int]:
    """The states that can be come to from one without an event."""
    seen: set[int] = set()
    left = [first]
    while left:
        for edge in states[left.pop()].edges:
            if edge.action == "proceed" and edge.target not in seen:
                seen.add(edge.target)
                left.append(edge.target)
    return seen
