"""Scores of plain batches: where a model has a way for batches in which nothing is missing, and a batch is one.

Law: what it answers, the general way answers, bit by bit; it answers no row with an error in it. No row's answer
depends on the rows beside it, so a batch may be taken apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.core.ports import ERROR_KIND, Scores
from styx_lab.models.answers import Answer
from styx_lab.models.native.column import Rows
from styx_lab.models.native.document import Document
from styx_lab.models.native.quick import Quick
from styx_lab.models.native.table import series_of
from styx_lab.models.native.values import cast
from styx_lab.models.outputs import ModelOutput
from styx_lab.models.summary import PmmlSummary

__all__ = ["PlainScores"]

_LARGE: Final = 256
"""Rows from which on it pays to take a batch apart."""
_NO_ERROR: Final = pl.Series("error", [None], dtype=pl.String)
_NO_KIND: Final = pl.Series("kind", [None], dtype=ERROR_KIND)


class PlainScores:
    """The plain way of a scorer.

    Args:
        document: the compiled file.
        answer: which column of its answer is the score.
        summary: what the file says.
    """

    def __init__(self, document: Document, answer: Answer, summary: PmmlSummary) -> None:
        self._quick: Quick | None = document.quick
        self._answer = answer
        self._target = summary.target
        self._classes: dict[str, int] = {}
        self._at = -1
        if self._quick is None:
            return
        names = {each: at for at, each in enumerate(self._quick.model.classes)}
        self._classes = {f"probability({name})": at for name, at in names.items()}
        for output in summary.outputs:
            self._classes.pop(output.name, None)
            if output.feature == "probability" and output.value in names:
                self._classes[output.name] = names[output.value]
        self._at = names.get(str(answer.positive), -1)
        told = {"probability": self._at >= 0, "number": not names, "label": self._quick.model.labels is not None}
        if not told[answer.kind]:
            self._quick = None

    def score(self, frame: pl.DataFrame, asked: Sequence[ModelOutput]) -> Scores | None:
        """The scores of a batch, and of the further columns those that are asked for; `None` for the general way."""
        quick = self._quick
        if quick is None or not all(self._gives(quick, each) for each in asked):
            return None
        alone = self._answer.kind == "probability" and not asked
        values = quick.tell(frame, self._at if alone else -1)
        if values is None:
            return None
        height = frame.height
        scores = _numbers("score", values) if alone or values.ndim == 1 else self._score(quick, values)
        further = pl.DataFrame([self._output(quick, each, values) for each in asked]) if asked else pl.DataFrame()
        return Scores(scores, _NO_ERROR.new_from_index(0, height), further, _NO_KIND.new_from_index(0, height))

    def score_apart(
        self,
        frame: pl.DataFrame,
        asked: Sequence[ModelOutput],
        in_general: Callable[[pl.DataFrame, Sequence[ModelOutput]], Scores],
    ) -> Scores | None:
        """The scores of a large batch of which few rows are not plain: those in general, the others plainly."""
        if self._quick is None or not self._quick.model.heavy or frame.height < _LARGE:
            return None
        odd = self._quick.inputs.odd(frame)
        if odd is None or not 0 < int(odd.sum()) <= frame.height // 2:
            return None
        plain = self.score(frame.filter(~odd), asked)
        if plain is None:
            return None
        rest = in_general(frame.filter(odd), asked)
        assert rest.kinds is not None
        assert plain.kinds is not None
        rows = np.empty(frame.height, dtype=np.int64)
        rows[np.concatenate([np.flatnonzero(~odd), np.flatnonzero(odd)])] = np.arange(frame.height)
        parts = (
            (plain.values, rest.values),
            (plain.errors, rest.errors),
            (plain.kinds, rest.kinds),
            *zip(plain.outputs.get_columns(), rest.outputs.get_columns(), strict=True),
        )
        values, errors, kinds, *further = (pl.concat(pair).gather(rows) for pair in parts)
        return Scores(values, errors, pl.DataFrame(further), kinds)

    def _gives(self, quick: Quick, asked: ModelOutput) -> bool:
        if asked.name == self._target:
            return not quick.model.classes or quick.model.labels is not None
        return asked.name in self._classes

    def _score(self, quick: Quick, values: npt.NDArray[np.float64]) -> pl.Series:
        if self._answer.kind == "probability":
            return _numbers("score", values[self._at])
        return self._label("score", quick, values, self._answer.dtype)

    def _output(self, quick: Quick, asked: ModelOutput, values: npt.NDArray[np.float64]) -> pl.Series:
        if asked.name != self._target:
            return _numbers(asked.name, values[self._classes[asked.name]])
        if values.ndim == 1:
            return _numbers(asked.name, values)
        return self._label(asked.name, quick, values, asked.dtype)

    def _label(self, name: str, quick: Quick, values: npt.NDArray[np.float64], dtype: pl.DataType) -> pl.Series:
        column = quick.label(values)
        height = values.shape[1]
        if isinstance(dtype, pl.String):
            column = cast(column, "string", Rows(height))
        return series_of(name, column, height).cast(dtype)


def _numbers(name: str, values: npt.NDArray[np.float64]) -> pl.Series:
    return pl.Series(name, np.ascontiguousarray(values))
