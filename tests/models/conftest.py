"""Rows to train on, one trained model, and one scorer: a JVM costs a second, so they are made once."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from styx_lab.models import PypmmlScorer, TrainedModel, train

FEATURES = ["amount", "country", "night", "tries"]
CASES = Path(__file__).parent / "cases"


@pytest.fixture(scope="session")
def payments() -> pl.DataFrame:
    random = np.random.default_rng(1)
    rows = 600
    frame = pl.DataFrame(
        {
            "amount": random.gamma(2, 100, rows),
            "country": random.choice(["DE", "FR", "US"], rows),
            "night": random.random(rows) < 0.3,
            "tries": random.integers(0, 6, rows),
        }
    )
    score = pl.col("amount") / 200 + pl.col("tries") / 3 + pl.col("night").cast(pl.Int8)
    return frame.with_columns(
        fraud=(score + pl.Series(random.normal(0, 0.7, rows))) > 3,
        amount=pl.when(pl.int_range(rows) % 50 == 7).then(None).otherwise("amount"),
        country=pl.when(pl.int_range(rows) % 40 == 3).then(None).otherwise("country"),
    )


@pytest.fixture(scope="session")
def trained(payments: pl.DataFrame) -> TrainedModel:
    return train(payments, target="fraud", features=FEATURES, name="fraud")


@pytest.fixture(scope="session")
def pmml(trained: TrainedModel) -> bytes:
    return trained.export()


@pytest.fixture(scope="session")
def scorer(pmml: bytes) -> Iterator[PypmmlScorer]:
    scorer = PypmmlScorer("fraud@3", pmml)
    yield scorer
    scorer.close()


def case_model(name: str) -> bytes:
    """The PMML of a case under tests/models/cases."""
    return gzip.decompress((CASES / f"{name}.pmml.gz").read_bytes())
