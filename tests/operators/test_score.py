"""Scoring against a slow reading of one row at a time; a model that does not fit; bad rows on both evaluators."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.core.ports import Scorer, Scores
from styx_lab.engines.result import Result
from styx_lab.errors import ModelError
from styx_lab.flow.flow import flow
from styx_lab.flow.steps.score import FAULTS
from styx_lab.models import NativeScorer, PypmmlScorer, train
from styx_lab.testing import Script, check_operator
from styx_lab.testing.strategies import payments
from tests.contracts.test_operators import operator_of
from tests.laws.verbs import MODELS, TriesScorer

FEWER = settings(max_examples=max(10, settings().max_examples // 4))
POLICIES = st.sampled_from(["dead", "null", -1.5])


def judge(amount: float | None, tries: int | None) -> tuple[float | None, str | None, str | None, int | None]:
    """What `TriesScorer` means, one row at a time: score, kind of fault, label, rounds."""
    if amount is None or tries is None:
        return None, "missing", None, None
    if tries == 4:
        return None, "failed", None, None
    if tries < 0:
        return None, "invalid", None, None
    return amount * 0.001 + tries, None, "many" if tries > 1 else "few", tries * 2


def event(amount: float | None, tries: int | None) -> dict[str, Any]:
    return {"card_id": "a", "amount": amount, "tries": tries, "status": "ok"}


@pytest.mark.laws
@FEWER
@given(
    rows=st.lists(
        st.tuples(st.one_of(st.none(), st.floats(0, 900)), st.one_of(st.none(), st.integers(-2, 5))),
        max_size=30,
    ),
    policies=st.tuples(POLICIES, POLICIES, POLICIES),
    batch=st.sampled_from([1, 2, 7, 10_000]),
)
def test_each_row_has_its_score_or_what_the_flow_says(
    rows: list[tuple[float | None, int | None]], policies: tuple[Any, ...], batch: int
) -> None:
    policy = dict(zip(FAULTS, policies, strict=True))
    stream = payments(bound_ms=20).score(
        "risk", into="risk", outputs={"label": "label", "rounds": ("rounds", "int")}, on_error=policy
    )
    script = Script()
    for place, (amount, tries) in enumerate(rows):
        script = script.event(event(amount, tries), at=place)
    played = script.end().run(flow("judged", stream.to("out")), models=MODELS, batch=batch)
    wanted, dead, faults = [], 0, Counter[str]()
    for amount, tries in rows:
        score, fault, label, rounds = judge(amount, tries)
        if fault is not None:
            faults[fault] += 1
            if policy[fault] == "dead":  # type: ignore[index]
                dead += 1
                continue
            score = None if policy[fault] == "null" else policy[fault]  # type: ignore[index]
        wanted.append((score, label, rounds))
    assert [(row["risk"], row["label"], row["rounds"]) for row in played.rows("out")] == wanted
    counters = played.counters["score"]
    assert (len(played.rows("dead_letters")), counters["dead"]) == (dead, dead)
    assert {fault: counters.get(fault, 0) for fault in FAULTS if counters.get(fault)} == dict(faults)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"outputs": ["lable"]}, "no such output; got 'lable'.*did you mean 'label'.*'probability\\(1\\)', 'rounds'"),
        ({"outputs": ["Label"]}, "did you mean 'label'"),
        (
            {"outputs": ["rounds"]},
            'another type.*Int64; the flow says \'str\'.*outputs={"rounds": \\("rounds", "int"\\)}',
        ),
        ({"outputs": {"x": ("label", "float")}}, 'String; the flow says \'float\'.*\\("label", "str"\\)'),
    ],
)
def test_a_model_without_what_the_flow_wants_is_refused_when_it_opens(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        operator_of(lambda stream: stream.score("risk", **said))()


def test_a_whole_number_may_be_a_number_and_a_label_is_no_score() -> None:
    operator_of(lambda stream: stream.score("risk", outputs={"x": ("rounds", "float")}))()

    class Labels(TriesScorer):
        output = pl.String()  # type: ignore[assignment]

    made = flow("labels", payments(bound_ms=20).score("risk", into="risk").to("out"))
    with pytest.raises(ModelError, match=r"answer is no number; got 'String'.*leave into= out"):
        Script().run(made, models={"risk": Labels()})


def test_a_column_in_other_case_is_told() -> None:
    stream = payments(bound_ms=20).select("card_id", "tries", Amount="amount").score("risk", into="risk")
    with pytest.raises(ModelError, match=r"events lack; got 'amount'.*did you mean 'Amount'"):
        Script().run(flow("f", stream.to("out")), models=MODELS)


class Careless(TriesScorer):
    """A scorer that gives NaN, and does not know kinds."""

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        scores = super().score(frame, outputs)
        nan = pl.Series([math.nan], dtype=pl.Float64).new_from_index(0, frame.height)
        values = pl.select(pl.when(pl.lit(frame["tries"]) == 0).then(nan).otherwise(scores.values)).to_series()
        further = scores.outputs.with_columns(pl.lit(math.nan).alias(name) for name in outputs)
        return Scores(values, scores.errors, further)


def test_no_nan_gets_out_of_a_careless_scorer() -> None:
    stream = payments(bound_ms=20).score("risk", into="risk", outputs=["probability(1)"], on_error={"failed": None})
    script = Script().event(event(1.0, 0), at=1).event(event(1.0, 1), at=2).event(event(None, 1), at=3).end()
    played = script.run(flow("f", stream.to("out")), models={"risk": Careless()})
    assert [(row["risk"], row["probability(1)"]) for row in played.rows("out")] == [
        (None, None), (1.001, None), (None, None)
    ]  # fmt: skip
    assert played.counters["score"]["failed"] == 2


def test_the_laws_with_all_policies() -> None:
    script = Script()
    for place, tries in enumerate([1, 4, -1, None, 3, 0, 4]):
        script = script.event(event(1.0, tries), at=place)
    make = operator_of(
        lambda stream: stream.score("risk", into="risk", outputs=["label"], on_error={"missing": 0.25, "failed": None})
    )
    check_operator(make, script.end().batch(payments(bound_ms=20)))


@pytest.fixture(scope="module")
def pmml() -> bytes:
    random = np.random.default_rng(3)
    rows = pl.DataFrame({"amount": random.gamma(2, 100, 300), "country": random.choice(["DE", "FR"], 300)})
    rows = rows.with_columns(fraud=(pl.col("amount") > 200).cast(pl.Int8))
    return train(rows, target="fraud", features=["amount", "country"], name="fraud").export()


BAD = [
    {"amount": None, "country": "DE"},
    {"amount": 10.0, "country": None},
    {"amount": 10.0, "country": "XX"},
    {"amount": math.nan, "country": "DE"},
    {"amount": 0.0, "country": "DE"},
    {"amount": 1e200, "country": "FR"},
    {"amount": 10.0, "country": "DE"},
]


def bad_rows(scorer: Scorer, on_error: Any) -> Result:
    """The bad rows through a flow in which the scorer judges."""
    from styx_lab.engines.plan import Inputs
    from styx_lab.engines.streamz import LiveFlow

    events = styx.source("events", schema={"ts": "int", "amount": "float", "country": "str"}, time="ts")
    # A NaN of the input is null already: 0 makes one in the flow, and 1e200 an infinity.
    made = events.with_columns(amount=pl.col("amount") * pl.col("amount") / pl.col("amount"))
    judged = made.score(
        "fraud", into="risk", outputs={"label": ("fraud", "int"), "p": "probability(1)"}, on_error=on_error
    )
    live = LiveFlow(styx.flow("f", judged.to("out")), {"events": Inputs((0,), "frame")}, lambda reference: scorer)
    live.emit([{"ts": place, **row} for place, row in enumerate(BAD)])
    return live.finish()


@pytest.mark.parametrize(
    "engine", [NativeScorer, pytest.param(PypmmlScorer, marks=pytest.mark.slow)], ids=["native", "pypmml"]
)
def test_a_bad_row_is_an_error_or_what_the_flow_says(engine: type[NativeScorer | PypmmlScorer], pmml: bytes) -> None:
    scorer = engine("fraud@1", pmml)
    strict, lenient = bad_rows(scorer, "dead"), bad_rows(scorer, {"missing": None, "invalid": -1, "failed": -2})
    assert strict.outputs["out"].height + strict.dead_letters.height == len(BAD)
    assert set(strict.dead_letters["reason"]) == {"not_scored"}
    assert lenient.outputs["out"].height == len(BAD)
    frame = lenient.outputs["out"]
    for name in ("risk", "p"):
        assert frame[name].drop_nulls().is_finite().all()
    for result in (strict, lenient):
        counted = result.counters["score"]
        faults = sum(counted.get(fault, 0) for fault in FAULTS)
        assert faults == strict.dead_letters.height > 0
    assert frame["risk"][2] == -1
    assert frame["label"][2] is None
    assert frame["p"][2] is None
    assert 0 < frame["risk"][6] < 1


@pytest.mark.parametrize("engine", [NativeScorer, PypmmlScorer], ids=["native", "pypmml"])
@pytest.mark.slow
def test_text_for_a_number_and_a_name_in_other_case_are_told_when_the_flow_opens(
    engine: type[NativeScorer | PypmmlScorer], pmml: bytes
) -> None:
    scorer = engine("fraud@1", pmml)
    for schema, message in (
        ({"ts": "int", "amount": "str", "country": "str"}, "another type.*String; the model takes Float64"),
        ({"ts": "int", "Amount": "float", "country": "str"}, "got 'amount'.*did you mean 'Amount'"),
    ):
        stream = styx.source("events", schema=schema, time="ts").score("fraud", into="risk")
        with pytest.raises(ModelError, match=message):
            Script().run(flow("f", stream.to("out")), models={"fraud": scorer})
    # Asked without a flow, text that is no number is an error of its row.
    scores = scorer.score(pl.DataFrame({"amount": ["10", "abc"], "country": ["DE", "DE"]}))
    assert scores.kinds is not None
    assert scores.kinds.to_list() == [None, "invalid"]
