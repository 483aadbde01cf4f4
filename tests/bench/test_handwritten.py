"""The hand-written forms give the references' answers however the payments are cut."""

import numpy as np
import polars as pl
import pytest

from styx_lab.bench.answers import matches_answer
from styx_lab.bench.cards import CardsByDict, CardsByHash
from styx_lab.bench.cases import difference, handwritten_cases, peer_cases
from styx_lab.bench.peers import StreamzByHand, pypmml_score
from styx_lab.bench.risk_model import risk

COUNT = 20_000


@pytest.mark.parametrize("batch", [100, 1_000, COUNT])
@pytest.mark.parametrize("work", ["W1", "W2", "W3", "W5"])
def test_answers_are_right_at_any_batch_size(work, batch):
    cases = handwritten_cases(work, batch, COUNT)
    assert len(cases) == 2
    assert {name: case.check() for name, case in cases.items()} == dict.fromkeys(cases)
    assert {case.run() for case in cases.values()} == {COUNT}


def test_a_case_says_when_its_answer_is_wrong(monkeypatch):
    monkeypatch.setattr("styx_lab.bench.handwritten.WITHIN_MS", 1_000)
    checks = [case.check() for case in handwritten_cases("W3", 1_000, COUNT).values()]
    assert all(check is not None and "20 are right" in check for check in checks)


def test_the_right_number_of_wrong_outputs_is_wrong():
    right = matches_answer([(1, 2, 3), (4, 5, 6)])
    assert difference(matches_answer([(4, 5, 6), (1, 2, 3)]), right) is None
    assert "not the right ones" in difference(matches_answer([(1, 2, 3), (4, 5, 7)]), right)


@pytest.mark.parametrize("make", [CardsByDict, CardsByHash])
def test_slots_count_cards_by_first_appearance(make):
    cards = make()
    assert cards.slots(pl.Series(["b", "a", "b"])).tolist() == [0, 1, 0]
    assert cards.slots(pl.Series(["c", "a"])).tolist() == [2, 1]
    assert cards.names(np.array([2, 0])).to_list() == ["c", "b"]
    assert len(cards) == 3


def test_slots_stay_when_the_table_of_hashes_grows():
    cards, many = CardsByHash(), pl.Series([f"card-{number}" for number in range(100_000)])
    first = cards.slots(many[:1_000])
    assert cards.slots(many).tolist() == list(range(100_000))
    assert cards.slots(many[:1_000]).tolist() == first.tolist()


def test_the_peer_scores_as_the_reference_and_its_answer_is_wrong():
    (case,) = peer_cases(COUNT).values()
    assert case.may_be_wrong
    assert case.check() == "17 outputs where 20 are right"
    drain = {"amount": 250.0, "merchant": "gift_cards", "country": "DE"}
    assert pypmml_score()(drain) == pytest.approx(risk(**drain), abs=1e-12)


def test_the_peer_is_right_where_arrival_is_in_order():
    peer = StreamzByHand(lambda drain: drain["amount"])
    lines = ((1, "fail", 1), (2, "fail", 2), (3, "fail", 3), (4, "auth", 4), (5, "auth", 5))
    peer.push(
        [
            b'{"event_id":%d,"kind":"%s","ts":%d,"card_id":"a","amount":101.5}' % (number, kind.encode(), ts)
            for number, kind, ts in lines
        ]
    )
    assert peer.notifications == [
        '{"events": [2, 3, 4], "card_id": "a", "risk": 101.5, "message": "Card a: 101.50 after two declines"}'
    ]
