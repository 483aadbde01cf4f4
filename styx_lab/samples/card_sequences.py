"""Runs of declined payments and the payment that follows them: attackers testing a card, and customers who forgot a
PIN.

Law: both are made by the same steps from different tables. An attack need not look like the textbook: some have an
approved payment between the declines, some drain little, some wait long. They stay in the truth all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from styx_lab.core.batch import Int64s
from styx_lab.samples.card_world import Cards, abroad, everyday_amounts
from styx_lab.samples.draws import Draws

__all__ = ["KINDS", "MOST", "Sequences", "attacks", "decoys"]

KINDS: Final = ("plain", "approved_between", "low_drain", "slow_drain")
"""What is particular about an attack."""
MOST: Final = 6
"""Payments in a run, at most: up to four declines, an approved one between the first two, and the last payment."""
_LAST: Final = 5
_BETWEEN: Final = 4

_TEST_AMOUNTS: Final = (50, 99, 100, 150, 200, 299, 499, 799, 999)
_FRAUD_MERCHANTS: Final = (2, 2, 3, 1, 3, 8, 2, 2, 8, 5, 1, 4, 5, 6, 16, 12, 44, 22, 36, 38)
_BIG_MERCHANTS: Final = (8, 10, 3, 1, 4, 18, 1, 1, 3, 4, 10, 12, 6, 34, 50, 40, 56, 16, 10, 10)
_FRAUD_DRAINS: Final = (50_100, 56_000, 64_900, 74_000, 86_000, 99_900, 118_000, 145_000, 190_000, 320_000)
_LOW_DRAINS: Final = (9_900, 15_000, 24_900, 34_900, 42_000, 49_900)
_BIG_AMOUNTS: Final = (4_000, 9_000, 16_000, 27_000, 41_000, 52_000, 60_000, 70_000, 84_000, 110_000, 170_000, 280_000)


@dataclass(frozen=True, slots=True)
class Sequences:
    """Runs of payments. Arrays of runs have one entry a run; those of payments are (runs, MOST), and only where
    `there`.

    Columns 0 to 3 of payments are the declines, 4 is the approved one between, 5 is the last payment. Customers' runs
    are of kind 0, plain.

    Attributes:
        card: index of the card.
        kind: index into `KINDS`.
        there: whether a run has this payment.
        time: epoch ms.
        amount: cents.
        merchant: index into `MERCHANTS`.
        country: index into `COUNTRIES`.
    """

    card: Int64s
    kind: Int64s
    there: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    time: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    amount: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    merchant: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    country: np.ndarray[tuple[int, int], np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.card)


def attacks(draws: Draws, cards: Cards, card: Int64s, start: Int64s) -> Sequences:
    """Card testing: small payments that are declined, then a large one.

    Args:
        draws: where chance comes from.
        cards: all cards.
        card: the card of each attack.
        start: epoch ms at which each begins.
    """
    count = len(card)
    kind = draws.weighted((76, 8, 8, 8), count)
    tests = np.where(draws.chance(850, MOST * count), draws.table(_TEST_AMOUNTS, MOST * count), _everyday(draws, count))
    drain = np.where(
        kind == KINDS.index("low_drain"), draws.table(_LOW_DRAINS, count), draws.table(_FRAUD_DRAINS, count)
    )
    wait = np.where(
        kind == KINDS.index("slow_drain"),
        draws.table((600_000, 780_000, 1_200_000, 2_400_000), count),
        draws.table((9_000, 35_000, 70_000, 130_000, 210_000, 320_000, 440_000), count),
    )
    country = np.where(draws.chance(450, count), cards.home[card], abroad(draws, cards.home[card], 1_000))
    return _sequences(
        card,
        kind,
        declines=2 + draws.weighted((60, 25, 15), count),
        start=start,
        gaps=draws.table((700, 3_000, 6_000, 11_000, 19_000, 33_000, 60_000), 3 * count),
        wait=wait,
        amounts=(tests, drain),
        merchants=(draws.weighted(_FRAUD_MERCHANTS, count), draws.weighted(_FRAUD_MERCHANTS, count)),
        country=country,
    )


def decoys(draws: Draws, cards: Cards, card: Int64s, start: Int64s) -> Sequences:
    """A customer who is refused twice (a forgotten PIN, a limit) and then pays, often a large amount.

    Args:
        draws: where chance comes from.
        cards: all cards.
        card: the card of each.
        start: epoch ms at which each begins.
    """
    count = len(card)
    paid = draws.table(_BIG_AMOUNTS, count)
    same = draws.chance(450, count)
    merchant = draws.weighted(_BIG_MERCHANTS, count)
    smaller = np.where(
        draws.chance(300, MOST * count), draws.table(_TEST_AMOUNTS, MOST * count), _everyday(draws, count)
    )
    return _sequences(
        card,
        np.zeros(count, np.int64),
        declines=2 + draws.weighted((85, 13, 2), count),
        start=start,
        gaps=draws.table((4_000, 9_000, 15_000, 24_000, 38_000, 70_000, 150_000), 3 * count),
        wait=draws.table((8_000, 18_000, 30_000, 55_000, 110_000, 240_000, 520_000), count),
        amounts=(np.where(np.repeat(same, MOST), np.repeat(paid, MOST), smaller), paid),
        merchants=(np.where(same, merchant, everyday_amounts(draws, count)[0]), merchant),
        country=abroad(draws, cards.home[card], 130),
    )


def _everyday(draws: Draws, count: int) -> Int64s:
    return everyday_amounts(draws, MOST * count)[1]


def _sequences(
    card: Int64s,
    kind: Int64s,
    *,
    declines: Int64s,
    start: Int64s,
    gaps: Int64s,
    wait: Int64s,
    amounts: tuple[Int64s, Int64s],
    merchants: tuple[Int64s, Int64s],
    country: Int64s,
) -> Sequences:
    count = len(card)
    there = np.zeros((count, MOST), np.bool_)
    there[:, :4] = np.arange(4) < declines[:, None]
    there[:, _BETWEEN] = kind == KINDS.index("approved_between")
    there[:, _LAST] = True
    time = np.zeros((count, MOST), np.int64)
    time[:, 0] = start
    time[:, 1:4] = start[:, None] + np.cumsum(gaps.reshape(count, 3), axis=1)
    time[:, _BETWEEN] = (time[:, 0] + time[:, 1]) // 2
    time[:, _LAST] = time[np.arange(count), declines - 1] + wait
    amount = amounts[0].reshape(count, MOST).copy()
    amount[:, _LAST] = amounts[1]
    merchant = np.repeat(merchants[0], MOST).reshape(count, MOST)
    merchant[:, _LAST] = merchants[1]
    return Sequences(card, kind, there, time, amount, merchant, np.repeat(country, MOST).reshape(count, MOST))
