"""Model scoring. BusinessEvents -> RichBusinessEvents.

Law (nothing silent): a row that the model cannot score is a dead letter that names the model; it is never a NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import dead_letters
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.core.ports import Scorer
from styx_lab.errors import ModelError
from styx_lab.flow.steps import Score
from styx_lab.flow.types import StreamType

__all__ = ["ScoreOperator"]


class ScoreOperator(Operator):
    """Runs a `Score` with an opened scorer.

    Raises:
        ModelError: when the events lack a column that the model needs, or have it in a type that the model cannot take.
    """

    def __init__(self, step: Score, stream: StreamType, output: StreamType, scorer: Scorer) -> None:
        self._step = step
        self._scorer = scorer
        self._names = list(output.schema)
        known = dict(stream.columns)
        where = f"{step.where}, model {scorer.name!r}"
        for name, wanted in scorer.inputs.items():
            if name not in known:
                raise ModelError(
                    "the model needs a column that the events lack",
                    where=where,
                    got=name,
                    hint=f"the events have {', '.join(known)}; add it with with_columns() or detect(..., {name}=...)",
                )
            if known[name] != wanted and not (known[name].is_numeric() and wanted.is_numeric()):
                raise ModelError(
                    "the model needs a column in another type",
                    where=f"{where}, column {name!r}",
                    got=f"{known[name]}; the model takes {wanted}",
                    hint="cast it with with_columns()",
                )
        if not scorer.output.is_numeric():
            raise ModelError("the model's answer is no number", where=where, got=str(scorer.output))
        self._inputs = list(scorer.inputs)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        if not len(batch):
            empty = batch.frame.with_columns(pl.lit(None, pl.Float64).alias(self._step.into)).select(self._names)
            return Emission({OUT: batch.with_frame(empty)})
        scores = self._scorer.score(batch.frame.select(self._inputs))
        frame = batch.frame.with_columns(scores.values.cast(pl.Float64).alias(self._step.into)).select(self._names)
        scored = batch.with_frame(frame)
        failed = scores.errors.is_not_null().to_numpy()
        if not failed.any():
            return Emission({OUT: scored})
        lost = batch.frame.filter(pl.Series(failed))
        reasons = [f"not_scored: {error}" for error in scores.errors.drop_nulls().to_list()]
        return Emission(
            {OUT: scored.keep(~failed)},
            dead=dead_letters(self._step.name, lost, reasons),
            dead_order=batch.order[np.flatnonzero(failed)],
        )
