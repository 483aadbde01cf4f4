"""A document's plain way: from the matrix of a batch to the score.

Law: it answers only where the general way has no error to tell, for no row and no output, and gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.models.native.column import Column, Rows
from styx_lab.models.native.model import CompiledModel
from styx_lab.models.native.output import Output
from styx_lab.models.native.plain import Inputs, Matrix, PlainModel, Resolve, resolver

__all__ = ["Quick", "plan_document", "plan_part"]


@dataclass(frozen=True, slots=True)
class Quick:
    """The plain way of a document.

    Attributes:
        inputs: what it reads.
        model: what it does with it.
    """

    inputs: Inputs
    model: PlainModel

    def tell(self, frame: pl.DataFrame, only: int = -1) -> npt.NDArray[np.float64] | None:
        """Numbers (rows), or (classes, rows) unless it is `only` one; `None` where the general way must answer."""
        matrix = self.inputs.read(frame)
        if matrix is None:
            return None
        with np.errstate(all="ignore"):
            values = self.model.tell(matrix, only)
        return values if values is not None and bool(np.isfinite(values).all()) else None

    def label(self, values: npt.NDArray[np.float64]) -> Column:
        """The label of the class with the greatest value, the first of several."""
        labels = self.model.labels
        assert labels is not None
        return Column(labels.type, labels.values[values.argmax(axis=0)], None, None, labels.words)


def plan_document(model: CompiledModel) -> Quick | None:
    """The plain way of the outermost model."""
    inputs = Inputs(model.names.fields)
    found = plan_part(model, inputs.source, inputs, top=True)
    return None if found is None else Quick(inputs, found)


def plan_part(model: CompiledModel, around: Resolve, inputs: Inputs, *, top: bool = False) -> PlainModel | None:
    """The plain way of a model.

    Args:
        model: it.
        around: what names stand for outside of it.
        inputs: what the document reads.
        top: whether it is the outermost.
    """
    plan = getattr(model.evaluate_kind, "plain", None)
    found: PlainModel | None = None if plan is None else plan(resolver(model.names, around, top=top), inputs)
    if found is None or not all(_cannot_fail(each, found) for each in model.outputs):
        return None
    if found.classes:
        return found
    treatment, target = model.treatment, model.target
    if model.single or (target is not None and target.type != "double"):
        return None
    if treatment is None:
        return found

    def tell(matrix: Matrix, only: int) -> npt.NDArray[np.float64] | None:
        values = found.tell(matrix, only)
        if values is None or np.isnan(values).any():
            return None
        return treatment.finish(Column("double", values), Rows(len(values))).values

    return PlainModel(tell, heavy=found.heavy)


def _cannot_fail(output: Output, model: PlainModel) -> bool:
    """Whether an output has a value wherever the model has a finite answer."""
    if output.from_expression:
        return False
    if output.feature == "predictedValue":
        return output.type in (None, "double") or (model.labels is not None and output.type == model.labels.type)
    return output.feature == "probability" and bool(model.classes) and output.type in (None, "double")
