"""A pattern: what to look for among the events of one key, in event time, as frozen data.

Law (oracle): a pattern means what the same pattern means in Apache Flink CEP 2.3, and its calls take effect in order as
Flink's do. What Flink refuses is refused when it is said; what only the whole can be refused for, by `check_structure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.core.schema import RESERVED_PREFIX, TIME_DTYPE
from styx_lab.core.time import Duration, duration_ms
from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.conditions import Condition, Where
from styx_lab.flow.pattern.given import ConditionLike, both, check_condition, condition_of, either
from styx_lab.flow.pattern.json_form import read_pattern, write_pattern
from styx_lab.flow.pattern.parts import GROUP, Contiguity, Part, Quantifier, Relation
from styx_lab.flow.pattern.structure import every_part, refuse_broken, refuse_repeated, whole_window
from styx_lab.flow.pattern.words import pattern_line
from styx_lab.flow.verbs import call

if TYPE_CHECKING:
    from styx_lab.flow.pattern.diagram import Diagram

__all__ = ["Pattern"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A chain of parts, built call by call; each call gives a new pattern.

    >>> testing = (Pattern.begin("declined").where("status = 'declined'").times(2).consecutive()
    ...            .followed_by("drain").where("amount > 500").within("10m"))
    >>> print(testing)
    begin declined[2, consecutive] where status = 'declined' -> followed by drain where amount > 500, within 10m

    Calls that say something of a part (`where`, `times`, `within`, ...) are about the last one. A part may be a pattern
    itself, a group: `followed_by(Pattern.begin(...)...)`; what is said after it is about the group.

    Time: events of a key are taken in order of event time. State: per key, the events that may still be part of a
    match; without `within` they are kept for ever. Follows Flink CEP (`Pattern`, "Detecting Patterns").

    Attributes:
        parts: its parts, in order.
        after_match: what a match does to others that share its events.
    """

    parts: tuple[Part, ...]
    after_match: AfterMatch = NO_SKIP

    # How parts follow each other.

    @staticmethod
    def begin(part: str | Pattern, *, after_match: AfterMatch = NO_SKIP) -> Pattern:
        """A pattern of one part, which any event that meets its condition may start.

        >>> print(Pattern.begin(Pattern.begin("a").followed_by("b")).times(2))
        begin (begin a -> followed by b)[2]

        Args:
            part: the part's name (what stands before a `:` in it is what a match calls it), or a group.
            after_match: what a match does to others that share its events; a group's own does not count.

        Raises:
            FlowError: when the name is none, or begins with `_`.
        """
        if not isinstance(after_match, AfterMatch):
            raise FlowError("not a skip strategy", where="pattern", got=after_match, hint="AfterMatch.skip_to_next()")
        return Pattern((), after_match).followed("begin", part)

    def next(self, part: str | Pattern) -> Pattern:
        """A further part: the key's very next event, or the match dies (strict contiguity)."""
        return self.followed("next", part)

    def followed_by(self, part: str | Pattern) -> Pattern:
        """A further part: the key's next event that meets its condition (relaxed contiguity)."""
        return self.followed("followed_by", part)

    def followed_by_any(self, part: str | Pattern) -> Pattern:
        """A further part: any later event of the key that meets its condition, each a match of its own.

        >>> print(Pattern.begin("a").followed_by_any("b"))
        begin a -> followed by any b
        """
        return self.followed("followed_by_any", part)

    def not_next(self, part: str) -> Pattern:
        """What the key's very next event may not be; it is no part of the match.

        At the end of a pattern one more event must come, which does not meet the condition.

        Raises:
            FlowError: after a part that may be left out.
        """
        return self.followed("not_next", part)

    def not_followed_by(self, part: str) -> Pattern:
        """What may not come before the next part; at the end of a pattern, what may not come within its `within`.

        >>> stuck = (Pattern.begin("page1").where("page = 1").followed_by("page2").where("page = 2")
        ...          .not_followed_by("page3").where("page = 3").within("10m"))
        >>> print(stuck)  # doctest: +NORMALIZE_WHITESPACE
        begin page1 where page = 1 -> followed by page2 where page = 2
            -> not followed by page3 where page = 3, within 10m

        Raises:
            FlowError: after a part that may be left out; at the end without a length of time (when the flow is built).
        """
        return self.followed("not_followed_by", part)

    # What an event must be like.

    def where(self, condition: ConditionLike) -> Pattern:
        """A condition on the last part; with what was said before, both must hold.

        >>> from styx_lab import col, matched
        >>> print(Pattern.begin("a").followed_by("b").where(col("amount") > matched("a").amount.last()))
        begin a -> followed by b where amount > matched("a")["amount"].last()

        Args:
            condition: SQL text or a Polars expression (null counts as false), which may look back with `matched`; or a
                function `(event, match) -> bool` of a module, which the flow then carries: the event is a mapping of
                its columns and `_time`, the match gives for each part the events it has taken so far.

        Raises:
            FlowError: on a group, or on what is no condition.
        """
        return self._last(condition=both(self._of_events("where").condition, self._condition(condition)))

    def or_where(self, condition: ConditionLike) -> Pattern:
        """A condition that may hold instead of all that was said of the last part so far.

        >>> print(Pattern.begin("a").where("x > 1").or_where("y > 1").where("z > 1"))
        begin a where (x > 1 or y > 1) and z > 1

        Raises:
            FlowError: on a group, or on what is no condition.
        """
        return self._last(condition=either(self._of_events("or_where").condition, self._condition(condition)))

    def subtype(self, *kinds: str | int | bool, column: str = "kind") -> Pattern:
        """The event must be of one of these kinds: the value of a column.

        >>> print(Pattern.begin("a").subtype("debit", "credit"))
        begin a where kind.is_in(['debit', 'credit'])

        Args:
            kinds: the values.
            column: the column that holds them.

        Raises:
            FlowError: on a group, or without a kind.
        """
        if not kinds:
            raise FlowError("subtype() needs a kind", where=self._where, hint=".subtype('debit')")
        return self._with_where("subtype", pl.col(column).is_in(list(kinds)))

    def until(self, condition: ConditionLike) -> Pattern:
        """What ends the last part's loop: from an event that meets it on, it takes no more.

        Raises:
            FlowError: on a part that is no loop, or when it was said already.
        """
        tail = self._tail
        if tail.until is not None:
            raise FlowError("until() was said already", where=self._where, hint="say it once, with OR or |")
        if tail.quantifier.kind != "loop":
            raise FlowError(
                "until() is for a loop without end",
                where=self._where,
                hint="say one_or_more() or times_or_more(n) before it",
            )
        return self._last(until=self._condition(condition))

    # How often.

    def times(self, least: int, most: int | None = None, *, window: Duration | None = None) -> Pattern:
        """How many events the last part takes, or how many rounds a group: `times(2)`, `times(2, 4)`.

        Others may lie between them, unless `consecutive` follows. `times(0, n)` is `times(1, n)` that may be left out.

        Args:
            least: how many at least; without `most`, just so many.
            most: how many at most.
            window: how far apart two of them may lie; as in Flink it bounds all gaps but the last.

        Raises:
            FlowError: on a number that is none, a not part, or a part that has been told how often.
        """
        ms = self._window(window, "times")
        return self.repeated("times", least, least if most is None else most, ms, zero=most is not None)

    def times_or_more(self, least: int, *, window: Duration | None = None) -> Pattern:
        """The last part takes so many events or more.

        Args:
            least: how many at least.
            window: how far apart they may lie; as in Flink it bounds the gap to the first ones, not those in the loop.

        Raises:
            FlowError: on a number that is none, a not part, or a part that has been told how often.
        """
        return self.repeated("loop", least, None, self._window(window, "times_or_more"))

    def one_or_more(self, *, window: Duration | None = None) -> Pattern:
        """The last part takes one event or more; each number is a match of its own.

        Args:
            window: how long after the event before it the first may come; as in Flink it does not bound the others.

        Raises:
            FlowError: on a not part, or a part that has been told how often.
        """
        return self.repeated("loop", 1, None, self._window(window, "one_or_more"))

    def optional(self) -> Pattern:
        """The last part may be left out.

        Say it after `times` and the like: these begin anew.

        Raises:
            FlowError: on a not part, after a greedy part, or when it was said already.
        """
        quantifier = self._tail.quantifier
        if len(self.parts) > 1 and self.parts[-2].quantifier.greedy:
            raise FlowError(
                "a part behind a greedy one cannot be optional",
                where=self._where,
                hint=f"leave greedy() out of {self.parts[-2].name!r}, or say times(0, n)",
            )
        if quantifier.optional:
            raise FlowError("optional() was said already, or times(0, n)", where=self._where, hint="say it once")
        self._not_a_not("optional")
        return self._last(quantifier=replace(quantifier, optional=True))

    def greedy(self) -> Pattern:
        """The last part takes every event that it can, before the next part may take it.

        Raises:
            FlowError: on a part that takes one event, on a not part, on a group, or after `allow_combinations`.
        """
        self._not_a_not("greedy")
        quantifier = self._tail.quantifier
        if self._tail.group:
            raise FlowError("a group cannot be greedy", where=self._where, hint="say it of the parts in it")
        if quantifier.inner == "any":
            raise FlowError(
                "greedy() cannot follow allow_combinations()", where=self._where, hint="say greedy() before it"
            )
        if quantifier.kind == "single":
            raise FlowError(
                "greedy() needs times() or one_or_more() before it", where=self._where, hint=".one_or_more().greedy()"
            )
        return self._last(quantifier=replace(quantifier, greedy=True))

    def consecutive(self) -> Pattern:
        """The events of the last part must come one right after the other.

        Raises:
            FlowError: on a part that takes one event, after `allow_combinations`, or when it was said already.
        """
        return self._inner("consecutive", "strict")

    def allow_combinations(self) -> Pattern:
        """The events of the last part may be any choice of those that meet its condition, in order.

        Raises:
            FlowError: on a part that takes one event, after `consecutive`, or when it was said already.
        """
        return self._inner("allow_combinations", "any")

    # How long.

    def within(self, length: Duration, *, between: bool = False) -> Pattern:
        """A match must end less than `length` after it began; the smallest said of any part counts.

        Args:
            length: how long; a length of nought means no bound.
            between: bound the time since the event before instead: the last part's event must come less than `length`
                after it. On a part that repeats it has no effect; there `times(n, window=...)` bounds the gaps.

        Time: a partial match that is too old is timed out at the first watermark or event of its key that shows it; see
        `.timed_out` of `detect`. Said twice of one part, the last counts, as in Flink.

        Raises:
            FlowError: when the length is none.
        """
        return self.bounded(duration_ms(length, where=f"{self._where}, within()", zero=True), between=between)

    # What the calls are made of; the JSON forms use them too.

    def with_after_match(self, after_match: AfterMatch) -> Pattern:
        """The same pattern with another skip strategy."""
        return replace(self, after_match=after_match)

    def followed(self, relation: Relation | str, part: str | Pattern) -> Pattern:
        """A further part: its name, or a group."""
        if relation != "begin":
            self._check_begun()
        elif self.parts:
            raise FlowError("a pattern begins once", where="pattern", got=part, hint="next() or followed_by()")
        not_part = relation in ("not_next", "not_followed_by")
        if not_part and self._tail.quantifier.optional:
            raise FlowError(
                f"{relation}() cannot follow a part that may be left out",
                where=self._where,
                hint="use two patterns, one with the optional part and one without",
            )
        if isinstance(part, Pattern):
            if not_part or not part.parts:
                what = "only a single part can be a not part" if not_part else "a group needs at least one part"
                raise FlowError(what, where="pattern", got=str(part), hint="not_followed_by('name')")
            added = Part(GROUP, relation, group=part.parts)  # type: ignore[arg-type]
        else:
            added = Part(_checked_name(part), relation)  # type: ignore[arg-type]
        parts = (*self.parts, added)
        refuse_repeated(parts)
        return replace(self, parts=parts)

    def repeated(
        self, kind: Literal["times", "loop"], least: int, most: int | None, window_ms: int | None, *, zero: bool = False
    ) -> Pattern:
        """The last part several times; `zero` allows `least` to be 0."""
        word = "times" if kind == "times" else "times_or_more"
        self._not_a_not(word)
        if self._tail.quantifier.kind != "single":
            raise FlowError(
                f"{word}() cannot be said: how often was said already",
                where=self._where,
                got=least,
                hint="say times(), times_or_more() or one_or_more() once",
            )
        optional = zero and least == 0 and type(least) is int
        least = 1 if optional else least
        for count in (least, most):
            if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
                raise FlowError(f"{word}() takes a whole number of 1 or more", where=self._where, got=count)
        if most is not None and most < least:
            raise FlowError(
                f"{word}() takes the smaller number first", where=self._where, got=[least, most], hint=".times(2, 3)"
            )
        return self._last(quantifier=Quantifier(kind, least, most, optional, window_ms=window_ms))

    def bounded(self, ms: int, *, between: bool) -> Pattern:
        """A bound on the last part, in ms."""
        self._check_begun()
        return self._last(gap_ms=ms) if between else self._last(within_ms=ms)

    # What it says.

    @property
    def within_ms(self) -> int | None:
        """How long a match may be, ms: the smallest `within` that counts; None without, 0 means no bound."""
        return whole_window(self.parts)

    @property
    def columns(self) -> dict[str, bool]:
        """What a match calls its parts' events, in order, and whether there can be several."""
        found: dict[str, bool] = {}
        for part, many in _taking(self.parts, several=False):
            found[part.column] = many or part.column in found
        return found

    def check_structure(self) -> None:
        """Refuse a pattern that Flink refuses as a whole, or takes and then hangs or dies of.

        >>> Pattern.begin("a").not_followed_by("b").check_structure()
        Traceback (most recent call last):
            ...
        styx_lab.errors.FlowError: pattern part 'b': not_followed_by() at the end needs a length of time ...

        Raises:
            FlowError: naming the part and what to do.
        """
        refuse_broken(self.parts, self.after_match)

    def check(self, schema: Mapping[str, pl.DataType], *, where: str) -> None:
        """Check the whole, and try every condition against the columns of the events.

        Raises:
            FlowError: on a pattern that cannot work, or a look-back at a part that is not there.
            ExpressionError: on an unknown column, or a condition that is not true or false.
        """
        if not isinstance(self, Pattern):
            raise FlowError("not a pattern", where=where, got=self, hint="Pattern.begin('name')")
        self.check_structure()
        known = {**schema, TIME: TIME_DTYPE}
        names = list(dict.fromkeys(part.column for part in every_part(self.parts)))
        self._check_conditions(self.parts, known, names, where)

    def _check_conditions(
        self, parts: Sequence[Part], schema: Mapping[str, pl.DataType], names: Sequence[str], where: str
    ) -> None:
        for part in parts:
            here = f"{where}, {'a group' if part.group else f'part {part.name!r}'}"
            check_condition(part.condition, schema, names, where=here)
            check_condition(part.until, schema, names, where=f"{here}, until")
            self._check_conditions(part.group, schema, names, where)

    def diagram(self) -> Diagram:
        """The pattern drawn: as SVG in a notebook, as text when printed, and as Mermaid.

        >>> print(Pattern.begin("a").where("amount < 1").followed_by("b").one_or_more().within("10m").diagram())
        begin        a              amount < 1
        followed by  b  [1 or more]
        within 10m
        """
        from styx_lab.flow.pattern.diagram import Diagram

        return Diagram(self.parts, self.after_match, self.within_ms)

    def explain(
        self,
        events: Any,
        *,
        time: str = TIME,
        by: str | Sequence[str] = (),
        key: Any = None,
        at: Any = None,
        max_delay: Duration | None = None,
        unit: str = "ms",
    ) -> Any:
        """What the pattern makes of events, and why: the life of every partial match, and what came nearest.

        >>> pages = Pattern.begin("page1").where("page = 1").next("page2").where("page = 2").within("10m")
        >>> why = pages.explain([{"t": 0, "page": 1}, {"t": 60_000, "page": 4}, {"t": 90_000, "page": 2}], time="t")
        >>> print(why.answer)
        No match.
        Nearest: 1 of 2 steps (#1). The very next event, at 00:01:00, was no 'page2': page was 4, needed = 2.
        It took page1 1970-01-01 00:00:00.
        >>> why.table.select("partial", "end", "steps_done", "taken").rows()
        [(1, 'died', 1, 'page1 0')]

        Print the whole for the details; a notebook shows the timeline too (`why.svg`).

        Args:
            events: a list of dicts or a Polars frame, in the order in which they came.
            time: the column of their event times: whole numbers, ISO 8601 text or datetimes.
            by: the columns of the key; without, all events are of one.
            key: which key is asked about.
            at: the moment that is asked about: ISO 8601 text (`2026-11-24T10:40` means all of that minute) or a
                datetime; all without.
            max_delay: how far out of order events may come, as of a source; without it none is late.
            unit: what whole numbers count: `s`, `ms`, `us` or `ns`.

        Time and state: events are taken as `detect` takes them, to the end of input.

        Raises:
            FlowError: on a column, key or time that is not there, or a pattern that cannot work.
            DataError: on events without a time.
        """
        return call("explain_pattern", self, events, time=time, by=by, key=key, at=at, max_delay=max_delay, unit=unit)

    def __str__(self) -> str:
        return pattern_line(self.parts, self.after_match, self.within_ms)

    def to_json(self) -> dict[str, Any]:
        """The calls that make the pattern, as JSON: the neutral form of recorded cases.

        >>> Pattern.begin("a").times(2).to_json()
        {'steps': [{'rel': 'begin', 'name': 'a', 'calls': [{'call': 'times', 'n': 2}]}]}

        Raises:
            FlowError: as `check_structure`.
        """
        self.check_structure()
        return write_pattern(self.parts, self.after_match)

    @staticmethod
    def from_json(value: Mapping[str, Any], *, where: str, columns: Mapping[str, pl.DataType] | None = None) -> Pattern:
        """The pattern of `to_json`'s answer, of a recorded case, or of what version 0.1 wrote.

        It is built through the same calls, so the same checks apply.

        Args:
            value: the JSON.
            where: what to name in an error.
            columns: the columns of an event, where a comparison of the neutral form may name one that is not there or
                compare two kinds of value, which is false.

        Raises:
            FlowError: when it is damaged, or asks for what a pattern cannot be.
        """
        return read_pattern(value, Pattern(()), where=where, columns=columns)

    # Inside.

    @property
    def _tail(self) -> Part:
        self._check_begun()
        return self.parts[-1]

    @property
    def _where(self) -> str:
        return self._tail.where

    def _check_begun(self) -> None:
        if not self.parts:
            raise FlowError("a pattern begins with Pattern.begin(name)", where="pattern")

    def _condition(self, given: ConditionLike) -> Condition:
        return condition_of(given, where=self._where)

    def _of_events(self, word: str) -> Part:
        tail = self._tail
        if tail.group:
            raise FlowError(f"{word}() is for a part, not for a group", where=self._where, hint="say it inside it")
        return tail

    def _with_where(self, word: str, expression: pl.Expr) -> Pattern:
        tail = self._of_events(word)
        return self._last(condition=both(tail.condition, Where(Expression.of(expression, where=self._where))))

    def _window(self, length: Duration | None, word: str) -> int | None:
        return None if length is None else duration_ms(length, where=f"{self._where}, {word}()", zero=True)

    def _not_a_not(self, word: str) -> None:
        if self._tail.is_not:
            raise FlowError(f"{word}() is for what comes, not for what may not", where=self._where, hint="leave it out")

    def _inner(self, word: str, contiguity: Contiguity) -> Pattern:
        quantifier = self._tail.quantifier
        if quantifier.kind == "single":
            raise FlowError(f"{word}() needs times() before it", where=self._where, hint=f".times(2).{word}()")
        if quantifier.inner == contiguity:
            raise FlowError(f"{word}() was said already", where=self._where, hint="say it once")
        if quantifier.inner != "relaxed":
            raise FlowError(
                "consecutive() and allow_combinations() exclude each other", where=self._where, hint="choose one"
            )
        return self._last(quantifier=replace(quantifier, inner=contiguity))

    def _last(self, **changes: Any) -> Pattern:
        return replace(self, parts=(*self.parts[:-1], replace(self._tail, **changes)))


def _taking(parts: Sequence[Part], *, several: bool) -> list[tuple[Part, bool]]:
    """The parts that take events, and whether each may take several."""
    found = []
    for part in parts:
        many = several or part.quantifier.kind != "single"
        if part.group:
            found += _taking(part.group, several=many)
        elif not part.is_not:
            found.append((part, many))
    return found


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name or name.startswith((RESERVED_PREFIX, ":")):
        raise FlowError(
            f"a part's name must be text that does not begin with {RESERVED_PREFIX!r} or ':'",
            where="pattern",
            got=name,
            hint="such as 'declined'",
        )
    return name
