"""Further outputs of a model: the target, all probabilities, all declared outputs, as the reference gives them."""

from __future__ import annotations

import math

import polars as pl
import pytest

from styx_lab.errors import ModelError
from styx_lab.models import NativeScorer, PypmmlScorer
from styx_lab.testing import check_scorer
from tests.models.conftest import case_model
from tests.models.reference_cases import CASES, differs, read_case

BOTH = pytest.mark.parametrize(
    "engine", [NativeScorer, pytest.param(PypmmlScorer, marks=pytest.mark.slow)], ids=["native", "pypmml"]
)
ROWS = pl.DataFrame(
    {
        "amount": [10.0, 900.0, None, 5.0, math.nan],
        "country": ["DE", "FR", "DE", "XX", "DE"],
        "tries": [1, 2, 3, 4, 5],
        "night": [True, False, True, True, None],
    }
)


@pytest.mark.parametrize("name", CASES)
def test_every_column_of_the_reference_is_an_output(name: str) -> None:
    case = read_case(name)
    scorer = NativeScorer("m@1", case.pmml)
    wanted = [column for column in case.expected[0] if not column.startswith(("#", "_target"))]
    scores = scorer.score(case.rows, wanted)
    failed = scores.errors.is_not_null().to_list()
    for column in wanted:
        got = scores.outputs.get_column(column)
        assert got.dtype == scorer.outputs[column]
        told = zip(case.expected, got.to_list(), failed, strict=True)
        wrong = [
            (row[column], value)
            for row, value, bad in told
            if not bad and differs(row[column], value, case.kinds[column])
        ]
        assert not wrong, column
        assert not got.filter(pl.Series(failed)).is_not_null().any()


@BOTH
def test_a_trained_model_keeps_the_contract_with_all_its_outputs(
    engine: type[NativeScorer | PypmmlScorer], pmml: bytes
) -> None:
    check_scorer(lambda: engine("fraud@3", pmml), ROWS)


@BOTH
def test_both_engines_give_the_same_outputs(engine: type[NativeScorer | PypmmlScorer], pmml: bytes) -> None:
    scorer = engine("fraud@3", pmml)
    assert list(scorer.outputs) == ["fraud", "probability(0)", "probability(1)"]
    assert list(scorer.outputs.values()) == [pl.Int64(), pl.Float64(), pl.Float64()]
    scores = scorer.score(ROWS, ["probability(1)", "fraud", "probability(0)"])
    first = scores.outputs.row(0)
    assert first[0] == pytest.approx(scores.values[0], abs=1e-12)
    assert first[0] + first[2] == pytest.approx(1)
    assert first[1] == int(first[0] > 0.5)
    assert scores.kinds is not None
    # A missing amount has a replacement in the file; another country has none.
    assert scores.kinds.to_list()[:4] == [None, None, None, "invalid"]
    assert scores.outputs.null_count().row(0) == (scores.errors.is_not_null().sum(),) * 3


@BOTH
def test_an_unknown_output_is_told_with_those_there_are(engine: type[NativeScorer | PypmmlScorer], pmml: bytes) -> None:
    scorer = engine("fraud@3", pmml)
    with pytest.raises(ModelError, match=r"no such output; got 'probability_1'.*did you mean 'probability\(1\)'"):
        scorer.score(ROWS, ["probability_1"])


@BOTH
def test_a_row_without_an_answer_lacks_a_value_or_failed(engine: type[NativeScorer | PypmmlScorer]) -> None:
    scorer = engine("whole@1", case_model("whole_number_input"))
    scores = scorer.score(pl.DataFrame({"x": [1.0, 1.0, None], "k": ["p", "p", "?"], "n": ["3", None, "many"]}))
    assert scores.kinds is not None
    assert scores.kinds.to_list() == [None, "missing", "invalid"]
