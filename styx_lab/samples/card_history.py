"""Labelled candidates to train on: what a detector would have handed on in another month.

Law: none of them is in the recording: they are drawn with a seed, customers and times of their own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.samples.card_sequences import KINDS, Sequences, attacks, decoys
from styx_lab.samples.card_world import ATTACK_HOURS, COUNTRIES, HOURS, MERCHANTS, SEGMENTS, Cards, make_cards
from styx_lab.samples.draws import Draws

__all__ = ["HISTORY_SCHEMA", "make_history"]

HISTORY_SCHEMA: Final[dict[str, pl.DataType]] = {
    "amount": pl.Float64(),
    "merchant": pl.String(),
    "country": pl.String(),
    "home_country": pl.String(),
    "segment": pl.String(),
    "minutes": pl.Float64(),
    "declines": pl.Float64(),
    "hour": pl.Int64(),
    "fraud": pl.Int64(),
}
"""What a match has (the last payment, minutes since the first decline, the sum of both declines, hour in UTC) and
whether it was fraud (1) or not (0)."""

_HOUR: Final = 3_600_000
_LEAST: Final = 50_000
_LONGEST: Final = 600_000


def make_history(seed: int, *, sequences: int, start: int) -> pl.DataFrame:
    """Candidates as a table of `HISTORY_SCHEMA`, shuffled.

    Args:
        seed: where chance comes from; not the one of the recording.
        sequences: how many attacks are drawn, and half as many again of customers refused; those that a detector would
            pass by are left out.
        start: epoch ms, midnight UTC, of the first of 30 days.
    """
    draws = Draws(seed)
    cards = make_cards(draws, 2_000)
    frames = []
    for fraud, hours, make, count in (
        (1, ATTACK_HOURS, attacks, sequences),
        (0, HOURS, decoys, sequences * 3 // 2),
    ):
        day, hour, inside = draws.between(0, 30, count), draws.weighted(hours, count), draws.between(0, _HOUR, count)
        begin = start + (day * 24 + hour) * _HOUR + inside
        runs = make(draws, cards, draws.between(0, len(cards), count), begin)
        frames.append(_candidates(draws, cards, runs, fraud))
    frame = pl.concat(frames)
    return frame[draws.order(frame.height)]


def _candidates(draws: Draws, cards: Cards, runs: Sequences, fraud: int) -> pl.DataFrame:
    count = len(runs)
    row = np.arange(count)
    # Three declines hold two pairs, four hold three; a detector finds each of them.
    pair = draws.between(0, 1 << 30, count) % (runs.there[:, :4].sum(axis=1) - 1)
    last_time, last_amount = runs.time[:, -1], runs.amount[:, -1]
    waited = last_time - runs.time[row, pair]
    parted = (runs.kind == KINDS.index("approved_between")) & (pair == 0)
    kept: Int64s = np.flatnonzero((last_amount > _LEAST) & (waited <= _LONGEST) & ~parted)
    declined = runs.amount[row, pair] + runs.amount[row, pair + 1]
    columns = {
        "amount": last_amount[kept] / 100,
        "merchant": [MERCHANTS[index] for index in runs.merchant[kept, -1].tolist()],
        "country": [COUNTRIES[index] for index in runs.country[kept, -1].tolist()],
        "home_country": [COUNTRIES[index] for index in cards.home[runs.card[kept]].tolist()],
        "segment": [SEGMENTS[index] for index in cards.segment[runs.card[kept]].tolist()],
        "minutes": waited[kept] / 60_000,
        "declines": declined[kept] / 100,
        "hour": last_time[kept] // _HOUR % 24,
        "fraud": np.full(len(kept), fraud, np.int64),
    }
    return pl.DataFrame(columns, schema=HISTORY_SCHEMA)
