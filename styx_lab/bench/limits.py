"""The second stream of the as-of join: versions of the cards' limits, from a frozen, seeded generator.

Law: as for the payments, the same `count` gives the same versions, on every machine and for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.bench.payments import DISORDER_MS, Payments
from styx_lab.core.schema import Schema

__all__ = ["LIMITS_SCHEMA", "Limits", "limits"]

LIMITS_SCHEMA: Final = Schema({"version": "int", "at": "int", "card_id": "str", "limit": "float"})
_EVERY: Final = 10
_SEED: Final = 20_250_603


@dataclass(frozen=True)
class Limits:
    """Versions in order of arrival.

    Attributes:
        columns: with the columns and types of `LIMITS_SCHEMA`; `at` is event time in epoch ms.
        arrival: int64, epoch ms at which each version arrived: its event time and up to 2,000 ms.
    """

    columns: pl.DataFrame
    arrival: npt.NDArray[np.int64]


def limits(data: Payments) -> Limits:
    """One version for ten payments: of the card of the first of them, at some time in the second before it.

    >>> from styx_lab.bench.payments import payments
    >>> limits(payments(30)).columns.height
    3

    Args:
        data: the payments; so a busy card's limit changes often, and most cards have none at first.
    """
    chosen = data.columns.gather_every(_EVERY)
    count = chosen.height
    before, after, amount = (
        _below(limit, np.random.PCG64(np.random.SeedSequence([_SEED, column])).random_raw(count))
        for column, limit in enumerate((1_001, DISORDER_MS + 1, 100))
    )
    time = chosen["ts"].to_numpy() - before
    arrival = time + after
    order = np.argsort(arrival, kind="stable")
    columns = pl.DataFrame(
        {
            "version": order.astype(np.int64),
            "at": time[order],
            "card_id": chosen["card_id"].gather(order),
            "limit": (amount[order] + 1) * 50.0,
        }
    )
    return Limits(columns, arrival[order])


def _below(limit: int, raw: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Whole numbers from 0 to limit - 1."""
    return ((raw >> np.uint64(32)) * np.uint64(limit) >> np.uint64(32)).astype(np.int64)
