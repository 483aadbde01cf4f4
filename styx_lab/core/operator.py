"""The operator: the running state machine of one step. An engine feeds it and owns everything outside it.

Laws it keeps: its output is a function of the sequence of events and watermark steps, never of how that sequence is cut
(re-chunking); restored from its snapshot it goes on as if nothing had happened (crash anywhere); every event that
goes in is counted as exactly one of processed, late or dead (nothing silent).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s, step_batch
from styx_lab.core.state import State

__all__ = ["LATE", "OUT", "Emission", "Figures", "Operator"]

OUT: Final = "out"
LATE: Final = "late"


Figures = dict[str, dict[str, Any]]
"""What a step says of its columns: column -> figure -> number, text or None; JSON."""


def _no_orders() -> Int64s:
    return np.empty(0, np.int64)


@dataclass(slots=True)
class Emission:
    """What one batch made an operator say.

    Attributes:
        ports: a batch for each of the operator's output ports (`out`, and `late` where it has one), all
            with the same steps as far as the sequence goes.
        dead: dead letters, or None.
        dead_order: the order of each input row that died.
        lost_order: the order of each row that the step itself made and had to let go (a match whose columns cannot be
            computed); their letters follow those of the input rows in `dead`.
        late_order: the order of each input row that was late.
        counts: further counters by name (`filtered`, `no_window`, `matches`, ...), to be added up.
    """

    ports: dict[str, Batch]
    dead: pl.DataFrame | None = None
    dead_order: Int64s = field(default_factory=_no_orders)
    lost_order: Int64s = field(default_factory=_no_orders)
    late_order: Int64s = field(default_factory=_no_orders)
    counts: Mapping[str, int] = field(default_factory=dict)


class Operator(ABC):
    """The protocol of every step: process a batch, advance to a watermark, snapshot, restore."""

    @abstractmethod
    def process(self, inputs: Sequence[Batch]) -> Emission:
        """Take the next slice of the sequence: one batch an input port, all of the same slice."""

    def advance(self, schema: dict[str, pl.DataType], *, order: int, before: int, mark: int, clock: int) -> Emission:
        """Move the watermark without an event: a batch without rows and with one step (one input port)."""
        return self.process([step_batch(schema, order=order, before=before, mark=mark, clock=clock)])

    @property
    def waits_for_clock(self) -> bool:
        """Whether something waits for processing time, so that a live engine should tick."""
        return False

    def snapshot(self) -> State:
        """The whole state, parted by key group. The operator goes on; what it gave never changes afterwards."""
        return State()

    def restore(self, states: Sequence[State]) -> None:
        """Replace the state by the union of states, each of which may hold any set of key groups."""
        del states  # an operator without state has nothing to put back

    def figures(self) -> Figures:
        """What it can say of its columns so far (rates, drift); a function of the sequence, as its output is."""
        return {}

    def size(self) -> Mapping[str, int]:
        """How much state is held now: keys and the like, by name; `bytes` only where `held_bytes` cannot tell."""
        return {}
