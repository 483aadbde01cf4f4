"""Look-up in a static table. BusinessEvents -> RichBusinessEvents.

Law: the table is pinned by the hash of its content, so a replay finds what the first run found.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.flow.steps import Enrich
from styx_lab.flow.types import StreamType

__all__ = ["EnrichOperator"]

_FOUND = "_found"


class EnrichOperator(Operator):
    """Runs an `Enrich`; counts events without a row in the table as `not_found`."""

    def __init__(self, step: Enrich, output: StreamType) -> None:
        self._on = list(step.on)
        self._table = step.table.frame.with_columns(pl.lit(value=True).alias(_FOUND))
        self._names = list(output.schema)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        joined = batch.frame.join(self._table, on=self._on, how="left", maintain_order="left")
        missing = joined[_FOUND].null_count()
        return Emission({OUT: batch.with_frame(joined.select(self._names))}, counts={"not_found": missing})
