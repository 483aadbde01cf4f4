"""A scorer that is described by its PMML file: its name, its inputs and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import polars as pl

from styx_lab.errors import ModelError
from styx_lab.models.answers import Answer, plan_answer
from styx_lab.models.outputs import ModelOutput, plan_outputs
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
        self._further: dict[str, ModelOutput] = plan_outputs(summary)

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

    @property
    def outputs(self) -> Mapping[str, pl.DataType]:
        """The further columns it can give, with their types."""
        return {name: each.dtype for name, each in self._further.items()}

    def _asked(self, outputs: Sequence[str]) -> list[ModelOutput]:
        """The outputs of these names.

        Raises:
            ModelError: when the model gives none of a name.
        """
        for name in outputs:
            if name not in self._further:
                near = get_close_matches(name, self._further, n=1)
                known = ", ".join(map(repr, self._further)) or "none"
                raise ModelError(
                    "the model has no such output",
                    where=f"model {self.name!r}",
                    got=name,
                    hint=f"did you mean {near[0]!r}? It gives {known}" if near else f"it gives {known}",
                )
        return [self._further[name] for name in outputs]
