"""Stateless steps: filter, select, with_columns, key_by.

Law (re-chunking): only row-wise expressions get here (`flow.expression` refuses the others), so a batch's cut cannot
show. A condition that is null counts as false.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import dead_letters
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.flow.steps import Filter, KeyBy, Select, WithColumns
from styx_lab.flow.types import StreamType
from styx_lab.operators.values import values_of

__all__ = ["FilterOperator", "KeyByOperator", "SelectOperator", "WithColumnsOperator"]


class FilterOperator(Operator):
    """Runs a `Filter`."""

    def __init__(self, step: Filter) -> None:
        self._step = step

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        values = values_of(self._step.name, batch, {}, (self._step.condition,))
        told = values.told[self._step.condition]
        kept = values.batch.keep(told)
        counts = {"filtered": len(told) - len(kept)}
        return Emission({OUT: kept}, dead=values.dead, dead_order=values.dead_order, counts=counts)


class SelectOperator(Operator):
    """Runs a `Select`."""

    def __init__(self, step: Select, output: StreamType) -> None:
        self._step = step
        self._columns = dict(step.columns)
        self._reserved = [name for name, _ in output.reserved]

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        values = values_of(self._step.name, batch, self._columns)
        kept = values.batch
        frame = values.frame.hstack(kept.frame.select(self._reserved))
        return Emission({OUT: kept.with_frame(frame)}, dead=values.dead, dead_order=values.dead_order)


class WithColumnsOperator(Operator):
    """Runs a `WithColumns`."""

    def __init__(self, step: WithColumns, output: StreamType) -> None:
        self._step = step
        self._columns = dict(step.columns)
        self._names = list(output.schema)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        values = values_of(self._step.name, batch, self._columns)
        kept = values.batch
        frame = kept.frame.with_columns(values.frame.get_columns()).select(self._names)
        return Emission({OUT: kept.with_frame(frame)}, dead=values.dead, dead_order=values.dead_order)


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
