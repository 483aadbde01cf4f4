"""What a model was given, against a slow count of one row at a time; however it is cut, wherever it is restored."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.core.state import State
from styx_lab.engines.plan import Inputs
from styx_lab.engines.streamz import LiveFlow
from styx_lab.errors import CheckpointError, NotFoundError
from styx_lab.models.profile import ColumnProfile, ProfiledScorer, profile_rows, psi, read_profile
from styx_lab.operators import score_inputs
from styx_lab.operators.score_inputs import InputCounts, spans_of
from tests.contracts.test_operators import operator_of
from tests.laws.verbs import TriesScorer

pytestmark = pytest.mark.laws
FEWER = settings(max_examples=max(15, settings().max_examples // 3), deadline=None)
TYPES = {"x": pl.Float64(), "n": pl.Int64(), "plain": pl.Float64(), "word": pl.String(), "flag": pl.Boolean()}
TRAINED = pl.DataFrame(
    {
        "x": [0.5, 1.0, 1.0, 2.0, None, 8.0, -3.0],
        "n": [0, 1, 1, 2, None, 8, -3],
        "word": ["a", "b", "a", None, "c", "a", "b"],
        "flag": [True, False, None, True, True, False, True],
    }
)
PROFILE = read_profile(profile_rows(TRAINED), where="test")
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "x": st.sampled_from([None, math.nan, math.inf, -math.inf, -3.0, 0.75, 1.0, 8.0, 9.0]),
            "n": st.sampled_from([None, -3, 0, 1, 2, 2**60]),
            "plain": st.sampled_from([None, math.nan, 1.0]),
            "word": st.sampled_from([None, "a", "b", "zzz"]),
            "flag": st.sampled_from([None, True, False]),
        }
    ),
    max_size=60,
)


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TYPES, strict=False)


def place(value: Any, profile: ColumnProfile) -> int:
    """The bin of a value, the last for one that is missing."""
    if value is None or value != value:
        return len(profile.shares) - 1
    if profile.kind == "number":
        return bisect_right(profile.edges, value)
    if profile.kind == "boolean":
        return int(value)
    return profile.values.index(value) if value in profile.values else len(profile.values)


def slow(rows: list[dict[str, Any]], full: int, block: int, every: int, fewest: int) -> dict[str, dict[str, Any]]:
    weights = [1 if row < full else every if (row // block) % every == 0 else 0 for row in range(len(rows))]
    found: dict[str, dict[str, Any]] = {}
    for name in TYPES:
        values = [row[name] for row in rows]
        nan = sum(weight for value, weight in zip(values, weights, strict=True) if value is not None and value != value)
        told: dict[str, Any] = {"rows": len(rows), "null_rate": None, "nan_rate": None, "psi": None, "note": None}
        if rows:
            told["null_rate"] = values.count(None) / len(rows)
            told["nan_rate"] = nan / sum(weights)
        profile = PROFILE.get(name)
        if profile is None:
            told["note"] = "the profile has no bins for this input"
        elif len(rows) < fewest:
            told["note"] = f"fewer than {fewest} rows"
        else:
            counts = [0] * len(profile.shares)
            for value, weight in zip(values, weights, strict=True):
                counts[place(value, profile)] += weight
            told["psi"] = psi(profile.shares, counts)
        found[name] = told
    return found


@FEWER
@given(rows=ROWS, cuts=st.lists(st.integers(0, 60), max_size=6), reborn=st.booleans())
def test_the_figures_are_those_of_a_slow_count(rows: list[dict[str, Any]], cuts: list[int], reborn: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"FULL": 24, "BLOCK": 4, "EVERY": 3, "_FEWEST": 5}.items():
            patch.setattr(score_inputs, name, value)
        counts = InputCounts(TYPES, PROFILE)
        edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
        for begin, end in pairwise(edges):
            if reborn:
                kept = json.loads(json.dumps(counts.to_json()))
                counts = InputCounts(TYPES, PROFILE)
                counts.from_json(kept)
            counts.add(frame_of(rows[begin:end]))
        assert counts.figures() == slow(rows, 24, 4, 3, 5)


@given(first=st.integers(0, 200_000), heights=st.lists(st.integers(0, 40_000), max_size=6))
def test_a_row_counts_the_same_however_the_batch_is_cut(first: int, heights: list[int]) -> None:
    def weights(begin: int, height: int) -> np.ndarray:
        found = np.zeros(height, np.int64)
        for start, end, weight in spans_of(begin, height):
            assert 0 <= start < end <= height
            found[start:end] += weight
        return found

    ends = np.cumsum([first, *heights]).tolist()
    cut = [weights(begin, end - begin) for begin, end in pairwise(ends)]
    assert np.concatenate([*cut, np.zeros(0)]).tolist() == weights(first, ends[-1] - first).tolist()


def test_counted_and_sampled_rows_stand_for_all() -> None:
    for rows in (100, score_inputs.FULL, 4 * score_inputs.FULL):
        assert sum((end - begin) * weight for begin, end, weight in spans_of(0, rows)) == rows


def test_without_a_profile_there_are_rates_and_it_is_said() -> None:
    counts = InputCounts(TYPES, None)
    assert counts.figures()["x"]["null_rate"] is None
    counts.add(frame_of([{"x": None}, {"x": math.nan}, {"x": 1.0}, {"x": 2.0}]))
    assert counts.figures()["x"] == {
        "rows": 4, "null_rate": 0.25, "nan_rate": 0.25, "psi": None, "note": "no profile is kept with the model"
    }  # fmt: skip
    assert counts.figures()["word"]["null_rate"] == 1.0


def test_an_input_of_another_type_than_at_training_has_no_psi() -> None:
    counts = InputCounts({"word": pl.Float64(), "n": pl.Int32()}, PROFILE)
    counts.add(pl.DataFrame({"word": [1.0] * 200, "n": pl.Series([1] * 200, dtype=pl.Int32)}))
    told = counts.figures()
    assert told["word"]["note"] == "the profile has no bins for this input"
    assert told["n"]["psi"] > 0.25


def test_what_was_counted_against_another_profile_is_forgotten() -> None:
    counts = InputCounts(TYPES, PROFILE)
    counts.add(frame_of([{"x": 1.0}] * 150))
    other = InputCounts(TYPES, {**PROFILE, "x": ColumnProfile("number", (1.0,), (), (0.5, 0.5, 0.0))})
    other.from_json(counts.to_json())
    assert other.figures()["x"]["rows"] == 0
    same = InputCounts(TYPES, PROFILE)
    same.from_json(counts.to_json())
    assert same.figures() == counts.figures()


def test_a_state_from_before_inputs_were_counted_is_read() -> None:
    operator = operator_of(lambda stream: stream.score("profiled", into="risk"))()
    operator.restore([State()])
    assert operator.figures()["amount"]["rows"] == 0
    with pytest.raises(CheckpointError, match="unknown layout"):
        operator.restore([State(version=2)])


def test_a_run_tells_the_drift_of_its_models() -> None:
    rows = pl.DataFrame(
        {"amount": [float(place) for place in range(500)], "tries": [place % 3 for place in range(500)]}
    )
    scorer = ProfiledScorer(TriesScorer(), profile_rows(rows))
    events = styx.source("events", schema={"ts": "int", "amount": "float", "tries": "int"}, time="ts")
    judged = events.score("risk", into="risk").with_columns(amount="amount + 400").score("risk", into="again")
    live = LiveFlow(styx.flow("f", judged.to("out")), {"events": Inputs((0,), "frame")}, lambda reference: scorer)
    live.emit([{"ts": place, **row} for place, row in enumerate(rows.to_dicts())])
    result = live.finish()
    first, second = result.drift("score"), result.drift("score_2")
    assert first["input"].to_list() == ["amount", "tries"]
    assert first.row(0, named=True) == {
        "input": "amount", "rows": 500, "null_rate": 0.0, "nan_rate": 0.0, "psi": 0.0, "note": None
    }  # fmt: skip
    assert second.filter(pl.col("input") == "amount")["psi"][0] > 1
    assert second.filter(pl.col("input") == "tries")["psi"][0] == 0
    with pytest.raises(NotFoundError, match=r"say which step that scores.*one of score, score_2"):
        result.drift()
    with pytest.raises(NotFoundError, match=r"got 'scores'"):
        result.drift("scores")


KEPT = {
    "profile": "4800c5d17fefce2cc57bc254917abe20164d3c3cd71f38a930b86c8faacdfcdc",
    "rows": 150,
    "binned": 150,
    "nulls": {"x": 50, "n": 50, "plain": 50, "word": 50, "flag": 50},
    "binned_nulls": {"x": 50, "n": 50, "plain": 50, "word": 50, "flag": 50},
    "numbers": {
        "x": [100, 100, 100, 50, 50],
        "n": [100, 50, 50, 50, 0],
        "plain": [50, 0, 0, 0, 0],
    },
    "words": {"word": [100, 50, 0, 0], "flag": [100, 50]},
}
"""What the version that first counted inputs kept; not to be changed."""


def test_what_was_kept_once_is_read_for_ever() -> None:
    counts = InputCounts(TYPES, PROFILE)
    counts.from_json(KEPT)
    told = counts.figures()
    assert {name: one["rows"] for name, one in told.items()} == dict.fromkeys(TYPES, 150)
    assert told["plain"]["nan_rate"] == pytest.approx(1 / 3)
    assert [told[name]["psi"] for name in ("x", "n", "word", "flag")] == pytest.approx(
        [3.441268555181348, 4.831066598265379, 6.198270053615439, 0.29706307738283366]
    )
    assert counts.to_json() == KEPT
