"""A profile against a slow reading of its definition; the drift figure; a kept profile that cannot be read."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.errors import ModelError
from styx_lab.models import NativeScorer
from styx_lab.models.profile import profile_of, profile_rows, psi, read_profile, with_profile

NUMBERS = st.lists(
    st.one_of(st.none(), st.integers(-3, 3).map(float), st.floats(allow_nan=True, allow_infinity=True)), min_size=1
)
WORDS = st.lists(st.one_of(st.none(), st.text("abc", max_size=3)), min_size=1, max_size=80)


@given(values=NUMBERS)
def test_a_number_has_the_edges_of_its_deciles(values: list[float | None]) -> None:
    told = profile_rows(pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64, strict=False)}))["columns"]["x"]
    there = sorted(value for value in values if value is not None and not math.isnan(value))
    finite = [value for value in there if math.isfinite(value)]
    wanted = {finite[len(finite) * part // 10] for part in range(1, 10)} - {finite[0]} if finite else set()
    assert told["edges"] == sorted(wanted)
    found = Counter(bisect_right(told["edges"], value) for value in there)
    assert told["shares"] == [found[place] / len(values) for place in range(len(wanted) + 1)]
    assert told["missing"] == (len(values) - len(there)) / len(values)
    assert math.isclose(sum(told["shares"]) + told["missing"], 1)


@given(values=WORDS)
def test_a_text_has_its_most_frequent_values(values: list[str | None]) -> None:
    told = profile_rows(pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}))["columns"]["x"]
    counted = Counter(value for value in values if value is not None)
    wanted = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    assert told["values"] == [value for value, _ in wanted[:20]]
    assert told["shares"] == [count / len(values) for _, count in wanted[:20]]
    assert told["rest"] == sum(count for _, count in wanted[20:]) / len(values)
    assert told["missing"] == values.count(None) / len(values)


def test_every_type_has_a_profile_that_is_json_and_reads_back() -> None:
    frame = pl.DataFrame(
        {
            "number": [1, 2, None],
            "same": [7.0, 7.0, 7.0],
            "nothing": pl.Series([None, None, None], dtype=pl.Float64),
            "flag": [True, False, None],
            "word": pl.Series(["a", "a", None], dtype=pl.Categorical),
            "time": pl.Series([0, 1, None], dtype=pl.Datetime("ms")),
        }
    )
    profile = json.loads(json.dumps(profile_rows(frame), allow_nan=False))
    assert profile == profile_rows(frame)
    read = read_profile(profile, where="doc")
    assert {name: each.kind for name, each in read.items()} == {
        "number": "number", "same": "number", "nothing": "number", "flag": "boolean", "word": "text", "time": "other"
    }  # fmt: skip
    assert read["same"].edges == ()
    assert read["flag"].shares == (1 / 3, 1 / 3, 1 / 3)
    assert read["word"].shares == (2 / 3, 0.0, 1 / 3)
    for each in read.values():
        assert math.isclose(sum(each.shares), 1) or each.kind == "other"


@given(
    bins=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12).filter(
        lambda bins: sum(a for a, _ in bins) > 0 and sum(b for _, b in bins) > 0
    )
)
def test_psi_is_its_definition(bins: list[tuple[int, int]]) -> None:
    trained, counted = sum(a for a, _ in bins), sum(b for _, b in bins)
    wanted = 0.0
    for a, b in bins:
        expected, actual = max(a / trained, 1e-4), max(b / counted, 1e-4)
        wanted += (actual - expected) * math.log(actual / expected)
    got = psi([a / trained for a, _ in bins], [b for _, b in bins])
    assert math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-12)
    assert got >= -1e-12


def test_psi_tells_a_shift_from_chance() -> None:
    random = np.random.default_rng(5)
    edges = np.quantile(random.normal(0, 1, 5000), np.arange(1, 10) / 10)

    def counts(rows: np.ndarray) -> list[int]:
        return np.bincount(np.searchsorted(edges, rows, side="right"), minlength=10).tolist()

    expected = [0.1] * 10
    assert psi(expected, counts(random.normal(0, 1, 5000))) < 0.02
    assert psi(expected, counts(random.normal(1, 1, 5000))) > 0.25


def test_no_rows_have_no_profile() -> None:
    with pytest.raises(ModelError, match="no rows to make a profile of"):
        profile_rows(pl.DataFrame({"x": []}))


@pytest.mark.parametrize(
    "kept",
    [
        "text",
        {},
        {"format": 2, "columns": {}},
        {"format": 1},
        {"format": 1, "columns": {"x": {"kind": "number", "edges": [1.0], "shares": [1.0], "missing": 0.0}}},
        {"format": 1, "columns": {"x": {"kind": "number", "edges": [2.0, 1.0], "shares": [0, 0, 1], "missing": 0.0}}},
        {"format": 1, "columns": {"x": {"kind": "colour", "missing": 0.0}}},
        {"format": 1, "columns": {"x": {"kind": "boolean", "shares": [math.nan, 1.0], "missing": 0.0}}},
    ],
)
def test_a_profile_that_cannot_be_read_is_refused_when_the_model_opens(kept: Any, pmml: bytes) -> None:
    with pytest.raises(ModelError, match=r"model 'fraud@3'.*profile"):
        with_profile(NativeScorer("fraud@3", pmml), {"profile": kept})


def test_a_scorer_with_a_profile_is_the_scorer(pmml: bytes, payments: pl.DataFrame) -> None:
    plain = NativeScorer("fraud@3", pmml)
    assert with_profile(plain, {}) is plain
    assert profile_of(plain) is None
    kept = with_profile(plain, {"profile": profile_rows(payments)})
    assert (kept.name, kept.inputs, kept.output, kept.outputs) == (
        plain.name,
        plain.inputs,
        plain.output,
        plain.outputs,
    )
    told, wanted = kept.score(payments[:5], ["fraud"]), plain.score(payments[:5], ["fraud"])
    assert told.values.equals(wanted.values)
    assert told.outputs.equals(wanted.outputs)
    assert set(profile_of(kept) or {}) == set(payments.columns)
    kept.close()
