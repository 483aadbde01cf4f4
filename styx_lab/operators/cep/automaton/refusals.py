"""What no pattern may be, seen when its automaton is built.

Law (oracle): what Flink refuses when it compiles a pattern is refused here, and so is what it accepts
and then hangs or dies on.
"""

from __future__ import annotations

from collections.abc import Iterator

from styx_lab.errors import FlowError
from styx_lab.flow.pattern.after_match import AfterMatch
from styx_lab.flow.pattern.parts import Part
from styx_lab.operators.cep.automaton.states import State

__all__ = [
    "END_STATE",
    "refuse_long_gaps",
    "refuse_names",
    "refuse_rounds",
    "refuse_stopped_start",
    "refuse_unending_not",
    "round_without_event",
]

END_STATE = "$endState$"
"""The final state's name: Flink's word, which no part can have."""


def refuse_names(parts: tuple[Part, ...], after_match: AfterMatch) -> None:
    """Names must differ, also across groups, and a skip must go to a part at the top.

    Raises:
        FlowError: when they do not, or it does not.
    """
    if not parts:
        raise FlowError("a pattern needs at least one part", where="pattern", hint="Pattern.begin('name')")
    taken = {END_STATE}
    for name in _names(parts):
        if name in taken:
            what = "is reserved" if name == END_STATE else "is the name of two parts"
            raise FlowError(f"{name!r} {what}", where="pattern", hint="choose another name")
        taken.add(name)
    target = after_match.part
    if target is not None and target not in {part.name for part in parts}:
        hint = f"one of {', '.join(part.name for part in parts)}"
        raise FlowError("the skip goes to a part that there is not", where="pattern", got=target, hint=hint)


def _names(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        if part.group:
            yield from _names(part.group)
        else:
            yield part.name


def refuse_unending_not(last: Part, within_ms: int | None) -> None:
    """A `not_followed_by` that ends a pattern needs a window, for it is the end of the window that makes the match.

    Raises:
        FlowError: when there is none.
    """
    if last.relation == "not_followed_by" and not within_ms and not last.gap_ms:
        raise FlowError(
            "a not_followed_by() at the end needs a window: until when must nothing follow?",
            where=f"pattern part {last.name!r}",
            hint="add within('10m')",
        )


def refuse_long_gaps(states: list[State], within_ms: int | None) -> None:
    """No gap window may be longer than the window of the whole match.

    Raises:
        FlowError: when one is.
    """
    for state in states:
        if within_ms is not None and (state.gap_ms or 0) > within_ms:
            raise FlowError(
                f"the window between two events is longer than that of the whole match, {within_ms} ms",
                where=f"pattern part {state.part!r}",
                got=state.gap_ms,
                hint="make it shorter, or the whole window longer",
            )


def refuse_rounds(states: list[State]) -> None:
    """No state may lead back to itself without an event.

    Raises:
        FlowError: when one does: a loop over a group that can be empty.
    """
    done: set[int] = set()
    for first in range(len(states)):
        path = [(first, _proceeds(states, first))]
        on_path = {first}
        while path and first not in done:
            number, targets = path[-1]
            target = next(targets, None)
            if target is None:
                path.pop()
                on_path.discard(number)
                done.add(number)
            elif target in on_path:
                raise round_without_event(states[target])
            elif target not in done:
                path.append((target, _proceeds(states, target)))
                on_path.add(target)


def round_without_event(state: State) -> FlowError:
    """What is wrong with a loop over a group that can be empty."""
    return FlowError(
        "a loop over a group that can be empty would go round for ever",
        where=f"pattern part {state.part!r}",
        hint="give the group a part that is not optional",
    )


def refuse_stopped_start(states: list[State], start: int) -> None:
    """No not may be reached before the first event is taken.

    Raises:
        FlowError: when one is: a not behind a group that can be empty, at the beginning.
    """
    seen, left = {start}, [start]
    while left:
        for target in _proceeds(states, left.pop()):
            if states[target].kind == "stop":
                raise FlowError(
                    "a not right after a group that can be empty, at the beginning, would have nothing to stop",
                    where=f"pattern part {states[target].part!r}",
                    hint="give the group a part that is not optional",
                )
            if target not in seen:
                seen.add(target)
                left.append(target)


def _proceeds(states: list[State], number: int) -> Iterator[int]:
    return (edge.target for edge in states[number].edges if edge.action == "proceed")
