"""Payments as JSON bytes, and the ways in which bytes are damaged.

Law: amounts are written from whole cents, so that no formatting of floats can differ; a damaged payload can never be
decoded as a payment.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.samples.card_world import COUNTRIES, MERCHANTS, card_id
from styx_lab.samples.draws import Draws

__all__ = ["damaged", "payment_id", "payments"]


def payment_id(place: int) -> str:
    """The name of the payment that is at this place in event time.

    >>> payment_id(12)
    'p-0000012'
    """
    return f"p-{place:07d}"


def payments(
    card: Int64s, time: Int64s, amount: Int64s, declined: Int64s, merchant: Int64s, country: Int64s
) -> pl.Series:
    """The JSON texts of payments, numbered in the order given.

    Args:
        card: index of the card.
        time: epoch ms.
        amount: cents.
        declined: 1 for declined, 0 for approved.
        merchant: index into `MERCHANTS`.
        country: index into `COUNTRIES`.
    """
    count = len(card)
    cards = pl.Series([card_id(index) for index in range(int(card.max(initial=0)) + 1)])
    numbers = pl.DataFrame(
        {
            "payment_id": np.arange(count),
            "ts": time,
            "units": amount // 100,
            "cents": amount % 100,
            "card_id": cards[card],
            "status": pl.Series(["approved", "declined"])[declined],
            "merchant": pl.Series(list(MERCHANTS))[merchant],
            "country": pl.Series(list(COUNTRIES))[country],
        }
    )
    pieces = [
        pl.lit('{"payment_id":"p-'), pl.col("payment_id").cast(pl.String).str.zfill(7),
        pl.lit('","ts":'), pl.col("ts").cast(pl.String),
        pl.lit(',"card_id":"'), pl.col("card_id"),
        pl.lit('","amount":'), pl.col("units").cast(pl.String), pl.lit("."),
        pl.col("cents").cast(pl.String).str.zfill(2), pl.lit(',"status":"'), pl.col("status"),
        pl.lit('","merchant":"'), pl.col("merchant"),
        pl.lit('","country":"'), pl.col("country"),
        pl.lit('"}'),
    ]  # fmt: skip
    return numbers.select(pl.concat_str(pieces).alias("payload"))["payload"]


def damaged(draws: Draws, texts: list[str]) -> list[bytes]:
    """The same payments, each damaged in one of seven ways."""
    ways = draws.between(0, 7, len(texts)).tolist()
    sizes = draws.between(0, 1 << 30, len(texts)).tolist()
    junk = draws.between(0, 256, 120 * len(texts)).astype(np.uint8).reshape(len(texts), 120)
    return [
        _damage(way, text, size, bytes(noise)) for way, text, size, noise in zip(ways, texts, sizes, junk, strict=True)
    ]


def _damage(way: int, text: str, size: int, noise: bytes) -> bytes:
    payload = text.encode()
    amount = text.partition('"amount":')[2].partition(",")[0]
    time = text.partition('"ts":')[2].partition(",")[0]
    match way:
        case 0:
            return payload[: 1 + size % (len(payload) - 1)]  # the connection broke off
        case 1:
            # Something that is no text at all; without line breaks, so that it stays one line.
            return b"\xff" + noise[: 20 + size % 100].translate(None, b"\n\r")
        case 2:
            return text.replace(f'"amount":{amount}', f'"amount":"{amount.replace(".", ",")} EUR"').encode()
        case 3:
            return text.replace(f'"ts":{time}', '"ts":"yesterday"').encode()
        case 4:
            return b""
        case 5:
            return b"[" + payload + b"]"
        case _:
            return payload[:-2] + b' Caf\xe9"}'  # Latin-1
