"""The benchmark of models: right answers from every evaluator, wrong ones and absent peers said to be so."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import polars as pl
import pytest

from styx_lab.bench import model_peers, model_works, models
from styx_lab.bench.harness import measure
from styx_lab.bench.model_texts import TEXTS
from styx_lab.bench.model_works import FURTHER, WORKS, ModelWork, train_work
from styx_lab.errors import MissingDependencyError, NotFoundError


@pytest.fixture(scope="module")
def logistic() -> ModelWork:
    return train_work("one-hot, scaling, logistic regression")


def test_every_evaluator_answers_as_scikit_learn(logistic: ModelWork) -> None:
    cases = models.scoring_cases(logistic, 10_000)
    assert list(cases) == ["native", "onnxruntime", "scikit-learn", "pypmml"]
    assert {name: case.check() for name, case in cases.items() if case.check is not None} == dict.fromkeys(cases)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WORKS, *FURTHER, *TEXTS])
def test_every_model_is_answered_right_at_any_batch_size(name: str) -> None:
    work = train_work(name)
    for batch in (97, 10_000):
        cases = models.scoring_cases(work, batch, onnx=name in WORKS)
        assert {one: case.check() for one, case in cases.items() if case.check is not None} == dict.fromkeys(cases)


@pytest.mark.parametrize("name", TEXTS)
def test_models_written_by_hand_are_measured_by_pypmml(name: str) -> None:
    cases = models.scoring_cases(train_work(name), 1_000, onnx=False)
    assert list(cases) == ["native", "pypmml"]
    assert {one: case.check() for one, case in cases.items() if case.check is not None} == dict.fromkeys(cases)


def test_a_wrong_answer_is_no_figure(logistic: ModelWork, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(work: ModelWork) -> Any:
        right = work.truth
        assert right is not None
        return lambda frame: right(frame) + (frame["hour"].to_numpy() == 3.0)

    monkeypatch.setattr(models, "onnx_peer", wrong)
    report = measure(models.scoring_cases(logistic, 10_000), 1, base="native").to_json()
    case = next(each for each in report["cases"] if each["name"] == "onnxruntime")
    assert case["answer"].startswith("wrong: ")
    assert case["rate"] is None
    beside = models._beside(report, 0.5)
    assert beside["goal"] == {"native, times onnxruntime": 0.5}
    assert all(("times_pypmml" in each) == (each["rate"] is not None) for each in beside["cases"])


@pytest.mark.parametrize("library", ["onnxruntime", "skl2onnx", "pypmml", "sklearn2pmml.pipeline", "pandas"])
def test_an_absent_library_is_said(library: str, logistic: ModelWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=rf"{library.partition('.')[0]}.*styx-lab\[bench\]"):
        model_works.need(library)
    if library in ("onnxruntime", "skl2onnx"):
        with pytest.raises(MissingDependencyError):
            model_peers.onnx_peer(logistic)


def test_unknown_models_and_text_answers() -> None:
    with pytest.raises(NotFoundError, match="no such model"):
        train_work("crystal ball")
    assert models._differ(np.array(["a", "b"]), np.array(["a", "c"]), 1e-9) == 1
    assert models._differ(np.array([1.0, np.nan]), np.array([1.0, 1.0]), 1e-9) == 1


def test_loading_and_cores_have_cases() -> None:
    assert models.loading_cases("scorecard")["native"].run() == 1
    cases = models.core_cases("rule set")
    assert {name: case.check() for name, case in cases.items() if case.check is not None} == dict.fromkeys(cases)


def test_the_process_of_its_own_says_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # `main` turns it away
    models.main(json.dumps({"work": "scorecard", "batches": [1_000], "repeats": 1, "onnx": False}))
    (report,) = json.loads(capsys.readouterr().out).values()
    assert [case["answer"] for case in report["cases"]] == ["right", "right"]
    assert report["base"] == "pypmml"


def test_rows_are_such_as_32_bits_hold() -> None:
    for make, _ in WORKS.values():
        columns, target = make()
        assert 0.2 < target.mean() < 0.8
        for series in pl.DataFrame(columns).select(pl.selectors.float()).get_columns():
            assert series.cast(pl.Float32).cast(pl.Float64).equals(series)
