"""Stateless steps: filter, select, with_columns, key_by.

Law (re-chunking): only row-wise expressions get here (`flow.expression` refuses the others), so a batch's cut cannot
show. A condition that is null counts as false.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import dead_letters
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import Filter, KeyBy, Select, WithColumns
from styx_lab.flow.types import StreamType

__all__ = ["FilterOperator", "KeyByOperator", "SelectOperator", "WithColumnsOperator", "truth"]


def truth(frame: pl.DataFrame, conditions: Sequence[Expression]) -> np.ndarray:
    """For each row, whether all conditions are true; null is false."""
    if not conditions:
        return np.ones(frame.height, np.bool_)
    # with_columns, not select: a condition without columns must still give one value a row.
    told = pl.all_horizontal(condition.polars().fill_null(value=False) for condition in conditions)
    return frame.with_columns(told.alias("_truth"))["_truth"].to_numpy()


class FilterOperator(Operator):
    """Runs a `Filter`."""

    def __init__(self, step: Filter) -> None:
        self._conditions = [step.condition]

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        kept = batch.keep(truth(batch.frame, self._conditions))
        return Emission({OUT: kept}, counts={"filtered": len(batch) - len(kept)})


class SelectOperator(Operator):
    """Runs a `Select`."""

    def __init__(self, step: Select, output: StreamType) -> None:
        self._columns = [expression.polars().alias(name) for name, expression in step.columns]
        self._reserved = [name for name, _ in output.reserved]

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        return Emission({OUT: batch.with_frame(batch.frame.select(*self._columns, *self._reserved))})


class WithColumnsOperator(Operator):
    """Runs a `WithColumns`."""

    def __init__(self, step: WithColumns, output: StreamType) -> None:
        self._columns = [expression.polars().alias(name) for name, expression in step.columns]
        self._names = list(output.schema)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        return Emission({OUT: batch.with_frame(batch.frame.with_columns(*self._columns).select(self._names))})


class KeyByOperator(Operator):
    """Runs a `KeyBy`: passes on the events that have the key."""

    def __init__(self, step: KeyBy) -> None:
        self._step = step

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        keyless = batch.frame.select(pl.any_horizontal(pl.col(name).is_null() for name in self._step.key))
        missing = keyless.to_series().to_numpy()
        if not missing.any():
            return Emission({OUT: batch})
        lost = batch.frame.filter(pl.Series(missing))
        reasons = [
            "null_key: " + ", ".join(name for name in self._step.key if row[name] is None)
            for row in lost.iter_rows(named=True)
        ]
        return Emission(
            {OUT: batch.keep(~missing)},
            dead=dead_letters(self._step.name, lost, reasons),
            dead_order=batch.order[missing],
        )
