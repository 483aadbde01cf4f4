"""Flows that are kept as JSON in `tests/golden`, one a family of verbs; together they have every verb."""

from __future__ import annotations

import polars as pl

import styx_lab as styx
from styx_lab import Flow, Pattern, Sliding, Tumbling, col
from tests.flow.test_process_golden import processes

SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}
CUSTOMERS = pl.DataFrame({"card_id": ["a", "b"], "segment": ["gold", None]})


def first_verbs() -> Flow:
    """A flow of the verbs that were there first."""
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    others = styx.source("others", schema=SCHEMA, time="ts", max_delay="5s").key_by("card_id")
    both = payments.union(others, name="both").with_columns(cents="amount * 100", large=col("amount") > 500)
    pattern = (
        Pattern.begin("declined").where(col("status") == "declined").times(2).consecutive()
        .next("probe").where("amount < 1")
        .followed_by("drain").where("amount > 500").where(col("status").is_in(["approved", "pending"]))
        .within("10m")
    )  # fmt: skip
    matches = both.detect(pattern, name="testing", amount="drain.amount", first=col("declined").struct.field("ts"))
    told = (
        matches.enrich(styx.table("customers", CUSTOMERS), on="card_id")
        .score("fraud@champion", into="risk")
        .filter(col("risk") > 0.8)
        .notify("block", message="Card {card_id}: {amount:.2f}")
        .to("notifications")
    )
    windows = both.window(
        Sliding("10m", every="1m"),
        name="spending",
        n=styx.count(),
        total=styx.sum("amount"),
        top=styx.max(col("cents")),
    )
    daily = both.window(Tumbling("1d"), name="daily", mean=styx.mean("amount"), low=styx.min("amount"))
    return styx.flow(
        "everything",
        told,
        matches.late.to("late_payments"),
        windows.select("card_id", "window_end", "total").to("spent"),
        daily.to("days"),
    )


def joins() -> Flow:
    """A flow with the joins of two streams."""
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    others = styx.source("others", schema=SCHEMA, time="ts", max_delay="5s").key_by("card_id")
    pairs = payments.interval_join(others, "-5m", "1h", lower_exclusive=True, how="left", name="near")
    known = payments.asof_join(others, delete="amount = 0", how="left", tolerance="30d", name="limits")
    return styx.flow("joins", pairs.to("pairs"), pairs.side("late_right").to("late"), known.to("known"))


def lookups() -> Flow:
    """A flow that looks up outside, in each way."""
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    columns = {"limit": "float", "owner": "str", "since": "datetime"}
    known = payments.lookup("customers", on="card_id", columns=columns, expire_after="10m")
    rated = known.lookup(
        "rates",
        on=["status", "card_id"],
        columns={"rate": "int"},
        expire_after="1d",
        keep=7,
        missing="drop",
        name="rate",
    )
    blocked = known.lookup("blocks", on="card_id", columns={"blocked": "bool"}, expire_after="1s", missing="dead")
    return styx.flow("lookups", rated.to("rated"), blocked.to("blocked"))


def limits() -> Flow:
    """A flow with every verb that holds events back, parts or compares them."""
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    parts = payments.deduplicate("ts", "status", within="10m").split(large="amount > 500", small=col("amount") < 1)
    totals = parts.rest.window(Tumbling("1m"), name="per_minute", total=styx.sum("amount"))
    calm = parts.large.union(parts.small).cooldown("1h")
    return styx.flow(
        "limits",
        calm.sort().to("calm"),
        calm.late.to("too_late"),
        totals.trend("total", over=7, fill=None).to("trends"),
        totals.top(3, by="total", descending=False).to("least"),
    )


def windows() -> Flow:
    """A flow with every window, trigger and aggregate, and the joins over windows."""
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    others = styx.source("others", schema=SCHEMA, time="ts", max_delay="5s").key_by("card_id")
    values = {
        "spread": styx.var("amount"),
        "deviation": styx.std("amount", ddof=0),
        "middle": styx.median("amount"),
        "most_of": styx.quantile("amount", 0.9),
        "first": styx.first("status"),
        "last": styx.last("status"),
        "kinds": styx.n_unique("status"),
        "highest": styx.top_k("amount", 3),
        "all": styx.collect("amount"),
        "range": styx.expr("MAX(amount) - MIN(amount)"),
    }
    day = payments.window(styx.Calendar("day", zone="Europe/Berlin"), name="day", n=styx.count())
    so_far = payments.window(
        styx.Cumulating("1d", step="1h", offset="-2h"), name="so_far", allowed_lateness="10m", **values
    )
    sessions = payments.window(
        styx.Session("30m"), name="sessions", trigger=styx.EveryEvents(10, at_end=True), n=styx.count()
    )
    patient = payments.window(
        styx.Session(gap_from="ts % 1000 + 1"),
        name="patient",
        trigger=styx.Every("1m"),
        discarding=True,
        n=styx.count(),
    )
    counted = payments.window(styx.Counted(100, every=10), name="counted", n=styx.count())
    large = payments.window(styx.Global(), name="large", trigger=styx.When("amount > 500"), n=styx.count())
    whole = payments.window(styx.Global(), name="whole", trigger=styx.AtEndOfInput(), n=styx.count())
    silent = payments.window(styx.Global(), name="silent", trigger=styx.Never(), n=styx.count())
    pairs = payments.window_join(
        others, styx.Tumbling("1h", offset="5m"), trigger=styx.AtEnd(), how="full", name="pairs"
    )
    groups = payments.co_group(others, styx.Sliding("1h", every="5m", offset="1m"), left="mine", name="groups")
    streams = [day, so_far, sessions, patient, counted, large, whole, silent, pairs, groups]
    return styx.flow("windows", *(stream.to(f"to_{stream.port.step}") for stream in streams))


def models() -> Flow:
    """A flow in which several models judge, each in another way."""
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay="2s")
    outputs = {"label": ("fraud", "int"), "p_no": "probability(0)", "reason": "rc1", "until": ("until", "datetime")}
    policy = {"missing": None, "failed": 0.5}
    judged = payments.score("fraud@champion", into="risk", outputs=outputs, on_error=policy)
    both = judged.score("fraud@challenger", into="other", on_error=0, name="challenger")
    return styx.flow("models", both.score("kind", outputs=["kind"], on_error="null", name="kind").to("judged"))


GOLDEN_FLOWS = {
    "flow": first_verbs,
    "flow-joins": joins,
    "flow-limits": limits,
    "flow-lookup": lookups,
    "flow-models": models,
    "flow-process": processes,
    "flow-windows": windows,
}
"""What makes each flow, by the name of its file."""
HASHES = {
    "flow-models": "7476db52bc53476e73aa399b5b194fd5900e120b1b254c8865f6a1c87b4e87a0",
    "flow": "6e9f566cb38e7f27b2ba894a8ae9e7c00c2e6af93403de09cb467a441fd8f3ab",
    "flow-limits": "4ce5ce5d6983ce328180f8b313950973797d18d4f69cf4420bc44287f12195d9",
}
"""The hash names a promoted flow: it may not change under it."""
