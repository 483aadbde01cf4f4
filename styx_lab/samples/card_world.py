"""The world of the card sample: its cards, shops and habits, as tables of whole numbers.

Law: what attackers do and what customers do overlap in every column, so that no single value gives an attack away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.samples.draws import Draws

__all__ = [
    "ATTACK_HOURS",
    "COUNTRIES",
    "HOURS",
    "MERCHANTS",
    "SEGMENTS",
    "Cards",
    "abroad",
    "card_id",
    "everyday_amounts",
    "make_cards",
]

MERCHANTS: Final = (
    "groceries", "restaurant", "fuel", "pharmacy", "transport", "clothing", "books", "streaming", "games", "telecom",
    "utilities", "sports", "beauty", "furniture", "travel", "hotel", "electronics", "jewellery", "gift_cards", "crypto",
)  # fmt: skip
COUNTRIES: Final = ("DE", "FR", "GB", "IT", "ES", "NL", "PL", "US", "BR", "TR")
SEGMENTS: Final = ("student", "standard", "premium", "business")

_MERCHANT_WEIGHTS: Final = (220, 140, 90, 50, 110, 60, 25, 45, 30, 30, 25, 20, 25, 12, 22, 20, 40, 8, 14, 14)
_MERCHANT_FACTORS: Final = (60, 55, 85, 40, 25, 110, 35, 20, 45, 50, 130, 100, 60, 420, 520, 340, 330, 480, 110, 260)
"""Of an amount, in hundredths."""
_COUNTRY_WEIGHTS: Final = (22, 16, 18, 12, 11, 7, 6, 4, 2, 2)
_SEGMENT_WEIGHTS: Final = (18, 56, 18, 8)
_AMOUNTS: Final = (100, 600, 1_200, 1_900, 2_700, 3_600, 4_800, 6_500, 9_000, 14_500, 60_000)
"""Cents; the deciles of an everyday payment before the merchant's factor."""

HOURS: Final = (12, 7, 5, 4, 5, 10, 24, 44, 58, 60, 62, 68, 80, 74, 62, 60, 66, 78, 84, 76, 62, 46, 32, 20)
"""How busy customers are in each hour of the day, UTC."""
ATTACK_HOURS: Final = (52, 56, 58, 55, 48, 40, 32, 28, 28, 30, 32, 32, 34, 34, 34, 36, 36, 38, 40, 40, 42, 44, 46, 50)


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards and who holds them; each array has one entry a card.

    Attributes:
        home: index into `COUNTRIES`.
        segment: index into `SEGMENTS`.
        member_since: days since the customer joined.
        popularity: how often the card is used, as a weight.
    """

    home: Int64s
    segment: Int64s
    member_since: Int64s
    popularity: Int64s

    def __len__(self) -> int:
        return len(self.home)

    def frame(self) -> pl.DataFrame:
        """The static table of customers."""
        count = len(self)
        return pl.DataFrame(
            {
                "card_id": [card_id(card) for card in range(count)],
                # Not in the order of the cards: the two are different things.
                "customer_id": [f"customer-{(card * 7_919 + 13) % 100_003:06d}" for card in range(count)],
                "home_country": [COUNTRIES[index] for index in self.home.tolist()],
                "segment": [SEGMENTS[index] for index in self.segment.tolist()],
                "member_since": self.member_since,
            },
            schema={
                "card_id": pl.String(),
                "customer_id": pl.String(),
                "home_country": pl.String(),
                "segment": pl.String(),
                "member_since": pl.Int64(),
            },
        )


def card_id(card: int) -> str:
    """The name of a card.

    >>> card_id(12)
    'card-00012'
    """
    return f"card-{card:05d}"


def make_cards(draws: Draws, count: int) -> Cards:
    """Draw the cards. Popularity is Zipf's (Mandelbrot's form): the card of rank r has the weight 1 / (r + 20)."""
    rank = draws.order(count)
    return Cards(
        home=draws.weighted(_COUNTRY_WEIGHTS, count),
        segment=draws.weighted(_SEGMENT_WEIGHTS, count),
        member_since=draws.table((3, 90, 210, 400, 700, 1_100, 1_600, 2_200, 3_000, 4_200), count),
        popularity=np.asarray(1_000_000_000 // (rank + 20), np.int64),
    )


def everyday_amounts(draws: Draws, count: int) -> tuple[Int64s, Int64s]:
    """Merchants (index) and amounts (cents) of everyday payments."""
    merchant = draws.weighted(_MERCHANT_WEIGHTS, count)
    amount = draws.table(_AMOUNTS, count) * np.asarray(_MERCHANT_FACTORS, np.int64)[merchant] // 100
    return merchant, np.maximum(amount, 50)


def abroad(draws: Draws, home: Int64s, permille: int) -> Int64s:
    """Countries (index): home, save that so many in a thousand are drawn from all."""
    count = len(home)
    away = draws.chance(permille, count)
    other = draws.weighted((12, 11, 12, 10, 10, 8, 9, 11, 9, 8), count)
    return np.where(away, other, home)
