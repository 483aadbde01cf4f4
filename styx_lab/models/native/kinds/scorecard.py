"""Scorecard: points for each characteristic, their sum, and the reasons why it is not better.

Law: of a characteristic's attributes the first that is true counts, and none after it is looked at; a characteristic
without one leaves the row without a score, which is an error. Reasons stand in the order of the points they cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, Rows, first_error, where_error
from styx_lab.models.native.grammar import EXPRESSIONS, MODEL_ATTRIBUTES, MODEL_CHILDREN, PREDICATES, Grammar
from styx_lab.models.native.place import child, children, choice, number, optional_number, refuse, switch
from styx_lab.models.native.predicates import TRUE, Predicate, compile_predicate, find_predicate
from styx_lab.models.native.prediction import Prediction
from styx_lab.models.native.scope import Expression, Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.transformations import compile_expression, expression_of
from styx_lab.models.native.values import cast

__all__ = ["GRAMMAR", "compile_model"]

GRAMMAR: Final[Grammar] = {
    "Scorecard": (
        (
            f"{MODEL_ATTRIBUTES} initialScore useReasonCodes reasonCodeAlgorithm baselineScore baselineMethod "
            "x-mathContext"
        ),
        f"{MODEL_CHILDREN} Characteristics",
    ),
    "Characteristics": ("", "Characteristic"),
    "Characteristic": ("name reasonCode baselineScore", "Attribute"),
    "Attribute": ("reasonCode partialScore", f"{PREDICATES} ComplexPartialScore"),
    "ComplexPartialScore": ("", EXPRESSIONS),
}
_RANKS: Final = 100
"""Outputs may ask for this many reasons, however few there are."""


@dataclass(frozen=True, slots=True)
class _Attribute:
    """An Attribute: when it counts, its points (a number, or an expression), and its reason."""

    predicate: Predicate
    points: float
    expression: Expression | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Characteristic:
    """A Characteristic: its attributes in order, and what it is measured by."""

    attributes: tuple[_Attribute, ...]
    baseline: float


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a Scorecard."""
    if setting.function != "regression":
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    block = child(node, "Characteristics")
    if block is None:
        raise refuse(node, "a Scorecard without Characteristics")
    reasoned = switch(node, "useReasonCodes", default=True)
    algorithm = choice(node, "reasonCodeAlgorithm", ("pointsAbove", "pointsBelow"), "pointsBelow")
    choice(node, "baselineMethod", ("max", "min", "mean", "neutral", "other"), "other")
    general = optional_number(node, "baselineScore")
    characteristics = [_read(each, general, setting, reasoned=reasoned) for each in children(block, "Characteristic")]
    initial = number(node, "initialScore", 0.0)
    return _Scorecard(characteristics, initial, 1.0 if algorithm == "pointsAbove" else -1.0, setting.single, reasoned)


def _read(node: Element, general: float | None, setting: Setting, *, reasoned: bool) -> _Characteristic:
    baseline = optional_number(node, "baselineScore")
    if baseline is None:
        baseline = general
    if baseline is None and reasoned:
        raise refuse(node, "a characteristic with reason codes needs a baselineScore")
    attributes = []
    for each in children(node, "Attribute"):
        predicate = compile_predicate(find_predicate(each), setting.data_fields)
        complex_score = child(each, "ComplexPartialScore")
        expression: Expression | None = None
        points = 0.0
        if complex_score is not None:
            found = expression_of(complex_score)
            if found is None:
                raise refuse(complex_score, "a ComplexPartialScore without an expression")
            expression = compile_expression(found, setting.library)
        else:
            points = number(each, "partialScore")
        attributes.append(_Attribute(predicate, points, expression, each.get("reasonCode", node.get("reasonCode"))))
    return _Characteristic(tuple(attributes), baseline or 0.0)


class _Scorecard:
    """A compiled Scorecard."""

    def __init__(
        self, characteristics: Sequence[_Characteristic], initial: float, sign: float, single: bool, reasoned: bool
    ) -> None:
        self._characteristics = characteristics
        self._kind: Any = np.float32 if single else np.float64
        self._type = "float" if single else "double"
        self._initial = self._kind(initial)
        self._sign = self._kind(sign)
        self._reasoned = reasoned
        reasons = (each.reason for one in characteristics for each in one.attributes if each.reason is not None)
        self._reasons = tuple(dict.fromkeys(reasons))

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        rows = scope.rows
        total = np.full(rows.height, self._initial)
        shape = (rows.height, len(self._reasons))
        cost = np.zeros(shape, dtype=self._kind)
        places = np.full(shape, len(self._characteristics), dtype=np.int64)
        every = np.arange(rows.height)
        errors: Codes | None = None
        for at, each in enumerate(self._characteristics):
            points, reason, wrong = self._count(each, scope)
            errors = first_error(errors, wrong)
            total += points
            if self._reasoned and self._reasons:
                there = reason >= 0
                difference = self._sign * (points - self._kind(each.baseline))
                known = np.where(there, reason, 0)
                cost[every, known] += np.where(there, difference, self._kind(0.0))
                places[every, known] = np.where(there, np.minimum(places[every, known], at), places[every, known])
        prediction = Prediction(Column(self._type, total, None, errors))
        if self._reasoned:
            prediction.features.update(self._rank(cost, places))
        return prediction

    def _count(
        self, characteristic: _Characteristic, scope: Scope
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], Codes | None]:
        """The points of a characteristic in each row, which reason stands for them, and errors."""
        rows = scope.rows
        points = np.zeros(rows.height, dtype=self._kind)
        reason = np.full(rows.height, -1, dtype=np.int64)
        still: Bools = np.ones(rows.height, dtype=np.bool_)
        errors: Codes | None = None
        for each in characteristic.attributes:
            truth = each.predicate.evaluate(scope)
            if truth.errors is not None:
                errors = first_error(errors, np.where(still, truth.errors, np.int32(0)))
            hit = still & (truth.values == TRUE)
            still = still & ~hit
            if each.expression is None:
                points = np.where(hit, self._kind(each.points), points)
            else:
                values, wrong = self._complex(each.expression, hit, scope)
                points = np.where(hit, values, points)
                errors = first_error(errors, wrong)
            if not self._reasoned:
                continue
            if each.reason is not None:
                reason = np.where(hit, self._reasons.index(each.reason), reason)
            elif hit.any():
                errors = first_error(errors, where_error(hit, rows.error("an attribute has no reason code")))
        return points, reason, first_error(errors, _nothing(still, rows))

    def _complex(self, expression: Expression, hit: Bools, scope: Scope) -> tuple[npt.NDArray[Any], Codes | None]:
        column = cast(expression(scope), self._type, scope.rows)
        errors = None if column.errors is None else np.where(hit, column.errors, np.int32(0))
        if column.missing is not None:
            errors = first_error(errors, _nothing(np.asarray(hit & column.missing), scope.rows))
        return column.values, errors

    def _rank(self, cost: npt.NDArray[Any], places: npt.NDArray[np.int64]) -> dict[str, Column]:
        """The reasons of each row, the costliest first; among equals the one that was met first."""
        nothing = Column.nothing("string")
        ranked = {f"reasonCode#{rank}": nothing for rank in range(1, _RANKS + 1)}
        if not self._reasons:
            return ranked
        there = (places < len(self._characteristics)) & (cost >= 0)
        order = np.lexsort((places, np.where(there, -cost, np.inf)), axis=1)
        count = there.sum(axis=1)
        for at in range(len(self._reasons)):
            ranked[f"reasonCode#{at + 1}"] = Column(
                "string", order[:, at].astype(np.int32), np.asarray(count <= at), None, self._reasons
            )
        return ranked


def _nothing(where: Bools, rows: Rows) -> Codes | None:
    return where_error(where, rows.error("a characteristic of the scorecard has no points for this row"))
