"""What a model answers for a batch: its target, and what outputs may ask of it.

Law: what a kind of model does not give, and an output asks for, is an error of the row, as in the reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, Rows, first_error

__all__ = ["Classes", "Prediction"]


@dataclass(slots=True)
class Classes:
    """What a classifier says of each class.

    Attributes:
        names: the classes as text, in the model's order.
        values: (rows, classes) float64: probabilities, votes or distances.
        kind: what the values are: `probability`, or `combined` from several models, which has no confidences.
        confidences: the same for confidences, if the model has them.
        errors: where a row has no such values, and why.
        gives: what outputs may ask for; the rest is an error of the row.
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]
    kind: str = "probability"
    confidences: npt.NDArray[np.float64] | None = None
    errors: Codes | None = None
    gives: tuple[str, ...] = ("probability", "confidence")

    def index(self, name: str) -> int | None:
        """Where a class stands; a number is the same however it is written."""
        if name in self.names:
            return self.names.index(name)
        try:
            number = float(name)
        except ValueError:
            return None
        for at, each in enumerate(self.names):
            try:
                if float(each) == number:
                    return at
            except ValueError:
                continue
        return None


@dataclass(slots=True)
class Prediction:
    """A model's answer.

    Attributes:
        target: the predicted value in each row, missing where there is none; its errors are the rows' errors.
        classes: for a classifier.
        features: further answers by `feature` or `feature(value)` or `feature#rank`, as outputs ask for them.
        further: the predictions of further targets, by field.
        always_entity: whether `entityId` is told in rows without a prediction too.
        carried: outputs of models inside this one that are part of its answer.
    """

    target: Column
    classes: Classes | None = None
    features: dict[str, Column] = field(default_factory=dict)
    further: dict[str, Column] = field(default_factory=dict)
    carried: dict[str, Column] = field(default_factory=dict)
    always_entity: bool = False

    @property
    def errors(self) -> Codes | None:
        """The errors of rows."""
        return self.target.errors

    def nothing(self) -> Bools:
        """Where there is no answer."""
        return self.target.gaps

    def of_class(self, feature: str, name: str, rows: Rows) -> Column:
        """The probability (or confidence) of a class; a class that the model does not know has 0."""
        classes = self.classes
        if classes is None:
            return Column.failed(rows.error(f"the model gives no {feature}"))
        if feature == "confidence" and classes.kind == "combined":
            failed = np.where(self.target.gaps, np.int32(0), np.int32(rows.error("the model gives no confidence")))
            return Column("double", np.zeros(1), self.target.missing, failed)
        table = classes.confidences if feature == "confidence" and classes.confidences is not None else classes.values
        at = classes.index(name)
        values = np.zeros(len(table)) if at is None else table[:, at]
        missing, errors = self.target.missing, classes.errors
        if errors is not None and missing is not None:
            errors = np.where(missing, np.int32(0), errors)
        return Column("double", values, missing, first_error(self.target.errors, errors))
