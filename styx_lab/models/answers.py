"""Which column of a model's answer is the score, and of which type.

Law: the choice is made from the file when the model is loaded, the same for every row and every evaluator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from styx_lab.models.fields import polars_type
from styx_lab.models.summary import PmmlSummary, positive_class

__all__ = ["Answer", "gives_probabilities", "plan_answer", "plan_label"]

# Models whose votes are no probabilities, unless the file names an output that says so.
_WITHOUT_PROBABILITY: Final = ("SupportVectorMachineModel", "RuleSetModel", "NearestNeighborModel", "ClusteringModel")

_NO_INTEGER: Final = -(2**63)  # how a JVM evaluator without a null among its integers says that there is none


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the score stands in an answer.

    Attributes:
        kind: `probability`, `number` or `label`.
        column: the column that holds it.
        dtype: its Polars type.
        positive: the class that a probability is of.
        ranked: (class, column of its probability) for each class, when the file names them all: to find a label where
            the answer has no column for it, and to know that there is none where all of them are missing.
    """

    kind: str
    column: str
    dtype: pl.DataType
    positive: str | None = None
    ranked: tuple[tuple[str, str], ...] = ()

    def value(self, found: Mapping[str, Any]) -> Any:
        """The score in one answer (column -> value), `None` when there is none in it."""
        if self.ranked and all(found.get(column) is None for _, column in self.ranked):
            return None
        if self.ranked and self.column not in found:
            return self._highest(found)
        return self._typed(found.get(self.column))

    def _highest(self, found: Mapping[str, Any]) -> Any:
        best = None
        for label, column in self.ranked:
            probability = found.get(column)
            if not isinstance(probability, int | float):
                return None
            if best is None or probability > best[0]:
                best = (probability, label)
        return None if best is None else self._typed(best[1])

    def _typed(self, value: Any) -> Any:
        if value is None or (isinstance(value, int) and value == _NO_INTEGER):
            return None
        if isinstance(self.dtype, pl.String):
            return str(value)
        if isinstance(self.dtype, pl.Boolean):
            return {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        if not math.isfinite(number):
            return None
        return int(number) if self.dtype.is_integer() else number


def plan_answer(summary: PmmlSummary) -> Answer:
    """Choose the score: a positive class's probability, a number, or a label (see `positive_class`)."""
    if summary.function == "classification" and len(summary.classes) == 2:
        positive = positive_class(summary.classes)
        output = summary.output_of("probability", positive)
        if output is not None or gives_probabilities(summary):
            column = output.name if output is not None else f"probability_{positive}"
            return Answer("probability", column, pl.Float64(), positive)
    return plan_label(summary)


def plan_label(summary: PmmlSummary) -> Answer:
    """The target itself: the predicted label of a classifier, the predicted number of a regression."""
    if summary.function == "classification":
        ranked = [(each, summary.output_of("probability", each)) for each in summary.classes]
        complete = tuple((each, output.name) for each, output in ranked if output is not None)
        return Answer(
            "label",
            _predicted(summary),
            _label_type(summary),
            ranked=complete if len(complete) == len(ranked) else (),
        )
    if summary.function == "regression":
        return Answer("number", _predicted(summary), pl.Float64())
    return Answer("label", _predicted(summary), pl.String())


def gives_probabilities(summary: PmmlSummary) -> bool:
    """Whether a classifier's votes are probabilities, or its file names outputs that are."""
    return summary.kind not in _WITHOUT_PROBABILITY or summary.output_of("probability") is not None


def _predicted(summary: PmmlSummary) -> str:
    output = summary.output_of("predictedValue")
    if output is not None:
        return output.name
    return f"predicted_{summary.target}" if summary.target is not None else summary.outputs[0].name


def _label_type(summary: PmmlSummary) -> pl.DataType:
    if summary.target_type is None:
        return pl.String()
    dtype = polars_type(summary.target_type, where=f"model {summary.name!r}")
    return dtype if isinstance(dtype, pl.String | pl.Boolean | pl.Int64) else pl.Float64()
