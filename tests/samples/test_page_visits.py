"""The sample of page visits: the same events everywhere, and what it says about itself is so."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from styx_lab.errors import FlowError
from styx_lab.samples import VISITS_DELAY_MS, VISITS_SCHEMA, PageVisits, generate_page_visits

# Pinned: the same arguments give the same page views for ever. A changed generator is a new sample, under a new name.
SHA256_OF_10_000 = "f38150c4414b60745ec48ceb38fe6d1c096ae5715bcde8a36ce3c8833e7dc0f0"


@pytest.fixture(scope="module")
def sample() -> PageVisits:
    return generate_page_visits()


@pytest.fixture(scope="module")
def by_visit(sample: PageVisits) -> pl.DataFrame:
    """The page views, each with the truth about its visit."""
    found = sample.columns.sort("ts").join(sample.truth, on="customer")
    return found.filter(pl.col("ts").is_between("start", "end"))


def test_the_events_are_pinned(sample: PageVisits) -> None:
    assert sample.sha256() == SHA256_OF_10_000
    assert len(sample) == 40_418
    assert generate_page_visits(visits=50, seed=1).sha256() != generate_page_visits(visits=50, seed=2).sha256()


def test_no_two_visits_of_a_customer_are_at_one_time(sample: PageVisits, by_visit: pl.DataFrame) -> None:
    assert len(by_visit) == len(sample)
    assert list(sample.columns.columns) == list(VISITS_SCHEMA)
    assert sample.truth["customer"].n_unique() == 8_000


def test_the_truth_is_so(by_visit: pl.DataFrame) -> None:
    page = pl.col("page")
    seen = by_visit.group_by("customer", "start", "kind").agg(
        *((page == f"form {n}").any().alias(f"{n}") for n in "123")
    )
    came = {kind: set(seen.filter(kind=kind).select("1", "2", "3").rows()) for kind in seen["kind"].unique()}
    assert came == {
        "looking": {(False, False, False)},
        "left": {(True, False, False)},
        "stuck": {(True, True, False)},
        "done": {(True, True, True)},
        "slow": {(True, True, True)},
    }


def test_page_views_come_in_order_of_arrival_and_few_are_late(sample: PageVisits) -> None:
    delay = sample.arrival - sample.columns["ts"].to_numpy()
    assert (np.diff(sample.arrival) >= 0).all()
    assert delay.min() >= 0
    assert (delay > VISITS_DELAY_MS).mean() == pytest.approx(0.004, abs=0.001)
    assert sample.truth["late"].sum() == 64


def test_too_few_are_refused() -> None:
    with pytest.raises(FlowError, match="visits must be 10 or more"):
        generate_page_visits(visits=9)
