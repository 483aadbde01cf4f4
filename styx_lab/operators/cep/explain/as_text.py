"""An explanation as text: the answer in a few lines first, then the details."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from styx_lab.core.time import MAX_WATERMARK, duration_text
from styx_lab.flow.drawing.label import one_line
from styx_lab.operators.cep.explain.causes import clock, moment

if TYPE_CHECKING:
    from styx_lab.operators.cep.explain.explanation import Explanation
    from styx_lab.operators.cep.explain.lives import Life

__all__ = ["answer", "as_text"]

_SPACES: Final = re.compile(r"( {2,})")
_MISSES: Final = 5
_LIVES: Final = 8
_LINES: Final = 12
_EVENTS: Final = 8
_ENDS: Final = {
    "matched": "matched", "timed_out": "timed out", "died": "died", "stopped": "stopped by a not", "pruned": "skipped",
    "dropped": "dropped", "split": "split", "held_back": "held back", "alive": "still alive",
}  # fmt: skip


def answer(one: Explanation) -> list[str]:
    """The answer."""
    whose = f" for {one.key}" if one.key else ""
    when = "" if one.around is None else f" around {one.around}"
    if not one.followed.times:
        return [f"No match{whose}: there is no event of it.", *_lost(one)]
    matches = () if one.nothing_alive else one.matches
    if matches:
        lines = [f"{_matches(len(matches))}{whose}{when}."]
        for life in matches[:3]:
            out = "" if life.end_at is None else f", out at {clock(life.end_at, one.lives.start_of(life))}"
            lines.append(f"#{life.number}: {_taken(one, life)}{out}.")
        return lines + _more(len(matches) - 3)
    lines = [f"No match{whose}{when}."]
    if one.nothing_alive or not one.chosen:
        lines += _nothing_alive(one)
    if one.misses:
        miss = one.misses[0]
        life = one.lives.all[miss.partial]
        what = "Nearest in time" if one.nothing_alive else "Nearest"
        lines.append(f"{what}: {miss.progress} (#{miss.partial}). {_sentence(miss.cause.text)}")
        lines.append(f"It took {_taken(one, life)}.")
    return lines + _missed(one) + _lost(one)


def _lost(one: Explanation) -> list[str]:
    """Dead letters of the key before the step, whose time nobody knows."""
    if not one.lost:
        return []
    if len(one.lost) == 1:
        return [f"An event that names the key became a dead letter before this step: {one.lost[0]}."]
    return [f"{len(one.lost)} events that name the key became dead letters before this step (see below)."]


def _missed(one: Explanation) -> list[str]:
    """What late events cost, around the moment."""
    times = one.followed.times
    missed = []
    for parts in one.missed:
        at = [times[event] for events in parts.values() for event in events]
        if one.around is None or one.around.gap(min(at), max(at)) == 0:
            missed.append({event for events in parts.values() for event in events} & set(one.followed.late))
    if not missed:
        return []
    late = sorted(set().union(*missed))
    who = f"Event {late[0]}" if len(late) == 1 else f"Events {', '.join(map(str, late))}"
    it = "it" if len(late) == 1 else "them"
    return [f"{who} came late, behind the watermark; in time there would have been {_matches(len(missed))} with {it}."]


def _matches(count: int) -> str:
    return f"{count:,} match{'' if count == 1 else 'es'}"


def _nothing_alive(one: Explanation) -> list[str]:
    if one.around is None:
        start = one.causes.start()
        return [f"Nearest: {one.steps.progress(())}. {_sentence(start.text)}"] if start else []
    lines = ["Nothing was alive then: no partial match had begun, or all had ended."]
    start = one.causes.start_around(one.around.low, one.around.high)
    if start is not None:
        lines.append(_sentence(start.text))
    elif not any(one.around.low <= at <= one.around.high for at in one.followed.times):
        before = [at for at in one.followed.times if at < one.around.low]
        lines[-1] += (
            f" It had no event then; the last one before was at {moment(max(before))}."
            if before
            else (f" Its first event came later, at {moment(min(one.followed.times))}.")
        )
    return lines


def as_text(one: Explanation) -> str:
    """All of it."""
    lines = [*answer(one), "", *_facts(one)]
    if one.misses:
        lines += ["", f"Near misses ({len(one.misses)})"]
        lines += [
            f"  #{miss.partial}  {miss.progress}  {_ENDS[one.lives.all[miss.partial].end]}: {miss.cause.text}"
            for miss in one.misses[:_MISSES]
        ]
        lines += _more(len(one.misses) - _MISSES)
    shown = _ranked(one)
    if shown:
        lines += ["", f"Partial matches ({len(shown)}{'' if one.around is None else f' of {len(one.lives.all)}'})"]
        for life in sorted(shown[:_LIVES], key=lambda life: life.number):
            lines += _life(one, life)
        lines += _more(len(shown) - _LIVES)
    lines += _outside(one)
    return "\n".join(map(_plain, lines))


def _facts(one: Explanation) -> list[str]:
    followed = one.followed
    kinds = {"late": len(followed.late), "dead": len(followed.dead), "left out": len(followed.left_out)}
    read = len(followed.times) - sum(kinds.values())
    events = [f"{read:,} read", *(f"{count:,} {word}" for word, count in kinds.items() if count)]
    ends = [f"{count} {_ENDS[end]}" for end, count in sorted(one.counts().items())]
    lines = [
        f"Pattern  {one.pattern}",
        f"Engine   {one.engine}",
        f"Events   {', '.join(events)}",
        f"Begun    {len(one.lives.all):,} partial match{'' if len(one.lives.all) == 1 else 'es'}"
        + (f": {', '.join(ends)}" if ends else ""),
    ]
    return lines + [f"Note     {note}" for note in one.notes]


def _ranked(one: Explanation) -> list[Life]:
    """Matches first, then the nearest misses, then what only split."""
    misses = [one.lives.all[miss.partial] for miss in one.misses]
    return [*one.matches, *misses, *(life for life in one.chosen if life.end == "split")]


def _life(one: Explanation, life: Life) -> list[str]:
    began, end = one.lives.start_of(life), life.end_at
    parent = "" if life.parent is None else f", split from #{life.parent}"
    until = "" if end is None or end == MAX_WATERMARK else f" to {clock(end, began)}"
    lines = [f"  #{life.number}  {moment(began)}{until}  {_ENDS[life.end]}{parent}"]
    told = one.told(life)
    cut = len(told) - _LINES
    shown = told if cut <= 0 else [*told[: _LINES // 2], None, *told[-(_LINES - _LINES // 2) :]]
    for each in shown:
        lines.append(f"      ... {cut} more" if each is None else f"      {clock(each[0], began)}  {each[4]}")
    return lines


def _outside(one: Explanation) -> list[str]:
    followed, lines = one.followed, []
    for event, mark in followed.late.items():
        at = followed.times[event]
        behind = f"{duration_text(mark - at)} behind the watermark" if mark != MAX_WATERMARK else "after the end"
        lines.append(f"  event {event} at {moment(at)} was late: {behind}")
    for word, found in (("is a dead letter", followed.dead), ("was left out", followed.left_out)):
        lines += [f"  event {event} at {moment(followed.times[event])} {word}: {why}" for event, why in found.items()]
    lines += [f"  a dead letter before this step: {said}" for said in one.lost]
    if not lines:
        return []
    return ["", "Events that the pattern did not see", *lines[:_EVENTS], *_more(len(lines) - _EVENTS)]


def _taken(one: Explanation, life: Life) -> str:
    times, before, said = one.followed.times, None, []
    for part, event in life.taken:
        said.append(f"{part} {clock(times[event], before)}")
        before = times[event]
    cut = len(said) - _LINES
    return ", ".join(said if cut <= 0 else [*said[: _LINES // 2], f"... {cut} more ...", *said[-_LINES // 2 :]])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _more(count: int) -> list[str]:
    return [f"  ... and {count} more"] if count > 0 else []


def _plain(line: str) -> str:
    """One line, whatever an event says; the indent stays."""
    indent = len(line) - len(line.lstrip(" "))
    words = _SPACES.split(line.strip())
    return " " * indent + "".join(word if word.isspace() else one_line(word) for word in words)
