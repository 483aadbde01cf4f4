"""A scorer that is described by its PMML file: its name, its inputs and what it gives."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from styx_lab.models.answers import Answer, plan_answer
from styx_lab.models.summary import PmmlSummary

__all__ = ["DescribedScorer"]


class DescribedScorer:
    """What all scorers of PMML say of themselves.

    Args:
        summary: what the file says of the model.
    """

    def __init__(self, summary: PmmlSummary) -> None:
        self._summary = summary
        self._answer: Answer = plan_answer(summary)

    @property
    def name(self) -> str:
        """The model with its version, as `fraud@3`."""
        return self._summary.name

    @property
    def summary(self) -> PmmlSummary:
        """What the file says of the model."""
        return self._summary

    @property
    def inputs(self) -> Mapping[str, pl.DataType]:
        """The columns it needs, with their types; numbers of any width are taken."""
        return self._summary.inputs

    @property
    def output(self) -> pl.DataType:
        """The type of the score: Float64 for a probability or a number, else the label's."""
        return self._answer.dtype
