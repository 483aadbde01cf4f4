"""The references: by hand on a few events, against Polars on the frozen payments."""

from math import fsum

import polars as pl
import pytest

from styx_lab.bench import reference
from styx_lab.bench.answers import matches_answer, windows_answer
from styx_lab.bench.payments import payments
from styx_lab.bench.reference import Payment, answer, expected, matches, windows
from styx_lab.errors import NotFoundError


def event(number, ts, kind, amount=200.0, card="a"):
    return Payment(number, ts, card, amount, "fuel_station", "DE", kind)


@pytest.fixture(scope="module")
def data():
    return payments(20_000)


def ids(found):
    return [tuple(part.event_id for part in match) for match in found]


@pytest.mark.parametrize("work", reference.WORKS)
def test_the_pinned_answers_are_the_references(work, data):
    assert expected(work, data) == answer(work, data)


def test_an_unknown_work_is_named(data):
    with pytest.raises(NotFoundError, match="W9"):
        answer("W9", data)


def test_windows_are_half_open_and_slide_by_a_minute():
    minute = 60_000
    fired = windows([event(1, 10 * minute, "auth", 0.1), event(2, 10 * minute - 1, "auth", 0.2)])
    assert sorted(fired) == [
        ("a", 10 * minute, 1, 0.2),
        *(("a", end * minute, 2, 0.1 + 0.2) for end in (11, 12, 13, 14)),
        ("a", 15 * minute, 1, 0.1),
    ]


def test_windows_agree_with_polars(data):
    five = pl.concat(
        data.columns.with_columns(window_end=(pl.col("ts") // 60_000 + 1 + later) * 60_000) for later in range(5)
    )
    grouped = five.group_by("card_id", "window_end").agg(count=pl.len(), amounts=pl.col("amount"))
    grouped = grouped.with_columns(sum=pl.Series([fsum(amounts) for amounts in grouped["amounts"].to_list()]))
    assert windows_answer(grouped) == expected("W2", data)


def test_matches_follow_event_time_and_ties_follow_arrival():
    late = [event(1, 1_000, "fail"), event(3, 1_002, "auth"), event(2, 1_001, "fail")]
    assert ids(matches(late)) == [(1, 2, 3)]
    assert ids(matches(late, by_arrival=True)) == []
    tied = [event(1, 5, "fail"), event(2, 5, "fail"), event(3, 5, "auth")]
    assert ids(matches(tied)) == [(1, 2, 3)]
    assert ids(matches([tied[0], tied[2], tied[1]])) == []


def test_contiguity_is_strict_and_the_last_two_fails_count():
    fails = [event(number, number, "fail") for number in (1, 2, 3)]
    assert ids(matches([*fails, event(4, 4, "auth")])) == [(2, 3, 4)]
    assert ids(matches([*fails, event(4, 4, "reversal"), event(5, 5, "auth")])) == []
    assert ids(matches([*fails, event(4, 4, "auth", 100.0), event(5, 5, "auth")])) == []
    assert ids(matches([*fails[:1], event(2, 2, "fail", card="b"), event(4, 4, "auth")])) == []


@pytest.mark.parametrize(("length", "found"), [(599_999, [(1, 2, 3)]), (600_000, [])])
def test_ten_minutes_count_from_the_first_event_and_are_open(length, found):
    assert ids(matches([event(1, 7, "fail"), event(2, 8, "fail"), event(3, 7 + length, "auth")])) == found


def test_matches_agree_with_polars(data):
    ordered = data.columns.sort("ts", maintain_order=True)
    seen = ordered.with_columns(
        pl.col("event_id", "kind", "ts").shift(1).over("card_id").name.suffix("_1"),
        pl.col("event_id", "kind", "ts").shift(2).over("card_id").name.suffix("_2"),
    ).filter(
        pl.col("kind_2") == "fail",
        pl.col("kind_1") == "fail",
        (pl.col("kind") == "auth") & (pl.col("amount") > 100),
        pl.col("ts") - pl.col("ts_2") < 600_000,
    )
    assert matches_answer(seen.select("event_id_2", "event_id_1", "event_id").rows()) == expected("W3", data)


def test_arrival_order_gives_another_answer(data):
    events = [Payment(*row) for row in data.columns.iter_rows()]
    right, wrong = set(ids(matches(events))), set(ids(matches(events, by_arrival=True)))
    assert right - wrong
    assert wrong - right
