"""Decisions of the engine that are part of the sequence: a partition is idle, a source is back, the clock ticks.

Law: a decision is data: stored as JSON, handed out again at the same number of the sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.ports import TICK, Arrivals, EncodedFormat

__all__ = ["DECISIONS", "Back", "Decision", "Idle", "Tick", "decision_arrivals", "decision_of", "kind_and_fields"]


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


@dataclass(frozen=True, slots=True)
class Tick:
    """The clock of a source has come to a time; it has the number as an event has.

    Attributes:
        number: its place in the flow's sequence.
        source: whose clock.
        at: processing time, epoch ms.
    """

    number: int
    source: str
    at: int


Decision = Idle | Back | Tick
_KINDS: Final[Mapping[str, type[Decision]]] = {"idle": Idle, "back": Back, "tick": Tick}
DECISIONS: Final = tuple(_KINDS)
"""The kinds of stored entries."""


def decision_of(kind: str, value: Mapping[str, Any]) -> Decision:
    """The decision of a stored entry: its kind (of `DECISIONS`), and its fields."""
    return _KINDS[kind](**value)


def kind_and_fields(decision: Decision) -> tuple[str, dict[str, Any]]:
    """What is stored of a decision."""
    return next(kind for kind, made in _KINDS.items() if isinstance(decision, made)), asdict(decision)


def decision_arrivals(decision: Idle | Tick, format: EncodedFormat, schema: Mapping[str, pl.DataType]) -> Arrivals:
    """A decision in the form in which a source hands out its own."""
    return Arrivals(
        np.array([decision.partition if isinstance(decision, Idle) else TICK], np.int32),
        np.array([-1], np.int64),
        None if decision.at is None else np.array([decision.at], np.int64),
        payloads=None if format == "frame" else [b""],
        columns=pl.DataFrame({name: [None] for name in schema}, schema=dict(schema)) if format == "frame" else None,
        idle=np.array([True]),
    )
