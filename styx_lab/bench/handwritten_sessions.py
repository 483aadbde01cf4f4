"""The limit of session windows: per card at most two open sessions in flat arrays, and a wheel of seconds that closes.

Law: the same rows give the same sessions however they are cut into calls, and each comes out by the end of the call in
which the watermark reaches its end.

Two are enough, and a row never comes before the older one: a third session would begin more than two gaps after the
first one's last event, and by then the watermark, which is only the disorder behind, has closed the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from styx_lab.bench.cards import card_slots
from styx_lab.bench.payments import DISORDER_MS
from styx_lab.bench.reference_groups import GAP_MS
from styx_lab.core.compiled import njit

__all__ = ["SessionCards", "Sessioning", "Sessions"]

_ROOM: Final = 65_536
_NEVER: Final = -(2**62)
_SECOND_MS: Final = 1_000
_WHEEL: Final = 512
"""Seconds on the wheel, a power of two: more than a gap and the disorder."""

# Of a card: first and last time and count of its older session, then of its newer one, then the next of its second.
_FIRST, _LAST, _COUNT, _NEXT = 0, 1, 2, 6
_NEWER: Final = 3
_FIELDS: Final = 8
# The clock: the latest event time so far, the second on the wheel that is closed next.
_LATEST, _DUE = 0, 1


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions that closed: the card's slot, start and end in epoch ms, the count, the exact sum."""

    slots: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    sums: np.ndarray


@njit(cache=True, nogil=True)
def _close(
    second: int,
    watermark: int,
    gap: int,
    wheel: np.ndarray,
    cards: np.ndarray,
    sums: np.ndarray,
    numbers: np.ndarray,
    totals: np.ndarray,
    used: int,
) -> int:
    """Close what a second of the wheel holds and the watermark allows; put the rest where it is due."""
    slot = wheel[second & (_WHEEL - 1)]
    wheel[second & (_WHEEL - 1)] = -1
    while slot >= 0:
        card, total = cards[slot], sums[slot]
        after = card[_NEXT]
        if card[_LAST] + gap - 1 <= watermark:
            numbers[used, 0], numbers[used, 1], numbers[used, 2] = slot, card[_FIRST], card[_LAST] + gap
            numbers[used, 3] = card[_COUNT]
            totals[used] = total[0] + total[1]
            used += 1
            card[:_NEWER] = card[_NEWER : 2 * _NEWER]
            total[:2] = total[2:]
            card[_NEWER + _COUNT] = 0
        if card[_COUNT]:
            place = ((card[_LAST] + gap - 1) // _SECOND_MS) & (_WHEEL - 1)
            card[_NEXT] = wheel[place]
            wheel[place] = slot
        slot = after
    return used


@njit(cache=True, nogil=True)
def _add(card: np.ndarray, total: np.ndarray, newer: int, time: int, amount: float) -> None:
    """Add a row to one of a card's two sessions."""
    at, money = _NEWER * newer, 2 * newer
    if card[at + _COUNT] == 0:
        card[at + _FIRST], card[at + _LAST] = time, time
        total[money], total[money + 1] = 0.0, 0.0
    card[at + _FIRST] = min(card[at + _FIRST], time)
    card[at + _LAST] = max(card[at + _LAST], time)
    card[at + _COUNT] += 1
    # The error of an addition is itself a double: high + low is the exact sum, rounded once at the end.
    high = total[money]
    rounded = high + amount
    part = rounded - high
    total[money + 1] += (high - (rounded - part)) + (amount - part)
    total[money] = rounded


@njit(cache=True, nogil=True)
def _session_rows(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
    start: int,
    ending: bool,
    lengths: tuple[int, int],
    clock: np.ndarray,
    wheel: np.ndarray,
    state: tuple[np.ndarray, np.ndarray],
    outputs: tuple[np.ndarray, np.ndarray],
    open_count: int,
) -> tuple[int, int, int]:
    """Take rows from `start` on until the outputs might overflow; gives the next row, outputs used, open sessions.

    Rows are slot, time, amount. When all is done that the batch allows, the next row is one behind the end.
    """
    slots, times, amounts = rows
    cards, sums = state
    numbers, totals = outputs
    gap, delay = lengths
    used = 0
    for row in range(start, slots.size):
        time = times[row]
        if time > clock[_LATEST]:
            if clock[_LATEST] == _NEVER:
                clock[_DUE] = (time - delay - 1) // _SECOND_MS
            # All that is open fits the outputs, or the row is taken in the next call.
            if clock[_DUE] < (time - delay - 1) // _SECOND_MS and numbers.shape[0] - used < open_count:
                return row, used, open_count
            before = used
            # After a silence longer than the wheel, one turn of it sees all that is open.
            turn_end = min((time - delay - 1) // _SECOND_MS, clock[_DUE] + _WHEEL)
            while clock[_DUE] < turn_end:
                used = _close(clock[_DUE], time - delay - 1, gap, wheel, cards, sums, numbers, totals, used)
                clock[_DUE] += 1
            clock[_DUE] = max(clock[_DUE], (time - delay - 1) // _SECOND_MS)
            clock[_LATEST] = time
            open_count -= used - before
        slot = slots[row]
        card, total = cards[slot], sums[slot]
        if card[_COUNT] == 0:
            _add(card, total, 0, time, amounts[row])
            place = ((time + gap - 1) // _SECOND_MS) & (_WHEEL - 1)
            card[_NEXT] = wheel[place]
            wheel[place] = slot
            open_count += 1
            continue
        if time - card[_LAST] > gap:
            open_count += card[_NEWER + _COUNT] == 0
            _add(card, total, 1, time, amounts[row])
            continue
        _add(card, total, 0, time, amounts[row])
        if card[_NEWER + _COUNT] and card[_NEWER + _FIRST] - card[_LAST] <= gap:
            card[_LAST] = card[_NEWER + _LAST]
            card[_COUNT] += card[_NEWER + _COUNT]
            high = total[0]
            rounded = high + total[2]
            part = rounded - high
            total[1] += (high - (rounded - part)) + (total[2] - part) + total[3]
            total[0] = rounded
            card[_NEWER + _COUNT] = 0
            open_count -= 1
    watermark = np.iinfo(np.int64).max if ending else clock[_LATEST] - delay - 1
    if numbers.shape[0] - used < open_count:
        return slots.size, used, open_count
    before = used
    # A card's second session is due after its first: a turn for each.
    for second in range(clock[_DUE], clock[_DUE] + (2 * _WHEEL if ending else 1)):
        used = _close(second, watermark, gap, wheel, cards, sums, numbers, totals, used)
    return slots.size + 1, used, open_count - (used - before)


class SessionCards:
    """Sessions on arrays: count and sum per card, with a gap of five minutes. No row may be late."""

    def __init__(self) -> None:
        self._clock = np.array([_NEVER, 0], np.int64)
        self._wheel = np.full(_WHEEL, -1, np.int64)
        self._cards = np.zeros((0, _FIELDS), np.int64)
        self._sums = np.zeros((0, 4), np.float64)
        self._open = 0

    def push(
        self, slots: np.ndarray, times: np.ndarray, amounts: np.ndarray, cards: int, *, ending: bool = False
    ) -> list[Sessions]:
        """Take a batch; gives what closes.

        Args:
            slots: int64, below `cards`.
            times: int64, epoch ms.
            amounts: float64.
            cards: how many slots there are by now.
            ending: no more will come: all that is open closes.
        """
        if cards > len(self._cards):
            more = 2 * cards - len(self._cards)
            self._cards = np.concatenate([self._cards, np.zeros((more, _FIELDS), np.int64)])
            self._sums = np.concatenate([self._sums, np.zeros((more, 4))])
        closed = []
        start = 0
        while start <= len(slots):
            # Every card has two sessions at most, so one room takes all that is open.
            room = max(_ROOM, 2 * len(self._cards))
            numbers, totals = np.empty((room, 4), np.int64), np.empty(room, np.float64)
            start, used, self._open = _session_rows(
                (slots, times, amounts), start, ending, (GAP_MS, DISORDER_MS), self._clock, self._wheel,
                (self._cards, self._sums), (numbers, totals), self._open,
            )  # fmt: skip
            if used:
                slot, first, end, count = numbers[:used].T
                closed.append(Sessions(slot, first, end, count, totals[:used]))
        return closed


class Sessioning:
    """Sessions on decoded frames: the cards' slots, then `SessionCards`, then a frame of what closed."""

    def __init__(self, batch: int) -> None:
        self._cards = card_slots(batch)
        self._sessions = SessionCards()

    def push(self, frame: pl.DataFrame, *, ending: bool = False) -> list[pl.DataFrame]:
        """Take a batch; gives frames of `card_id`, `window_start`, `window_end`, `count` and `sum`."""
        slots = self._cards.slots(frame["card_id"])
        times, amounts = frame["ts"].to_numpy(), frame["amount"].to_numpy()
        closed = self._sessions.push(slots, times, amounts, len(self._cards), ending=ending)
        return [
            pl.DataFrame(
                {
                    "card_id": self._cards.names(sessions.slots),
                    "window_start": sessions.starts,
                    "window_end": sessions.ends,
                    "count": sessions.counts,
                    "sum": sessions.sums,
                }
            )
            for sessions in closed
        ]
