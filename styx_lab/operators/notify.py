"""Notifications: what somebody or something acts on.

Law: a notification's id depends on what it was made from alone: the flow, the notify step, the detecting step, the
key and the source positions of the matched events (or the window and its firing). So any sink can drop a repeat.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import ARRIVAL, DETECTED, TIME, canonical_json, identity, origins
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.flow.steps import Notify
from styx_lab.flow.types import StreamType

__all__ = ["NotifyOperator"]


class NotifyOperator(Operator):
    """Runs a `Notify`."""

    def __init__(self, step: Notify, flow: str, stream: StreamType, output: StreamType) -> None:
        self._step = step
        self._flow = flow
        self._own = stream.names
        self._key = list(stream.key)
        self._detected = DETECTED if DETECTED in stream.schema else ARRIVAL
        self._schema = output.schema

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        frame = batch.frame
        ids = [identity(self._flow, self._step.name, origin) for origin in origins(frame)]
        keys = frame.select(self._key).rows() if self._key else [()] * frame.height
        messages = [self._step.message.format(row) for row in frame.select(self._own).iter_rows(named=True)]
        height = frame.height
        made = frame.select(
            pl.Series("id", ids, pl.String),
            pl.Series("flow", [self._flow] * height, pl.String),
            pl.Series("step", [self._step.name] * height, pl.String),
            pl.Series("key", [canonical_json(key).decode() for key in keys], pl.String),
            pl.Series("message", messages, pl.String),
            pl.struct(self._own).alias("event"),
            pl.struct(
                pl.col(TIME).alias("event"), pl.col(self._detected).alias("detected"), pl.col(ARRIVAL).alias("notified")
            ).alias("times"),
            *(pl.col(name) for name in self._schema if name.startswith("_")),
        )
        return Emission({OUT: batch.with_frame(made.select(list(self._schema)))}, counts={"notifications": height})
