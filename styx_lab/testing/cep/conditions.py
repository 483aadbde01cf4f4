"""The conditions of a case over the columns that its fields have.

Law: a comparison of two kinds of value is false whatever it asks; a field that has values of several kinds is one
column for each, and a comparison is made of each pair that is of one kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import and_
from types import FunctionType
from typing import Any, cast

from styx_lab.flow.carried import Carried
from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern.matched import matched
from styx_lab.testing.cep import failing
from styx_lab.testing.cep.events import Columns, kind_of

__all__ = ["over_columns"]

_ORDERED = ("first", "last")


def over_columns(pattern: Any, columns: Columns) -> Any:
    """A pattern's JSON with its conditions over columns, and the failing one as a function."""
    match pattern:
        case {"op": "throw"}:
            carried = Carried.of(cast("FunctionType", failing.throws), where="the condition that fails")
            return {"op": "function", "function": carried.to_json()}
        case {"op": str(), "field": str()}:
            return _comparison(pattern, columns)
        case Mapping():
            return {name: over_columns(value, columns) for name, value in pattern.items()}
        case [*values]:
            return [over_columns(value, columns) for value in values]
    return pattern


def _comparison(condition: Mapping[str, Any], columns: Columns) -> Mapping[str, Any]:
    field = columns.fields.get(condition["field"], {})
    if "agg" not in condition:
        return _of_kind(condition, field, kind_of(condition.get("value")))
    fold = condition["agg"]
    of = columns.fields.get(fold.get("field", ""), {})
    if fold.get("fn") not in _ORDERED or len(of) < 2:
        kind = next(iter(of), "number") if fold.get("fn") in _ORDERED else "number"
        given = {**fold, **({"field": of[kind]} if kind in of else {})}
        return _of_kind({**condition, "agg": given}, field, kind)
    # The fold has the kind of the value that it finds: null in all columns but one.
    parts = [
        _of_kind({**condition, "empty": False, "agg": {**fold, "field": name}}, field, kind)
        for kind, name in of.items()
    ]
    if condition.get("empty"):
        nothing = [getattr(matched(fold["of"])[name], fold["fn"])().is_null() for name in of.values()]
        stored = Expression.of(reduce(and_, nothing), where="case").to_json()
        parts.append({"op": "expression", "expression": stored})
    return {"op": "or", "args": parts}


def _of_kind(condition: Mapping[str, Any], field: Mapping[str, str], kind: str) -> Mapping[str, Any]:
    return {**condition, "field": field[kind]} if kind in field else condition
