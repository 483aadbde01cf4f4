"""The source operator: arrivals in, RawEvents out, with their watermark steps.

Laws: read = decoded + dead; the watermark is a function of the sequence of arrivals; an event far in the future
closes no window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.connectors.formats.columns import nan_to_null
from styx_lab.connectors.formats.decode import decode
from styx_lab.core.batch import Batch, Int64s, Steps
from styx_lab.core.events import (
    ARRIVAL,
    OFFSET,
    PARTITION,
    SOURCE,
    SOURCE_TIMESTAMP,
    TIME,
    canonical_lines,
    dead_letters,
)
from styx_lab.core.operator import OUT, Emission
from styx_lab.core.ports import TICK, Arrivals, EncodedFormat
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.state import State
from styx_lab.core.time import MAX_WATERMARK, duration_text
from styx_lab.core.watermark import WatermarkTracker
from styx_lab.flow.steps import SourceStep
from styx_lab.flow.types import StreamType
from styx_lab.flow.watermark import OwnWatermark, Punctuated
from styx_lab.operators.event_time import NO_TIME, column_times, source_times
from styx_lab.operators.punctuation import OwnSayings, PunctuatedSayings

__all__ = ["SourceOperator"]

_NO_ROWS: Final = np.empty(0, np.int64)


class SourceOperator:
    """Runs a `SourceStep`: decodes, reads event time and key, stamps positions, follows the watermark.

    Args:
        step: the spec.
        stream: the type of its output.
        partitions: the partitions known before the first event.
        format: how payloads are encoded: `json`, `csv` or `frame` (columns already).
        header: the columns of a CSV line.
    """

    def __init__(
        self,
        step: SourceStep,
        stream: StreamType,
        partitions: Sequence[int],
        format: EncodedFormat,
        header: Sequence[str] = (),
    ) -> None:
        self._step = step
        self._schema = step.schema.polars
        self._format = format
        self._header = tuple(header)
        self._floats = [name for name, dtype in self._schema.items() if dtype.is_float()]
        self._name = pl.Series(SOURCE, [step.name], pl.String)
        # Of each partition, for the most frequent batch: one of a single partition.
        self._partition: dict[int, pl.Series] = {}
        self._sayings = _sayings(step)
        bound = step.max_delay_ms if self._sayings is None else None
        self.tracker = WatermarkTracker(partitions, bound_ms=bound)
        """Follows the watermark."""
        self.ticking = False
        """Whether a step behind it reckons in processing time. Others take no notice of ticks."""

    @property
    def partitions(self) -> list[int]:
        """The partitions known so far."""
        return self.tracker.partitions

    @property
    def idle_partitions(self) -> list[int]:
        """Those of them that do not hold the watermark now."""
        return self.tracker.idle

    @property
    def watermark(self) -> int:
        """The source's watermark now, epoch ms."""
        return self.tracker.watermark

    @property
    def newest(self) -> int:
        """The greatest event time seen, epoch ms."""
        return self.tracker.newest

    def take(self, arrivals: Arrivals, sequence: Int64s) -> Emission:
        """The next arrivals; `sequence` numbers them within the whole flow's input (rising)."""
        before = self.tracker.watermark
        idle = _NO_ROWS if arrivals.idle is None else np.flatnonzero(arrivals.idle)
        decisions = set(idle.tolist())
        ticks = idle[arrivals.partition[idle] == TICK]
        if decisions:
            # They have no payload to decode.
            broken = {**(arrivals.broken or {}), **dict.fromkeys(decisions, "idle")}
            arrivals = replace(arrivals, broken=broken)
        decoded = decode(arrivals, self._step.schema, format=self._format, header=self._header)
        frame, good = decoded.frame, np.asarray(decoded.good, np.int64)
        reasons: dict[int, str] = {row: why for row, why in decoded.dead.items() if row not in decisions}
        # JSON has no NaN.
        frame, nans = (frame, 0) if self._format == "json" else nan_to_null(frame, self._floats)
        # Before NaN is made null: as a time it has a reason of its own.
        if self._step.time == SOURCE_TIMESTAMP:
            given = arrivals.timestamp
            times, refused = source_times(None if given is None else given[good], len(good))
        else:
            times, refused = column_times(decoded.frame[self._step.time], self._step.form)
        for name in self._step.key:
            for row in _nulls(frame[name]):
                refused.setdefault(row, f"null_key: {name}")
        arrived = None if arrivals.arrival is None else arrivals.arrival[good]
        if arrived is not None:
            self._refuse_far(times, arrived, "event time", refused)
        if refused:
            reasons.update((int(good[row]), reason) for row, reason in refused.items())
            kept = np.ones(len(good), np.bool_)
            kept[list(refused)] = False
            frame, good, times = frame.filter(pl.Series(kept)), good[kept], times[kept]
        says: Int64s | None = None
        if self._sayings is not None:
            said, kept = self._said(frame, times, good, arrivals, reasons)
            frame, good, times, says = frame.filter(pl.Series(kept)), good[kept], times[kept], said[kept]
        if arrivals.arrival is None or arrived is None:
            arrived = np.maximum.accumulate(np.maximum(times, self.tracker.clock))
        elif len(arrived) != len(good):
            arrived = arrivals.arrival[good]
        # To take all of them one by one would copy each array.
        some = slice(None) if len(good) == len(arrivals) else good
        partition, offset, order = arrivals.partition[some], arrivals.offset[some], sequence[some] * 2
        clock = self.tracker.clock
        idle_now = idle[arrivals.partition[idle] != TICK]
        if self._step.idle_ms is None or not decisions:
            # A recording's decisions are for those who ask for them.
            steps = self.tracker.follow(times, partition, arrived, order, says=says)
        else:
            steps = self._steps(arrivals, sequence, good, idle_now, times, arrived, says)
        if self.ticking and len(ticks) and arrivals.arrival is not None:
            came = np.concatenate([good, idle_now])
            came = came[np.argsort(came, kind="stable")]
            clocks = np.maximum.accumulate(np.concatenate([[clock], arrivals.arrival[came]]))
            steps = self._ticked(
                steps, before, sequence[ticks] * 2 + 1, arrivals.arrival[ticks], sequence[came] * 2, clocks
            )
        stamps = [
            pl.Series(TIME, times).cast(TIME_DTYPE),
            pl.Series(ARRIVAL, arrived).cast(TIME_DTYPE),
            self._name.new_from_index(0, len(good)),
            self._partitions(partition),
            pl.Series(OFFSET, offset, pl.Int64),
        ]
        frame = frame.hstack(stamps)
        counts = {"read": len(arrivals) - len(idle), "decoded": len(good)}
        if len(idle_now):
            counts["idle"] = len(idle_now)
        if len(ticks):
            counts["ticks"] = len(ticks)
        if nans:
            counts["nan_to_null"] = nans
        dead_rows = sorted(reasons)
        return Emission(
            {OUT: Batch(frame, order, before, steps)},
            dead=self._dead(arrivals, dead_rows, [reasons[row] for row in dead_rows]) if reasons else None,
            dead_order=sequence[dead_rows] * 2 if reasons else _NO_ROWS,
            counts=counts,
        )

    def _partitions(self, partition: np.ndarray) -> pl.Series:
        first = int(partition[0]) if len(partition) else 0
        if not (partition == first).all():
            return pl.Series(PARTITION, partition, pl.Int32)
        one = self._partition.get(first)
        if one is None:
            one = self._partition[first] = pl.Series(PARTITION, [first], pl.Int32)
        return one.new_from_index(0, len(partition))

    def _steps(
        self,
        arrivals: Arrivals,
        sequence: Int64s,
        good: Int64s,
        idle: Int64s,
        times: Int64s,
        arrived: Int64s,
        says: Int64s | None,
    ) -> Steps:
        """The watermark steps of the good events and of the idle decisions, in their order."""
        rows = np.concatenate([good, idle])
        arranged = np.argsort(rows, kind="stable")
        rows = rows[arranged]
        nothing = np.full(len(idle), NO_TIME, np.int64)
        decided = nothing if arrivals.arrival is None else arrivals.arrival[idle]
        return self.tracker.follow(
            np.concatenate([times, nothing])[arranged],
            arrivals.partition[rows],
            np.concatenate([arrived, decided])[arranged],
            sequence[rows] * 2,
            idle=np.repeat([False, True], [len(good), len(idle)])[arranged],
            says=None if says is None else np.concatenate([says, nothing])[arranged],
        )

    def _ticked(self, steps: Steps, before: int, orders: Int64s, ticks: Int64s, came: Int64s, clocks: Int64s) -> Steps:
        """The steps with the ticks among them; one that the clock has passed already is none.

        Args:
            steps: those of events and decisions.
            before: the watermark before them.
            orders, ticks: where each tick stands, and the time that it says, epoch ms.
            came: where the events and decisions stand.
            clocks: the clock before the first of these, and after each.
        """
        passed = np.concatenate([[clocks[0]], np.maximum.accumulate(ticks)[:-1]])
        later = ticks > np.maximum(passed, clocks[np.searchsorted(came, orders)])
        orders, ticks = orders[later], ticks[later]
        if not len(ticks):
            return steps
        marks = np.concatenate([np.array([before], np.int64), steps.mark])[np.searchsorted(steps.order, orders)]
        order = np.concatenate([steps.order, orders])
        arranged = np.argsort(order)
        clock = np.maximum.accumulate(np.concatenate([steps.clock, ticks])[arranged])
        self.tracker.clock = max(self.tracker.clock, int(ticks[-1]))
        self.tracker.stepped = int(clock[-1])
        return Steps(order[arranged], np.concatenate([steps.mark, marks])[arranged], clock)

    def _said(
        self, frame: pl.DataFrame, times: Int64s, good: Int64s, arrivals: Arrivals, reasons: dict[int, str]
    ) -> tuple[Int64s, np.ndarray]:
        """The watermarks that events say, and which events can be taken; why the others cannot goes to `reasons`."""
        assert self._sayings is not None
        stamped = frame.with_columns(pl.Series(TIME, times).cast(TIME_DTYPE))
        said, refused = self._sayings.of(stamped, times, arrivals.partition[good])
        if arrivals.arrival is not None:
            self._refuse_far(said, arrivals.arrival[good], "the watermark it says", refused)
        reasons.update((int(good[row]), reason) for row, reason in refused.items())
        kept = np.ones(len(good), np.bool_)
        kept[list(refused)] = False
        return said, kept

    def _refuse_far(self, times: Int64s, arrived: Int64s, what: str, refused: dict[int, str]) -> None:
        """One event far in the future must not close every window."""
        far = times > arrived + self._step.max_future_ms
        if not far.any():
            return
        for row in np.flatnonzero(far & (times != NO_TIME)).tolist():
            ahead = duration_text(int(times[row] - arrived[row]))
            refused.setdefault(row, f"far_future: {what} is {ahead} after its arrival")

    def end(self, order: int) -> Emission:
        """The end of input: the watermark at infinity."""
        before = self.tracker.watermark
        self.tracker.watermark = MAX_WATERMARK
        clock = 0 if self.tracker.clock == NO_TIME else self.tracker.clock
        steps = Steps(np.array([order], np.int64), np.array([MAX_WATERMARK], np.int64), np.array([clock], np.int64))
        return Emission({OUT: Batch(self._empty(), np.empty(0, np.int64), before, steps)})

    def idle(self) -> Emission:
        """A slice in which this source had nothing."""
        self.tracker.rest()
        return Emission({OUT: Batch(self._empty(), np.empty(0, np.int64), self.tracker.watermark)})

    def snapshot(self) -> State:
        """The watermark of each partition, and what a watermark of the user's own keeps."""
        meta: dict[str, Any] = {"watermark": self.tracker.to_json()}
        if self._sayings is not None:
            meta["said"] = self._sayings.to_json()
        return State(meta=meta)

    def restore(self, states: Sequence[State]) -> None:
        """Go on from a snapshot."""
        meta = State.union(states, where=self._step.where).meta
        self.tracker.from_json(meta["watermark"])
        if self._sayings is not None:
            self._sayings.from_json(meta["said"])

    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self._schema).with_columns(
            pl.lit(None, TIME_DTYPE).alias(TIME),
            pl.lit(None, TIME_DTYPE).alias(ARRIVAL),
            pl.lit(None, pl.String).alias(SOURCE),
            pl.lit(None, pl.Int32).alias(PARTITION),
            pl.lit(None, pl.Int64).alias(OFFSET),
        )

    def _dead(self, arrivals: Arrivals, rows: list[int], reasons: list[str]) -> pl.DataFrame:
        known = arrivals.arrival
        frame = pl.DataFrame(
            {
                SOURCE: [self._step.name] * len(rows),
                PARTITION: pl.Series(arrivals.partition[rows], dtype=pl.Int32),
                OFFSET: pl.Series(arrivals.offset[rows], dtype=pl.Int64),
                ARRIVAL: pl.Series([None] * len(rows) if known is None else known[rows], dtype=pl.Int64),
            }
        ).with_columns(pl.col(ARRIVAL).cast(TIME_DTYPE))
        if arrivals.payloads is not None:
            return dead_letters(self._step.name, frame, reasons, [arrivals.payloads[row] for row in rows])
        assert arrivals.columns is not None
        kept = arrivals.broken_payloads or {}
        lines = zip(rows, canonical_lines(arrivals.columns[rows]), strict=True)
        return dead_letters(self._step.name, frame, reasons, [kept.get(row, line) for row, line in lines])


def _sayings(step: SourceStep) -> PunctuatedSayings | OwnSayings | None:
    """What reads the watermarks that events say themselves; None where their times are all they say."""
    if isinstance(step.watermark, Punctuated):
        return PunctuatedSayings(step.watermark)
    if isinstance(step.watermark, OwnWatermark):
        return OwnSayings(step.watermark, where=f"{step.where}, watermark")
    return None


def _nulls(column: pl.Series) -> list[int]:
    """The rows in which a column is null."""
    rows: list[int] = np.flatnonzero(column.is_null().to_numpy()).tolist() if column.null_count() else []
    return rows
