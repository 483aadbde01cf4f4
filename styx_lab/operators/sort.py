"""Events in order of event time.

Laws: the order of arrival within the bound shows only among events of the same time; each event comes out once, at the
watermark step that passes it, or is late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from styx_lab.core.batch import Batch
from styx_lab.core.operator import LATE, OUT, Emission, Operator
from styx_lab.core.state import State
from styx_lab.flow.steps import Sort
from styx_lab.flow.types import StreamType
from styx_lab.operators.waiting import WaitingRows, times_of

__all__ = ["SortOperator"]

_VERSION: Final = 1


class SortOperator(Operator):
    """Runs a `Sort`. State: the rows that wait for the watermark."""

    def __init__(self, step: Sort, stream: StreamType) -> None:
        self._step = step
        self._waiting = WaitingRows(stream.schema, stream.key)

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        late = self._waiting.take(batch, times_of(batch.frame))
        released = self._waiting.release(batch)
        return Emission({OUT: released.batch(batch), LATE: batch.keep(late)}, late_order=batch.order[late])

    def size(self) -> Mapping[str, int]:
        """See `Operator.size`."""
        return {"waiting": len(self._waiting)}

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        rows, number = self._waiting.snapshot()
        return State({"next_number": number}, {"waiting": rows}, _VERSION)

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        state = State.saved(states, version=_VERSION, where=self._step.where)
        self._waiting.restore(state.tables["waiting"], state.meta["next_number"])
