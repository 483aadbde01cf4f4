"""What happened to a partial match, entry by entry, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from styx_lab.operators.cep.explain.causes import moment
from styx_lab.operators.cep.reading import trace

if TYPE_CHECKING:
    from styx_lab.operators.cep.explain.explanation import Explanation
    from styx_lab.operators.cep.explain.lives import Life

__all__ = ["told"]

_BY = {
    "own": "it is complete, by its own last event",
    "other": "it is complete, for this event is not what must not come",
}


def told(explanation: Explanation, life: Life) -> list[tuple[int, str, str | None, int | None, str]]:
    """Each thing that happened: time, what, part, event, and the whole in words."""
    found: list[tuple[int, str, str | None, int | None, str]] = []
    look: trace.Looked | None = None
    taken = len(life.taken) - sum(isinstance(entry, trace.Started | trace.Took) for entry in life.entries)
    for entry in life.entries:
        match entry:
            case trace.Looked():
                look = entry
            case trace.Started(event=event, part=part, at=at):
                taken += 1
                found.append((at, "started", part, event, f"began with event {event} as {part!r}"))
            case trace.Took(event=event, part=part, at=at):
                taken += 1
                found.append((at, "took", part, event, f"took event {event} as {part!r}"))
            case trace.Ignored(event=event, at=at):
                why = ""
                if look is not None and look.event == event:
                    why = explanation.causes.passed(look, life.taken[:taken])
                found.append((at, "ignored", None, event, f"let event {event} pass{why}"))
            case trace.Split(into=into, at=at):
                numbers = ", ".join("itself" if number == life.number else f"#{number}" for number in into)
                found.append((at, "split", None, None, f"split into {numbers}"))
            case trace.Completed(by=by, event=event, at=at, deadline=deadline):
                words = f"it is complete, by silence until {moment(deadline)}" if deadline is not None else _BY[by]
                found.append((at, "completed", None, event, words))
            case trace.HeldBack(behind=behind, at=at):
                found.append((at, "held_back", None, None, f"held back behind #{behind}, which began earlier"))
            case trace.Emitted(at=at):
                found.append((at, "matched", None, None, "came out as a match"))
            case trace.Died(event=event, at=at) | trace.Stopped(event=event, at=at):
                found.append((at, life.end, None, event, f"ended: {explanation.causes.of(life).text}"))
            case trace.TimedOut(deadline=at):
                found.append((at, life.end, None, None, f"timed out: {explanation.causes.of(life).text}"))
            case trace.Pruned(at=at) | trace.Dropped(at=at):
                found.append((at, life.end, None, None, f"ended: {explanation.causes.of(life).text}"))
    return found
