"""Training from a flow: the model is asked for what it was trained on, and the store keeps what that was."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import styx_lab as styx
from styx_lab import Flow, SqliteStore, workbench
from styx_lab.bundles.bundle import pack_bundle, read_bundle
from styx_lab.errors import ModelError, NotFoundError

SCHEMA = {"ts": "int", "card": "str", "payment": "str", "amount": "float", "shop": "str"}
EVENTS = [
    {
        "ts": 1_000 * place,
        "card": f"c{place % 7}",
        "payment": f"p{place}",
        "amount": float(place * 37 % 500),
        "shop": ("food", "fuel", "games")[place % 3],
    }
    for place in range(400)
]
FRAUDS = pl.DataFrame({"payment": [event["payment"] for event in EVENTS if float(str(event["amount"])) > 300]})


def a_flow() -> Flow:
    payments = styx.source("payments", schema=SCHEMA, time="ts", key="card")
    detailed = payments.with_columns(hour="ts / 3600000", parts=styx.col("_time"))
    return styx.flow("fraud", detailed.score("fraud", into="risk", name="judge").to("scored"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "store.db"


@pytest.fixture(scope="module")
def training(store: Path) -> workbench.Training:
    rows = workbench.training_rows(a_flow(), EVENTS, label=(FRAUDS, None), on="payment")
    return workbench.train("fraud", rows, model="tree", store=store, alias="champion")


def test_a_model_of_a_flow_scores_in_it(training: workbench.Training, store: Path) -> None:
    result = a_flow().replay(EVENTS, store=store)
    scored = result.outputs["scored"]
    assert scored.height == len(EVENTS)
    assert ((scored["risk"] > 0.5) == (scored["amount"] > 300)).all()


def test_what_it_says_and_keeps(training: workbench.Training, store: Path) -> None:
    assert training.model == "fraud@1"
    report = training.report
    assert (report["target"], report["holdout_by"], report["measured_on"]) == ("label", "time", "held-out")
    assert [one["name"] for one in report["features"]] == ["ts", "amount", "shop", "hour"]
    assert training.flow is not None
    assert training.flow["left_out"] == {
        "card": "the key",
        "payment": "text with 400 different values in 400 rows, as an id has",
        "parts": "of type Datetime",
    }
    assert (training.flow["name"], training.flow["step"], training.flow["hash"]) == ("fraud", "judge", a_flow().hash)
    assert training.flow["counts"]["labelled"] == FRAUDS.height
    with SqliteStore(store) as kept:
        meta = kept.get_model("fraud@champion").meta
    assert meta["report"] == report
    assert meta["flow"] == training.flow
    assert meta["training"]["rows"] == 400
    assert set(meta["profile"]["columns"]) == {"ts", "amount", "shop", "hour"}
    assert meta["training"]["features"] == ["ts", "amount", "shop", "hour"]
    sample = pl.read_parquet(io.BytesIO(base64.b64decode(meta["sample"])))
    assert sample.columns == ["ts", "amount", "shop", "hour", "label"]
    assert "sample" not in workbench.show("fraud", store=store)["meta"]


def test_a_bundle_takes_no_training_rows_along(training: workbench.Training, store: Path) -> None:
    with SqliteStore(store) as kept:
        record = kept.get_model("fraud")
    data = pack_bundle(
        a_flow(), models={"fraud": record}, golden={}, outputs={}, modules={}, created="2026-01-01T00:00:00Z"
    )
    (entry,) = read_bundle(data).manifest["models"].values()
    assert set(entry["meta"]) == set(record.meta) - {"sample"}


def test_the_same_rows_give_the_same_model(training: workbench.Training, store: Path) -> None:
    rows = a_flow().features(EVENTS, label=(FRAUDS, None), on="payment")
    again = workbench.train(
        "fraud", rows, target="label", features=["ts", "amount", "shop", "hour"], model="tree", store=store
    )
    assert (again.model, again.sha256, again.flow) == ("fraud@1", training.sha256, None)


@pytest.mark.parametrize(
    ("how", "kind", "says"),
    [
        ({"target": "fraud"}, ModelError, "no such column; got 'fraud'"),
        ({"model": "wood"}, ModelError, "no such model; got 'wood'"),
        ({"features": ["parts"]}, ModelError, "numbers, booleans or text; got .Datetime"),
        ({"features": ["payment"]}, ModelError, "no held-out row can be measured"),
        ({"features": ["label", "amount"]}, ModelError, "target must not be a feature"),
    ],
)
def test_bad_training_is_refused_and_keeps_nothing(
    how: dict[str, Any], kind: type[Exception], says: str, tmp_path: Path
) -> None:
    rows = workbench.training_rows(a_flow(), EVENTS, label=(FRAUDS, None), on="payment")
    with pytest.raises(kind, match=says):
        workbench.train("fraud", rows, store=tmp_path / "store.db", **how)
    with SqliteStore(tmp_path / "store.db") as kept, pytest.raises(NotFoundError):
        kept.get_model("fraud")


def test_one_class_and_no_label_are_refused() -> None:
    rows = workbench.training_rows(a_flow(), EVENTS, label={"large": "amount > 1000"})
    with pytest.raises(ModelError, match="all rows are of one class"):
        workbench.train("fraud", rows)
    with pytest.raises(ModelError, match="say which column to predict"):
        workbench.train("fraud", workbench.training_rows(a_flow(), EVENTS))
