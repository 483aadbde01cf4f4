"""The groups: references by hand, right answers however the payments are cut, and wrong ones that are said to be so."""

from collections import defaultdict
from math import fsum

import numpy as np
import polars as pl
import pytest

from styx_lab.bench import group_cases, handwritten_joins, handwritten_sessions
from styx_lab.bench.group_cases import as_of_cases, interval_cases, session_cases, sliding_cases
from styx_lab.bench.handwritten_sessions import Sessioning
from styx_lab.bench.harness import measure
from styx_lab.bench.limits import limits
from styx_lab.bench.many_keys import many_keys, run_keys
from styx_lab.bench.payments import payments
from styx_lab.bench.reference_groups import columns_answer, pairs, sessions, versions_in_force
from styx_lab.bench.workloads import run_benchmarks
from styx_lab.errors import NotFoundError
from styx_lab.flow.aggregate import count

MAKERS = {
    "sessions": lambda batch, count: session_cases("sessions", batch, count),
    "pairs of a shop": lambda batch, count: interval_cases("pairs", True, batch, count),
    "pairs of a card": lambda batch, count: interval_cases("pairs", False, batch, count),
    "limits": lambda batch, count: as_of_cases("limits", batch, count),
}
# 50 a second: enough for sessions that close and for pairs that are too far apart.
COUNTS = {"sessions": 40_000, "pairs of a shop": 30_000, "pairs of a card": 20_000, "limits": 10_000}
GAP = 300_000


def events(*rows):
    frame = pl.DataFrame(rows, ["event_id", "ts", "card_id", "kind"], orient="row")
    return frame.with_columns(amount=0.1)


@pytest.mark.parametrize("batch", [1_000, 10_000])
@pytest.mark.parametrize("name", MAKERS)
def test_answers_are_right_at_any_batch_size(name, batch):
    cases = MAKERS[name](batch, COUNTS[name])
    assert ["flow" in case for case in cases] == [True, False]
    assert {case: one.check() for case, one in cases.items()} == dict.fromkeys(cases)
    assert len({case.run() for case in cases.values()}) == 1


@pytest.mark.parametrize(("batch", "count"), [(1, 2_000), (97, 20_000), (40_000, 40_000)])
@pytest.mark.parametrize("name", MAKERS)
def test_limits_give_the_same_however_they_are_cut(name, batch, count):
    _, by_hand = MAKERS[name](batch, min(count, COUNTS[name])).values()
    assert by_hand.check() is None


def test_the_data_has_sessions_that_close_and_pairs_that_do_not():
    data = payments(COUNTS["sessions"]).columns
    assert sessions(data).height > data["card_id"].n_unique()
    data = payments(COUNTS["pairs of a card"]).columns
    assert data["ts"].max() - data["ts"].min() > GAP + 60_000


def test_w2_stands_beside_its_limit():
    cases = sliding_cases(1_000, 20_000)
    assert {name: case.check() for name, case in cases.items()} == dict.fromkeys(cases)
    assert "W2 by hand, batches of 1,000" in cases


@pytest.mark.parametrize(
    ("name", "patched", "place"),
    [
        ("sessions", "GAP_MS", handwritten_sessions),
        ("sessions", "GAP_MS", group_cases),
        ("pairs of a shop", "APART_MS", handwritten_joins),
        ("pairs of a card", "APART_MS", group_cases),
    ],
)
def test_a_wrong_answer_gets_no_figure(name, patched, place, monkeypatch):
    right = MAKERS[name](1_000, COUNTS[name])
    monkeypatch.setattr(place, patched, GAP - 20_000)
    report = measure(right, repeats=1)
    (wrong,) = [case for case in report.cases if case.rate is None]
    assert wrong.answer.startswith("wrong: ")
    assert ("flow" in wrong.name) == (place is group_cases)
    assert not report.right


def test_versions_that_are_not_waited_for_are_wrong(monkeypatch):
    cases = as_of_cases("limits", 1_000, 5_000)
    monkeypatch.setattr(handwritten_joins, "DISORDER_MS", 0)
    checks = [case.check() for case in cases.values()]
    assert checks[0] is None
    assert checks[1] is not None


def test_many_keys_say_when_the_answer_is_wrong(monkeypatch):
    assert run_keys(50, 200, 30, check=True) == {"answer": "right"}
    monkeypatch.setattr("styx_lab.bench.many_keys.sum", lambda column: count())
    assert run_keys(50, 200, 30, check=True)["answer"].startswith("wrong")


def test_sessions_touch_at_the_gap():
    rows = [(1, 1_000 + GAP, "1", "auth"), (2, 1_000, "1", "auth"), (3, 1_001 + 2 * GAP, "1", "auth")]
    found = sessions(events(*rows, (4, 1_000, "2", "auth")))
    assert found.sort("card_id", "window_start").select(
        "card_id", "window_start", "window_end", "count", "sum"
    ).rows() == [
        ("1", 1_000, 1_000 + 2 * GAP, 2, 0.2),
        ("1", 1_001 + 2 * GAP, 1_001 + 3 * GAP, 1, 0.1),
        ("2", 1_000, 1_000 + GAP, 1, 0.1),
    ]


def test_pairs_are_at_most_five_minutes_apart_either_way():
    rows = [(1, 2 * GAP, "1", "auth"), (2, GAP, "1", "fail"), (3, 3 * GAP, "1", "fail"), (4, GAP - 1, "1", "fail")]
    others = [(5, 3 * GAP + 1, "1", "fail"), (6, 2 * GAP, "2", "fail"), (7, 2 * GAP, "1", "reversal")]
    assert sorted(pairs(events(*rows, *others), ["card_id"]).rows()) == [(1, 2), (1, 3)]


def test_the_version_in_force_is_the_last_up_to_the_event():
    told = pl.DataFrame([(0, 5, "1"), (1, 7, "1"), (2, 5, "1")], ["version", "at", "card_id"], orient="row")
    rows = [(1, 4, "1", "auth"), (2, 5, "1", "auth"), (3, 6, "1", "auth"), (4, 7, "1", "auth"), (5, 9, "2", "auth")]
    assert versions_in_force(events(*rows), told).rows() == [(2, 2), (3, 2), (4, 1)]


def test_references_agree_with_plain_loops():
    data = payments(2_000).columns
    rows = list(data.select("card_id", "ts", "amount", "kind", "event_id").iter_rows())
    plain = []
    by_card = defaultdict(list)
    for card, ts, amount, *_ in rows:
        by_card[card].append((ts, amount))
    for card, seen in by_card.items():
        run = []
        for ts, amount in sorted(seen):
            if run and ts - run[-1][0] > GAP:
                plain.append((card, run[0][0], run[-1][0] + GAP, len(run), fsum(paid for _, paid in run)))
                run = []
            run.append((ts, amount))
        plain.append((card, run[0][0], run[-1][0] + GAP, len(run), fsum(paid for _, paid in run)))
    names = ["card_id", "window_start", "window_end", "count", "sum"]
    assert columns_answer(sessions(data), names) == columns_answer(pl.DataFrame(plain, names, orient="row"), names)
    near = [
        (auth[4], fail[4])
        for auth in rows
        for fail in rows
        if (auth[3], fail[3]) == ("auth", "fail") and auth[0] == fail[0] and abs(auth[1] - fail[1]) <= GAP
    ]
    assert sorted(pairs(data, ["card_id"]).rows()) == sorted(near)


def test_versions_agree_with_polars():
    data = payments(5_000)
    told = limits(data).columns.with_columns(place=pl.int_range(pl.len())).sort("at", "place")
    joined = data.columns.sort("ts").join_asof(told, left_on="ts", right_on="at", by="card_id", check_sortedness=False)
    found = joined.filter(pl.col("version").is_not_null())
    names = ["event_id", "version"]
    assert columns_answer(versions_in_force(data.columns, limits(data).columns), names) == columns_answer(found, names)


def test_sessions_by_hand_close_as_the_watermark_passes():
    sessioning = Sessioning(10)

    def push(*times, ending=False):
        frame = pl.DataFrame({"card_id": ["1"] * len(times), "ts": times, "amount": np.ones(len(times))})
        frame = frame.cast({"card_id": pl.String, "ts": pl.Int64})
        return [row[1:4] for part in sessioning.push(frame, ending=ending) for row in part.rows()]

    assert push(5_000, 4_500) == []
    # The watermark is 2,001 ms behind the latest; the session's last instant is 304,999.
    assert push(306_999) == []
    # This joins the one that is open with what seemed a new one.
    assert push(305_000) == []
    assert push(2_000_000) == [(4_500, 606_999, 4)]
    assert push(9_000_000) == [(2_000_000, 2_300_000, 1)]
    assert push(ending=True) == [(9_000_000, 9_300_000, 1)]


def test_an_unknown_name_is_told_all_names():
    with pytest.raises(NotFoundError, match=r"W1, W2, W3, W5, windows, joins"):
        run_benchmarks(["windws"])


@pytest.mark.slow
def test_many_keys_are_cases_like_the_others():
    report = many_keys(few=20, many=200, events=400, batch=100, repeats=1)
    few, many = report["cases"]
    assert [case["answer"] for case in (few, many)] == ["right", "right"]
    assert few["ratio"] == 1.0
    assert many["ratio"] == pytest.approx(1 / report["cost_ratio"])
    assert many["slowest"] <= many["rate"] <= many["fastest"]


@pytest.mark.slow
def test_the_joins_are_reported_beside_their_limits():
    (group,) = run_benchmarks(["joins"], 1_000, 1).values()
    assert len(group) == 3
    for report in group.values():
        flow, limit = report["cases"]
        assert (flow["answer"], limit["answer"]) == ("right", "right")
        assert (report["base"], limit["ratio"]) == (limit["name"], 1.0)
        assert report["machine"]["one_core"]
