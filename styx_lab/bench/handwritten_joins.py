"""The limits of the joins: pairs within an interval, and the version in force, in flat arrays.

Law: the same rows give the same results however they are cut into calls. What the watermark has passed by is forgotten
(of a card's versions all but the newest), as a step of a flow must.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from styx_lab.bench.cards import card_slots
from styx_lab.bench.payments import COUNTRIES, DISORDER_MS, MERCHANTS
from styx_lab.bench.reference_groups import APART_MS
from styx_lab.core.compiled import njit

__all__ = ["AsOfJoining", "IntervalJoining"]

_ROOM: Final = 65_536
_NEVER: Final = -(2**62)
_NONE: Final = -1
_PLACE_BITS: Final = 22
# The interval join's clock: the latest event time so far, the oldest event kept, how many came.
_LATEST, _OLDEST, _SEEN = 0, 1, 2
# An event that is kept: its time, its id, the one of its key and side that came before it.
_TIME, _ID, _BEFORE = 0, 1, 2


@njit(cache=True, nogil=True)
def _pair_rows(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    start: int,
    lengths: tuple[int, int],
    clock: np.ndarray,
    kept: np.ndarray,
    newest: np.ndarray,
    found: np.ndarray,
) -> tuple[int, int]:
    """Take rows from `start` on until the outputs or the ring of kept events are full; gives the next row, the pairs.

    Rows are key, time, side, id; a side is 0 for the left, 1 for the right, and above for neither. Events are kept in a
    ring, in order of arrival.
    """
    keys, times, sides, ids = rows
    apart, delay = lengths
    mask = kept.shape[0] - 1
    used = 0
    for row in range(start, keys.size):
        time, side, key = times[row], sides[row], keys[row]
        if time > clock[_LATEST]:
            clock[_LATEST] = time
            while clock[_OLDEST] < clock[_SEEN] and kept[clock[_OLDEST] & mask, _TIME] < time - delay - 1 - apart:
                clock[_OLDEST] += 1
        if side > 1:
            continue
        if clock[_SEEN] - clock[_OLDEST] > mask:
            return row, used
        before = used
        at = newest[key, 1 - side]
        # What came before an event has a time at most the disorder above its own.
        while at >= clock[_OLDEST] and kept[at & mask, _TIME] >= time - apart - delay:
            distance = kept[at & mask, _TIME] - time
            if -apart <= distance <= apart:
                if used == found.shape[0]:
                    return row, before
                found[used, side], found[used, 1 - side] = ids[row], kept[at & mask, _ID]
                used += 1
            at = kept[at & mask, _BEFORE]
        place = clock[_SEEN] & mask
        kept[place, _TIME], kept[place, _ID], kept[place, _BEFORE] = time, ids[row], newest[key, side]
        newest[key, side] = clock[_SEEN]
        clock[_SEEN] += 1
    return keys.size, used


class IntervalJoining:
    """The interval join on decoded frames: keys and sides as numbers, then the kernel, then an array of pairs.

    Args:
        batch: events in a batch.
        by_shop: whether the key is card, merchant and country, or else the card.
    """

    def __init__(self, batch: int, *, by_shop: bool) -> None:
        self._cards = card_slots(batch)
        self._by_shop = by_shop
        self._clock = np.array([_NEVER, 0, 0], np.int64)
        self._kept = np.zeros((_ROOM, 3), np.int64)
        self._newest = np.full((0, 2), _NONE, np.int64)

    def push(self, frame: pl.DataFrame) -> list[np.ndarray]:
        """Take a batch; gives arrays of the ids of an auth and a fail, a row a pair."""
        keys, many = self._keys(frame)
        if many > len(self._newest):
            self._newest = np.concatenate([self._newest, np.full((2 * many - len(self._newest), 2), _NONE)])
        kind, times, ids = frame["kind"], frame["ts"].to_numpy(), frame["event_id"].to_numpy()
        sides = np.where((kind == "auth").to_numpy(), 0, np.where((kind == "fail").to_numpy(), 1, 2))
        made, start, room = [], 0, _ROOM
        while start < len(keys):
            found, before = np.empty((room, 2), np.int64), start
            start, used = _pair_rows(
                (keys, times, sides, ids), start, (APART_MS, DISORDER_MS), self._clock, self._kept, self._newest, found
            )
            if used:
                made.append(found[:used])
            if start == before:
                room *= 2
                self._widen()
        return made

    def _keys(self, frame: pl.DataFrame) -> tuple[np.ndarray, int]:
        slots = self._cards.slots(frame["card_id"])
        if not self._by_shop:
            return slots, len(self._cards)
        merchants, countries = (
            frame[name].cast(pl.Enum(known)).to_physical().cast(pl.Int64).to_numpy()
            for name, known in (("merchant", MERCHANTS), ("country", COUNTRIES))
        )
        shops = len(MERCHANTS) * len(COUNTRIES)
        return slots * shops + merchants * len(COUNTRIES) + countries, len(self._cards) * shops

    def _widen(self) -> None:
        numbers = np.arange(self._clock[_OLDEST], self._clock[_SEEN])
        wide = np.zeros((2 * len(self._kept), 3), np.int64)
        wide[numbers % len(wide)] = self._kept[numbers % len(self._kept)]
        self._kept = wide


@njit(cache=True, nogil=True)
def _step_due(
    order: np.ndarray,
    head: int,
    tail: int,
    base: int,
    watermark: int,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    current: np.ndarray,
    found: np.ndarray,
    used: int,
) -> tuple[int, int]:
    """Step the waiting rows that the watermark has reached."""
    slots, _, versions, ids = rows
    while head < tail and (order[head] >> (_PLACE_BITS + 1)) + base <= watermark:
        row = order[head] & ((1 << _PLACE_BITS) - 1)
        head += 1
        slot = slots[row]
        if versions[row]:
            current[slot] = ids[row]
        elif current[slot] != _NONE:
            found[used, 0], found[used, 1] = ids[row], current[slot]
            used += 1
    return head, used


@njit(cache=True, nogil=True)
def _version_rows(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    pending: int,
    ending: bool,
    delay: int,
    clock: np.ndarray,
    order: np.ndarray,
    current: np.ndarray,
    found: np.ndarray,
) -> tuple[int, int]:
    """Take rows in order of event time as the watermark reaches them; gives the results found and how many rows wait.

    The first `pending` of the rows (slot, time, is it a version, id) are those that the last call left, by time.
    """
    times, versions = rows[1], rows[2]
    head, tail, used = 0, 0, 0
    base = times[0] if times.size else 0
    for row in range(times.size):
        # Time, versions first, and place in one number: few rows wait, so insertion is the quickest sort.
        second = 0 if versions[row] else 1
        key = ((times[row] - base) << 1 | second) << _PLACE_BITS | row
        at = tail
        while at > head and order[at - 1] > key:
            order[at] = order[at - 1]
            at -= 1
        order[at] = key
        tail += 1
        if row >= pending:
            # The watermark is that of the stream that is behind.
            clock[1 - second] = max(clock[1 - second], times[row])
            watermark = min(clock[0], clock[1]) - delay - 1
            head, used = _step_due(order, head, tail, base, watermark, rows, current, found, used)
    if ending:
        head, used = _step_due(order, head, tail, base, np.iinfo(np.int64).max, rows, current, found, used)
    for place in range(head, tail):
        order[place - head] = order[place] & ((1 << _PLACE_BITS) - 1)
    return used, tail - head


class AsOfJoining:
    """The as-of join on decoded frames: the cards' slots, then the kernel, then an array of results.

    Args:
        batch: events in a batch.
    """

    def __init__(self, batch: int) -> None:
        self._cards = card_slots(batch)
        self._clock = np.array([_NEVER, _NEVER], np.int64)
        self._current = np.full(0, _NONE, np.int64)
        nothing = np.empty(0, np.int64)
        self._waiting: list[np.ndarray] = [nothing, nothing, np.empty(0, np.bool_), nothing]

    def push(
        self, events: pl.DataFrame, versions: pl.DataFrame, places: np.ndarray, *, ending: bool = False
    ) -> np.ndarray:
        """Take a batch; gives the ids of an event and its version, a row a result.

        Args:
            events: payments.
            versions: of limits.
            places: where each of the events, then each of the versions stands among both by arrival; int64.
            ending: no more will come.
        """
        slots = self._cards.slots(pl.concat([events["card_id"], versions["card_id"]]))
        if len(self._cards) > len(self._current):
            more = np.full(2 * len(self._cards) - len(self._current), _NONE)
            self._current = np.concatenate([self._current, more])
        of_both = (
            slots,
            np.concatenate([events["ts"].to_numpy(), versions["at"].to_numpy()]),
            np.arange(len(slots)) >= len(events),
            np.concatenate([events["event_id"].to_numpy(), versions["version"].to_numpy()]),
        )
        pending, rows = len(self._waiting[0]), []
        for waiting, column in zip(self._waiting, of_both, strict=True):
            arranged = np.empty_like(column)
            arranged[places] = column
            rows.append(np.concatenate([waiting, arranged]))
        order, found = np.empty(len(rows[0]), np.int64), np.empty((len(rows[0]), 2), np.int64)
        slot, time, version, number = rows
        used, left = _version_rows(
            (slot, time, version, number), pending, ending, DISORDER_MS, self._clock, order, self._current, found
        )
        self._waiting = [column[order[:left]] for column in rows]
        return found[:used]
