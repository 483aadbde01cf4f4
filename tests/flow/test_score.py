"""The verb score says which columns it adds and what becomes of rows without a score; old flows read as ever."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from styx_lab.errors import FlowError
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.steps import Score
from styx_lab.flow.stream import source

PAYMENTS = source("payments", schema={"ts": "int", "card_id": "str", "amount": "float"}, time="ts", key="card_id")


def score(**said: Any) -> Score:
    step = PAYMENTS.score("fraud", **said).steps[-1]
    assert isinstance(step, Score)
    return step


def test_outputs_are_columns_of_the_types_that_are_said() -> None:
    stream = PAYMENTS.score(
        "fraud", into="risk", outputs={"label": ("fraud", int), "p": "probability(1)", "why": "rc1"}
    )
    added = list(stream.columns.items())[3:]
    assert added == [("risk", pl.Float64()), ("label", pl.Int64()), ("p", pl.Float64()), ("why", pl.String())]
    assert list(PAYMENTS.score("fraud", outputs=["probability(1)", "fraud"]).columns)[3:] == ["probability(1)", "fraud"]


def test_what_is_not_said_leaves_the_flow_as_it_always_was() -> None:
    plain = score(into="risk")
    assert plain.details() == {"model": "fraud", "into": "risk"}
    assert plain == Score.read("score", plain.inputs, {"model": "fraud", "into": "risk"})
    assert plain.policies == {"missing": "dead", "invalid": "dead", "failed": "dead"}


@pytest.mark.parametrize(
    "said",
    [
        {"into": "risk", "outputs": {"label": ("fraud", "int"), "p": "probability(1)"}, "on_error": "null"},
        {"into": "risk", "on_error": {"missing": None, "failed": 2}},
        {"outputs": ["fraud"], "on_error": None},
    ],
)
def test_a_flow_reads_its_own_json(said: dict[str, Any]) -> None:
    made = flow("judged", PAYMENTS.score("fraud", **said).to("out"))
    read = Flow.from_json(made.to_json())
    assert read.steps == made.steps
    assert read.hash == made.hash


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "score\\(\\) adds no column"),
        ({"into": "amount"}, "has that column already; got 'amount'"),
        ({"into": "risk", "outputs": {"amount": "fraud"}}, "has that column already; got 'amount'"),
        ({"into": "risk", "outputs": {"risk": "fraud"}}, "two columns have the same name; got 'risk'"),
        ({"outputs": {"_label": "fraud"}}, "Styx's own"),
        ({"into": "risk", "outputs": {"label": ("fraud", "number")}}, "unknown type; got 'number'"),
        ({"into": "risk", "outputs": "fraud"}, "outputs are said by"),
        ({"into": "risk", "outputs": [1]}, "outputs are said by"),
        ({"into": "risk", "on_error": "drop"}, "unknown choice; got 'drop'"),
        ({"into": "risk", "on_error": math.nan}, "unknown choice; got nan"),
        ({"into": "risk", "on_error": True}, "unknown choice; got True"),
        ({"into": "risk", "on_error": {"absent": "dead"}}, "unknown kind of fault; got 'absent'"),
        ({"outputs": ["fraud"], "on_error": {"failed": 0.5}}, "this step keeps no score; got 0.5"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_said(said: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError, match=message):
        score(**said)


def test_a_model_is_said_by_name() -> None:
    with pytest.raises(FlowError, match="a model is said by its name"):
        PAYMENTS.score(None, into="risk")  # type: ignore[arg-type]
