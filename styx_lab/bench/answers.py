"""What a benchmark must give: the answer itself, brought to one order and one hash, so that all forms can be compared.

Law: an answer is the set of outputs, never only how many there are. An implementation that loses some and invents as
many has the right count and the wrong answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = [
    "Answer",
    "Match",
    "derived_answer",
    "matches_answer",
    "notifications_answer",
    "windows_answer",
]

Match = tuple[int, int, int]
"""The event ids of a match of W3: the first fail, the second fail, the auth."""

_RISK_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Answer:
    """How many outputs there are, and the hash of all of them.

    >>> matches_answer([(4, 5, 6), (1, 2, 3)]) == matches_answer([(1, 2, 3), (4, 5, 6)])
    True
    """

    count: int
    sha256: str


def derived_answer(event_ids: npt.ArrayLike, amounts_eur: npt.ArrayLike) -> Answer:
    """W1: the ids of the events that stay and their derived column, in order of arrival, bit by bit.

    Args:
        event_ids: int64, one an event that passed the filter.
        amounts_eur: float64, one for each of them.
    """
    ids = np.ascontiguousarray(event_ids, np.int64)
    digest = sha256(ids.tobytes())
    digest.update(np.ascontiguousarray(amounts_eur, np.float64).tobytes())
    return Answer(len(ids), digest.hexdigest())


def windows_answer(windows: pl.DataFrame) -> Answer:
    """W2: counts and sums per card and window, whatever their order; sums are compared bit by bit.

    Args:
        windows: `card_id`, `window_end` (epoch ms or a time), `count` and `sum` (the correctly rounded one).
    """
    ready = windows.select(
        pl.col("card_id").cast(pl.Int64),
        pl.col("window_end").cast(pl.Int64),
        pl.col("count").cast(pl.Int64),
        pl.col("sum").cast(pl.Float64),
    ).sort("card_id", "window_end", "count", "sum")
    digest = sha256()
    for name in ready.columns:
        digest.update(ready[name].to_numpy().tobytes())
    return Answer(ready.height, digest.hexdigest())


def matches_answer(matches: Iterable[Sequence[int]]) -> Answer:
    """W3 and other patterns: the matches, whatever their order; one that is given twice counts twice.

    Args:
        matches: the event ids of each, part by part.
    """
    ready = sorted(tuple(int(part) for part in match) for match in matches)
    return Answer(len(ready), sha256(repr(ready).encode()).hexdigest())


def notifications_answer(notifications: Iterable[tuple[Match, float]]) -> Answer:
    """W5: the matches with their scores to nine decimals (libraries differ in the last bit of an exponential).

    Args:
        notifications: of each, the three event ids and the score.
    """
    ready = sorted((tuple(int(part) for part in match), f"{risk:.{_RISK_DIGITS}f}") for match, risk in notifications)
    return Answer(len(ready), sha256(repr(ready).encode()).hexdigest())
