"""The benchmark of many keys checks its own answer, and its answer does not depend on the batch."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from styx_lab.bench import many_keys as bench


@pytest.mark.parametrize(("keys", "events", "batch"), [(3, 40, 1), (100, 500, 70), (1_000, 2_000, 10_000)])
def test_the_answer_is_right(keys: int, events: int, batch: int) -> None:
    assert bench.run_keys(keys, events, batch, check=True) == {"answer": "right"}


@pytest.mark.parametrize("fault", ["a count", "a sum", "a row twice", "a row less", "another key"])
def test_a_wrong_answer_is_found(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    feed = bench.Chain.feed

    def wrong(chain: bench.Chain, piece: bench.Slice) -> dict[str, pl.DataFrame]:
        out = feed(chain, piece)["out"]
        first = pl.int_range(pl.len()) == 0
        if fault == "a count":
            out = out.with_columns(pl.col("count") + first.cast(pl.Int64))
        elif fault == "a sum":
            out = out.with_columns(pl.col("sum") + first.cast(pl.Float64) / 8)
        elif fault == "a row twice":
            out = pl.concat([out, out[:1]])
        elif fault == "a row less":
            out = out[1:]
        else:
            out = out.with_columns(pl.col("card_id").shift(1).fill_null(pl.col("card_id").last()))
        return {"out": out}

    monkeypatch.setattr(bench.Chain, "feed", wrong)
    assert bench.run_keys(100, 500, 500, check=True)["answer"].startswith("wrong")


def test_the_report_has_both_cases_and_is_json() -> None:
    report: dict[str, Any] = bench.many_keys(few=50, many=100, events=200, batch=60, repeats=1)
    assert [(case["keys"], case["answer"], case["events"]) for case in report["cases"]] == [
        (50, "right", 200),
        (100, "right", 200),
    ]
    assert report["cost_ratio"] > 0
    assert json.loads(json.dumps(report)) == report
