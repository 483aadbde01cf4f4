"""The plain references of sessions and joins: the right answers over the whole data, in Polars and plain Python.

Law: event time is what counts. No event is late, for the bound is the disorder of the data, so a session, a pair or a
version depends on event times alone; of two versions of one card with equal times the last to arrive counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from math import fsum
from typing import Final

import numpy as np
import polars as pl

from styx_lab.bench.answers import Answer

__all__ = ["APART_MS", "GAP_MS", "columns_answer", "pairs", "sessions", "sides", "versions_in_force"]

GAP_MS: Final = 300_000
"""Two events of a card that are this far apart still are in one session."""
APART_MS: Final = 300_000
"""A fail is a partner of an auth up to this long before or after it, inclusive."""


def columns_answer(outputs: pl.DataFrame, columns: Sequence[str]) -> Answer:
    """The answer of outputs whose columns are numbers, whatever their order; floats are compared bit by bit.

    >>> ids = pl.DataFrame({"a": [2, 1], "b": [0.5, 1.5]})
    >>> columns_answer(ids, ["a", "b"]) == columns_answer(ids.reverse(), ["a", "b"])
    True

    Args:
        outputs: with at least the columns.
        columns: those that count, without nulls; text is read as a whole number, a time as epoch ms.
    """
    ready = outputs.select(
        pl.col(name) if outputs[name].dtype == pl.Float64 else pl.col(name).cast(pl.Int64) for name in columns
    ).sort(columns)
    digest = sha256()
    for name in columns:
        digest.update(np.ascontiguousarray(ready[name].to_numpy()).tobytes())
    return Answer(ready.height, digest.hexdigest())


def sessions(events: pl.DataFrame) -> pl.DataFrame:
    """Of each card the runs of events with no gap above `GAP_MS`: start, end, count and correctly rounded sum."""
    ordered = events.select("card_id", "ts", "amount").sort("card_id", "ts")
    fresh = (pl.col("ts").diff() > GAP_MS) | (pl.col("card_id") != pl.col("card_id").shift())
    grouped = (
        ordered.with_columns(number=fresh.fill_null(value=True).cum_sum())
        .group_by("number")
        .agg(
            pl.col("card_id").first(),
            window_start=pl.col("ts").first(),
            window_end=pl.col("ts").last() + GAP_MS,
            count=pl.len(),
            amounts=pl.col("amount"),
        )
    )
    return grouped.with_columns(sum=pl.Series([fsum(amounts) for amounts in grouped["amounts"].to_list()]))


def sides(events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The two sides of the interval join: the auths and the fails."""
    return events.filter(pl.col("kind") == "auth"), events.filter(pl.col("kind") == "fail")


def pairs(events: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The ids `auth` and `fail` of all pairs with one key whose times are at most `APART_MS` apart."""
    auths, fails = (
        side.select(*key, "ts", pl.col("event_id").alias(name), span=pl.col("ts") // APART_MS)
        for side, name in zip(sides(events), ("auth", "fail"), strict=True)
    )
    # Partners are in the same span of APART_MS or in neighbours, so a fail stands in three.
    thrice = pl.concat(fails.with_columns(pl.col("span") + moved) for moved in (-1, 0, 1))
    found = auths.join(thrice, on=[*key, "span"])
    return found.filter((pl.col("ts") - pl.col("ts_right")).abs() <= APART_MS).select("auth", "fail")


def versions_in_force(events: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """The `event_id` and `version` of each event whose card has a version with a time up to its own."""
    by_card: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for place, (version, at, card) in enumerate(versions.select("version", "at", "card_id").iter_rows()):
        by_card[card].append((at, place, version))
    times = {}
    for card, known in by_card.items():
        known.sort()
        times[card] = [at for at, _, _ in known]
    found = []
    for event_id, ts, card in events.select("event_id", "ts", "card_id").iter_rows():
        newest = bisect_right(times.get(card, ()), ts)
        if newest:
            found.append((event_id, by_card[card][newest - 1][2]))
    return pl.DataFrame(found, {"event_id": pl.Int64, "version": pl.Int64}, orient="row")
