"""The slow, obvious reading of a pattern over many keys in event time: what is late, when a key is looked at.

Law (oracle): as Flink CEP 2.3 does with watermarks. Events wait until the watermark reaches them; a key is looked at
when one of its timers is due and at no other time, so what has no timer is seen later or never.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from styx_lab.core.time import MIN_WATERMARK
from styx_lab.errors import RunError
from styx_lab.operators.cep.automaton.states import Automaton
from styx_lab.operators.cep.reading.reading import Beyond, Emission, Holds, Partial, Reading, wrapped
from styx_lab.operators.cep.reading.trace import Entry

__all__ = ["KeyedReading", "LeftOutError"]

E = TypeVar("E")


class LeftOutError(RunError):
    """A condition cannot be told of an event: the event is left out, and what lives is as it was."""


@dataclass(slots=True)
class _Key(Generic[E]):
    """What is known of a key."""

    reading: Reading[E]
    waiting: dict[int, list[E]] = field(default_factory=dict)
    timers: set[int] = field(default_factory=set)


class KeyedReading(Generic[E]):
    """Many keys, each with its own reading of the same automaton.

    >>> from styx_lab.flow.pattern.after_match import NO_SKIP
    >>> from styx_lab.flow.pattern.parts import Part
    >>> from styx_lab.operators.cep.automaton.build import build_automaton
    >>> any_two = build_automaton((Part("a", "begin"), Part("b", "next")), NO_SKIP)
    >>> keys = KeyedReading[str](any_two, lambda leaf, event, accepted: True)
    >>> keys.event("k", "y", 2), keys.event("k", "x", 1), keys.event("other", "z", 1)
    (True, True, True)
    >>> [(key, match.parts) for key, match in keys.watermark(2)], keys.event("k", "late", 2)
    ([('k', {'a': ['x'], 'b': ['y']})], False)

    Args:
        automaton: the pattern.
        holds: says whether a leaf of a condition holds.
        order: what orders the events of one key and one time; without it they keep the order of arrival.
        descending: whether the greatest comes first then; equals keep the order of arrival all the same.
        tracer: is given a key and the entries of its trace, if there is one.
        most: how many partial matches a key may have at a time; None is no bound.
        beyond: what becomes of one more.
        left_out: is told of a key's event that `holds` refused by a `LeftOutError`; without it that is an error.
    """

    def __init__(
        self,
        automaton: Automaton,
        holds: Holds[E],
        *,
        order: Callable[[E], Any] | None = None,
        descending: bool = False,
        tracer: Callable[[Hashable, Entry], None] | None = None,
        most: int | None = None,
        beyond: Beyond = "error",
        left_out: Callable[[Hashable, E, LeftOutError], None] | None = None,
    ) -> None:
        self._most = most
        self._beyond: Beyond = beyond
        self._left_out = left_out
        self._automaton = automaton
        self._holds = holds
        self._order = order
        self._descending = descending
        self._tracer = tracer
        self._keys: dict[Hashable, _Key[E]] = {}
        self._mark = MIN_WATERMARK

    def event(self, key: Hashable, event: E, at: int) -> bool:
        """An event arrives; gives whether it was in time. A late one is not looked at."""
        if at <= self._mark:
            return False
        if key not in self._keys:
            tracer = self._tracer_of(key)
            self._keys[key] = _Key(Reading(self._automaton, self._holds, tracer, most=self._most, beyond=self._beyond))
        known = self._keys[key]
        known.waiting.setdefault(at, []).append(event)
        known.timers.add(at)
        return True

    def _tracer_of(self, key: Hashable) -> Callable[[Entry], None] | None:
        tracer = self._tracer
        return None if tracer is None else lambda entry: tracer(key, entry)

    def due(self) -> int | None:
        """The least watermark that anything waits for, ms; None where nothing does."""
        return min((timer for known in self._keys.values() for timer in known.timers), default=None)

    def live(self, key: Hashable) -> list[Partial[E]]:
        """The partial matches of a key, the start among them; of an unknown key none."""
        return self._keys[key].reading.live if key in self._keys else []

    def watermark(self, mark: int) -> list[tuple[Hashable, Emission[E]]]:
        """The watermark moves, if that is forward; gives what comes out, the keys in order of their first event.

        Raises:
            RunError: when a condition raises, a skip with `throw_on_miss` misses, or events cannot be put in order.
        """
        out: list[tuple[Hashable, Emission[E]]] = []
        if mark <= self._mark:
            return out
        self._mark = mark
        for key, known in self._keys.items():
            # A timer that is set while the key is looked at may be due at once.
            while due := {timer for timer in known.timers if timer <= mark}:
                known.timers -= due
                out += [(key, emission) for emission in self._look(key, known, mark)]
        return out

    def _look(self, key: Hashable, known: _Key[E], mark: int) -> list[Emission[E]]:
        out: list[Emission[E]] = []
        window = self._automaton.within_ms
        started = False
        for at in sorted(at for at in known.waiting if at <= mark):
            out += known.reading.advance(at)
            for event in self._in_order(known.waiting.pop(at)):
                try:
                    out += known.reading.take(event, at)
                except LeftOutError as error:
                    if self._left_out is None:
                        raise
                    self._left_out(key, event, error)
                    continue
                # Flink forgets that a partial match began only when the whole batch is done.
                started |= known.reading.started
                if started and window > 0:
                    known.timers.add(wrapped(at + window))
        return out + known.reading.advance(mark)

    def _in_order(self, events: list[E]) -> list[E]:
        if self._order is None or len(events) == 1:
            return events
        try:
            return sorted(events, key=self._order, reverse=self._descending)
        except TypeError as error:
            hint = "order by a column that every event has"
            raise RunError(f"events of one time cannot be put in order: {error}", where="order", hint=hint) from error
