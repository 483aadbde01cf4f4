"""The card sample: the same bytes everywhere, and what it says about itself is so."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import polars as pl
import pytest

from styx_lab.connectors import Recording, RecordingSource
from styx_lab.connectors.formats import decode_json
from styx_lab.errors import FlowError, OutputError
from styx_lab.samples import CARDS_SCHEMA, generate_cards
from styx_lab.samples.card_history import HISTORY_SCHEMA
from styx_lab.samples.draws import Draws

# Pinned: the same arguments give the same payments for ever. A changed generator is a new sample, under a new name.
SHA256_OF_200_000 = "10cec4debd7756a7a41a93d31fea83aa192ffdb2783a45876447a268386b1d1c"
BOUND = 2_000


@pytest.fixture(scope="module")
def sample():
    return generate_cards()


@pytest.fixture(scope="module")
def decoded(sample):
    return decode_json(sample.payloads, CARDS_SCHEMA)


@pytest.fixture(scope="module")
def payments(sample, decoded):
    return decoded.frame.with_columns(sample.rows[decoded.good].select("partition", "arrival"))


def test_the_bytes_are_pinned(sample):
    assert sample.content_sha256() == SHA256_OF_200_000
    assert len(sample) == 200_000


def test_other_arguments_give_other_bytes():
    one = generate_cards(events=1_000, seed=1)
    assert one.content_sha256() == generate_cards(events=1_000, seed=1).content_sha256()
    assert one.content_sha256() != generate_cards(events=1_000, seed=2).content_sha256()
    assert one.truth == generate_cards(events=1_000, seed=1).truth


def test_half_a_percent_is_malformed_in_every_way(sample, decoded):
    words = Counter(reason.partition(":")[0] for reason in decoded.dead.values())
    assert sum(words.values()) == 1_000
    assert set(words) == {"empty", "not_utf8", "not_json", "not_an_object", "wrong_type"}


def test_order_of_arrival_partitions_and_offsets(sample):
    rows = sample.rows
    assert rows["arrival"].is_sorted()
    for part in range(4):
        offsets = rows.filter(pl.col("partition") == part)["offset"].to_list()
        assert len(offsets) > 10_000
        assert offsets == list(range(len(offsets)))
    assert rows.group_by("key").agg(pl.col("partition").n_unique())["partition"].max() == 1


def test_disorder_is_within_the_bound_save_a_few(payments):
    ahead = np.maximum.accumulate(payments["ts"].to_numpy()) - payments["ts"].to_numpy()
    assert 0.2 < float((ahead > 0).mean()) < 0.6
    assert 0.001 < float((ahead > BOUND).mean()) < 0.004
    first = payments.unique("payment_id", keep="first", maintain_order=True)
    delay = first["arrival"] - first["ts"]
    assert delay.min() >= 0
    assert 0.001 < float((delay >= BOUND).mean()) < 0.003


def test_a_few_come_twice_and_are_the_same(payments):
    again = payments.filter(pl.col("payment_id").is_duplicated())
    assert again.height == 2 * 600
    assert again.drop("arrival").unique().height == 600


def test_the_truth_is_in_the_payments(sample, payments):
    assert len(sample.truth) == 200
    assert len({attack["card_id"] for attack in sample.truth}) == 200
    by_id = {row["payment_id"]: row for row in payments.iter_rows(named=True)}
    malformed = 0
    for attack in sample.truth:
        drain = by_id.get(attack["drain_payment_id"])
        if drain is None:
            malformed += 1
            assert attack["malformed"]
            continue
        assert (drain["card_id"], drain["ts"], drain["amount"], drain["status"]) == (
            attack["card_id"],
            attack["end"],
            attack["drained"],
            "approved",
        )
        between = payments.filter(
            (pl.col("card_id") == attack["card_id"]) & pl.col("ts").is_between(attack["start"], attack["end"] - 1)
        )
        found = between.filter(pl.col("status") == "declined")["payment_id"].n_unique()
        assert found >= attack["declines"] or attack["malformed"]
    assert 0 < malformed < 10


def test_not_every_attack_is_from_the_textbook(sample):
    kinds = Counter(attack["kind"] for attack in sample.truth)
    assert kinds["plain"] > 100
    assert min(kinds[kind] for kind in ("approved_between", "low_drain", "slow_drain")) > 5
    for attack in sample.truth:
        assert (attack["drained"] <= 500) == (attack["kind"] == "low_drain")
        assert (attack["end"] - attack["start"] > 600_000) or attack["kind"] != "slow_drain"
    assert any(attack["late"] for attack in sample.truth)
    assert any(attack["malformed"] for attack in sample.truth)


def test_customers_who_look_like_attackers(sample, payments):
    drains = {attack["drain_payment_id"] for attack in sample.truth}
    innocent = 0
    for rows in payments.sort("ts", maintain_order=True).partition_by("card_id", maintain_order=True):
        times, declined = rows["ts"].to_list(), (rows["status"] == "declined").to_list()
        amounts, names = rows["amount"].to_list(), rows["payment_id"].to_list()
        for place in range(2, rows.height):
            refused = declined[place - 2] and declined[place - 1] and not declined[place]
            if refused and amounts[place] > 500 and times[place] - times[place - 2] <= 600_000:
                innocent += names[place] not in drains
    assert innocent > 50


def test_customers_has_each_card_once(sample, payments):
    assert sample.customers["card_id"].is_unique().all()
    assert sample.customers["customer_id"].is_unique().all()
    assert set(payments["card_id"]) <= set(sample.customers["card_id"])


def test_history_is_candidates_of_both_kinds_and_of_another_time(sample):
    history = sample.history
    assert dict(history.schema) == HISTORY_SCHEMA
    assert history.height > 3_000
    assert 0.3 < history["fraud"].mean() < 0.7
    assert history["amount"].min() > 500
    assert 0 < history["minutes"].min() <= history["minutes"].max() <= 10
    assert history.null_count().sum_horizontal().item() == 0
    drained = {(attack["drained"]) for attack in sample.truth}
    shared = set(history["amount"].to_list()) & drained
    assert len(shared) < 20


def test_written_files_are_read_back(tmp_path):
    sample = generate_cards(events=3_000)
    paths = sample.write(tmp_path / "made" / "here")
    recording = Recording.open(paths["payments"])
    recording.verify()
    assert recording.about.content_sha256 == sample.content_sha256()
    assert (recording.about.time, recording.about.key, recording.schema) == ("ts", ["card_id"], CARDS_SCHEMA)
    assert RecordingSource(paths["payments"]).partitions == (0, 1, 2, 3)
    assert [json.loads(line) for line in paths["truth"].read_text().splitlines()] == sample.truth
    assert pl.read_parquet(paths["customers"]).equals(sample.customers)
    assert pl.read_parquet(paths["history"]).equals(sample.history)


def test_what_cannot_be(tmp_path):
    for wrong in ({"events": 10}, {"cards": 1}, {"hours": 1}, {"seed": -1}):
        with pytest.raises(FlowError, match=next(iter(wrong))):
            generate_cards(**wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        generate_cards(events=1_000).write(tmp_path / "file")


def test_few_cards_are_attacked_more_than_once():
    sample = generate_cards(events=20_000, cards=10, hours=3)
    assert len(sample.truth) == 20
    assert max(attack["end"] for attack in sample.truth) < 1_709_510_400_000 + 4 * 3_600_000


def test_draws_are_what_they_say():
    draws = Draws(1)
    weighted = draws.weighted([0, 3, 1], 4_000)
    assert set(weighted.tolist()) == {1, 2}
    assert 2_800 < (weighted == 1).sum() < 3_200
    values = draws.table([0, 10, 1_000], 4_000)
    assert 0 <= values.min() <= values.max() < 1_000
    assert 1_800 < (values < 10).sum() < 2_200
    assert sorted(draws.order(50).tolist()) == list(range(50))
    some = draws.some(np.arange(10, 20), 4).tolist()
    assert len(set(some)) == 4
    assert set(some) <= set(range(10, 20))
