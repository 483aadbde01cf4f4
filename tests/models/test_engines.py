"""All engines keep one contract and give one answer: small models, by each, against figures reckoned by hand."""

from __future__ import annotations

import math
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.errors import MissingDependencyError, ModelError
from styx_lab.models import open_scorer
from styx_lab.models.guard import check_pmml
from styx_lab.models.jpmml_outputs import with_probabilities
from styx_lab.models.jpmml_scorer import JpmmlScorer, close_jpmml, jpmml_pid
from styx_lab.models.scorers import ENGINES
from styx_lab.testing import check_scorer

from .hostile_files import BEGIN, END, GOOD, SCHEMA
from .openscoring_server import Openscoring, serving

Make = Callable[[bytes], Scorer]

CLASSES = BEGIN.replace(
    b'name="y" optype="continuous" dataType="double"/>',
    b'name="y" optype="categorical" dataType="string"><Value value="no"/><Value value="yes"/></DataField>',
)
TABLES = (
    b'<RegressionTable targetCategory="yes" intercept="1"><NumericPredictor name="x" coefficient="2"/>'
    b"</RegressionTable>"
    b'<RegressionTable targetCategory="no" intercept="0"/></RegressionModel>'
)
LOGISTIC = b'<RegressionModel functionName="classification" normalizationMethod="logit">' + SCHEMA
OUTPUT = b"".join(
    b'<OutputField name="probability(%s)" optype="continuous" dataType="double" feature="probability" value="%s"/>'
    % (label, label)
    for label in (b"no", b"yes")
)
BARE = CLASSES + LOGISTIC + TABLES + END
DECLARED = CLASSES + LOGISTIC + b"<Output>" + OUTPUT + b"</Output>" + TABLES + END
TREE = (
    BEGIN
    + b'<TreeModel functionName="regression" splitCharacteristic="binarySplit">'
    + SCHEMA
    + b'<Node score="0"><True/><Node score="1"><SimplePredicate field="x" operator="lessOrEqual" value="0.5"/></Node>'
    b'<Node score="2"><SimplePredicate field="x" operator="greaterThan" value="0.5"/></Node></Node></TreeModel>' + END
)
DERIVED = (
    BEGIN + b'<TransformationDictionary><DerivedField name="z" optype="continuous" dataType="double">'
    b'<Apply function="*"><FieldRef field="x"/><FieldRef field="x"/></Apply></DerivedField></TransformationDictionary>'
    b'<RegressionModel functionName="regression">'
    + SCHEMA
    + b'<RegressionTable intercept="1"><NumericPredictor name="z" coefficient="2"/></RegressionTable></RegressionModel>'
    + END
)
OLD = GOOD.replace(b"PMML-4_4", b"PMML-3_2").replace(b'version="4.4"', b'version="3.2"')
PREFIXED = BARE.replace(b"<", b"<p:").replace(b"<p:/", b"</p:").replace(b"xmlns=", b"xmlns:p=")
MODELS = {
    "regression": (GOOD, lambda x: 1 + 2 * x),
    "regression of PMML 3.2": (OLD, lambda x: 1 + 2 * x),
    "classes without outputs": (BARE, lambda x: 1 / (1 + math.exp(-1 - 2 * x))),
    "classes with outputs": (DECLARED, lambda x: 1 / (1 + math.exp(-1 - 2 * x))),
    "prefixed names": (PREFIXED, lambda x: 1 / (1 + math.exp(-1 - 2 * x))),
    "tree": (TREE, lambda x: 1.0 if x <= 0.5 else 2.0),
    "derived field": (DERIVED, lambda x: 1 + 2 * x * x),
}
XS = [0.25, -3.0, 0.5, math.nextafter(0.5, 1), 12.0]


@pytest.fixture(scope="module")
def server() -> Iterator[Openscoring]:
    with serving() as state, stamina.set_testing(True, attempts=4, cap=True):
        yield state


@pytest.fixture(params=ENGINES)
def make(request: pytest.FixtureRequest, server: Openscoring) -> Iterator[Make]:
    opened: list[Scorer] = []

    def make(pmml: bytes) -> Scorer:
        given = {"url": server.url} if request.param == "openscoring" else {}
        record = ModelRecord("m", 1, pmml, sha256="", created="", meta={})
        opened.append(open_scorer(record, engine=request.param, **given))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.mark.parametrize("model", MODELS)
def test_every_engine_gives_the_same_scores(make: Make, model: str) -> None:
    pmml, formula = MODELS[model]
    scorer = make(pmml)
    scores = scorer.score(pl.DataFrame({"x": XS}))
    assert scores.errors.to_list() == [None] * len(XS)
    assert scores.values.to_list() == pytest.approx([formula(x) for x in XS], abs=1e-12)


@pytest.mark.parametrize("model", ["regression", "classes without outputs", "classes with outputs", "derived field"])
def test_every_engine_keeps_the_contract(make: Make, model: str) -> None:
    pmml = MODELS[model][0]
    check_scorer(lambda: make(pmml), pl.DataFrame({"x": ["1", "abc", None, "0.5"]}))
    check_scorer(lambda: make(pmml), pl.DataFrame({"x": [1.0, None, math.inf, 0.5]}))


@pytest.mark.parametrize("model", ["classes without outputs", "classes with outputs"])
def test_every_engine_has_the_same_outputs(make: Make, model: str) -> None:
    scorer = make(MODELS[model][0])
    assert list(scorer.outputs) == ["y", "probability(no)", "probability(yes)"]
    further = scorer.score(pl.DataFrame({"x": [1.0, -9.0]}), list(scorer.outputs)).outputs
    yes = 1 / (1 + math.exp(-3))
    assert further["y"].to_list() == ["yes", "no"]
    assert further["probability(yes)"].to_list()[0] == pytest.approx(yes)
    assert further["probability(no)"].to_list()[0] == pytest.approx(1 - yes)


def test_every_engine_says_which_model_and_why(make: Make) -> None:
    scores = make(GOOD).score(pl.DataFrame({"x": ["abc", None, "1"]}))
    assert scores.values.to_list() == [None, None, 3.0]
    assert scores.kinds is not None
    assert scores.kinds.to_list() == ["invalid", "missing", None]
    for error in scores.errors.to_list()[:2]:
        assert error is not None
        assert "model 'm@1'" in error
    assert "abc" in str(scores.errors[0])


def test_every_engine_verifies_embedded_rows(make: Make) -> None:
    verification = (
        b'<ModelVerification recordCount="1" fieldCount="2"><VerificationFields><VerificationField field="x"/>'
        b'<VerificationField field="y"/></VerificationFields><InlineTable><row><x>1</x><y>%s</y></row></InlineTable>'
        b"</ModelVerification></RegressionModel>"
    )
    make(GOOD.replace(b"</RegressionModel>", verification % b"3"))
    with pytest.raises(ModelError, match="model 'm@1'"):
        make(GOOD.replace(b"</RegressionModel>", verification % b"4"))


def test_probabilities_are_declared_only_where_they_are_not() -> None:
    assert with_probabilities(DECLARED, check_pmml(DECLARED)) == DECLARED
    assert with_probabilities(GOOD, check_pmml(GOOD)) == GOOD
    bare = with_probabilities(BARE, check_pmml(BARE))
    assert bare.count(b'<Output><OutputField name="probability_no"') == 1
    assert bare.index(b"</MiningSchema><Output>") > 0
    half = DECLARED.replace(OUTPUT[: len(OUTPUT) // 2], b"")
    whole = with_probabilities(half, check_pmml(half))
    assert whole.index(b'name="probability(yes)"') < whole.index(b'name="probability_no"') < whole.index(b"</Output>")
    assert b"<p:Output><p:OutputField" in with_probabilities(PREFIXED, check_pmml(PREFIXED))


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(), st.floats(-2, 2)), min_size=1, max_size=20), st.integers(1, 7))
def test_jpmml_and_native_agree_whatever_the_batch(xs: list[float | None], size: int) -> None:
    for pmml in (DECLARED, TREE):
        frame = pl.DataFrame({"x": pl.Series(xs, dtype=pl.Float64)})
        native, jpmml = (
            open_scorer(ModelRecord("m", 1, pmml, "", "", {}), engine=each) for each in ("native", "jpmml")
        )
        wanted = native.score(frame)
        parts = [jpmml.score(frame[start : start + size]) for start in range(0, frame.height, size)]
        values = [value for part in parts for value in part.values]
        assert values == pytest.approx(wanted.values.to_list(), abs=1e-12)
        assert [error is None for part in parts for error in part.errors] == [each is None for each in wanted.errors]
        jpmml.close()


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


@pytest.mark.slow
def test_a_crash_of_jpmmls_jvm_is_survived() -> None:
    scorer = JpmmlScorer("m@1", GOOD)
    frame = pl.DataFrame({"x": [1.0]})
    assert scorer.score(frame).values[0] == 3.0
    pid = jpmml_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    assert scorer.score(frame).values[0] == 3.0
    assert jpmml_pid() not in (None, pid)
    close_jpmml()
    close_jpmml()
    assert jpmml_pid() is None
    assert scorer.score(frame).values[0] == 3.0


CHILD = """
import os, sys
import polars as pl
from styx_lab.models.jpmml_scorer import JpmmlScorer, close_jpmml, jpmml_pid
scorer = JpmmlScorer("m@1", open(sys.argv[1], "rb").read())
print(jpmml_pid(), flush=True)
"""


@pytest.fixture
def model_file(tmp_path: Path) -> str:
    path = tmp_path / "good.pmml"
    path.write_bytes(GOOD)
    return str(path)


def run(code: str, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)


@pytest.mark.slow
def test_sigkill_leaves_no_jvm_of_jpmml_behind(model_file: str) -> None:
    command = [sys.executable, "-c", CHILD + "sys.stdin.read()", model_file]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    pid = int(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert gone(pid)


@pytest.mark.slow
def test_a_forked_child_leaves_its_parents_jvm_alone_and_the_end_is_silent(model_file: str) -> None:
    done = run(
        CHILD + "child = os.fork()\n"
        "if child == 0: os._exit(0 if jpmml_pid() is None else 1)\n"
        "status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "print(status, scorer.score(pl.DataFrame({'x': [1.0]})).values[0])\n",
        model_file,
    )
    pid, status, value = done.stdout.split()
    assert (status, value, done.stderr) == ("0", "3.0", "")
    assert gone(int(pid))


@pytest.mark.slow
def test_without_the_package_the_licence_is_said(model_file: str) -> None:
    code = "import sys; sys.modules['jpmml_evaluator'] = None\n" + CHILD
    done = run(code, model_file)
    assert MissingDependencyError.__name__ in done.stderr
    assert "under the AGPL-3.0" in done.stderr
    assert "pip install 'styx-lab[jpmml]'" in done.stderr
    code = (
        "import sys; sys.modules['stamina'] = None\n"
        "from styx_lab.core.ports import ModelRecord; from styx_lab.models import open_scorer\n"
        "record = ModelRecord('m', 1, open(sys.argv[1], 'rb').read(), '', '', {})\n"
        "open_scorer(record, engine='openscoring', url='http://127.0.0.1:9/openscoring')\n"
    )
    done = run(code, model_file)
    assert "pip install 'styx-lab[openscoring]'" in done.stderr


def test_the_native_engine_brings_none_of_the_others_in(model_file: str) -> None:
    code = (
        "import sys; from styx_lab.core.ports import ModelRecord; from styx_lab.models import open_scorer\n"
        "open_scorer(ModelRecord('m', 1, open(sys.argv[1], 'rb').read(), '', '', {}), engine='native')\n"
        "others = ('jpmml_evaluator', 'py4j', 'pypmml', 'httpx', 'stamina', 'pybreaker', 'pandas', 'jnius', 'jpype')\n"
        "print([each for each in others if each in sys.modules])\n"
    )
    assert run(code, model_file).stdout == "[]\n"
