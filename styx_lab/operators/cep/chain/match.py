"""The matcher: one compiled pass over events in time order, with the partial matches of each key in a linked list.

Law: what it gives for a key depends on that key's events in order of time alone. A list is in order of its partial
matches' first events, so matches that one event completes come out oldest start first, as in Flink.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from styx_lab.core.compiled import njit

__all__ = ["NONE", "PartialMatches", "advance"]

NONE: Final = -1


class PartialMatches:
    """The partial matches of all keys, in flat arrays: a pool with a free list, and a linked list for each key's slot.

    Attributes:
        start: event time of the first event, ms.
        state: how many events it has taken.
        slot: its key's slot.
        following: the next younger partial match of the key.
        events: the numbers of the events taken.
        head, tail: the oldest and youngest of each slot.
    """

    def __init__(self, length: int) -> None:
        self.start = np.empty(0, np.int64)
        self.state = np.zeros(0, np.int32)
        self.slot = np.empty(0, np.int64)
        self.following = np.empty(0, np.int64)
        self.events = np.empty((0, max(length - 1, 1)), np.int64)
        self.free = np.empty(0, np.int64)
        self.free_count = 0
        self.head = np.empty(0, np.int64)
        self.tail = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.start) - self.free_count

    def make_room(self, more: int, slots: int) -> None:
        """Have at least `more` free places, and lists for `slots` slots."""
        if slots > len(self.head):
            grown = max(slots, 2 * len(self.head), 64)
            self.head = _grow(self.head, grown, NONE)
            self.tail = _grow(self.tail, grown, NONE)
        if more > self.free_count:
            old = len(self.start)
            size = old + max(more - self.free_count, old, 64)
            self.start, self.slot = _grow(self.start, size, 0), _grow(self.slot, size, 0)
            self.following, self.state = _grow(self.following, size, NONE), _grow(self.state, size, 0)
            events = np.full((size, self.events.shape[1]), NONE, np.int64)
            events[:old] = self.events
            self.events = events
            free = np.empty(size, np.int64)
            free[: self.free_count] = self.free[: self.free_count]
            free[self.free_count : self.free_count + size - old] = np.arange(size - 1, old - 1, -1)
            self.free, self.free_count = free, self.free_count + size - old

    def fill(self, start: np.ndarray, state: np.ndarray, slots: np.ndarray, events: np.ndarray, capacity: int) -> None:
        """Put partial matches back, oldest first, into an empty pool."""
        self.make_room(len(start), capacity)
        places = self.free[self.free_count - len(start) : self.free_count][::-1].copy()
        self.free_count -= len(start)
        self.start[places], self.state[places], self.slot[places] = start, state, slots
        self.following[places] = NONE
        self.events[places] = events
        for place, slot in zip(places.tolist(), slots.tolist(), strict=True):
            if self.tail[slot] == NONE:
                self.head[slot] = place
            else:
                self.following[self.tail[slot]] = place
            self.tail[slot] = place

    def living(self) -> np.ndarray:
        """The places in use, in no order that means anything."""
        return np.flatnonzero(self.state > 0)

    def drop_expired(self, watermark: int, within_ms: int) -> None:
        """Forget what no later event can complete: those that began `within_ms` or more before the watermark."""
        if within_ms >= 0:
            # floor: the watermark may be near either end of int64
            bound = max(watermark, np.iinfo(np.int64).min + within_ms) - within_ms
            self.free_count = int(
                _drop_older(
                    bound, self.start, self.state, self.following, self.head, self.tail, self.free, self.free_count
                )
            )


def _grow(array: np.ndarray, size: int, fill: int) -> np.ndarray:
    grown = np.full(size, fill, array.dtype)
    grown[: len(array)] = array
    return grown


@njit(cache=True, nogil=True)
def _drop_older(bound, start, state, following, head, tail, free, free_count):  # type: ignore[no-untyped-def]
    for slot in range(len(head)):
        # A list is in order of start, so the expired ones are at its head.
        place = head[slot]
        while place != NONE and start[place] <= bound:
            after = following[place]
            state[place] = 0
            free[free_count] = place
            free_count += 1
            place = after
        head[slot] = place
        if place == NONE:
            tail[slot] = NONE
    return free_count


@njit(cache=True, nogil=True)
def _advance(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0913 - one loop over flat arrays
    times, slots, masks, numbers, bits, strict, within,
    start, state, slot_of, following, events, head, tail, free, free_count,
    found_event, found_numbers,
):  # fmt: skip
    length = len(bits)
    count = 0
    for i in range(len(times)):
        time, slot, mask, number = times[i], slots[i], masks[i], numbers[i]
        previous = NONE
        place = head[slot]
        while place != NONE:
            after = following[place]
            taken = state[place]
            gone = False
            if within >= 0 and time - start[place] >= within:
                gone = True
            elif (mask >> bits[taken]) & 1:
                if taken + 1 == length:
                    found_event[count] = i
                    for k in range(taken):
                        found_numbers[count, k] = events[place, k]
                    found_numbers[count, taken] = number
                    count += 1
                    gone = True
                else:
                    events[place, taken] = number
                    state[place] = taken + 1
            elif strict[taken]:
                gone = True
            if gone:
                state[place] = 0
                free[free_count] = place
                free_count += 1
                if previous == NONE:
                    head[slot] = after
                else:
                    following[previous] = after
                if after == NONE:
                    tail[slot] = previous
            else:
                previous = place
            place = after
        if (mask >> bits[0]) & 1:
            if length == 1:
                found_event[count] = i
                found_numbers[count, 0] = number
                count += 1
            else:
                free_count -= 1
                place = free[free_count]
                start[place] = time
                state[place] = 1
                slot_of[place] = slot
                following[place] = NONE
                events[place, 0] = number
                if tail[slot] == NONE:
                    head[slot] = place
                else:
                    following[tail[slot]] = place
                tail[slot] = place
    return count, free_count


def advance(
    partials: PartialMatches,
    times: np.ndarray,
    slots: np.ndarray,
    masks: np.ndarray,
    numbers: np.ndarray,
    *,
    bits: np.ndarray,
    strict: np.ndarray,
    within_ms: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Take events in order of time (int64 ms), each with its slot, its conditions' bits and its number.

    Returns:
        For each match: the index of the event that completed it, and a row with the numbers of all its events.
    """
    partials.make_room(len(times), int(slots.max()) + 1 if len(slots) else 0)
    most = len(partials) + len(times)
    found_event = np.empty(most, np.int64)
    found_numbers = np.empty((most, len(bits)), np.int64)
    count, free_count = _advance(
        times, slots, masks, numbers, bits, strict, within_ms,
        partials.start, partials.state, partials.slot, partials.following, partials.events,
        partials.head, partials.tail, partials.free, partials.free_count,
        found_event, found_numbers,
    )  # fmt: skip
    partials.free_count = int(free_count)
    return found_event[:count].copy(), found_numbers[:count].copy()
