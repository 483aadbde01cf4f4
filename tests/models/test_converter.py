"""The JVM of the converter: the bytes of a Java started for each export, whatever happens to it; gone in time."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn2pmml.pipeline import PMMLPipeline

from styx_lab.errors import ModelError
from styx_lab.models import TrainedModel, export, train
from styx_lab.models.converter import close_converter, convert, converter_pid

from .conftest import FEATURES


@pytest.fixture(autouse=True)
def _closed_afterwards() -> Iterator[None]:
    yield
    close_converter()


def cold(pipeline: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return export._convert_cold(copy.deepcopy(pipeline), folder, "here")


def warm(pipeline: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return convert(copy.deepcopy(pipeline), folder, where="here")


def dateless(pmml: bytes) -> bytes:
    return export._TIMESTAMP.sub(b"", pmml, count=1)


@pytest.mark.slow
def test_many_exports_in_a_row_are_those_of_a_java_each(payments: pl.DataFrame) -> None:
    rows = payments.drop_nulls()
    estimators: list[tuple[Any, str]] = [
        (LogisticRegression(max_iter=500), "fraud"),
        (RandomForestClassifier(n_estimators=10), "fraud"),
        (HistGradientBoostingClassifier(max_iter=10), "fraud"),
        (DecisionTreeClassifier(), "country"),
        (GradientBoostingRegressor(n_estimators=10), "amount"),
    ]
    pipelines = []
    for estimator, target in estimators:
        features = [name for name in FEATURES if name != target]
        pipelines.append(train(rows, target=target, features=features, model=estimator).pipeline)
    expected = [dateless(cold(pipeline)) for pipeline in pipelines]
    pid = None
    for _ in range(3):
        # In another order each time: what was exported before must not show.
        for pipeline, bytes_of_it in list(zip(pipelines, expected, strict=True))[:: 1 if pid is None else -1]:
            assert dateless(warm(pipeline)) == bytes_of_it
            assert pid in (None, converter_pid())
            pid = converter_pid()


def test_a_killed_jvm_costs_nothing_but_a_restart(
    trained: TrainedModel, pmml: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert trained.export() == pmml
    pid = converter_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert trained.export() == pmml
    assert converter_pid() not in (None, pid)
    close_converter()
    close_converter()
    assert converter_pid() is None
    assert trained.export() == pmml
    assert [one for one in caplog.records if one.name == "root"] == []
    assert capfd.readouterr() == ("", "")


def test_threads_export_one_after_the_other(trained: TrainedModel, pmml: bytes) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: trained.export(), range(8))) == {pmml}


class Unheard(LogisticRegression):
    """An estimator that no converter knows."""

    def fit(self, x: object, y: object) -> Unheard:
        super().fit(x, y)
        return self


def test_a_refusal_is_the_converters_own_sentence_and_leaves_it_sound(trained: TrainedModel, pmml: bytes) -> None:
    odd = PMMLPipeline([("m", Unheard())]).fit(pd.DataFrame({"a": [0.0, 1.0]}), pd.Series([0, 1], name="y"))
    said = []
    for way in (cold, warm):
        with pytest.raises(ModelError, match=r"cannot export it: .*Unheard") as caught:
            way(odd)
        said.append(caught.value.what)
    assert said[0] == said[1]
    pid = converter_pid()
    assert pid is not None
    assert trained.export() == pmml
    assert converter_pid() == pid


def test_memory_that_is_used_up_ends_the_jvm(trained: TrainedModel, pmml: bytes, monkeypatch: Any) -> None:
    close_converter()
    monkeypatch.setenv("JAVA_OPTS", "-Xmx8m")
    with pytest.raises(ModelError, match=r"cannot export it: .*JAVA_OPTS=-Xmx4g"):
        trained.export()
    assert converter_pid() is None
    monkeypatch.delenv("JAVA_OPTS")
    assert trained.export() == pmml


def test_an_export_that_was_interrupted_leaves_no_answer_for_the_next(
    trained: TrainedModel, pmml: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    armed = False

    def interrupt(*_: Any) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for after_ms in (1, 3, 10, 30, 100):
            trained.export()
            try:
                armed = True
                # Again and again: one that comes while an object is let go of is lost, as Python has it.
                signal.setitimer(signal.ITIMER_REAL, after_ms / 1_000, 0.2)
                while True:
                    trained.export()
            except KeyboardInterrupt:
                armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert trained.export() == pmml
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert [one for one in caplog.records if one.name == "root"] == []
    assert capfd.readouterr().err == ""


def test_a_converter_of_other_parts_is_asked_by_its_own_call(
    trained: TrainedModel, pmml: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_converter()
    monkeypatch.setattr("styx_lab.models.converter._STEPS", ("validate", "march"))
    assert trained.export() == pmml
    assert converter_pid() is None


_CHILD = """
import os, signal, sys
import polars as pl
from styx_lab.models import train
from styx_lab.models.converter import converter_pid
rows = pl.DataFrame({"amount": [10.0, 900.0, 20.0, 800.0] * 10, "fraud": [0, 1, 0, 1] * 10})
model = train(rows, target="fraud", features=["amount"], name="fraud")
first = model.export()
print(converter_pid(), flush=True)
if sys.argv[1] == "fork":
    child = os.fork()
    if child == 0:
        os._exit(0 if converter_pid() is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert model.export() == first
elif sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("how", "code"), [("exit", 0), ("fork", 0), ("kill", -signal.SIGKILL)])
def test_it_ends_with_the_process(how: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", _CHILD, how], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    pid = int(done.stdout)
    process = Path(f"/proc/{pid}/stat")
    for _ in range(200_000):
        # A zombie has ended too: where nobody reaps orphans it stays in the list.
        if not process.exists() or process.read_text().rpartition(")")[2].split()[0] == "Z":
            return
    raise AssertionError(f"the JVM {pid} is still there")
