"""Output: the columns of an answer.

Law: an output of a feature that is not known is refused at load; one that the model does not give is a row's error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np

from styx_lab.models.native.column import Column, Rows, either, first_error
from styx_lab.models.native.place import children, choice, integer, refuse, required
from styx_lab.models.native.prediction import Prediction
from styx_lab.models.native.scope import Expression, Scope
from styx_lab.models.native.targets import Target
from styx_lab.models.native.transformations import Library, compile_expression, expression_of
from styx_lab.models.native.values import cast, is_known_type

__all__ = ["Output", "read_outputs"]

_RANKED: Final = ("reasonCode", "entityId", "affinity", "entityAffinity", "clusterAffinity", "clusterId")
_FEATURES: Final = (
    "predictedValue",
    "predictedDisplayValue",
    "transformedValue",
    "decision",
    "probability",
    "confidence",
    *_RANKED,
    "ruleValue",
)


@dataclass(frozen=True, slots=True)
class Output:
    """One OutputField.

    Attributes:
        name: of the column.
        type: its dataType, if the file says.
        feature: what it is.
        from_expression: whether it comes from an expression, whatever the prediction is.
        evaluate: makes it.
    """

    name: str
    type: str | None
    feature: str
    from_expression: bool
    evaluate: Callable[[Prediction, Scope], Column]


def read_outputs(model: Element, library: Library, treatment: Target | None) -> tuple[Output, ...]:
    """The outputs of a model, in order."""
    return tuple(
        _read(node, library, treatment)
        for block in children(model, "Output")
        for node in children(block, "OutputField")
    )


def _read(node: Element, library: Library, treatment: Target | None) -> Output:
    name = required(node, "name")
    feature = choice(node, "feature", _FEATURES, "predictedValue")
    data_type = node.get("dataType")
    if data_type is not None and not is_known_type(data_type):
        raise refuse(node, f"dataType={data_type!r} is not supported")
    if node.get("segmentId") is not None:
        raise refuse(node, "the attribute segmentId is not supported", node.get("segmentId"))
    if node.get("isMultiValued", "0") not in ("0", "false"):
        raise refuse(node, "outputs of several values are not supported")
    make: Callable[[Prediction, Scope], Column]
    if feature in ("transformedValue", "decision"):
        found = expression_of(node)
        if found is None:
            raise refuse(node, f"feature={feature!r} comes without an expression")
        make = _from_expression(compile_expression(found, library))
    else:
        make = _from_prediction(node, feature, treatment)

    def evaluate(prediction: Prediction, scope: Scope) -> Column:
        column = make(prediction, scope)
        return column if data_type is None else cast(column, data_type, scope.rows)

    return Output(name, data_type, feature, feature in ("transformedValue", "decision"), evaluate)


def _from_expression(expression: Expression) -> Callable[[Prediction, Scope], Column]:
    return lambda prediction, scope: expression(scope)


def _from_prediction(node: Element, feature: str, treatment: Target | None) -> Callable[[Prediction, Scope], Column]:
    value, rank = node.get("value"), integer(node, "rank", 1)
    if feature in _RANKED and node.get("rankOrder", "descending") != "descending":
        raise refuse(node, "rankOrder='ascending' is not supported")
    if feature == "predictedValue":
        return lambda prediction, scope: prediction.target
    if feature == "predictedDisplayValue":
        return lambda prediction, scope: _shown(prediction, treatment, scope.rows)
    if feature in ("probability", "confidence"):
        return lambda prediction, scope: _of_class(prediction, feature, value, scope.rows)
    if feature in ("entityAffinity", "clusterAffinity"):
        feature = "affinity"
    if feature == "clusterId":
        feature = "entityId"
    key = f"{feature}({value})" if value is not None and feature == "affinity" else f"{feature}#{rank}"
    if feature == "ruleValue":
        raise refuse(node, "feature='ruleValue' is not supported (association rules)")
    return lambda prediction, scope: _feature(prediction, key, scope.rows)


def _feature(prediction: Prediction, key: str, rows: Rows) -> Column:
    found = prediction.features.get(key)
    if found is not None:
        if prediction.always_entity and key.startswith("entityId"):
            return found
        return Column(
            found.type, found.values, either(found.missing, prediction.target.missing), found.errors, found.words
        )
    # In rows without a prediction nothing is asked of it.
    missing = prediction.target.gaps
    error = np.where(missing, np.int32(0), np.int32(rows.error(f"the model gives no {key.partition('#')[0]}")))
    return Column("double", np.zeros(1), missing, error)


def _of_class(prediction: Prediction, feature: str, value: str | None, rows: Rows) -> Column:
    classes = prediction.classes
    if classes is not None and feature not in classes.gives:
        classes = None
    if value is not None or classes is None:
        if classes is None:
            return _feature(prediction, f"{feature}({value})", rows)
        return prediction.of_class(feature, value or "", rows)
    if feature == "confidence" and classes.kind == "combined":
        return prediction.of_class(feature, "", rows)
    # Without a class, that of the class that is predicted.
    target = cast(prediction.target, "string", rows)
    table = classes.confidences if feature == "confidence" and classes.confidences is not None else classes.values
    at = np.array([-1 if (found := classes.index(word)) is None else found for word in target.words], dtype=np.int64)
    chosen = at[target.values.astype(np.int64, copy=False)]
    chosen = np.broadcast_to(chosen, (len(table),))
    values = np.where(chosen < 0, 0.0, table[np.arange(len(table)), chosen])
    errors = classes.errors
    if errors is not None and target.missing is not None:
        errors = np.where(target.missing, np.int32(0), errors)
    return Column("double", values, target.missing, first_error(target.errors, errors))


def _shown(prediction: Prediction, treatment: Target | None, rows: Rows) -> Column:
    found = prediction.features.get("display#1")
    if found is not None:
        return found
    if treatment is None or not treatment.shown:
        return prediction.target
    shown = dict(treatment.shown)
    target = cast(prediction.target, "string", rows)
    words = tuple(shown.get(word, word) for word in target.words)
    return Column("string", target.values, target.missing, target.errors, words)
