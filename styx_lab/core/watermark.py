"""Where the watermark is computed: per event, from the arrival sequence, never from a timer.

Law: a partition's watermark after an event is the greatest event time seen in it, less the bound, less 1 ms; the
source's is the minimum over its partitions. It never goes back. Each partition known at the start holds it until its
first event.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from styx_lab.core.batch import Int64s, Steps
from styx_lab.core.time import MIN_WATERMARK

__all__ = ["WatermarkTracker"]


@njit(cache=True, nogil=True)
def _follow(times, places, arrivals, greatest, holds, current, clock, bound, marks, moved, clocks):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Fill `marks` and `clocks` where the watermark moves (`moved`); give the last watermark and clock."""
    lowest = -1
    for i in range(len(times)):
        place = places[i]
        if arrivals[i] > clock:
            clock = arrivals[i]
        clocks[i] = clock
        if times[i] > greatest[place]:
            greatest[place] = times[i]
            # Only the partition that has the minimum, or one that joins, can move it.
            if lowest == -1 or place == lowest or not holds[place]:
                holds[place] = True
                lowest = place
                for other in range(len(greatest)):
                    if holds[other] and greatest[other] < greatest[lowest]:
                        lowest = other
                if greatest[lowest] != MIN_WATERMARK and greatest[lowest] - bound - 1 > current:
                    current = greatest[lowest] - bound - 1
                    marks[i] = current
                    moved[i] = True
    return current, clock


class WatermarkTracker:
    """Follows one source's partitions and gives the watermark steps that its events cause.

    >>> tracker = WatermarkTracker([0], bound_ms=2_000)
    >>> steps = tracker.follow(np.array([10_000, 9_000, 12_000]), np.zeros(3, np.int32), np.array([1, 2, 3]),
    ...                        np.array([0, 2, 4]))
    >>> steps.order.tolist(), steps.mark.tolist()
    ([1, 5], [7999, 9999])

    Args:
        partitions: those known before the first event. One that turns up later joins with its first event.
        bound_ms: how far out of order events may come, ms.
    """

    def __init__(self, partitions: Sequence[int], *, bound_ms: int) -> None:
        self._partitions = list(partitions)
        self._greatest = np.full(len(self._partitions), MIN_WATERMARK, np.int64)
        # Whether a partition counts for the minimum: from the start, or from its first event.
        self._holds = np.ones(len(self._partitions), np.bool_)
        self._bound = bound_ms
        self.watermark = MIN_WATERMARK
        """The watermark after the last event, epoch ms."""
        self.clock = MIN_WATERMARK
        """The newest arrival time so far, epoch ms."""

    @property
    def newest(self) -> int:
        """The greatest event time seen in any partition, epoch ms."""
        return int(self._greatest.max()) if len(self._greatest) else MIN_WATERMARK

    def follow(self, times: Int64s, partitions: np.ndarray, arrivals: Int64s, orders: Int64s) -> Steps:
        """The steps after these events: times and arrivals in epoch ms, `orders` their places in the sequence."""
        # Most batches are of one partition, and finding the distinct ones costs more than all the rest.
        one = len(partitions) > 0 and bool((partitions == partitions[0]).all())
        for partition in partitions[:1].tolist() if one else np.unique(partitions).tolist():
            if partition not in self._partitions:
                self._partitions.append(partition)
                self._greatest = np.append(self._greatest, MIN_WATERMARK)
                self._holds = np.append(self._holds, False)
        if one:
            places = np.full(len(partitions), self._partitions.index(int(partitions[0])), np.int64)
        else:
            known = np.array(self._partitions, np.int64)
            sorter = np.argsort(known)
            places = sorter[np.searchsorted(known, partitions, sorter=sorter)].astype(np.int64)
        marks = np.empty(len(times), np.int64)
        clocks = np.empty(len(times), np.int64)
        moved = np.zeros(len(times), np.bool_)
        self.watermark, self.clock = (
            int(value)
            for value in _follow(
                times,
                places,
                arrivals,
                self._greatest,
                self._holds,
                self.watermark,
                self.clock,
                self._bound,
                marks,
                moved,
                clocks,
            )
        )
        return Steps(orders[moved] + 1, marks[moved], clocks[moved])

    def to_json(self) -> dict[str, object]:
        """The tracker's state."""
        return {
            "partitions": self._partitions,
            "greatest": self._greatest.tolist(),
            "watermark": self.watermark,
            "clock": self.clock,
        }

    def from_json(self, value: dict[str, object]) -> None:
        """Go on from a state of `to_json`."""
        self._partitions = list(value["partitions"])  # type: ignore[call-overload]
        self._greatest = np.array(value["greatest"], np.int64)
        # Within a snapshot every partition holds: one joins at its first event, in the slice that brings it.
        self._holds = np.ones(len(self._partitions), np.bool_)
        self.watermark = int(value["watermark"])  # type: ignore[call-overload]
        self.clock = int(value["clock"])  # type: ignore[call-overload]
