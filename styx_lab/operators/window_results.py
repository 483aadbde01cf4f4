"""Results of windows as `top` and `trend` take them: each window's once the watermark has reached its end.

Laws: results are taken in order of their window's end; one whose window's end the watermark has passed is late; of
several results of one key and window the last to come counts, the others are counted as replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import TIME, dead_letters
from styx_lab.core.operator import LATE, OUT, Emission
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.state import State
from styx_lab.errors import CheckpointError
from styx_lab.flow.steps import Step
from styx_lab.flow.types import StreamType
from styx_lab.flow.window_results import WINDOW_COLUMNS
from styx_lab.operators.waiting import Released, WaitingRows, own

__all__ = ["Results", "WindowResults", "at_out"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What a batch brought, and the results that its steps released, by the end of their window.

    Attributes:
        said: an emission with what is late or dead and nothing at `out` yet.
        released: the results; `times` are their windows' last ms, which is their event time as well.
        replaced: how many results another one of their key and window took the place of.
    """

    said: Emission
    released: Released
    replaced: int


class WindowResults:
    """The results of windows whose end the watermark has not reached.

    Args:
        step: who asks, for errors and dead letters.
        stream: the type of its input.
        keyed: whether what comes of a result depends on its key alone.
    """

    def __init__(self, step: Step, stream: StreamType, *, keyed: bool) -> None:
        self._step = step
        self._one = [*stream.key, *WINDOW_COLUMNS] if stream.key else []
        self._waiting = WaitingRows(stream.schema, stream.key if keyed else ())

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, batch: Batch) -> Results:
        """Take a batch's results, and give those that its steps release."""
        windowless = np.zeros(len(batch), np.bool_)
        for name in WINDOW_COLUMNS:
            if batch.frame[name].null_count():
                windowless |= batch.frame[name].is_null().to_numpy()
        whole = batch.keep(~windowless)
        late = self._waiting.take(whole, own(whole.frame["window_end"].to_physical().to_numpy()) - 1)
        dead = None
        if windowless.any():
            lost = batch.frame.filter(pl.Series(windowless))
            dead = dead_letters(self._step.name, lost, ["no_window: its start or end is null"] * lost.height)
        said = Emission(
            {OUT: Batch(batch.frame[:0], batch.order[:0], batch.before, batch.steps), LATE: whole.keep(late)},
            dead=dead,
            dead_order=batch.order[windowless],
            late_order=whole.order[late],
        )
        released = self._waiting.release(batch)
        newest = self._newest(released)
        return Results(said, newest, len(released.times) - len(newest.times))

    def _newest(self, released: Released) -> Released:
        """The last result of each key and window, at the place of that one."""
        frame, times, due = released.frame, released.times, released.due
        if self._one and frame.height > 1:
            # The rows are in order of arrival where they are of one window.
            last = frame.select(self._one).is_duplicated()
            if last.any():
                numbered = frame.select(self._one).with_row_index("_row")
                kept = numbered.unique(self._one, keep="last", maintain_order=True)["_row"].to_numpy()
                kept = np.sort(kept.astype(np.int64))
                frame, times, due = frame[kept], times[kept], due[kept]
        if frame.height:
            frame = frame.with_columns(pl.Series(TIME, times).cast(TIME_DTYPE))
        return Released(frame, times, due)

    def snapshot(self) -> tuple[dict[str, int], dict[str, pl.DataFrame]]:
        """What belongs to no key, and the tables, of a state."""
        rows, number = self._waiting.snapshot()
        return {"next_number": number}, {"waiting": rows}

    def restore(self, state: State) -> None:
        """Go on from a state that has what `snapshot` gave."""
        if state.version != _VERSION:
            raise CheckpointError("state of an unknown layout", where=self._step.where, got=state.version)
        self._waiting.restore(state.tables["waiting"], state.meta["next_number"])


def at_out(said: Emission, out: Batch, counts: dict[str, int]) -> Emission:
    """The emission with what comes out."""
    return Emission(
        {**said.ports, OUT: out},
        dead=said.dead,
        dead_order=said.dead_order,
        late_order=said.late_order,
        counts=counts,
    )
