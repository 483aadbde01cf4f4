"""Where the watermark is computed: per event and idle decision, from the sequence, never from a timer.

Law: what an event says of its partition is its time (then the partition's watermark is the greatest so far, less the
bound, less 1 ms) or a watermark of its own (then it is the greatest of those). The source's is the minimum over the
partitions that hold it: each one known at the start, and each other from its first event; an idle one does not, until
its next event. It never goes back; where no partition holds it, it stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from styx_lab.core.batch import Int64s, Steps
from styx_lab.core.compiled import njit
from styx_lab.core.time import MIN_WATERMARK

__all__ = ["WatermarkTracker"]


@njit(cache=True, nogil=True)
def _follow(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    says, places, idle, arrivals, orders, greatest, holds, current, clock, bound, steps, quiet
):
    """Write the steps to `steps` and where the source fell silent or came back to `quiet`, a column each.

    Gives the last watermark and clock, how many steps there are, and how many such places. Rows of `steps`: order,
    mark and clock; of `quiet`: order, clock, and whether no partition holds the watermark (1) or one does (0), where
    that is other than before; `quiet` begins with what held before the first entry.
    """
    lowest = -1
    moved, told = 0, 1
    for i in range(len(says)):
        place = places[i]
        if arrivals[i] > clock:
            clock = arrivals[i]
        changed = holds[place] == idle[i]
        holds[place] = not idle[i]
        grew = not idle[i] and says[i] > greatest[place]
        if grew:
            greatest[place] = says[i]
        # Only the partition that has the minimum, or one that joins or leaves, can move it.
        if changed or lowest == -1 or (grew and place == lowest):
            lowest = -1
            for other in range(len(greatest)):
                if holds[other] and (lowest == -1 or greatest[other] < greatest[lowest]):
                    lowest = other
            silent = 1 if lowest == -1 else 0
            if silent != quiet[2, told - 1]:
                quiet[0, told], quiet[1, told], quiet[2, told] = orders[i] + 1, clock, silent
                told += 1
            if lowest != -1 and greatest[lowest] != MIN_WATERMARK and greatest[lowest] - bound - 1 > current:
                current = greatest[lowest] - bound - 1
                steps[0, moved], steps[1, moved], steps[2, moved] = orders[i] + 1, current, clock
                moved += 1
    return current, clock, moved, told


class WatermarkTracker:
    """Follows one source's partitions and gives the watermark steps that its events cause.

    >>> tracker = WatermarkTracker([0], bound_ms=2_000)
    >>> steps = tracker.follow(np.array([10_000, 9_000, 12_000]), np.zeros(3, np.int32), np.array([1, 2, 3]),
    ...                        np.array([0, 2, 4]))
    >>> steps.order.tolist(), steps.mark.tolist()
    ([1, 5], [7999, 9999])

    Args:
        partitions: those known before the first event. One that turns up later joins with its first event.
        bound_ms: how far out of order events may come, ms; None where events say their watermark themselves.
    """

    def __init__(self, partitions: Sequence[int], *, bound_ms: int | None) -> None:
        self._partitions = list(partitions)
        self._greatest = np.full(len(self._partitions), MIN_WATERMARK, np.int64)
        # Whether a partition counts for the minimum: from the start, or from its first event.
        self._holds = np.ones(len(self._partitions), np.bool_)
        self._bound = -1 if bound_ms is None else bound_ms
        self._newest = MIN_WATERMARK
        self.watermark = MIN_WATERMARK
        """The watermark after the last event, epoch ms."""
        self.clock = MIN_WATERMARK
        """The newest arrival time so far, epoch ms."""
        self.stepped = MIN_WATERMARK
        """The clock of the last step."""
        self.changes: list[tuple[int, int, bool]] = []
        """Where in the last slice the source as a whole became idle or came back: order, clock, whether idle."""
        self.silent_before = False
        """Whether no partition held the watermark before the last slice."""
        self.stepped_before = self.clock_before = MIN_WATERMARK

    @property
    def newest(self) -> int:
        """The greatest event time seen in any partition, epoch ms."""
        return self._newest

    @property
    def partitions(self) -> list[int]:
        """The partitions known so far."""
        return list(self._partitions)

    @property
    def idle(self) -> list[int]:
        """The partitions that do not hold the watermark now."""
        return [partition for partition, holds in zip(self._partitions, self._holds, strict=True) if not holds]

    def follow(
        self,
        times: Int64s,
        partitions: np.ndarray,
        arrivals: Int64s,
        orders: Int64s,
        *,
        idle: np.ndarray | None = None,
        says: Int64s | None = None,
    ) -> Steps:
        """The steps after these events and decisions.

        Args:
            times: event times, epoch ms (of a decision `MIN_WATERMARK`).
            partitions: whose each is.
            arrivals: arrival times, epoch ms (`MIN_WATERMARK` where it is not known).
            orders: their places in the sequence.
            idle: whether each is no event but the decision that its partition is idle; None where all are events.
            says: the watermark that each event says, epoch ms (`MIN_WATERMARK` for none); None for their times.
        """
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
        steps, quiet = np.empty((3, len(times)), np.int64), np.empty((3, len(times) + 1), np.int64)
        self.rest()
        quiet[2, 0] = self.silent_before
        self._newest = max(self._newest, int(times.max(initial=MIN_WATERMARK)))
        self.watermark, self.clock, moved, told = (
            int(value)
            for value in _follow(
                times if says is None else says,
                places,
                np.zeros(len(times), np.bool_) if idle is None else idle,
                arrivals,
                orders,
                self._greatest,
                self._holds,
                self.watermark,
                self.clock,
                self._bound,
                steps,
                quiet,
            )
        )
        if told > 1:
            for order, clock, silent in quiet[:, 1:told].T.tolist():
                self.changes.append((order, clock, bool(silent)))
        order, mark, clock = steps[:, :moved].copy()
        if moved:
            self.stepped = int(clock[-1])
        return Steps(order, mark, clock)

    def rest(self) -> None:
        """A slice begins, which may have nothing of this source."""
        self.changes = []
        self.silent_before, self.stepped_before, self.clock_before = self.silent, self.stepped, self.clock

    @property
    def silent(self) -> bool:
        """Whether no partition holds the watermark: the source as a whole is idle."""
        # Of few, a list is looked through sooner than an array.
        return True not in self._holds.tolist()

    def to_json(self) -> dict[str, object]:
        """The tracker's state."""
        return {
            "partitions": self._partitions,
            "greatest": self._greatest.tolist(),
            "watermark": self.watermark,
            "clock": self.clock,
            "newest": self._newest,
            "idle": self.idle,
            "stepped": self.stepped,
        }

    def from_json(self, value: Mapping[str, Any]) -> None:
        """Go on from a state of `to_json`, of this version or an older one."""
        self._partitions = list(value["partitions"])
        self._greatest = np.array(value["greatest"], np.int64)
        # Within a snapshot every other partition holds: one joins at its first event, in the slice that brings it.
        idle = value.get("idle", [])
        self._holds = np.array([partition not in idle for partition in self._partitions], np.bool_)
        self.watermark = int(value["watermark"])
        self.clock = int(value["clock"])
        # Older states had neither idle partitions nor watermarks of the events' own.
        newest = max(value["greatest"], default=MIN_WATERMARK)
        self._newest = int(value.get("newest", newest))
        self.stepped = int(value.get("stepped", self.clock))
        self.rest()
