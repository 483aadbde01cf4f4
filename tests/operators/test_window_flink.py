"""Law (oracle): windows mean what Apache Flink means. The answers here were recorded from Flink 2.3."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from styx_lab.core.operator import LATE, OUT
from styx_lab.errors import FlowError
from styx_lab.flow import aggregate as agg
from tests.operators.window_kit import Event, Mark, batch, feed, operator

CASES = Path(__file__).parent / "cases"
AGGREGATES = {
    "count": agg.count(),
    "sum": agg.sum("value"),
    "min": agg.min("value"),
    "max": agg.max("value"),
    "avg": agg.mean("value"),
    "members": agg.sum("bit"),
}


def _load(name: str) -> dict[str, Any]:
    lines = (CASES / f"windows.{name}.jsonl").read_text().splitlines()
    return {value["id"]: value for value in map(json.loads, lines)}


CASE, RESULT = _load("cases"), _load("results")
GOOD = [name for name in CASE if "error" not in RESULT[name]]


def _operator(case: dict[str, Any]) -> Any:
    assigner = case["op"]["assigner"]
    return operator(assigner["size"], assigner.get("slide"), keyed=case.get("keyed", True), **AGGREGATES)


def _script(case: dict[str, Any]) -> list[Event | Mark]:
    return [
        Event(one["t"], one.get("key", ""), float(one["value"])) if "t" in one else Mark(one["wm"])
        for one in case["events"]
    ]


def _by_key(results: list[dict[str, Any]]) -> dict[Any, list[dict[str, Any]]]:
    grouped = defaultdict(list)
    for result in results:
        grouped[result.pop("key", None)].append(result)
    return dict(grouped)


def _expected(result: dict[str, Any]) -> dict[str, Any]:
    values = dict(result["values"])
    if "collect" in values:
        collected = values.pop("collect")
        # Which events a window had is told by the sum of a power of two for each.
        values |= {"count": len(collected), "members": sum(1 << index for index in collected)}
    key = {"key": result["key"]} if "key" in result else {}
    return {**key, "window": result["window"], "values": values, "ts": result["ts"], "wm": result["wm"]}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", GOOD)
def test_flink_gives_the_same(name: str, size: int) -> None:
    case = CASE[name]
    watermark = case["watermark"]
    whole = batch(_script(case), delay=watermark.get("delay"), end=case.get("end", True))
    answer = feed(_operator(case), whole.slices(size))
    expected = [_expected(result) for result in RESULT[name]["out"]]
    mark = dict(zip(whole.steps.order.tolist(), whole.steps.mark.tolist(), strict=True))
    got = []
    times = pl.col("_time", "window_start", "window_end").to_physical()
    for row, order in zip(answer.out.with_columns(times).to_dicts(), answer.order, strict=True):
        values = {column: row[column] for column in (expected[0]["values"] if expected else ())}
        window = [row["window_start"], row["window_end"]]
        key = {"key": row["key"]} if "key" in row else {}
        got.append({**key, "window": window, "values": values, "ts": row["_time"], "wm": mark[order]})
    assert _by_key(got) == _by_key(expected)
    assert [order // 2 for order in answer.late_order] == RESULT[name]["late"]


def test_flink_refuses_what_we_refuse() -> None:
    refused = [name for name in CASE if name not in GOOD]
    assert refused == ["tumble-size-0"]
    for name in refused:
        with pytest.raises(FlowError, match="positive"):
            _operator(CASE[name])


def test_there_are_cases_of_both_kinds() -> None:
    kinds = [CASE[name]["op"]["assigner"]["type"] for name in GOOD]
    assert (kinds.count("tumbling"), kinds.count("sliding")) == (20, 6)


def test_ports_are_named_as_the_flow_says() -> None:
    emission = operator(10).process([batch([Event(1), Mark(20), Event(2)])])
    assert (len(emission.ports[OUT]), len(emission.ports[LATE])) == (1, 1)
