"""The benchmark's data: frozen bytes, the shares that the work names, disorder inside the bound."""

import json

import numpy as np
import pytest

from styx_lab.bench import payments as room
from styx_lab.bench.payments import CARDS, DISORDER_MS, SCHEMA, payments
from styx_lab.errors import DataError


@pytest.fixture(scope="module")
def data():
    return payments(20_000)


def test_bytes_are_the_pinned_ones(data):
    assert data.sha256() == room.SHA256[20_000]
    assert sorted(room.SHA256) == [20_000, 2_000_000]


def test_other_bytes_are_refused(monkeypatch):
    monkeypatch.setitem(room.SHA256, 1_000, "0" * 64)
    with pytest.raises(DataError, match="not the frozen ones"):
        payments(1_000)


def test_payloads_are_compact_json_of_the_columns(data):
    rows = data.columns.to_dicts()
    assert data.payloads() == [json.dumps(row, separators=(",", ":")).encode() for row in rows]
    assert data.payloads(7, 9) == data.payloads()[7:9]


def test_columns_have_the_schema(data):
    assert dict(data.columns.schema) == dict(SCHEMA.polars)
    assert data.columns.null_count().sum_horizontal().item() == 0


def test_disorder_stays_inside_the_bound(data):
    times = data.columns["ts"].to_numpy()
    behind = np.maximum.accumulate(times) - times
    assert 1_000 < behind.max() <= DISORDER_MS
    assert (np.diff(data.arrival) >= 0).all()
    assert ((data.arrival - times >= 0) & (data.arrival - times <= DISORDER_MS)).all()


def test_shares_are_those_of_the_work(data):
    frame = data.columns
    share = {kind: len(part) / len(frame) for (kind,), part in frame.group_by("kind")}
    assert share == pytest.approx({"auth": 0.85, "fail": 0.10, "reversal": 0.05}, abs=0.01)
    # The most popular of 20,000 has 1 / sum(k ** -1.1), the second 2 ** -1.1 of that.
    first = 1 / sum(rank**-1.1 for rank in range(1, CARDS + 1))
    counts = frame["card_id"].value_counts(sort=True)["count"].to_list()
    assert counts[0] / len(frame) == pytest.approx(first, abs=0.01)
    assert counts[1] / len(frame) == pytest.approx(first / 2**1.1, abs=0.01)
    assert frame["merchant"].n_unique() == 20
    assert frame["country"].n_unique() == 10
    assert (frame["ts"].max() - frame["ts"].min()) / len(frame) == pytest.approx(20, abs=0.1)


def test_an_event_does_not_depend_on_how_many_follow(data):
    fewer = payments(5_000).columns.sort("event_id")
    assert fewer.equals(data.columns.sort("event_id")[:5_000])


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_must_be_positive(count):
    with pytest.raises(DataError, match="positive count"):
        payments(count)
