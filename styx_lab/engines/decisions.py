"""Decisions of the engine that are part of the sequence: a partition is idle, a source is back.

Law: a decision is data: stored as JSON, handed out again at the same number of the sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from styx_lab.core.ports import Arrivals, EncodedFormat

__all__ = ["Back", "Decision", "Idle", "decision_of", "idle_arrivals", "kind_and_fields"]


@dataclass(frozen=True, slots=True)
class Idle:
    """From here on a partition does not hold the watermark; it has the number as an event has.

    Attributes:
        number: its place in the flow's sequence.
        source, partition: which.
        at: when it was decided, epoch ms; None where the source's events have no arrival times.
        leaves: whether it was the last partition of one of several sources, so that these do not wait for it.
    """

    number: int
    source: str
    partition: int
    at: int | None
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Back:
    """Before this number a source that had left takes part in the sequence again; it has no number of its own."""

    number: int
    source: str


Decision = Idle | Back


def decision_of(kind: str, value: Mapping[str, Any]) -> Decision:
    """The decision of a stored entry: its kind, `idle` or `back`, and its fields."""
    return Idle(**value) if kind == "idle" else Back(**value)


def kind_and_fields(decision: Decision) -> tuple[str, dict[str, Any]]:
    """What is stored of a decision."""
    return ("idle" if isinstance(decision, Idle) else "back"), asdict(decision)


def idle_arrivals(decision: Idle, format: EncodedFormat, schema: Mapping[str, pl.DataType]) -> Arrivals:
    """A decision in the form in which a source hands out its own."""
    return Arrivals(
        np.array([decision.partition], np.int32),
        np.array([-1], np.int64),
        None if decision.at is None else np.array([decision.at], np.int64),
        payloads=None if format == "frame" else [b""],
        columns=pl.DataFrame({name: [None] for name in schema}, schema=dict(schema)) if format == "frame" else None,
        idle=np.array([True]),
    )
