"""`styx bench models`: W4, every event scored, from one frame; ours beside onnxruntime, scikit-learn and pypmml.

Law: all are asked in one process and in turns, on one core; their answers are compared with scikit-learn's first. Rates
are rows per second.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.bench.harness import Case, measure, measure_apart, run_module
from styx_lab.bench.model_peers import Evaluate, onnx_peer, our_way
from styx_lab.bench.model_texts import TEXTS
from styx_lab.bench.model_works import FURTHER, WORKS, ModelWork, train_work
from styx_lab.models import NativeScorer
from styx_lab.models.compiled import forget_compiled

__all__ = ["core_cases", "loading_cases", "models", "scoring_cases"]

_BATCHES: Final = (1, 100, 10_000)
_MANY: Final = {1: 1_000, 100: 20_000, 10_000: 60_000}
"""How many rows a repeat scores, by batch."""
_FEW: Final = {1: 100, 100: 1_000, 10_000: 10_000}
"""And of pypmml, which takes a millisecond for one."""
_FURTHER_BATCH: Final = 1_000
_CORES: Final = "NUMBA_NUM_THREADS"
_LARGE: Final = 100_000
_GOALS: Final = {"logistic regression": 0.5, "one-hot, scaling, logistic regression": 0.5}
_EXACT: Final = 1e-9
_NARROW: Final = 1e-4
"""How far an evaluator in 32 bits may be from scikit-learn."""
_NATIVE, _ONNX, _SKLEARN, _PYPMML = "native", "onnxruntime", "scikit-learn", "pypmml"


def models(events: int, repeats: int) -> dict[str, Any]:
    """W4 in batches of 1, 100 and 10,000; loading; what a second core gains; further kinds of models.

    Args:
        events: not used: how many rows are scored is a matter of the batch.
        repeats: how often each case is timed.
    """
    reports: dict[str, Any] = {}
    for name in WORKS:
        told = run_module(__name__, {"work": name, "batches": _BATCHES, "repeats": repeats, "onnx": True})
        for batch, report in told.items():
            reports[f"{name}, batches of {int(batch):,}"] = _beside(report, _GOALS.get(name, 1.0))
    loaded = "boosting of 300 trees"
    reports[f"loading, {loaded}"] = measure_apart(f"{__name__}:loading_cases", loaded, repeats=repeats).to_json()
    for name in ("forest of 100 trees", loaded):
        report = measure_apart(f"{__name__}:core_cases", name, repeats=repeats, base="one core", one_core=False)
        reports[f"cores, {name}, batches of {_LARGE:,}"] = report.to_json()
    for name in (*FURTHER, *TEXTS):
        task = {"work": name, "batches": (_FURTHER_BATCH,), "repeats": repeats, "onnx": False}
        for report in run_module(__name__, task).values():
            reports[f"{name}, batches of {_FURTHER_BATCH:,}"] = _beside(report, None)
    return reports


def _beside(report: dict[str, Any], goal: float | None) -> dict[str, Any]:
    """The report with what the native engine is asked to reach, and how many times pypmml it is."""
    rates = {case["name"]: case["rate"] for case in report["cases"]}
    slow = rates.get(_PYPMML)
    for case in report["cases"]:
        if slow and case["rate"] is not None:
            case["times_pypmml"] = case["rate"] / slow
    if goal is not None:
        report["goal"] = {"native, times onnxruntime": goal}
    return report


def scoring_cases(work: ModelWork, batch: int, *, onnx: bool = True) -> dict[str, Case]:
    """The evaluators of a model, over batches of one size."""
    slow = our_way(work, "pypmml")
    truth = (work.truth or slow)(work.rows)  # what is written by hand has pypmml as its measure
    cases = {_NATIVE: _case(work, our_way(work, "native"), batch, _MANY, truth, _EXACT)}
    if onnx:
        cases[_ONNX] = _case(work, onnx_peer(work), batch, _MANY, truth, _NARROW)
    if work.truth is not None:
        cases[_SKLEARN] = _case(work, work.truth, batch, _FEW, truth, _EXACT)
    cases[_PYPMML] = _case(work, slow, batch, _FEW, truth, _EXACT)
    return cases


def _case(
    work: ModelWork, evaluate: Evaluate, batch: int, rows: dict[int, int], truth: npt.NDArray[Any], nearness: float
) -> Case:
    count = rows.get(batch, batch)
    frames = [work.rows.slice(at * batch % work.rows.height, batch).rechunk() for at in range(max(1, count // batch))]
    handled = sum(frame.height for frame in frames)

    def run() -> int:
        for frame in frames:
            evaluate(frame)
        return handled

    def check() -> str | None:
        begin = 0
        wrong = 0
        for frame in frames:
            begin = begin % work.rows.height
            wrong += _differ(evaluate(frame), truth[begin : begin + frame.height], nearness)
            begin += batch
        return f"{wrong:,} of {handled:,} rows" if wrong else None

    return Case(run, check, f"from a frame of {batch:,} rows to answers")


def _differ(found: npt.NDArray[Any], wanted: npt.NDArray[Any], nearness: float) -> int:
    """How many answers are another."""
    if found.dtype.kind in "fiu" and wanted.dtype.kind in "fiu":
        return int((~(np.abs(found.astype(np.float64) - wanted.astype(np.float64)) <= nearness)).sum())
    return int((found.astype(str) != wanted.astype(str)).sum())


def loading_cases(name: str) -> dict[str, Case]:
    """Loading a model: checked, read, compiled and verified from its bytes; nothing kept from before."""
    work = train_work(name)

    def load() -> int:
        forget_compiled()
        NativeScorer(work.name, work.pmml).close()
        return 1

    return {_NATIVE: Case(load, None, f"from {len(work.pmml):,} bytes to a scorer; one event is one loading")}


def core_cases(name: str) -> dict[str, Case]:
    """A large batch on one core, and on all that there are."""
    work = train_work(name)
    frame = pl.concat([work.rows] * (_LARGE // work.rows.height)).rechunk()
    evaluate = our_way(work, "native")
    alone = _bound("1", evaluate, frame)()

    def case(cores: str) -> Case:
        score = _bound(cores, evaluate, frame)
        return Case(
            lambda: len(score()),
            lambda: None if np.array_equal(score(), alone) else "another answer than on one core",
            f"from a frame of {_LARGE:,} rows to answers",
        )

    return {"one core": case("1"), "all cores": case("")}


def _bound(cores: str, evaluate: Evaluate, frame: pl.DataFrame) -> Callable[[], npt.NDArray[Any]]:
    def score() -> npt.NDArray[Any]:
        before = os.environ.pop(_CORES, None)
        if cores:
            os.environ[_CORES] = cores
        try:
            return evaluate(frame)
        finally:
            os.environ.pop(_CORES, None)
            if before is not None:
                os.environ[_CORES] = before

    return score


def main(text: str) -> None:
    """Measure one model, in a process of its own; says the reports by batch as JSON."""
    task = json.loads(text)
    out, sys.stdout = sys.stdout, sys.stderr  # what a library says is no report
    work = train_work(task["work"])
    reports = {}
    for batch in task["batches"]:
        cases = scoring_cases(work, batch, onnx=task["onnx"])
        base = _ONNX if task["onnx"] else _SKLEARN if _SKLEARN in cases else _PYPMML
        reports[str(batch)] = measure(cases, task["repeats"], base=base).to_json()
    out.write(json.dumps(reports) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
