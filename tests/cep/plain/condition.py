"""Neutral conditions: as trees of conditions, and worked out directly.

Law: a comparison with a missing or null field, or of two kinds of value, is false whatever the operator; `and` and `or`
stop at the first argument that decides.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from styx_lab.errors import DataError
from styx_lab.flow.carried import Carried
from styx_lab.flow.pattern.conditions import ALWAYS, Both, Call, Condition, Either, Negated, Where

__all__ = ["Event", "ThrownError", "condition_of", "holds", "subtype"]

Event = Mapping[str, Any]
"""An event of a case."""

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_AGGREGATES: Final = ("sum", "avg", "min", "max", "count", "first", "last")
_ANCESTORS: Final = {
    "event": ("event",),
    "sub": ("sub", "event"),
    "subsub": ("subsub", "sub", "event"),
    "other": ("other", "event"),
}


class ThrownError(RuntimeError):
    """What the condition `throw` raises."""


def condition_of(said: Mapping[str, Any]) -> Condition:
    """The tree of a neutral condition; its leaves carry the neutral text.

    >>> condition_of({"op": "not", "arg": {"op": "true"}})
    Negated(of=Both(of=()))

    Raises:
        DataError: when there is no such condition.
    """
    match said["op"]:
        case "and":
            return Both(tuple(condition_of(one) for one in said["args"]))
        case "or":
            return Either(tuple(condition_of(one) for one in said["args"]))
        case "not":
            return Negated(condition_of(said["arg"]))
        case "true":
            return ALWAYS
        case "false":
            return Either()
        case "throw":
            return _leaf(said)
        case name if name in _COMPARE:
            _check_comparison(said)
            return _leaf(said)
    raise DataError("there is no such condition", got=said["op"])


def _check_comparison(said: Mapping[str, Any]) -> None:
    """Raise a KeyError, a TypeError or a DataError where something is missing or unknown."""
    str(said["field"])
    if "agg" not in said:
        said["value"]
        return
    looked = said["agg"]
    if looked["fn"] not in _AGGREGATES:
        raise DataError("there is no such aggregate", got=looked["fn"], hint=", ".join(_AGGREGATES))
    str(looked["of"])
    if looked["fn"] != "count":
        str(looked["field"])
    float(looked.get("mul", 1)), float(looked.get("add", 0))


def subtype(kind: str) -> Condition:
    """That an event is of a class, or of one that comes from it.

    Raises:
        DataError: when there is no such class.
    """
    if kind not in _ANCESTORS:
        raise DataError("there is no such class of events", got=kind, hint=", ".join(_ANCESTORS))
    return _leaf({"op": "kind", "kind": kind})


def _leaf(said: Mapping[str, Any]) -> Call:
    return Call(Carried(__name__, "holds", json.dumps(said, sort_keys=True)))


def holds(leaf: Where | Call, event: Event, accepted: Sequence[tuple[str, Event]]) -> bool:
    """Whether a leaf holds for an event, given what the partial match has accepted."""
    assert isinstance(leaf, Call)
    said = _said(leaf.function.source)
    if said["op"] == "throw":
        raise ThrownError("thrown by the condition")
    if said["op"] == "kind":
        return said["kind"] in _ANCESTORS[event.get("kind", "event")]
    left: Any = event.get(said["field"])
    if "agg" not in said:
        return _compared(said["op"], left, said["value"])
    looked = said["agg"]
    right = _aggregate(looked, [one for name, one in accepted if name == looked["of"]])
    if right is None:
        return bool(said.get("empty", False))
    if not isinstance(right, str | bool):
        right = right * looked.get("mul", 1) + looked.get("add", 0)
    return _compared(said["op"], left, right)


@lru_cache(maxsize=4096)
def _said(text: str) -> Mapping[str, Any]:
    said: Mapping[str, Any] = json.loads(text)
    return said


def _kind(value: object) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None


def _compared(op: str, left: Any, right: Any) -> bool:
    kind = _kind(left)
    if kind is None or kind != _kind(right):
        return False
    if kind == "number":
        return _COMPARE[op](float(left), float(right))
    if kind == "string":
        return _COMPARE[op](left.encode("utf-16-be"), right.encode("utf-16-be"))
    return _COMPARE[op](left, right)


def _aggregate(looked: Mapping[str, Any], events: Sequence[Event]) -> Any:
    name = looked["fn"]
    if name == "count":
        return float(len(events))
    values: list[Any] = [event.get(looked["field"]) for event in events]
    if name in {"first", "last"}:
        if not values:
            return None
        value = values[0] if name == "first" else values[-1]
        return float(value) if _kind(value) == "number" else value
    numbers = [float(value) for value in values if _kind(value) == "number"]
    if name == "sum":
        return _sum(numbers)
    if not numbers:
        return None
    if name == "avg":
        return _sum(numbers) / len(numbers)
    return min(numbers) if name == "min" else max(numbers)


def _sum(numbers: Iterable[float]) -> float:
    """From left to right in plain doubles; Python's own sum() is more exact than that."""
    total = 0.0
    for number in numbers:
        total += number
    return total
