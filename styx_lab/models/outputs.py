"""The further columns of a model's answer: its target, the probability of each class, the outputs its file declares.

Law: names and types are read from the file when the model is loaded, the same for every row and every evaluator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from styx_lab.models.answers import Answer, gives_probabilities, plan_label
from styx_lab.models.fields import polars_type
from styx_lab.models.summary import OutputField, PmmlSummary

__all__ = ["ModelOutput", "finite", "output_type", "plan_outputs"]

_NUMBERS: Final = ("probability", "confidence", "affinity", "entityAffinity", "clusterAffinity", "standardError")


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """One further column of a model's answer.

    Attributes:
        name: what it is asked for by: the target's name, `probability(CLASS)`, or the name of a declared output.
        dtype: its Polars type.
        label: the class, where it is a probability that the file does not declare under this name.
        target: how it is found in an answer of columns, where its name is not that of a column there.
    """

    name: str
    dtype: pl.DataType
    label: str | None = None
    target: Answer | None = None

    def value(self, found: Mapping[str, Any]) -> Any:
        """Its value in one answer (column -> value), `None` when there is none in it."""
        if self.target is not None:
            return self.target.value(found)
        column = self.name if self.label is None else f"probability_{self.label}"
        if self.dtype.is_temporal():
            moment = found.get(column)
            return None if moment is None else str(moment)
        return Answer("output", column, self.dtype).value(found)


def plan_outputs(summary: PmmlSummary) -> dict[str, ModelOutput]:
    """The further columns of a model, by name: the target, the classes in the file's order, the declared outputs.

    A declared output goes before a probability of the same name; a target goes before a declared output of its name.
    """
    label = plan_label(summary)
    found: dict[str, ModelOutput] = {}
    if summary.target is not None:
        found[summary.target] = ModelOutput(summary.target, label.dtype, target=label)
    if summary.function == "classification" and gives_probabilities(summary):
        for each in summary.classes:
            declared = summary.output_of("probability", each)
            name = f"probability({each})"
            if declared is None:
                found.setdefault(name, ModelOutput(name, pl.Float64(), label=each))
            elif declared.name != name:
                # The file gives it another name; it is known by both.
                answer = Answer("output", declared.name, pl.Float64())
                found.setdefault(name, ModelOutput(name, pl.Float64(), label=each, target=answer))
    for output in summary.outputs:
        if output.name != summary.target:
            found[output.name] = ModelOutput(output.name, _declared(summary, output, label.dtype))
    return found


def output_type(data_type: str, *, where: str) -> pl.DataType:
    """The Polars type of a column of an answer; both of PMML's floats are Float64."""
    dtype = polars_type(data_type, where=where)
    return pl.Float64() if isinstance(dtype, pl.Float32) else dtype


def finite(series: pl.Series) -> pl.Series:
    """A column of an answer in which what is no finite number is null."""
    if not series.dtype.is_float():
        return series
    wrong = ~series.is_finite().fill_null(True)
    return series.set(wrong, None) if wrong.any() else series


def _declared(summary: PmmlSummary, output: OutputField, label: pl.DataType) -> pl.DataType:
    if output.data_type is not None:
        return output_type(output.data_type, where=f"model {summary.name!r}, output {output.name!r}")
    if output.feature in _NUMBERS:
        return pl.Float64()
    # What an expression gives is not known before it is evaluated: everything can be written as text.
    return label if output.feature == "predictedValue" else pl.String()
