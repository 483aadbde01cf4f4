"""Predicates: true, false or unknown in each row.

Law: a test of a missing value is unknown, but for the question whether it is missing; `and`, `or` and `xor` reckon with
three values, and look at all their parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.arrays import texts_of
from styx_lab.models.native.column import NUMERIC, Codes, Column, Rows, first_error, where_error
from styx_lab.models.native.fields import DataField
from styx_lab.models.native.place import child, children, choice, refuse, required
from styx_lab.models.native.scope import Variables
from styx_lab.models.native.values import parse
from styx_lab.models.summary import local_name

__all__ = ["FALSE", "OPERATORS", "TRUE", "UNKNOWN", "Predicate", "Truth", "compile_predicate", "find_predicate"]

FALSE, TRUE, UNKNOWN = 0, 1, 2
OPERATORS: Final = (
    "lessThan",
    "lessOrEqual",
    "greaterThan",
    "greaterOrEqual",
    "equal",
    "notEqual",
    "isMissing",
    "isNotMissing",
)
_COMPARE: Final[dict[str, Any]] = {
    "lessThan": np.less,
    "lessOrEqual": np.less_equal,
    "greaterThan": np.greater,
    "greaterOrEqual": np.greater_equal,
    "equal": np.equal,
    "notEqual": np.not_equal,
}
_NAMES: Final = ("SimplePredicate", "SimpleSetPredicate", "CompoundPredicate", "True", "False")

Truths = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a predicate says in each row: FALSE, TRUE or UNKNOWN; and errors."""

    values: Truths
    errors: Codes | None = None

    def true(self, height: int) -> npt.NDArray[np.bool_]:
        """Where it is true."""
        return np.broadcast_to(self.values == TRUE, (height,))


@dataclass(slots=True)
class Predicate:
    """A compiled predicate.

    Attributes:
        evaluate: what it says in each row.
        test: field, operator and value of a SimplePredicate, for a compiled tree.
        constant: TRUE or FALSE for one that is always so.
        key: the same for predicates that say the same.
    """

    evaluate: Callable[[Variables], Truth]
    key: object
    test: tuple[str, str, str] | None = None
    constant: int | None = None


def find_predicate(node: Element) -> Element:
    """The predicate of a Node, a Segment, a rule."""
    for each in node:
        if local_name(each) in _NAMES:
            return each
    raise refuse(node, "the predicate is missing")


def compile_predicate(node: Element, data_fields: Mapping[str, DataField]) -> Predicate:
    """Compile one predicate.

    Raises:
        ModelError: when it is not supported.
    """
    name = local_name(node)
    if name in ("True", "False"):
        says = TRUE if name == "True" else FALSE
        truth = Truth(np.array([says], dtype=np.int8))
        return Predicate(lambda variables: truth, name, constant=says)
    if name == "SimplePredicate":
        return _simple(node, data_fields)
    if name == "SimpleSetPredicate":
        return _set(node)
    if name == "CompoundPredicate":
        return _compound(node, data_fields)
    raise refuse(node, "the predicate is not supported")


def _simple(node: Element, data_fields: Mapping[str, DataField]) -> Predicate:
    name, operator, text = node.get("field"), node.get("operator"), node.get("value")
    if name is None or operator not in OPERATORS or (text is None and operator in _COMPARE):
        required(node, "field")
        choice(node, "operator", OPERATORS)
        required(node, "value")
        raise refuse(node, "the predicate is not supported")
    test = (name, operator, text or "")
    return Predicate(partial(_evaluate_simple, test, data_fields), test, test)


def _evaluate_simple(test: tuple[str, str, str], data_fields: Mapping[str, DataField], variables: Variables) -> Truth:
    name, operator, text = test
    data = data_fields.get(name)
    order = data.valid if data is not None and data.optype == "ordinal" and data.type == "string" else None
    return simple_truth(variables.column(name), operator, text, order, variables.rows)


def simple_truth(column: Column, operator: str, text: str, order: tuple[Any, ...] | None, rows: Rows) -> Truth:
    """A column compared with a value that is written as text."""
    if operator in ("isMissing", "isNotMissing"):
        asked = column.gaps if operator == "isMissing" else ~column.gaps
        return Truth(asked.astype(np.int8), column.errors)
    errors: Codes | None = None
    values: Any
    if column.type == "string":
        values, errors = _text_truth(column, operator, text, order, rows)
    else:
        data_type = "double" if column.type == "integer" else column.type
        try:
            values = _COMPARE[operator](column.values, parse(data_type, text))
        except ValueError as error:
            values = np.zeros(1, dtype=np.bool_)
            errors = where_error(~column.gaps, rows.error(f"a predicate's value cannot be read: {error}"))
    return _with_gaps(column, values, errors)


def _with_gaps(column: Column, values: Any, errors: Codes | None) -> Truth:
    said = np.asarray(values).astype(np.int8)
    if column.missing is not None:
        said = np.where(column.missing, np.int8(UNKNOWN), said)
    return Truth(said, first_error(column.errors, errors))


def _text_truth(
    column: Column, operator: str, text: str, order: tuple[Any, ...] | None, rows: Rows
) -> tuple[Any, Codes | None]:
    codes = column.values.astype(np.int64, copy=False)
    if operator in ("equal", "notEqual"):
        table = np.array([(word == text) == (operator == "equal") for word in column.words] or [False])
        return table[codes], None
    every = ~column.gaps
    if order is None:
        return np.zeros(1, dtype=np.bool_), where_error(every, rows.error("texts cannot be compared by their order"))
    if text not in order:
        return np.zeros(1, dtype=np.bool_), where_error(
            every, rows.error(f"{text!r} has no place in the field's order")
        )
    ranks = np.array([order.index(word) if word in order else -1 for word in column.words] or [-1])[codes]
    unplaced = where_error((ranks < 0) & every, rows.error("a value has no place in the field's order"))
    return _COMPARE[operator](ranks, order.index(text)), unplaced


def _set(node: Element) -> Predicate:
    name, operator = required(node, "field"), choice(node, "booleanOperator", ("isIn", "isNotIn"))
    array = child(node, "Array")
    if array is None:
        raise refuse(node, "a SimpleSetPredicate without an Array")
    texts = tuple(texts_of(array))

    def evaluate(variables: Variables) -> Truth:
        column, rows = variables.column(name), variables.rows
        errors: Codes | None = None
        found: Any
        if column.type == "string":
            table = np.array([word in texts for word in column.words] or [False], dtype=np.bool_)
            found = table[column.values.astype(np.int64, copy=False)]
        else:
            data_type = "double" if column.type in NUMERIC else column.type
            try:
                known = [parse(column.type if column.type == "float" else data_type, text) for text in texts]
                found = np.isin(column.values, np.array(known))
            except ValueError as error:
                found = np.zeros(1, dtype=np.bool_)
                errors = where_error(~column.gaps, rows.error(f"a predicate's value cannot be read: {error}"))
        return _with_gaps(column, found if operator == "isIn" else ~found, errors)

    return Predicate(evaluate, ("set", name, operator, texts))


def _compound(node: Element, data_fields: Mapping[str, DataField]) -> Predicate:
    operator = choice(node, "booleanOperator", ("and", "or", "xor", "surrogate"))
    parts = [compile_predicate(each, data_fields) for each in children(node, *_NAMES)]
    if len(parts) < 2:
        raise refuse(node, "a CompoundPredicate has two predicates or more", len(parts))

    def evaluate(variables: Variables) -> Truth:
        truth = parts[0].evaluate(variables)
        said, errors = truth.values, truth.errors
        for each in parts[1:]:
            other = each.evaluate(variables)
            wrong = other.errors
            if operator == "surrogate" and wrong is not None:  # only those that are asked can fail
                wrong = np.where(said == UNKNOWN, wrong, np.int32(0))
            errors = first_error(errors, wrong)
            said = _join(operator, said, other.values)
        return Truth(said, errors)

    return Predicate(evaluate, (operator, tuple(each.key for each in parts)))


def _join(operator: str, left: Truths, right: Truths) -> Truths:
    if operator == "surrogate":
        return np.where(left == UNKNOWN, right, left)
    unknown = (left == UNKNOWN) | (right == UNKNOWN)
    if operator == "xor":
        return np.where(unknown, np.int8(UNKNOWN), (left != right).astype(np.int8))
    decided = FALSE if operator == "and" else TRUE
    either = (left == decided) | (right == decided)
    return np.where(either, np.int8(decided), np.where(unknown, np.int8(UNKNOWN), np.int8(1 - decided)))
