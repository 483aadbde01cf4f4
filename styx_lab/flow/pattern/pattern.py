"""A pattern: what to look for among the events of one key, in event time, as frozen data.

Law (oracle): a pattern means what the same pattern means in Apache Flink CEP 2.3. Every match that exists is found
(Flink's `noSkip`), also overlapping ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import polars as pl

from styx_lab.core.schema import RESERVED_PREFIX
from styx_lab.core.time import Duration, duration_ms, duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression

__all__ = ["Part", "Pattern", "Relation"]

Relation = Literal["begin", "next", "followed_by"]
_RELATIONS: Final = ("begin", "next", "followed_by")


@dataclass(frozen=True, slots=True)
class Part:
    """One named part of a pattern.

    Attributes:
        name: what its events are called in the match.
        relation: how it follows the part before: `next` (the very next event of the key) or `followed_by` (events that
            do not meet its condition may lie between).
        conditions: all must hold; none means any event.
        times: how many events it takes; None for one event that is not a list in the match.
        consecutive: whether those events must come one right after the other.
    """

    name: str
    relation: Relation
    conditions: tuple[Expression, ...] = ()
    times: int | None = None
    consecutive: bool = False

    @property
    def many(self) -> bool:
        """Whether the part's columns are lists in the match."""
        return self.times is not None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A chain of parts, built call by call; each call gives a new pattern.

    >>> testing = (Pattern.begin("declined").where("status = 'declined'").times(2).consecutive()
    ...            .followed_by("drain").where("amount > 500").within("10m"))
    >>> print(testing)
    begin declined[2, consecutive] where status = 'declined' -> followed by drain where amount > 500, within 10m

    Time: an event belongs to a match if it lies less than `within` after the match's first event. State: per key, the
    events that may still be part of a match. Follows Flink CEP (`Pattern`, "Detecting Patterns").
    """

    parts: tuple[Part, ...]
    within_ms: int | None = None

    @staticmethod
    def begin(name: str) -> Pattern:
        """A pattern of one part, which any event may start."""
        return Pattern(())._follow(name, "begin")

    def next(self, name: str) -> Pattern:
        """A further part: the key's very next event, or the match dies (strict contiguity)."""
        return self._follow(name, "next")

    def followed_by(self, name: str) -> Pattern:
        """A further part: the key's next event that meets its condition (relaxed contiguity)."""
        return self._follow(name, "followed_by")

    def where(self, condition: str | pl.Expr | Expression) -> Pattern:
        """A condition on the last part: SQL text or a Polars expression; a second one must hold too.

        A condition that is null counts as false.
        """
        return self._last(conditions=(*self._tail.conditions, Expression.of(condition, where=self._where)))

    def times(self, count: int) -> Pattern:
        """The last part takes `count` events; others may lie between them, unless `consecutive` follows."""
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise FlowError("times() takes a whole number of 1 or more", where=self._where, got=count)
        if self._tail.times is not None:
            raise FlowError("times() was said already", where=self._where, got=count, hint="say it once")
        return self._last(times=count)

    def consecutive(self) -> Pattern:
        """The events of the last part must come one right after the other."""
        if self._tail.times is None:
            raise FlowError("consecutive() needs times() before it", where=self._where, hint=".times(2).consecutive()")
        return self._last(consecutive=True)

    def within(self, length: Duration) -> Pattern:
        """A match must end less than `length` after it began (the smallest counts where it is said again)."""
        ms = duration_ms(length, where=f"{self._where}, within()")
        return replace(self, within_ms=ms if self.within_ms is None else min(ms, self.within_ms))

    @property
    def _tail(self) -> Part:
        if not self.parts:
            raise FlowError("a pattern begins with Pattern.begin(name)", where="pattern")
        return self.parts[-1]

    @property
    def _where(self) -> str:
        return f"pattern part {self._tail.name!r}"

    def _follow(self, name: str, relation: Relation) -> Pattern:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith(RESERVED_PREFIX):
            raise FlowError(
                "a part's name must be a plain word", where="pattern", got=name, hint="letters, digits, underscores"
            )
        if any(part.name == name for part in self.parts):
            raise FlowError(
                "two parts have the same name", where="pattern", got=name, hint="name one of them otherwise"
            )
        return replace(self, parts=(*self.parts, Part(name, relation)))

    def _last(self, **changes: Any) -> Pattern:
        return replace(self, parts=(*self.parts[:-1], replace(self._tail, **changes)))

    def check(self, schema: Mapping[str, pl.DataType], *, where: str) -> None:
        """Try every condition against the schema of the events.

        Raises:
            ExpressionError: on an unknown column, or a condition that is not true or false.
        """
        if not isinstance(self, Pattern) or not self.parts:
            raise FlowError("a pattern needs at least one part", where=where, hint="Pattern.begin('name')")
        for part in self.parts:
            for condition in part.conditions:
                condition.check(schema, where=f"{where}, part {part.name!r}", boolean=True)

    def __str__(self) -> str:
        words = []
        for part in self.parts:
            repeats = f"[{part.times}{', consecutive' if part.consecutive else ''}]" if part.times else ""
            condition = " and ".join(one.text for one in part.conditions)
            words.append(
                f"{part.relation.replace('_', ' ')} {part.name}{repeats}" + (f" where {condition}" if condition else "")
            )
        text = " -> ".join(words)
        return text + (f", within {duration_text(self.within_ms)}" if self.within_ms else "")

    def to_json(self) -> dict[str, Any]:
        """The pattern as JSON."""
        return {
            "parts": [
                {
                    "name": part.name,
                    "relation": part.relation,
                    "where": [condition.to_json() for condition in part.conditions],
                    "times": part.times,
                    "consecutive": part.consecutive,
                }
                for part in self.parts
            ],
            "within_ms": self.within_ms,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any], *, where: str) -> Pattern:
        """The pattern of `to_json`'s answer; built through the same calls, so the same checks apply."""
        pattern = Pattern(())
        for part in value["parts"]:
            if part["relation"] not in _RELATIONS:
                raise FlowError("unknown relation in a stored pattern", where=where, got=part["relation"])
            pattern = pattern._follow(part["name"], part["relation"])
            for condition in part["where"]:
                pattern = pattern.where(Expression.from_json(condition, where=where))
            if part["times"] is not None:
                pattern = pattern.times(part["times"])
            if part["consecutive"]:
                pattern = pattern.consecutive()
        return replace(pattern, within_ms=value["within_ms"])
