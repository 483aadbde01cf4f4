"""Why a partial match became no match, in words, and how near it came.

Law (true): what is said of an event was evaluated on that event, with what the partial match had taken.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK, duration_text, ms_iso
from styx_lab.flow.pattern.conditions import Call
from styx_lab.flow.pattern.given import condition_text, leaves
from styx_lab.flow.pattern.lookback import folds_of
from styx_lab.flow.pattern.parts import Part
from styx_lab.operators.cep.automaton.states import Edge
from styx_lab.operators.cep.explain.follow import Followed
from styx_lab.operators.cep.explain.lives import Life, Lives
from styx_lab.operators.cep.explain.steps import Steps
from styx_lab.operators.cep.explain.unmet import Unmet, Wanted
from styx_lab.operators.cep.reading import trace

__all__ = ["Cause", "Causes", "clock", "moment", "quoted"]

CauseKind = Literal[
    "too_late", "late_event", "unmet", "strict", "until", "not", "timed_out", "skip", "overflow", "held_back",
    "waiting", "split", "matched",
]  # fmt: skip

_FURTHER: Final = 200  # events after a deadline that are looked at
_LOOKED: Final = 50  # events before it
_FAR: Final = 1_000.0
_YEAR_100, _YEAR_9999 = -59_011_459_200_000, 253_402_300_799_000


@dataclass(frozen=True, slots=True)
class Cause:
    """Why.

    Attributes:
        kind: what kind of reason it is.
        text: in words.
        event: the event it is about; None where it is about none.
        at: when that was, ms.
        late_by: how much too late it came, ms.
        unmet: what it lacked.
        distance: how far it was from a match; 0 is nearest.
    """

    kind: CauseKind
    text: str
    event: int | None = None
    at: int | None = None
    late_by: int | None = None
    unmet: tuple[Unmet, ...] = ()
    distance: float = _FAR


def moment(ms: int) -> str:
    """A time as people read it.

    >>> moment(1_700_000_000_000), moment(1_500)
    ('2023-11-14 22:13:20', '1970-01-01 00:00:01.500')
    """
    if ms == MAX_WATERMARK:
        return "the end of the input"
    if not _YEAR_100 <= ms <= _YEAR_9999:
        return "the beginning" if ms == MIN_WATERMARK else f"{ms} ms"
    return ms_iso(ms).replace("T", " ").removesuffix("Z").removesuffix(".000")


def clock(ms: int, after: int | None) -> str:
    """A time without its date, where that is the date of another time that was just said.

    >>> clock(1_700_000_001_000, 1_700_000_000_000), clock(1_700_100_000_000, 1_700_000_000_000)
    ('22:13:21', '2023-11-16 02:00:00')
    """
    text, other = moment(ms), "" if after is None else moment(after)
    date, space, time = text.partition(" ")
    return time if space and time[:1].isdigit() and other.startswith(date) else text


def quoted(names: Sequence[str]) -> str:
    """Names in a row: `'a'`, `'b' or 'c'`."""
    return " or ".join(map(repr, names))


@dataclass(frozen=True, slots=True)
class _Near:
    """An event that was near to being taken."""

    name: str
    event: int
    unmet: tuple[Unmet, ...]

    @property
    def distance(self) -> float:
        return len(self.unmet) - 1 + min(sum(one.distance for one in self.unmet) / len(self.unmet), 1.0)


class Causes:
    """Finds causes.

    Args:
        followed: what happened.
        lives: the partial matches of it.
        steps: the pattern's steps.
    """

    def __init__(self, followed: Followed, lives: Lives, steps: Steps) -> None:
        self._followed = followed
        self._lives = lives
        self._steps = steps
        self._wanted = Wanted(followed.leaves)
        self._states = followed.automaton.states
        self._parts = {part.column: part for part in _named(followed.step.pattern.parts)}
        self._untils = dict(_untils(followed.step.pattern.parts))
        processed = [
            event
            for event in range(len(followed.times))
            if event not in followed.late and event not in followed.dead and event not in followed.left_out
        ]
        self._sorted = sorted(processed, key=followed.times.__getitem__)
        self._known: dict[int, Cause] = {}
        self._asks: dict[int, bool] = {}
        self._unmet: dict[tuple[int, int, tuple[tuple[str, int], ...]], tuple[Unmet, ...]] = {}

    def of(self, life: Life) -> Cause:
        """Why a partial match became no match."""
        if life.number not in self._known:
            self._known[life.number] = self._late(life) or self._find(life)
        return self._known[life.number]

    def start(self) -> Cause | None:
        """What came nearest to beginning a match; None where there was no event."""
        looks = [look for look in self._lives.starts if not any(_takes(one) for one in look.tried if one.held)]
        near = min((one for look in looks for one in self._near(look, ())), key=lambda one: one.distance, default=None)
        if near is None:
            return None
        text = f"no event began it as {near.name!r}; the nearest, at {self._time(near.event)}: {_said(near.unmet)}"
        return self._cause("unmet", text, near)

    def start_around(self, low: int, high: int) -> Cause | None:
        """The same of the events of a time."""
        looks = [look for look in self._lives.starts if low <= look.at <= high]
        near = min(
            (one for look in looks for one in self._near(look, ()) if one.unmet),
            key=lambda one: one.distance,
            default=None,
        )
        if near is None:
            return None
        text = f"the event at {self._time(near.event)} did not begin it as {near.name!r}: {_said(near.unmet)}"
        return self._cause("unmet", text, near)

    def passed(self, look: trace.Looked, accepted: Sequence[tuple[str, int]]) -> str:
        """Why an event was let pass: what it lacked; nothing where another took it."""
        if any(_takes(one) for one in look.tried if one.held):
            return ", and another took it"
        near = min(self._near(look, accepted), key=lambda one: one.distance, default=None)
        return "" if near is None else f": no {near.name!r}, {_said(near.unmet)}"

    def _find(self, life: Life) -> Cause:
        match life.last:
            case trace.Emitted():
                return Cause("matched", "it is a match", distance=0.0)
            case trace.Died():
                return self._died(life, life.last)
            case trace.Stopped():
                return self._stopped(life, life.last)
            case trace.TimedOut():
                return self._timed_out(life, life.last)
            case trace.Pruned():
                was = "it was complete, and match" if life.last.was == "completed" else "match"
                skip = self._followed.step.pattern.after_match
                text = f"{was} #{life.last.match} came out, and its skip took it away ({skip})"
                return Cause("skip", text, at=life.last.at, distance=0.5)
            case trace.Dropped():
                text = (
                    f"its key had more than {life.last.most:,} partial matches, and the {life.last.beyond} went "
                    f"(detect(overflow='drop_{life.last.beyond}'))"
                )
                return Cause("overflow", text, at=life.last.at, distance=0.5)
            case trace.Split():
                into = ", ".join(f"#{number}" for number in life.last.into)
                return Cause("split", f"it went on as {into}", at=life.last.at)
        if life.end == "held_back":
            # Only the first of those that wait is looked at; the others wait behind it.
            last = next(entry for entry in reversed(self._followed.entries) if isinstance(entry, trace.HeldBack))
            who = "" if last.partial == life.number else f"match #{last.partial}, which itself waits for "
            text = f"it is complete, and waits for {who}#{last.behind}, which began before it and is still alive"
            return Cause("held_back", text, distance=0.0)
        waiting = self._waiting(self.state_of(life), life)
        near = self._nearest(life)
        return self._with_near("waiting", f"it still waits for {quoted(waiting)}", near)

    # How it ended.

    def _died(self, life: Life, entry: trace.Died) -> Cause:
        last = self._followed.times[life.taken[-1][1]]
        at = clock(self._followed.times[entry.event], last)
        takes = self._near(trace.Looked(life.number, entry.state, entry.tried, entry.at, entry.event), life.taken)
        near = min(takes, key=lambda one: (one.distance, not self._lacks(one.name, life)), default=None)
        unmet = () if near is None else near.unmet
        for name, part in self._untils.items():
            tried = {self._states[one.state].part for one in entry.tried}
            if part.until is not None and name in tried and self._wanted.met(part.until, entry.event, life.taken):
                text = f"the event at {at} met until {condition_text(part.until)}, which ended {name!r}"
                return Cause("until", text, entry.event, entry.at, unmet=unmet, distance=1.0)
        if near is None:
            return Cause("strict", f"no event could come next, and one did, at {at}", entry.event, entry.at)
        if not any(one.edge.action == "ignore" for one in entry.tried):
            text = f"the very next event, at {at}, was no {near.name!r}: {_said(near.unmet)}"
            return self._cause("strict", text, near)
        text = f"the event at {at} could be neither taken as {near.name!r} nor passed over: {_said(near.unmet)}"
        return self._cause("unmet", text, near)

    def _stopped(self, life: Life, entry: trace.Stopped) -> Cause:
        said = []
        for name in entry.by:
            condition = self._parts[name].condition if name in self._parts else None
            why = [] if condition is None else self._wanted.unmet(condition, entry.event, life.taken, wanted=False)
            said.append(f"{name!r} came, which must not" + (f" ({_said(why)})" if why else ""))
        text = f"at {self._time(entry.event)} {' and '.join(said)}"
        return Cause("not", text, entry.event, entry.at, distance=1.0)

    def _timed_out(self, life: Life, entry: trace.TimedOut) -> Cause:
        names = self._waiting(entry.state, life)
        bound = self._followed.automaton.within_ms if entry.bound == "within" else self._states[entry.state].gap_ms
        ended = f"the {duration_text(bound or 0)} {'' if entry.bound == 'within' else 'after its last event '}ended at"
        late = self._too_late(entry)
        if late is not None:
            event, name = late
            at = self._followed.times[event]
            by = at - entry.deadline
            how = f"{duration_text(by)} too late" if by else "just too late (it must be before)"
            ordinal = self._steps.ordinal(name)
            who = f"the {ordinal}, {name!r}," if ordinal and self._lacks(name, life) else repr(name)
            text = f"{who} came {how}, at {moment(at)}: {ended} {clock(entry.deadline, at)}"
            return Cause("too_late", text, event, at, by, distance=by / (by + max(bound or 1, 1)))
        text = f"no {quoted(names)} came in time: {ended} {moment(entry.deadline)}"
        near = self._nearest(life)
        return Cause("timed_out", text, at=entry.deadline) if near is None else self._with_near("timed_out", text, near)

    def _too_late(self, entry: trace.TimedOut) -> tuple[int, str] | None:
        """The first event after the deadline that it would have taken, and as what."""
        partial = self._followed.timed_out[entry.partial]
        first = bisect_left(self._sorted, entry.deadline, key=self._followed.times.__getitem__)
        for event in self._sorted[first : first + _FURTHER]:
            takes, passes = self._ways(partial.state, event, partial.accepted)
            if takes:
                return event, takes[0]
            if not passes:
                return None
        return None

    def _ways(self, state: int, event: int, accepted: Sequence[tuple[str, int]]) -> tuple[list[str], bool]:
        """As what a partial match would take an event, and whether it would let it pass."""
        takes, passes, stack, seen = [], False, [state], {state}
        while stack:
            number = stack.pop()
            for edge in self._states[number].edges:
                if not self._wanted.met(edge.condition, event, accepted):
                    continue
                if edge.action == "proceed":
                    if self._states[edge.target].kind == "stop":
                        return [], False
                    if edge.target not in seen:
                        seen.add(edge.target)
                        stack.append(edge.target)
                elif edge.action == "ignore":
                    passes = True
                else:
                    takes.append(self._states[number].part)
        return takes, passes

    def _late(self, life: Life) -> Cause | None:
        """A late event that it would have taken."""
        if life.end not in ("timed_out", "alive", "died") or not self._followed.late:
            return None
        state, began = self.state_of(life), self._followed.times[life.taken[-1][1]]
        ended = life.last.deadline if isinstance(life.last, trace.TimedOut) else life.end_at
        for event, mark in self._followed.late.items():
            at = self._followed.times[event]
            if at < began or (ended is not None and at >= ended):
                continue
            takes, _ = self._ways(state, event, life.taken)
            if takes:
                behind = duration_text(mark - at) if mark - at < MAX_WATERMARK // 2 else "far"
                text = (
                    f"{takes[0]!r} came at {moment(at)}, but it arrived late, {behind} behind the watermark, "
                    "and was left out"
                )
                return Cause("late_event", text, event, at, distance=0.0)
        return None

    # What was near.

    def state_of(self, life: Life) -> int:
        """The state it was in, in the end."""
        return next(
            entry.target
            for entry in reversed(life.entries)
            if isinstance(entry, trace.Started | trace.Took | trace.Ignored)
        )

    def _lacks(self, name: str, life: Life) -> bool:
        return sum(part == name for part, _ in life.taken) < self._steps.needed.get(name, 0)

    def _waiting(self, state: int, life: Life) -> list[str]:
        """What it can take next: what it lacks, else whatever it can."""
        names, stack, seen = [], [state], {state}
        while stack:
            number = stack.pop()
            for edge in self._states[number].edges:
                target = self._states[edge.target]
                if edge.action == "take" and self._states[number].kind != "stop":
                    names.append(self._states[number].part)
                elif edge.action == "proceed" and target.kind != "stop" and edge.target not in seen:
                    seen.add(edge.target)
                    stack.append(edge.target)
        names = list(dict.fromkeys(names))
        lacking = [name for name in names if self._lacks(name, life)]
        return lacking or names or [self._states[state].part]

    def _nearest(self, life: Life) -> _Near | None:
        """The event that it let pass and that was nearest to being taken, since it took its last."""
        looks: list[trace.Looked] = []
        for entry in reversed(life.entries):
            if isinstance(entry, trace.Started | trace.Took):
                break
            if isinstance(entry, trace.Looked) and not any(_takes(one) for one in entry.tried if one.held):
                looks.append(entry)
        found = [one for look in looks[:_LOOKED] for one in self._near(look, life.taken)]
        return min(found, key=lambda one: (not self._lacks(one.name, life), one.distance), default=None)

    def _near(self, look: trace.Looked, accepted: Sequence[tuple[str, int]]) -> list[_Near]:
        """What a look at an event lacked, for each part that could have taken it."""
        found = []
        for one in look.tried:
            if not one.held and _takes(one) and self._states[one.state].kind != "stop":
                unmet = self._lacking(one.edge, look.event, accepted)
                if unmet:
                    found.append(_Near(self._states[one.state].part, look.event, unmet))
        return found

    def _lacking(self, edge: Edge, event: int, accepted: Sequence[tuple[str, int]]) -> tuple[Unmet, ...]:
        if id(edge) not in self._asks:
            asked = leaves(edge.condition)
            self._asks[id(edge)] = any(isinstance(one, Call) or bool(folds_of(one.expression)) for one in asked)
        # What depends on the event alone is the same for every partial match that looks at it.
        key = (id(edge), event, tuple(accepted) if self._asks[id(edge)] else ())
        if key not in self._unmet:
            self._unmet[key] = tuple(self._wanted.unmet(edge.condition, event, accepted))
        return self._unmet[key]

    def _with_near(self, kind: CauseKind, text: str, near: _Near | None) -> Cause:
        if near is None:
            return Cause(kind, text)
        return self._cause(kind, f"{text}; the nearest, at {self._time(near.event)}: {_said(near.unmet)}", near)

    def _cause(self, kind: CauseKind, text: str, near: _Near) -> Cause:
        return Cause(kind, text, near.event, self._followed.times[near.event], unmet=near.unmet, distance=near.distance)

    def _time(self, event: int) -> str:
        return moment(self._followed.times[event])


def _takes(one: trace.Tried) -> bool:
    return one.edge.action == "take"


def _said(unmet: Sequence[Unmet]) -> str:
    return "; ".join(dict.fromkeys(one.text for one in unmet))


def _named(parts: Sequence[Part]) -> Iterator[Part]:
    for part in parts:
        if part.group:
            yield from _named(part.group)
        else:
            yield part


def _untils(parts: Sequence[Part], outer: Part | None = None) -> Iterator[tuple[str, Part]]:
    """The names whose taking an until ends, with the part that says it."""
    for part in parts:
        ends = part if part.until is not None else outer
        if part.group:
            yield from _untils(part.group, ends)
        elif ends is not None:
            yield part.column, ends
