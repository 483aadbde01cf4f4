"""A neutral pattern as parts: the calls of the fluent language taken one by one, with what each refuses.

Law (oracle): what Flink CEP 2.3 refuses while a pattern is built is refused, as a FlowError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from styx_lab.errors import DataError, FlowError
from styx_lab.flow.pattern.after_match import AfterMatch
from styx_lab.flow.pattern.conditions import Both, Condition, Either
from styx_lab.flow.pattern.parts import GROUP, Part, Quantifier, Relation
from tests.cep.plain.condition import condition_of, subtype

__all__ = ["after_match_of", "parts_of"]

_RELATIONS: Final[dict[str, Relation]] = {
    "begin": "begin",
    "next": "next",
    "followedBy": "followed_by",
    "followedByAny": "followed_by_any",
    "notNext": "not_next",
    "notFollowedBy": "not_followed_by",
}
_NOTS: Final = ("not_next", "not_followed_by")
_SKIPS: Final[dict[str, Any]] = {
    "noSkip": "no_skip",
    "skipToNext": "skip_to_next",
    "skipPastLast": "skip_past_last_event",
    "skipToFirst": "skip_to_first",
    "skipToLast": "skip_to_last",
}


def after_match_of(pattern: Mapping[str, Any]) -> AfterMatch:
    """The skip strategy of a neutral pattern.

    Raises:
        DataError: when there is no such strategy.
    """
    skip = pattern.get("skip") or {"strategy": "noSkip"}
    if skip["strategy"] not in _SKIPS:
        raise DataError("there is no such skip strategy", got=skip["strategy"], hint=", ".join(_SKIPS))
    return AfterMatch(_SKIPS[skip["strategy"]], skip.get("pattern"), bool(skip.get("throwOnMiss", False)))


def parts_of(pattern: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts of a neutral pattern.

    Raises:
        FlowError: when Flink would refuse a call.
        DataError: when there is no such relation or call.
    """
    parts: list[Part] = []
    for step in pattern["steps"]:
        relation = _RELATIONS.get(step["rel"])
        if relation is None:
            raise DataError("there is no such relation", got=step["rel"], hint=", ".join(_RELATIONS))
        before = parts[-1] if parts else None
        if relation in _NOTS and before is not None and before.quantifier.optional:
            raise FlowError("a not cannot follow an optional part", where=f"pattern part {before.name!r}")
        part = Part(GROUP, relation, group=parts_of(step["group"])) if "group" in step else Part(step["name"], relation)
        for call in step.get("calls", ()):
            part = _called(part, before, call)
        parts.append(part)
    return tuple(parts)


def _called(part: Part, before: Part | None, call: Mapping[str, Any]) -> Part:
    name = call["call"]
    if name in {"where", "or", "subtype"}:
        return _conditioned(part, call)
    if name == "within":
        return _windowed(part, call)
    if name == "until":
        _refuse(part.quantifier.kind != "loop", part, "until() is of loops")
        _refuse(part.until is not None, part, "until() was said already")
        return replace(part, until=condition_of(call["cond"]))
    if name in _QUANTIFIERS:
        _refuse(part.relation in _NOTS, part, f"{name}() is not for a not")
        _refuse(part.quantifier.kind != "single", part, "a quantifier was said already")
        return replace(part, quantifier=_QUANTIFIERS[name](part, call))
    if name in _FLAGS:
        return replace(part, quantifier=_FLAGS[name](part, before))
    raise DataError("there is no such call", got=name)


def _conditioned(part: Part, call: Mapping[str, Any]) -> Part:
    _refuse(bool(part.group), part, "a group has no condition")
    had = part.condition
    new: Condition = subtype(call["kind"]) if call["call"] == "subtype" else condition_of(call["cond"])
    if had is None:
        return replace(part, condition=new)
    return replace(part, condition=Either((had, new)) if call["call"] == "or" else Both((had, new)))


def _windowed(part: Part, call: Mapping[str, Any]) -> Part:
    if call.get("type", "FIRST_AND_LAST") == "PREVIOUS_AND_CURRENT":
        return replace(part, gap_ms=int(call["ms"]))
    return replace(part, within_ms=int(call["ms"]))


def _times(part: Part, call: Mapping[str, Any]) -> Quantifier:
    least = call["n"] if "n" in call else call["from"]
    most = call["n"] if "n" in call else call["to"]
    optional = least == 0 and "n" not in call
    least = 1 if optional else least
    _refuse(least < 1, part, "times() takes a number of 1 or more")
    _refuse(most < least, part, "times() takes a least number and a most")
    return Quantifier("times", least, most, optional=optional, window_ms=call.get("window"))


def _loop(part: Part, call: Mapping[str, Any]) -> Quantifier:
    least = call.get("n", 1)
    _refuse(least < 1, part, "times_or_more() takes a number of 1 or more")
    return Quantifier("loop", least, None, window_ms=call.get("window"))


def _optional(part: Part, before: Part | None) -> Quantifier:
    _refuse(part.relation in _NOTS, part, "a not cannot be optional")
    _refuse(before is not None and before.quantifier.greedy, part, "it cannot be optional behind a greedy part")
    _refuse(part.quantifier.optional, part, "it is optional already")
    return replace(part.quantifier, optional=True)


def _greedy(part: Part, before: Part | None) -> Quantifier:
    _refuse(part.relation in _NOTS, part, "a not cannot be greedy")
    _refuse(bool(part.group), part, "a group cannot be greedy")
    _refuse(part.quantifier.kind == "single", part, "greedy() needs a quantifier before it")
    _refuse(part.quantifier.inner == "any", part, "greedy() cannot follow allow_combinations()")
    return replace(part.quantifier, greedy=True)


def _consecutive(part: Part, before: Part | None) -> Quantifier:
    _inner(part)
    return replace(part.quantifier, inner="strict")


def _allow_combinations(part: Part, before: Part | None) -> Quantifier:
    _inner(part)
    return replace(part.quantifier, inner="any")


def _inner(part: Part) -> None:
    _refuse(part.quantifier.kind == "single", part, "consecutive() and allow_combinations() need a quantifier")
    _refuse(part.quantifier.inner != "relaxed", part, "consecutive() or allow_combinations() was said already")


_QUANTIFIERS: Final[dict[str, Callable[[Part, Mapping[str, Any]], Quantifier]]] = {
    "times": _times,
    "timesOrMore": _loop,
    "oneOrMore": _loop,
}
_FLAGS: Final[dict[str, Callable[[Part, Part | None], Quantifier]]] = {
    "optional": _optional,
    "greedy": _greedy,
    "consecutive": _consecutive,
    "allowCombinations": _allow_combinations,
}


def _refuse(wrong: bool, part: Part, what: str) -> None:
    if wrong:
        raise FlowError(what, where=f"pattern part {part.name!r}")
