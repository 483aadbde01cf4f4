"""The demo's flow: card testing (a stolen card is tried with small payments, then drained), judged by a model.

Detect a pattern -> judge its relevance with a model -> notify: RawEvent -> BusinessEvent -> RichBusinessEvent ->
Notification.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
from polars import col

from styx_lab.flow.aggregate import count, sum
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.stream import source
from styx_lab.flow.table import Table, table
from styx_lab.flow.window import Sliding
from styx_lab.samples.cards import CARDS_SCHEMA

__all__ = ["FEATURES", "card_fraud", "sample_flow"]

FEATURES = ("amount", "merchant", "country", "home_country", "segment", "minutes", "declines", "hour")
"""What the model judges a match by."""

_MINUTE = 60_000


def card_fraud(customers: Table | str | Path | pl.DataFrame, *, threshold: float = 0.5, spree: float = 5_000) -> Flow:
    """Find card testing and sprees of spending among card payments.

    >>> rows = pl.DataFrame({"card_id": ["c1"], "customer_id": ["x"], "home_country": ["NL"], "segment": ["gold"],
    ...                      "member_since": [400]})
    >>> card_fraud(rows).outputs
    ('notifications', 'sprees')

    Args:
        customers: the static table of card holders, by `card_id`.
        threshold: the least probability of fraud that is worth a notification.
        spree: how much a card must spend in 10 minutes to be worth one, whatever the model thinks.
    """
    payments = source("payments", schema=CARDS_SCHEMA, time="ts", key="card_id", max_delay="2s")

    testing = (
        Pattern.begin("declined").where(col("status") == "declined").times(2).consecutive()
        .followed_by("drain").where("status = 'approved' AND amount > 500")
        .within("10m")
    )  # fmt: skip
    drain, declined = col("drain").struct, col("declined").struct
    suspects = payments.detect(
        testing,
        name="card_testing",
        amount="drain.amount",
        merchant="drain.merchant",
        country="drain.country",
        minutes=(drain.field("ts") - declined.field("ts").list.first()) / _MINUTE,
        declines=declined.field("amount").list.sum(),
        hour=drain.field("_time").dt.hour().cast(pl.Int64),
    )
    notifications = (
        suspects.enrich(customers, on="card_id", name="customer")
        .score("fraud", into="risk", name="judge")
        .filter(col("risk") >= threshold, name="relevant")
        .notify(
            "block_transfer",
            message="Card {card_id}: {amount:.2f} at {merchant} in {country} after two declines (risk {risk:.0%})",
        )
        .to("notifications")
    )

    sprees = (
        payments.filter("status = 'approved'", name="approved")
        .window(Sliding("10m", every="5m"), name="spending", payments=count(), spent=sum("amount"))
        .filter(col("spent") >= spree, name="large")
        .notify("call_customer", message="Card {card_id}: {spent:.2f} in {payments} payments within 10 minutes")
        .to("sprees")
    )
    return flow("card-fraud", notifications, sprees)


def sample_flow() -> Flow:
    """The flow over the sample data in `sample_data` (or the folder that STYX_SAMPLES names)."""
    folder = Path(os.environ.get("STYX_SAMPLES", "sample_data"))
    return card_fraud(table("customers", folder / "customers.parquet"))
