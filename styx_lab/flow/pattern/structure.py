"""What is wrong with a pattern as a whole, found when it is built: before any event, and before a job hangs.

Law (oracle): what Flink CEP 2.3 refuses when it compiles a pattern is refused here. So is what Flink takes and then
hangs or dies of: a loop whose round can be empty; a not part that an event can meet before any event was taken; an
optional greedy loop with `until` behind a `not_followed_by`. All else is taken, however odd.

The walk goes from the last part to the first, as Flink's compiler does, and keeps of each state only what matters: the
names that are taken already (they decide which windows are in use), and where an event leads that nothing takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from styx_lab.core.time import duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.pattern.after_match import AfterMatch
from styx_lab.flow.pattern.parts import Part

__all__ = ["END", "every_part", "refuse_broken", "refuse_repeated", "whole_window"]

END: Final = "$endState$"
"""Flink's name for the end of a pattern; no part may have it."""


@dataclass(frozen=True, slots=True)
class _State:
    """A state, as far as an event goes that it does not take.

    Attributes:
        stop: the not part whose stop such an event can come to; None where it can come to none.
        final: whether it is the end of the pattern.
        loops: the loops over groups, by number, whose next round it can come to.
    """

    stop: Part | None = None
    final: bool = False
    loops: frozenset[int] = frozenset()

    def proceeding(self, to: _State) -> _State:
        """The same, with a way on to another."""
        return replace(self, stop=self.stop or to.stop, loops=self.loops | to.loops)


def every_part(parts: Sequence[Part]) -> Iterator[Part]:
    """All named parts, those of groups among them, in order."""
    for part in parts:
        if part.group:
            yield from every_part(part.group)
        else:
            yield part


def whole_window(parts: Sequence[Part]) -> int | None:
    """The window of the whole match, ms: the smallest that counts; None where none was said, 0 means none.

    Of the parts of a group, the last one's does not count: Flink looks at the group's own instead.
    """
    found = [part.within_ms for part in parts]
    found += [within for part in parts for within in _inner_windows(part)]
    return min((one for one in found if one is not None), default=None)


def _inner_windows(part: Part) -> Iterator[int | None]:
    for inner in part.group[:-1]:
        yield inner.within_ms
    for inner in part.group:
        yield from _inner_windows(inner)


def refuse_repeated(parts: Sequence[Part]) -> None:
    """Refuse a name that is used twice, and the one that is Flink's own.

    Raises:
        FlowError: naming it.
    """
    seen = {END}
    for part in every_part(parts):
        if part.name == END:
            raise FlowError("this name is the end's", where="pattern", got=part.name, hint="name the part otherwise")
        if part.name in seen:
            raise FlowError(
                "two parts have the same name", where="pattern", got=part.name, hint="name one of them otherwise"
            )
        seen.add(part.name)


def refuse_broken(parts: Sequence[Part], after_match: AfterMatch) -> None:
    """Refuse a pattern that Flink refuses as a whole, or takes and then hangs or dies of.

    Raises:
        FlowError: naming the part and what to do.
    """
    if not parts:
        raise FlowError("a pattern needs at least one part", where="pattern", hint="Pattern.begin('name')")
    refuse_repeated(parts)
    _check_skip(parts, after_match)
    walk = _Walk(parts[-1].within_ms)
    start = walk.chain(parts, _State(final=True), None)
    _check_windows(parts, walk)
    if start.stop is not None:
        raise FlowError(
            "an event can meet it before any event was taken, for all parts before it can be left out: Flink's job dies"
            " there",
            where=start.stop.where,
            hint="let a part that must come stand before it",
        )


def _check_skip(parts: Sequence[Part], after_match: AfterMatch) -> None:
    names = [part.name for part in parts]
    if after_match.part is not None and after_match.part not in names:
        raise FlowError(
            f"{after_match.strategy}() goes to a part that the pattern does not have at its top",
            where="pattern",
            got=after_match.part,
            hint=f"one of {', '.join(dict.fromkeys(names))}; parts inside a group do not count",
        )


def _check_windows(parts: Sequence[Part], walk: _Walk) -> None:
    last = parts[-1]
    whole = whole_window(parts)
    if whole is not None:
        for part, gap in walk.gaps:
            if gap > whole:
                raise FlowError(
                    f"its events may lie {duration_text(gap)} apart, and the whole match may be no longer than "
                    f"{duration_text(whole)}",
                    where=part.where,
                    hint="a shorter window between neighbours, or a longer within() for the whole match",
                )
    if last.relation == "not_followed_by" and not whole and not last.gap_ms:
        raise FlowError(
            "not_followed_by() at the end needs a length of time to wait for",
            where=last.where,
            hint="add .within('10m'): the match is complete when the event has not come by then",
        )


@dataclass(slots=True)
class _Walk:
    """The walk over a pattern, last part first.

    Attributes:
        window: the whole window so far, ms.
        gaps: the windows between neighbours that are in use.
        names: the names that states have already.
    """

    window: int | None
    gaps: list[tuple[Part, int]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    loops: int = 0

    def chain(self, parts: Sequence[Part], sink: _State, following: Part | None) -> _State:
        """The entry of a chain of parts in front of `sink`; `following` is the part that comes after it."""
        for place in range(len(parts) - 1, -1, -1):
            part = parts[place]
            if part.relation == "not_followed_by":
                if sink.final and (part.gap_ms is not None or (self.window or 0) > 0):
                    self._new(part)
                    sink = _State(stop=part)
            elif part.relation == "not_next":
                self._new(part)
                sink = _State(stop=part)
            else:
                sink = self._part(parts, place, sink, following)
            following = part
            before = parts[place - 1].within_ms if place else None
            if before is not None:
                self.window = before if self.window is None else min(self.window, before)
        return sink

    def _part(self, parts: Sequence[Part], place: int, sink: _State, following: Part | None) -> _State:
        part, nots = parts[place], _nots(parts, place)
        quantifier = part.quantifier
        if nots and part.until and quantifier.greedy and quantifier.optional:
            raise FlowError(
                f"an optional greedy loop with until() behind not_followed_by() ({nots[0].name!r}): Flink's job dies "
                "when the until condition is met there",
                where=part.where,
                hint="leave out one of optional(), greedy() and until(), or put a part that must come in between",
            )
        entry = self._looped(part, sink, following) if quantifier.kind == "loop" else None
        target = sink if entry is None else entry
        least, most = quantifier.least, quantifier.most or quantifier.least
        for _ in range(most - least):
            target = self._stopping(self._once(part, target, sink, following, optional=True), following)
        for _ in range(least - 1):
            target = self._stopping(self._once(part, target, sink, following, optional=False), following)
        entry = self._once(part, target, sink, following, optional=quantifier.optional)
        return replace(entry, stop=entry.stop or nots[0]) if nots else entry

    def _once(self, part: Part, target: _State, after: _State, following: Part | None, *, optional: bool) -> _State:
        if part.group:
            entry = self.chain(part.group, target, following)
        else:
            self._new(part)
            entry = _State()
        return entry.proceeding(after) if optional else entry

    def _looped(self, part: Part, sink: _State, following: Part | None) -> _State:
        self._new(part)
        if not part.group:
            return _State().proceeding(sink)
        self.loops += 1
        number = self.loops
        head = self.chain(part.group, _State(loops=frozenset({number})), following)
        if number in head.loops:
            raise FlowError(
                "a group that repeats without end can be left out as a whole, so Flink's job goes round in it for ever",
                where=f"the group of {', '.join(repr(one.name) for one in every_part(part.group))}",
                hint="let at least one of its parts be one that must come",
            )
        return head.proceeding(sink)

    def _stopping(self, state: _State, following: Part | None) -> _State:
        """A state inside a repeated part, which a `not_followed_by` after the part stops too."""
        if following is None or following.relation != "not_followed_by":
            return state
        return replace(state, stop=state.stop or following)

    def _new(self, part: Part) -> None:
        """A state that takes events: its window between neighbours counts, if it is one that Flink looks at."""
        name, count = part.name, 0
        while name in self.names:
            name, count = f"{part.name}:{count}", count + 1
        self.names.add(name)
        gap = part.gap_ms
        if part.quantifier.kind != "single":
            # Flink looks it up by the state's name, and only where that has a number.
            gap = part.quantifier.window_ms if ":" in name else None
        if gap is not None:
            self.gaps.append((part, gap))


def _nots(parts: Sequence[Part], place: int) -> list[Part]:
    """The `not_followed_by` parts before a part, over what can be left out."""
    found = []
    for part in reversed(parts[:place]):
        if part.relation == "not_followed_by":
            found.append(part)
        elif not part.quantifier.optional:
            break
    return found
