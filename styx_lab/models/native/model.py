"""A compiled model: its names, its kind's evaluation, its targets and its outputs, one after the other.

Law: outputs are evaluated in every row, whatever they are for, as the reference does; an error in one is the row's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from styx_lab.models.native.column import Codes, Column, Rows, first_error, pick
from styx_lab.models.native.fields import DataField
from styx_lab.models.native.output import Output
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Names, Scope
from styx_lab.models.native.targets import Target
from styx_lab.models.native.values import cast, column_of, parse

__all__ = ["Answer", "CompiledModel"]


@dataclass(slots=True)
class Answer:
    """What a model told for a batch.

    Attributes:
        prediction: its own.
        outputs: the columns of its outputs, by name; where one is not given, see `absent`.
        absent: for outputs that are not given in some rows, the columns by which they can be referred to there: those
            references are errors.
        others: the predictions of further targets, by field.
    """

    prediction: Prediction
    outputs: dict[str, Column] = field(default_factory=dict)
    absent: dict[str, Column] = field(default_factory=dict)
    others: dict[str, Column] = field(default_factory=dict)

    def errors(self) -> Codes | None:
        """The first error of each row, whatever it is an error of."""
        return first_error(
            self.prediction.target.errors,
            *(each.errors for each in self.others.values()),
            *(each.errors for each in self.outputs.values()),
        )

    def reference(self, name: str) -> Column:
        """An output as later expressions see it."""
        return self.absent.get(name, self.outputs[name])


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """A model that is ready to be evaluated.

    Attributes:
        kind: its element's name.
        function: what it is for.
        names: its fields.
        target: the target field, if the DataDictionary has it.
        target_name: its name, if the model names one.
        evaluate_kind: what its kind does.
        treatment: its Target element, if it has one.
        outputs: its outputs, in order.
        single: whether it reckons in 32 bits.
        plain: for a tree, what an ensemble needs to evaluate it together with others (see `tree_model.py`).
    """

    kind: str
    function: str
    names: Names
    target: DataField | None
    target_name: str | None
    evaluate_kind: Callable[[Scope], Prediction]
    treatment: Target | None
    outputs: tuple[Output, ...]
    single: bool = False
    plain: object = None

    def answer(self, scope: Scope) -> Answer:
        """Evaluate it in a scope that was made for it."""
        rows = scope.rows
        prediction = self.evaluate_kind(scope)
        prediction = self._finish(prediction, rows)
        answer = Answer(prediction)
        # Later outputs see earlier ones; a chain reads further answers of its parts from the prediction.
        for name, column in prediction.further.items():
            answer.others[name] = column
        answer.outputs.update(prediction.carried)
        for output in self.outputs:
            column = output.evaluate(prediction, scope)
            answer.outputs[output.name] = column
            if not output.from_expression and prediction.target.missing is not None:
                missing = np.asarray(prediction.target.missing)
                undefined = np.where(
                    missing, np.int32(rows.error(f"field {output.name!r} is not defined")), np.int32(0)
                )
                answer.absent[output.name] = column.with_errors(undefined)
            scope.define(output.name, answer.reference(output.name))
        return answer

    def _finish(self, prediction: Prediction, rows: Rows) -> Prediction:
        target, treatment = prediction.target, self.treatment
        if treatment is not None and self.function == "regression":
            prediction.target = target = treatment.finish(target, rows, single=self.single)
        elif treatment is not None and treatment.priors and self.function == "classification":
            prediction = _with_priors(prediction, treatment, self.target, rows)
            target = prediction.target
        if self.target is not None and target.type != self.target.type:
            prediction.target = cast(target, self.target.type, rows)
        return prediction


def _with_priors(prediction: Prediction, treatment: Target, field: DataField | None, rows: Rows) -> Prediction:
    """Where there is no prediction, the class that is the most probable beforehand."""
    missing = prediction.target.missing
    if missing is None or not missing.any():
        return prediction
    total = sum(share for _, share in treatment.priors)
    shares = {name: share / total for name, share in treatment.priors}
    best = max(shares, key=lambda name: shares[name])
    data_type = "string" if field is None else field.type
    guess = column_of(data_type, [parse(data_type, best)])
    height = rows.height
    names = prediction.classes.names if prediction.classes is not None else tuple(shares)
    names = (*names, *(name for name in shares if name not in names))
    values = np.zeros((height, len(names)))
    confidences = np.zeros((height, len(names)))
    errors = None
    where = np.broadcast_to(missing, (height,))
    if prediction.classes is not None:
        given = prediction.classes
        values[:, : len(given.names)] = given.values
        confidences[:, : len(given.names)] = given.values if given.confidences is None else given.confidences
        errors = None if given.errors is None else np.where(where, np.int32(0), given.errors)
    values[where] = confidences[where] = [shares.get(name, 0.0) for name in names]
    classes = Classes(names, values, confidences=confidences, errors=errors)
    target = pick(where, guess, cast(prediction.target, data_type, rows))
    # What a default has no answer to, and an output asks for, is an error of its row.
    features = {}
    for key, column in prediction.features.items():
        error = np.where(where, np.int32(rows.error(f"a prediction from priors has no {key}")), np.int32(0))
        features[key] = column.with_errors(error)
    return Prediction(target, classes, features, prediction.further, prediction.carried)
