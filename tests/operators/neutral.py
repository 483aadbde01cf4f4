"""Answers in neutral form laid beside Flink's recorded ones.

Per key the sequence of results must be the same, with window, values, time and watermark, and the late events. What
Flink takes from a hash or a heap has no promised order: the contents of a session, the pairs of one firing over
sessions, the partners that one event finds in an interval join, and, with a continuous trigger, a key's windows among
each other.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import Any

from styx_lab.testing.windows.answer import answer
from styx_lab.testing.windows.case import Case, read_cases

HERE = Path(__file__).parent / "cases"


def load(name: str) -> tuple[dict[str, Case], dict[str, dict[str, Any]]]:
    """The cases of a name, and Flink's answers to them, by the cases' ids."""
    cases = {case.id: case for case in read_cases(HERE / f"{name}.cases.jsonl.gz")}
    with gzip.open(HERE / f"{name}.results.jsonl.gz", "rt") as lines:
        results = {result["id"]: result for result in map(json.loads, lines)}
    assert cases.keys() == results.keys()
    return cases, results


def view(result: dict[str, Any], kind: str) -> dict[str, Any]:
    """What must be the same: results by key, in order where there is one."""
    if "error" in result:
        return {"error": result["error"]["phase"]}
    by_key = defaultdict(list)
    for one in result["out"]:
        key = text(one.get("key"))
        row = {name: value for name, value in one.items() if name not in ("seq", "key")}
        if "session" in kind:
            row |= {name: sorted_lists(row[name]) for name in ("values", "left", "right") if name in row}
        if "continuous" in kind:
            key += text(one.get("window", one.get("ts")))
        by_key[key].append(row)
    found = {key: [text(row) for row in unordered(rows, kind)] for key, rows in by_key.items()}
    return {"out": found, "late": result["late"]}


def unordered(rows: list[Any], kind: str) -> list[Any]:
    """Rows, where those whose order nobody promised are sorted."""
    if kind.startswith("intervalJoin"):
        return runs(rows, lambda row: max(row["left"], row["right"]))
    if kind.startswith("windowJoin/session"):
        return runs(rows, lambda row: (row["ts"], row["wm"]))
    return rows


def runs(rows: list[Any], of: Any) -> list[Any]:
    return [row for _, run in groupby(rows, of) for row in sorted(run, key=text)]


def sorted_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: sorted_lists(one) for name, one in value.items()}
    return sorted(value) if isinstance(value, list) else value


def text(value: Any) -> str:
    """A value as text, where 3 and 3.0 are one."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{text(one)}" for name, one in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    return json.dumps(int(value) if isinstance(value, float) and value == int(value) else value)


def ours(case: Case, batch: int, kind: str) -> dict[str, Any]:
    return view(answer(case, batch), kind)
