"""Batches in which nothing is missing are scored in one pass, and get the bits that the general way gives."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.models import NativeScorer
from styx_lab.models.native import threads
from styx_lab.models.native.document import load
from tests.models.native.small import pmml
from tests.models.reference_cases import CASES, read_case

FIELDS = (
    '<DataField name="y" optype="{kind}" dataType="{type}">{values}</DataField>'
    '<DataField name="x" optype="continuous" dataType="double"/>'
    '<DataField name="f" optype="continuous" dataType="float"/>'
    '<DataField name="n" optype="continuous" dataType="integer"/>'
    '<DataField name="b" optype="continuous" dataType="double"><Interval closure="closedClosed" leftMargin="-5" '
    'rightMargin="5"/></DataField>'
    '<DataField name="c" optype="categorical" dataType="string"><Value value="p"/><Value value="q"/><Value value="r"/>'
    "</DataField>"
)
NAMED = ("x", "f", "n", "b", "c", "d", "e")
SCHEMA = "".join(f'<MiningField name="{name}"/>' for name in ("x", "f", "n", "b", "c"))
DERIVED = (
    '<LocalTransformations><DerivedField name="d" optype="continuous" dataType="double"><Apply function="/">'
    '<Apply function="-"><FieldRef field="x"/><Constant dataType="double">0.7</Constant></Apply>'
    '<Constant dataType="double">{scale}</Constant></Apply></DerivedField>'
    '<DerivedField name="e" optype="continuous" dataType="float"><Apply function="*"><FieldRef field="d"/>'
    '<Constant dataType="double">1.3</Constant></Apply></DerivedField></LocalTransformations>'
)
CLASSES = '<Value value="0"/><Value value="1"/>'
OUTPUTS = {
    "classification": '<Output><OutputField name="probability(1)" optype="continuous" dataType="double" '
    'feature="probability" value="1"/></Output>',
    "regression": "",
}
numbers = st.sampled_from(["0.1", "0.7", "-1.5", "1.0", "0.33333334", "2", "-0.0", "4.9"])


@st.composite
def nodes(draw: st.DrawFn, depth: int, number: bool) -> str:
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return ""
    name = draw(st.sampled_from(NAMED))
    if name == "c":
        word = draw(st.sampled_from(["p", "q", "r", "s"]))
        ask, other = (f'<SimplePredicate field="c" operator="{how}" value="{word}"/>' for how in ("equal", "notEqual"))
    else:
        value = draw(st.one_of(numbers, st.just("INF")))
        how, opposite = draw(
            st.sampled_from(
                [("lessThan", "greaterOrEqual"), ("lessOrEqual", "greaterThan"), ("greaterThan", "lessOrEqual")]
            )
        )
        ask, other = (
            f'<SimplePredicate field="{name}" operator="{each}" value="{value}"/>' for each in (how, opposite)
        )
    if draw(st.booleans()):
        other = "<True/>"
    return "".join(
        f"<Node {_says(draw, number)[0]}>{predicate}{_says(draw, number)[1]}{draw(nodes(depth - 1, number))}</Node>"
        for predicate in (ask, other)
    )


def _says(draw: st.DrawFn, number: bool) -> tuple[str, str]:
    if number:
        return f'score="{draw(numbers)}"', ""
    counts = "".join(f'<ScoreDistribution value="{each}" recordCount="{draw(st.integers(1, 9))}"/>' for each in (0, 1))
    return 'score="0"', counts


@st.composite
def forests(draw: st.DrawFn) -> bytes:
    function = draw(st.sampled_from(["classification", "regression"]))
    number = function == "regression"
    method = draw(st.sampled_from(["average", "weightedAverage", *(("sum", "weightedSum") if number else ())]))
    strategy = draw(st.sampled_from(["none", "nullPrediction", "lastPrediction"]))
    inner = "".join(f'<MiningField name="{name}"/>' for name in NAMED)
    trees = "".join(
        f'<Segment weight="{draw(st.sampled_from(["1", "0.3", "2.5"]))}"><True/><TreeModel functionName="{function}" '
        f'missingValueStrategy="{strategy}" noTrueChildStrategy="returnLastPrediction"><MiningSchema>{inner}'
        f"</MiningSchema><Node {_says(draw, number)[0]}><True/>{_says(draw, number)[1]}{draw(nodes(4, number))}</Node>"
        "</TreeModel></Segment>"
        for _ in range(draw(st.integers(1, 4)))
    )
    body = f'<Segmentation multipleModelMethod="{method}">{trees}</Segmentation>'
    return _whole(draw, "MiningModel", function, "", body)


@st.composite
def sums(draw: st.DrawFn) -> bytes:
    function = draw(st.sampled_from(["classification", "regression"]))
    coefficient = st.sampled_from(["0.1", "-2.5", "3", "1e-9"])

    def table(category: str) -> str:
        chosen = draw(st.lists(st.sampled_from([name for name in NAMED if name != "c"]), max_size=5))
        terms = "".join(f'<NumericPredictor name="{name}" coefficient="{draw(coefficient)}"/>' for name in chosen)
        words = draw(st.lists(st.sampled_from(["p", "q", "r", "s"]), max_size=5))
        terms += "".join(
            f'<CategoricalPredictor name="c" value="{word}" coefficient="{draw(coefficient)}"/>' for word in words
        )
        return f'<RegressionTable intercept="{draw(coefficient)}"{category}>{terms}</RegressionTable>'

    if function == "regression":
        method = draw(st.sampled_from(["none", "exp", "logit"]))
        return _whole(draw, "RegressionModel", function, f'normalizationMethod="{method}"', table(""))
    method = draw(st.sampled_from(["logit", "softmax", "none", "cauchit", "simplemax"]))
    body = "".join(table(f' targetCategory="{each}"') for each in (1, 0))
    return _whole(draw, "RegressionModel", function, f'normalizationMethod="{method}"', body)


def _whole(draw: st.DrawFn, element: str, function: str, attributes: str, body: str) -> bytes:
    number = function == "regression"
    fields = FIELDS.format(
        kind="continuous" if number else "categorical",
        type="double" if number else "integer",
        values="" if number else CLASSES,
    )
    targets = ""
    if number and draw(st.booleans()):
        targets = '<Targets><Target field="y" rescaleFactor="0.1" rescaleConstant="-0.3" max="2"/></Targets>'
    scale = draw(st.sampled_from(["0.3", "0.0", "7"]))
    text = pmml(
        fields,
        f'<{element} functionName="{function}" {attributes}><MiningSchema><MiningField name="y" usageType="target"/>'
        f"{SCHEMA}</MiningSchema>{OUTPUTS[function]}{targets}{DERIVED.format(scale=scale)}{body}</{element}>",
    )
    return text.encode()


values = st.sampled_from([0.1, 0.7, -1.5, 1.0, 0.33333334, 2.0, -0.0, 4.9, 0.30000000000000004, 1e300, 5e-324])
strange = st.sampled_from([None, math.nan, math.inf, -math.inf])
common = {
    "x": values,
    "f": values,
    "n": st.integers(-3, 3),
    "b": st.sampled_from([-5.0, 0.1, 4.9]),
    "c": st.sampled_from(["p", "q", "r"]),
}
odd = {
    "x": strange,
    "f": strange,
    "n": st.sampled_from([None, 2**31 - 1, 2**31]),
    "b": st.sampled_from([5.1, None]),
    "c": st.sampled_from(["s", "", None]),
}
TYPES = {"x": pl.Float64, "f": pl.Float64, "n": pl.Int64, "b": pl.Float64, "c": pl.String}


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.lists(st.fixed_dictionaries(common), max_size=12))
    if rows and draw(st.booleans()):
        name = draw(st.sampled_from(list(odd)))
        rows[draw(st.integers(0, len(rows) - 1))][name] = draw(odd[name])
    return pl.DataFrame(rows, schema=TYPES)


def answers(scorer: NativeScorer, frame: pl.DataFrame) -> list[Any]:
    scores = scorer.score(frame, list(scorer.outputs))
    assert scores.kinds is not None
    columns = [scores.values, *scores.outputs.get_columns()]
    bits = [[repr(value) for value in column.to_list()] for column in columns]
    assert scorer.score(frame).values.equals(scores.values, null_equal=True)
    return [bits, [column.dtype for column in columns], scores.errors.to_list(), scores.kinds.to_list()]


def without_plain(scorer: NativeScorer) -> NativeScorer:
    scorer._plain._quick = None
    return scorer


@settings(max_examples=60)
@given(st.one_of(forests(), sums()), st.lists(frames(), min_size=1, max_size=3))
def test_the_plain_way_gives_the_general_ways_bits(data: bytes, batches: list[pl.DataFrame]) -> None:
    plain, general = NativeScorer("small@1", data), without_plain(NativeScorer("small@1", data))
    for frame in batches:
        assert answers(plain, frame) == answers(general, frame)


@pytest.mark.parametrize("name", CASES)
def test_the_reference_cases_come_out_the_same(name: str) -> None:
    case = read_case(name)
    try:
        plain, general = NativeScorer(name, case.pmml), without_plain(NativeScorer(name, case.pmml))
    except ValueError:
        return  # refused, which another test looks at
    for frame in (case.rows, pl.concat([case.rows] * 12), case.rows[:0]):
        assert answers(plain, frame) == answers(general, frame)


@settings(max_examples=20)
@given(st.one_of(forests(), sums()), frames(), frames(), st.integers(0, 2**32 - 1))
def test_a_large_batch_is_taken_apart_and_put_together(
    data: bytes, common_rows: pl.DataFrame, other_rows: pl.DataFrame, seed: int
) -> None:
    frame = pl.concat([*[common_rows] * 60, other_rows]).sample(fraction=1.0, shuffle=True, seed=seed)
    plain, general = NativeScorer("small@1", data), without_plain(NativeScorer("small@1", data))
    assert answers(plain, frame) == answers(general, frame)


def test_linear_models_forests_and_boosting_have_a_plain_way() -> None:
    """What is measured is what it is for; none of these may lose it unseen."""
    having = {name for name in CASES if load(read_case(name).pmml).quick is not None}
    assert {"lr_cancer_scaled", "gb_binary_cancer", "et_digits"} <= having


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    case = read_case("et_digits")
    frame = pl.concat([case.rows] * 400)
    scorer = NativeScorer("digits@1", case.pmml)
    found = {}
    for cores in (1, 2, 3):
        monkeypatch.setattr(threads, "usable_cores", lambda cores=cores: cores)
        found[cores] = scorer.score(frame, list(scorer.outputs))
    for cores in (2, 3):
        assert found[cores].values.equals(found[1].values)
        assert found[cores].outputs.equals(found[1].outputs)


def test_a_forked_child_scores_with_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    made = np.zeros(4_096)

    def make(low: int, high: int) -> bool:
        made[low:high] += 1
        return True

    assert threads.in_pieces(4_096, 10_000_000, 256, make)
    child = os.fork()
    if child == 0:
        os._exit(0 if threads.in_pieces(4_096, 10_000_000, 256, make) and (made == 2).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (made == 1).all()


def test_pieces_cover_the_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores in (1, 2, 3, 7):
        monkeypatch.setattr(threads, "usable_cores", lambda cores=cores: cores)
        for height in (0, 1, 255, 256, 257, 1_000, 5_000):
            made = np.zeros(height)

            def make(low: int, high: int, made: Any = made) -> bool:
                made[low:high] += 1
                return low != 0

            assert threads.in_pieces(height, 10**9, 256, make) is False
            assert (made == 1).all()
