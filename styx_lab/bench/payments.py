"""The work: payment events from a frozen, seeded generator.

Law: the same `count` gives the same bytes, on every machine and for ever. So nothing is used but the raw numbers of
PCG64 (which NumPy keeps stable), whole-number arithmetic and one correctly rounded division; the hash of the bytes
is asserted wherever it is pinned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cache
from hashlib import sha256
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.core.schema import Schema
from styx_lab.errors import DataError

__all__ = ["CARDS", "COUNT", "COUNTRIES", "DISORDER_MS", "MERCHANTS", "SCHEMA", "SHA256", "Payments", "payments"]

COUNT: Final = 2_000_000
CARDS: Final = 20_000
DISORDER_MS: Final = 2_000
"""An event arrives at most so long after its event time; with this as the bound of disorder nothing is late."""
START_MS: Final = 1_748_736_000_000
"""2025-06-01T00:00:00Z"""
SPACING_MS: Final = 20
"""50 events a second."""
SCHEMA: Final = Schema(
    {
        "event_id": "int",
        "ts": "int",
        "card_id": "str",
        "amount": "float",
        "merchant": "str",
        "country": "str",
        "kind": "str",
    }
)
MERCHANTS: Final = (
    "airline",
    "books_and_music",
    "car_rental",
    "charity_donations",
    "clothing_and_shoes",
    "consumer_electronics",
    "digital_goods",
    "entertainment",
    "fuel_station",
    "furniture_and_home",
    "gift_cards",
    "grocery_store",
    "health_and_beauty",
    "hotel_and_lodging",
    "jewellery",
    "online_gambling",
    "pharmacy",
    "public_transport",
    "restaurant",
    "telecommunications",
)
COUNTRIES: Final = ("AT", "CH", "CZ", "DE", "ES", "FR", "GB", "IT", "NL", "PL")
KINDS: Final = ("auth", "fail", "reversal")

SHA256: Final = {
    20_000: "6907675696ae89b4d166a48fc7d247164affb9ca78fa541e45b646ab7bd8bba8",
    COUNT: "8018dc7c98bcbbab7ed676135a8ee78cf38236f9e9d01f844348599984233632",
}
"""The hash of the payloads, each with a line feed after it, by number of events."""

_SEED: Final = 20_250_601
_FIRST_ID: Final = 1_000_000_000
_FIRST_CARD: Final = 4_000_000_000_000_000
_LEAST_CENTS: Final = 1_850
_MOST_CENTS: Final = 500_000
_CHUNK: Final = 100_000

_Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Payments:
    """Payment events in order of arrival.

    >>> payments(3).columns["event_id"].to_list()
    [1000000000, 1000000002, 1000000001]

    Attributes:
        columns: the decoded events, with the columns and types of `SCHEMA`; `ts` is event time in epoch ms.
        arrival: int64, epoch ms at which each event arrived: its event time and up to 2,000 ms.
    """

    columns: pl.DataFrame
    arrival: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return self.columns.height

    def payloads(self, start: int = 0, stop: int | None = None) -> list[bytes]:
        """The events as JSON, one `bytes` an event, in order of arrival; about 143 bytes (made anew at each call)."""
        texts: list[bytes] = []
        for lines in self._lines(start, len(self) if stop is None else stop):
            texts.extend(lines.cast(pl.Binary()).to_list())
        return texts

    def batches(self, size: int) -> Iterator[pl.DataFrame]:
        """The decoded events in frames of at most `size` rows, without a copy."""
        return self.columns.iter_slices(size)

    def sha256(self) -> str:
        """The hash of the payloads, each with a line feed after it."""
        digest = sha256()
        for lines in self._lines(0, len(self)):
            digest.update(lines.str.join("\n").item().encode())
            digest.update(b"\n")
        return digest.hexdigest()

    def _lines(self, start: int, stop: int) -> Iterator[pl.Series]:
        for first in range(start, stop, _CHUNK):
            yield self.columns[first : min(first + _CHUNK, stop)].select(_json()).to_series()


def payments(count: int = COUNT) -> Payments:
    """Generate the payments; 2,000,000 take a few seconds and cover 11 hours of event time.

    The event `i` is the same whatever `count` is; only where it stands among the last arrivals differs.

    Args:
        count: how many events, at least 1.

    Raises:
        DataError: when `count` is not positive, or when the bytes are not those whose hash is pinned.
    """
    if count < 1:
        raise DataError("payments need a positive count", where="bench", got=count)
    number = np.arange(count, dtype=np.int64)
    # Slots of 40 ms that overlap by half: neighbours may have the same event time.
    time = START_MS + SPACING_MS * number + _below(2 * SPACING_MS, _raw(0, count))
    arrival = time + _below(DISORDER_MS + 1, _raw(1, count))
    order = np.argsort(arrival, kind="stable")

    cents = _cents(_raw(3, count))
    kind = _below(100, _raw(6, count))
    columns = pl.DataFrame(
        {
            "event_id": (number + _FIRST_ID)[order],
            "ts": time[order],
            "card_id": _named([str(_FIRST_CARD + card) for card in range(CARDS)], _cards(_raw(2, count))[order]),
            "amount": cents[order] / 100.0,
            "merchant": _named(MERCHANTS, _below(len(MERCHANTS), _raw(4, count))[order]),
            "country": _named(COUNTRIES, _below(len(COUNTRIES), _raw(5, count))[order]),
            "kind": _named(KINDS, np.searchsorted([85, 95], kind, side="right")[order]),
        }
    )
    made = Payments(columns, arrival[order])
    pinned = SHA256.get(count)
    if pinned is not None and (got := made.sha256()) != pinned:
        raise DataError("the payments are not the frozen ones: their hash differs", where=f"bench of {count}", got=got)
    return made


def _raw(column: int, count: int) -> _Words:
    # One stream of its own for each column, so that the first n events do not depend on how many follow.
    return np.random.PCG64(np.random.SeedSequence([_SEED, column])).random_raw(count)


def _below(limit: int, raw: _Words) -> npt.NDArray[np.int64]:
    """Whole numbers from 0 to limit - 1."""
    return ((raw >> np.uint64(32)) * np.uint64(limit) >> np.uint64(32)).astype(np.int64)


def _cards(raw: _Words) -> npt.NDArray[np.int64]:
    """Cards by popularity: the k-th has a share of k ** -1.1."""
    return np.searchsorted(_card_edges(), raw >> np.uint64(32), side="right")


@cache
def _card_edges() -> _Words:
    # Decimal's power is correctly rounded everywhere; that of the C library is not.
    context = Context(prec=30)
    shares = list(accumulate(context.power(Decimal(rank), Decimal("-1.1")) for rank in range(1, CARDS + 1)))
    return np.array([int(share / shares[-1] * 2**32) for share in shares[:-1]], np.uint64)


def _cents(raw: _Words) -> npt.NDArray[np.int64]:
    """Many small amounts and a long tail: 18.50 over a fraction, at most 5,000.00; 18 % are above 100."""
    parts = 1 << 32
    least = parts * _LEAST_CENTS // _MOST_CENTS
    return _LEAST_CENTS * parts // (least + 1 + _below(parts - least, raw))


def _named(names: tuple[str, ...] | list[str], places: npt.NDArray[np.int64]) -> pl.Series:
    return pl.Series(names, dtype=pl.String()).gather(places)


def _json() -> pl.Expr:
    parts: list[pl.Expr] = []
    for place, (name, word) in enumerate(SCHEMA.items()):
        mark = '"' if word == "str" else ""
        before = "{" if place == 0 else '"' * (SCHEMA[list(SCHEMA)[place - 1]] == "str") + ","
        parts += [pl.lit(f'{before}"{name}":{mark}'), pl.col(name).cast(pl.String())]
    return pl.concat_str([*parts, pl.lit('"}')])
