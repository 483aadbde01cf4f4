"""A pattern as JSON, call by call: the neutral form that the recorded cases have, and the form of Styx Lab 0.1.

Laws: reading a pattern makes the calls again, so the same checks apply; what is written reads back as an equal pattern;
what version 0.1 wrote is read for ever, and a pattern that it could say is written in its form where a flow is stored,
for the form is part of the flow's hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from styx_lab.errors import FlowError
from styx_lab.flow.carried import Carried
from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.conditions import Both, Call, Condition, Either, Negated, Where
from styx_lab.flow.pattern.lookback import folds_of
from styx_lab.flow.pattern.neutral import comparison, subtypes
from styx_lab.flow.pattern.parts import ONCE, Part

if TYPE_CHECKING:
    import polars as pl

    from styx_lab.flow.pattern.pattern import Pattern

__all__ = ["read_pattern", "write_pattern", "written_as_before"]

_RELATIONS: Final = {
    "begin": "begin",
    "next": "next",
    "followedBy": "followed_by",
    "followedByAny": "followed_by_any",
    "notNext": "not_next",
    "notFollowedBy": "not_followed_by",
}
_SKIPS: Final = {
    "noSkip": "no_skip",
    "skipToNext": "skip_to_next",
    "skipPastLast": "skip_past_last_event",
    "skipToFirst": "skip_to_first",
    "skipToLast": "skip_to_last",
}
_REL_OF: Final = {ours: theirs for theirs, ours in _RELATIONS.items()}
_SKIP_OF: Final = {ours: theirs for theirs, ours in _SKIPS.items()}
_BETWEEN: Final = "PREVIOUS_AND_CURRENT"
_BEFORE: Final = ("begin", "next", "followed_by")


def write_pattern(parts: Sequence[Part], after_match: AfterMatch) -> dict[str, Any]:
    """The calls that make the pattern."""
    value: dict[str, Any] = {}
    if after_match != NO_SKIP:
        skip: dict[str, Any] = {"strategy": _SKIP_OF[after_match.strategy]}
        if after_match.part is not None:
            skip["pattern"] = after_match.part
        if after_match.throw_on_miss:
            skip["throwOnMiss"] = True
        value["skip"] = skip
    return value | _steps(parts)


def _steps(parts: Sequence[Part]) -> dict[str, Any]:
    return {"steps": [_step(part, parts[place - 1] if place else None) for place, part in enumerate(parts)]}


def _step(part: Part, before: Part | None) -> dict[str, Any]:
    step: dict[str, Any] = {"rel": _REL_OF[part.relation]}
    step |= {"group": _steps(part.group)} if part.group else {"name": part.name}
    calls: list[dict[str, Any]] = []
    if part.condition is not None:
        calls.append({"call": "where", "cond": _write(part.condition)})
    calls += _quantifier_calls(part, before)
    if part.until is not None:
        calls.append({"call": "until", "cond": _write(part.until)})
    if part.within_ms is not None:
        calls.append({"call": "within", "ms": part.within_ms})
    if part.gap_ms is not None:
        calls.append({"call": "within", "ms": part.gap_ms, "type": _BETWEEN})
    return step | {"calls": calls}


def _quantifier_calls(part: Part, before: Part | None) -> list[dict[str, Any]]:
    quantifier = part.quantifier
    calls: list[dict[str, Any]] = []
    optional = quantifier.optional
    window = {} if quantifier.window_ms is None else {"window": quantifier.window_ms}
    match quantifier.kind:
        case "loop" if quantifier.least == 1:
            calls.append({"call": "oneOrMore", **window})
        case "loop":
            calls.append({"call": "timesOrMore", "n": quantifier.least, **window})
        # Behind a greedy part Flink takes an optional one in this form alone.
        case "times" if optional and quantifier.least == 1 and before is not None and before.quantifier.greedy:
            optional = False
            calls.append({"call": "times", "from": 0, "to": quantifier.most, **window})
        case "times" if quantifier.least == quantifier.most:
            calls.append({"call": "times", "n": quantifier.least, **window})
        case "times":
            calls.append({"call": "times", "from": quantifier.least, "to": quantifier.most, **window})
    # Greedy first: the other way round it is refused.
    if quantifier.greedy:
        calls.append({"call": "greedy"})
    if quantifier.inner != "relaxed":
        calls.append({"call": "consecutive" if quantifier.inner == "strict" else "allowCombinations"})
    if optional:
        calls.append({"call": "optional"})
    return calls


def _write(condition: Condition) -> dict[str, Any]:
    match condition:
        case Where():
            return {"op": "expression", "expression": condition.expression.to_json()}
        case Call():
            return {"op": "function", "function": condition.function.to_json()}
        case Negated():
            return {"op": "not", "arg": _write(condition.of)}
        case Both(of=()):
            return {"op": "true"}
        case Either(of=()):
            return {"op": "false"}
        case Both():
            return {"op": "and", "args": [_write(one) for one in condition.of]}
        case Either():
            return {"op": "or", "args": [_write(one) for one in condition.of]}


def read_pattern(
    value: Mapping[str, Any], empty: Pattern, *, where: str, columns: Mapping[str, pl.DataType] | None = None
) -> Pattern:
    """The pattern of either form.

    Args:
        value: the JSON.
        empty: a pattern without parts, to begin with.
        where: what to name in an error.
        columns: the columns of an event; a comparison with one that is not there, or of another kind, is then false, as
            it is in the neutral form.

    Raises:
        FlowError: when it is damaged, or asks for what a pattern cannot be.
    """
    return _Reader(where, columns).pattern(value, empty)


class _Reader:
    def __init__(self, where: str, columns: Mapping[str, pl.DataType] | None) -> None:
        self._where = where
        self._columns = columns

    def pattern(self, value: Any, empty: Pattern) -> Pattern:
        match value:
            case {"parts": [*parts], "within_ms": None | int() as within}:
                return self._before(parts, within, empty)
            case {"steps": [*steps], **more} if not more.keys() - {"skip"}:
                begun = empty.with_after_match(self._skip(more.get("skip")))
                for step in steps:
                    begun = self._step(step, begun, empty)
                return begun
        raise self._bad(value)

    def _skip(self, value: Any) -> AfterMatch:
        match value:
            case None:
                return NO_SKIP
            case {"strategy": str() as word, **more} if word in _SKIPS and not more.keys() - {"pattern", "throwOnMiss"}:
                part, throw = more.get("pattern"), more.get("throwOnMiss", False)
                if (isinstance(part, str) or part is None) and isinstance(throw, bool):
                    return AfterMatch(_SKIPS[word], part, throw)  # type: ignore[arg-type]
        raise self._bad(value)

    def _step(self, step: Any, begun: Pattern, empty: Pattern) -> Pattern:
        match step:
            case {"rel": str() as rel, "name": str() as name, **more} if rel in _RELATIONS and "group" not in more:
                begun = begun.followed(_RELATIONS[rel], name)
            case {"rel": str() as rel, "group": group, **more} if rel in _RELATIONS:
                begun = begun.followed(_RELATIONS[rel], self.pattern(group, empty))
            case _:
                raise self._bad(step)
        calls: Any = more.get("calls", [])
        if more.keys() - {"calls"} or not isinstance(calls, list):
            raise self._bad(step)
        for call in calls:
            begun = self._call(call, begun)
        return begun

    def _call(self, call: Any, begun: Pattern) -> Pattern:  # noqa: PLR0911 - a table of calls
        match call:
            case {"call": "where", "cond": cond}:
                return begun.where(self.condition(cond))
            case {"call": "or", "cond": cond}:
                return begun.or_where(self.condition(cond))
            case {"call": "until", "cond": cond}:
                return begun.until(self.condition(cond))
            case {"call": "subtype", "kind": str() as kind}:
                return begun.where(subtypes(kind, self._columns, where=self._where))
            case {"call": "times", "n": int() as count, **more}:
                return begun.repeated("times", count, count, self._window(more))
            case {"call": "times", "from": int() as least, "to": int() as most, **more}:
                return begun.repeated("times", least, most, self._window(more), zero=True)
            case {"call": "timesOrMore", "n": int() as least, **more}:
                return begun.repeated("loop", least, None, self._window(more))
            case {"call": "oneOrMore", **more}:
                return begun.repeated("loop", 1, None, self._window(more))
            case {"call": "optional"}:
                return begun.optional()
            case {"call": "greedy"}:
                return begun.greedy()
            case {"call": "consecutive"}:
                return begun.consecutive()
            case {"call": "allowCombinations"}:
                return begun.allow_combinations()
            case {"call": "within", "ms": int() as ms, **more} if more.get("type") in (
                None,
                "FIRST_AND_LAST",
                _BETWEEN,
            ):
                return begun.bounded(self._ms(ms), between=more.get("type") == _BETWEEN)
        raise self._bad(call)

    def _window(self, more: Mapping[Any, Any]) -> int | None:
        window = more.get("window")
        return None if window is None else self._ms(window)

    def _ms(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._bad(value)
        return value

    def condition(self, value: Any) -> Condition:
        """A condition of either origin."""
        match value:
            case {"op": "expression", "expression": dict() as stored}:
                return Where(Expression.from_json(stored, where=self._where))
            case {"op": "function", "function": stored}:
                return Call(Carried.from_json(stored, where=self._where))
            case {"op": "and", "args": [*args]}:
                return Both(tuple(self.condition(one) for one in args))
            case {"op": "or", "args": [*args]}:
                return Either(tuple(self.condition(one) for one in args))
            case {"op": "not", "arg": arg}:
                return Negated(self.condition(arg))
            case {"op": "true"}:
                return Both()
            case {"op": "false"}:
                return Either()
        return comparison(value, self._columns, where=self._where)

    def _before(self, parts: Sequence[Any], within: int | None, empty: Pattern) -> Pattern:
        """What version 0.1 wrote."""
        begun = empty
        for part in parts:
            match part:
                case {
                    "name": str() as name,
                    "relation": "begin" | "next" | "followed_by" as relation,
                    "where": [*conditions],
                    "times": None | int() as times,
                    "consecutive": bool() as consecutive,
                }:
                    begun = begun.followed(relation, name)
                case _:
                    raise self._bad(part)
            for condition in conditions:
                begun = begun.where(Expression.from_json(condition, where=self._where))
            if times is not None:
                begun = begun.repeated("times", times, times, None)
            if consecutive:
                begun = begun.consecutive()
        return begun if within is None else begun.bounded(self._ms(within), between=False)

    def _bad(self, got: Any) -> FlowError:
        return FlowError(
            "this cannot be read as a pattern",
            where=self._where,
            got=got,
            hint="it was changed, or written by a newer Styx Lab; make the pattern again",
        )


def written_as_before(parts: Sequence[Part], after_match: AfterMatch) -> dict[str, Any] | None:
    """The pattern as version 0.1 wrote it; None where it has no words for it."""
    if after_match != NO_SKIP or any(part.within_ms is not None for part in parts[:-1]):
        return None
    found = [_part_as_before(part) for part in parts]
    if not found or (not parts[-1].within_ms and parts[-1].within_ms is not None):
        return None
    return None if None in found else {"parts": found, "within_ms": parts[-1].within_ms}


def _part_as_before(part: Part) -> dict[str, Any] | None:
    quantifier = part.quantifier
    conditions = _all_of(part.condition)
    plain = quantifier == ONCE or (
        quantifier.kind == "times"
        and quantifier.least == quantifier.most
        and not (quantifier.optional or quantifier.greedy)
        and quantifier.window_ms is None
        and quantifier.inner != "any"
    )
    named = part.name.isidentifier() and part.relation in _BEFORE and not part.group
    if conditions is None or not plain or not named or part.gap_ms is not None or part.until is not None:
        return None
    return {
        "name": part.name,
        "relation": part.relation,
        "where": [one.to_json() for one in conditions],
        "times": None if quantifier.kind == "single" else quantifier.least,
        "consecutive": quantifier.inner == "strict",
    }


def _all_of(condition: Condition | None) -> list[Expression] | None:
    """The expressions that must all hold; None where a condition is something else."""
    match condition:
        case None:
            return []
        case Where():
            found = [condition.expression]
        case Both(of=[_, _, *_]) if all(isinstance(one, Where) for one in condition.of):
            found = [one.expression for one in condition.of if isinstance(one, Where)]
        case _:
            return None
    return None if any(folds_of(one) for one in found) else found
