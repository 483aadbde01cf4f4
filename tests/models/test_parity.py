"""Parity: equal models pass to the last bit, known breaks are named, a fault is seen by the rows made for it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from styx_lab.errors import ModelError
from styx_lab.models import NativeScorer, TrainedModel, export_pipeline, train
from styx_lab.models.guard import parse_pmml
from styx_lab.models.parity import ParityReport, check_parity
from styx_lab.models.parity.asking import SCORE, Answers
from styx_lab.models.parity.boundaries import neighbours, thresholds
from styx_lab.models.parity.compare import PairReport, compare
from styx_lab.models.parity.examples import ExampleSet
from styx_lab.models.parity.generated import generated_rows

from .conftest import FEATURES
from .reference_cases import read_case


def pair(report: ParityReport, name: str, left: str = "scikit-learn") -> PairReport:
    return next(each for each in report.pairs if (each.set, each.left) == (name, left))


@pytest.fixture(scope="module")
def forest(payments: pl.DataFrame) -> TrainedModel:
    model = RandomForestClassifier(n_estimators=5, max_depth=4)
    return train(payments, target="fraud", features=FEATURES, model=model, name="forest")


@pytest.fixture(scope="module")
def forest_pmml(forest: TrainedModel) -> bytes:
    return forest.export()


@pytest.mark.parametrize(
    "model",
    [
        None,
        DecisionTreeClassifier(max_depth=4),
        GradientBoostingClassifier(n_estimators=5),
        RandomForestClassifier(n_estimators=5, max_depth=4),
    ],
)
def test_what_train_exports_is_equal_to_the_last_bits(payments: pl.DataFrame, model: Any) -> None:
    trained = train(payments, target="fraud", features=FEATURES, model=model, name="fraud")
    report = trained.check(trained.export())
    assert report.passed, report
    assert report.precision == 1e-9
    assert report.why == "the file reckons in 64 bits"
    assert max(each.max_relative or 0 for each in report.pairs if each.right == "native") < 1e-12
    if model is not None:
        assert pair(report, "boundaries").rows > 100
    assert report.reference in ("jpmml", "pypmml")
    for each in report.pairs:
        alone = each.only_left_refuses + each.only_right_refuses
        assert each.equal + each.differing + each.refused + alone == each.rows


def test_a_regressor_and_several_classes(payments: pl.DataFrame) -> None:
    rows = payments.drop_nulls()
    boosted = train(rows, target="amount", features=["tries", "night"], model=HistGradientBoostingRegressor(max_iter=5))
    report = boosted.check(boosted.export(), reference=None)
    assert report.passed, report
    assert report.notes == ("reference: none was asked for",)
    classes = train(rows, target="country", features=["tries", "amount"], model=RandomForestClassifier(5, max_depth=3))
    report = classes.check(classes.export(), reference=None)
    assert report.passed, report


def test_a_fault_in_a_split_shows_on_the_boundaries_alone(forest: TrainedModel, forest_pmml: bytes) -> None:
    """An evaluator that reads <= as < gives what scikit-learn gives, but for rows that are on a threshold."""
    faulty = forest_pmml.replace(b'field="amount" operator="lessOrEqual"', b'field="amount" operator="lessThan"')
    report = forest.check(faulty, reference=None)
    assert not report.passed
    assert {each.set for each in report.pairs if each.differing} == {"boundaries"}
    shown = report.examples().filter(pl.col("set") == "boundaries")
    assert shown["what"].str.contains("amount at").all()
    assert "scikit-learn and native differ in" in report.verdict


def test_a_threshold_that_is_a_last_bit_off_shows_on_the_boundaries(forest: TrainedModel, forest_pmml: bytes) -> None:
    root = parse_pmml(forest_pmml)
    value = next(
        node.get("value", "") for node in root.iter() if node.get("field") == "amount" and node.get("operator")
    )
    other = str(np.nextafter(np.float32(value), np.float32(np.inf)))
    faulty = forest_pmml.replace(f'value="{value}"'.encode(), f'value="{other}"'.encode())
    report = forest.check(faulty, reference=None)
    assert {each.set for each in report.pairs if each.differing} == {"boundaries"}


def test_every_split_of_a_forest_is_tried_in_rows_that_come_to_it(forest: TrainedModel, forest_pmml: bytes) -> None:
    """One split alone, however deep: moved by one bit of its 32, and told by the rows made for it."""
    at = [match.span(1) for match in re.finditer(rb'operator="lessOrEqual" value="([^"]+)"', forest_pmml)]
    told = 0
    for begin, end in at:
        value = np.nextafter(np.float32(forest_pmml[begin:end].decode()), np.float32(np.inf))
        faulty = forest_pmml[:begin] + str(value).encode() + forest_pmml[end:]
        report = forest.check(faulty, reference=None, most_rows=50)
        told += not report.passed
    # A split may stand where both its sides give the same answer, or where no row that was tried comes.
    assert told >= 0.9 * len(at), f"{told} of {len(at)}"


def test_a_changed_coefficient_shows_everywhere(trained: TrainedModel, pmml: bytes) -> None:
    coefficient = ElementTree.fromstring(pmml.decode()).find(".//{*}NumericPredictor")
    assert coefficient is not None
    text = coefficient.get("coefficient", "")
    faulty = pmml.replace(text.encode(), str(float(text) * (1 + 1e-6)).encode())
    report = trained.check(faulty, reference=None)
    assert not report.passed
    assert pair(report, "embedded", "embedded").differing > 0
    assert pair(report, "training").differing > 400
    assert trained.check(
        faulty,
        reference=None,
        precision=1e-4,
    ).passed


def own(payments: pl.DataFrame, steps: list[Any], model: Any) -> tuple[Any, bytes, pd.DataFrame]:
    """A pipeline of the user's own, its PMML and its rows."""
    from sklearn2pmml.pipeline import PMMLPipeline

    texts = [np.nan if each is None else each for each in payments["country"].to_list()]
    rows = pd.DataFrame(
        {
            "amount": payments["amount"].fill_null(np.nan).to_numpy(),
            "tries": payments["tries"].cast(pl.Float64).to_numpy(),
            "country": pd.Series(texts, dtype=object),
        }
    )
    pipeline = PMMLPipeline([("prepare", ColumnTransformer(steps)), ("model", model)])
    pipeline.fit(rows, pd.Series(payments["fraud"].cast(pl.Int64).to_numpy(), name="fraud"))
    return pipeline, export_pipeline(pipeline, name="own"), rows


def test_a_forest_on_gaps_without_an_imputer_is_known(payments: pl.DataFrame) -> None:
    payments = payments.with_columns(pl.col("country").fill_null("DE"))
    steps = [("n", "passthrough", ["amount", "tries"]), ("t", OneHotEncoder(sparse_output=False), ["country"])]
    pipeline, pmml, rows = own(payments, steps, RandomForestClassifier(5, max_depth=4, random_state=0))
    report = check_parity(pmml, name="own", pipeline=pipeline, rows=rows, reference=None)
    assert not report.passed
    gaps = int(rows["amount"].isna().sum())
    assert pair(report, "training").known == {"a forest trained on gaps without an imputer": gaps}
    assert "known: a forest trained on gaps without an imputer" in report.verdict
    assert "put a SimpleImputer before the forest" in str(report)
    assert "not explained" not in report.verdict


def test_a_missing_category_under_a_domain_and_an_imputer_is_known(payments: pl.DataFrame) -> None:
    from sklearn2pmml.decoration import CategoricalDomain

    texts = make_pipeline(
        CategoricalDomain(), SimpleImputer(strategy="most_frequent"), OneHotEncoder(sparse_output=False)
    )
    steps = [("n", SimpleImputer(), ["amount", "tries"]), ("t", texts, ["country"])]
    pipeline, pmml, rows = own(payments, steps, LogisticRegression())
    report = check_parity(pmml, name="own", pipeline=pipeline, rows=rows, reference=None)
    found = pair(report, "training")
    assert found.known == {"a missing category under CategoricalDomain and SimpleImputer": found.differing}
    assert found.differing == int(rows["country"].isna().sum())
    assert found.examples[0].inputs["country"] is None


def test_trees_and_a_linear_part_are_held_to_32_bits(payments: pl.DataFrame) -> None:
    model = StackingClassifier(
        [("tree", DecisionTreeClassifier(max_depth=3)), ("line", LogisticRegression(max_iter=2_000))]
    )
    trained = train(payments, target="fraud", features=FEATURES, model=model, name="stack")
    pmml = trained.export(verify_rows=0)
    report = trained.check(pmml, reference=None)
    assert report.precision == 1e-6
    assert report.passed, report
    finer = trained.check(
        pmml,
        reference=None,
        precision=1e-12,
    )
    assert not finer.passed
    assert set(finer.known) == {"trees and a linear part share fields of 32 bits"}


def test_splits_of_scaled_numbers_are_reckoned_back(payments: pl.DataFrame) -> None:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(sparse_output=False))
    steps = [("n", numbers, ["amount", "tries"]), ("t", texts, ["country"])]
    pipeline, pmml, rows = own(payments, steps, DecisionTreeClassifier(max_depth=4, random_state=0))
    found = thresholds(parse_pmml(pmml))
    assert found.out_of_reach == 0
    assert found.inexact
    low, high = rows["amount"].min(), rows["amount"].max()
    assert all(low < value < high for value in found.of["amount"])
    report = check_parity(pmml, name="own", pipeline=pipeline, rows=rows, reference="pypmml")
    assert pair(report, "boundaries").differing == 0
    # pypmml takes the derived fields for doubles: its own fault, by name, and no reason to refuse the model.
    assert set(report.known) <= {"pypmml reckons derived fields of 32 bits in 64"}
    assert report.passed


def test_a_pipeline_that_cannot_take_gaps_refuses_with_its_pmml(payments: pl.DataFrame) -> None:
    rows = payments.select("tries", "amount").drop_nulls()
    trained = train(rows, target="amount", features=["tries"], model=LinearRegression(), name="line")
    report = trained.check(trained.export(), reference=None)
    bad = pair(report, "bad")
    assert bad.only_left_refuses + bad.only_right_refuses + bad.refused + bad.equal == bad.rows
    assert report.passed


def test_rows_are_made_where_there_are_none() -> None:
    passed = []
    for name in ("hand_discretize", "gb_binary_cancer", "hand_tree_nullPrediction_Null", "lr_titanic_ohe"):
        report = check_parity(read_case(name).pmml, name=name, reference=None)
        assert "all are made from the file" in str(report)
        passed.append(report.passed)
        assert all(each.rows for each in report.pairs) or not report.pairs
    assert all(passed)


def test_reports_are_the_same_twice_and_come_back_from_json(trained: TrainedModel, pmml: bytes) -> None:
    one, two = (trained.check(pmml, reference=None) for _ in range(2))
    assert one == two
    assert json.dumps(one.to_json()) == json.dumps(two.to_json())
    back = ParityReport.from_json(json.loads(json.dumps(one.to_json())))
    assert back.to_json() == one.to_json()
    assert back.table().equals(one.table())
    assert back.plot() == one.plot()
    assert str(one).startswith("parity of model 'fraud': scikit-learn and native agree within 1e-09 on ")
    rows = trained.inputs(trained.rows)
    other = check_parity(pmml, name="fraud", pipeline=trained.pipeline, rows=rows, reference=None, seed=1)
    assert other.pairs != one.pairs
    assert len(json.dumps(one.to_json(examples=False))) < 8_000


def test_the_picture_is_well_formed_and_says_the_verdict(trained: TrainedModel, pmml: bytes) -> None:
    name = '<fraud> & "co"'
    rows = trained.inputs(trained.rows)
    report = check_parity(pmml, name=name, pipeline=trained.pipeline, rows=rows, reference=None)
    picture = ElementTree.fromstring(report.plot())
    texts = ["".join(node.itertext()) for node in picture.iter() if node.tag.endswith("text")]
    assert f"parity of model {name!r}" in texts
    assert "precision 1e-09" in texts
    assert {"training", "generated", "bad"} <= set(texts)
    assert "prefers-color-scheme:dark" in report.plot()
    assert report._repr_html_().count("<svg") == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reference": "abacus"}, "unknown reference; got 'abacus'"),
        ({"reference": "native"}, "unknown reference"),
        ({"precision": -1.0}, "a share of nought or more"),
        ({"precision": float("nan")}, "a share of nought or more"),
        ({"rows": None}, "none are given"),
        ({"rows": pl.DataFrame({"amount": [1.0]})}, "the rows lack the pipeline's"),
        ({"pipeline": None, "rows": pl.DataFrame({"amount": [1.0]})}, "the rows lack the model's"),
        ({"rows": "rows.csv"}, "Polars or pandas"),
        ({"pmml": b"<PMML/>"}, "only PMML"),
    ],
)
def test_bad_arguments(trained: TrainedModel, pmml: bytes, change: dict[str, Any], says: str) -> None:
    arguments: dict[str, Any] = {
        "pmml": pmml,
        "pipeline": trained.pipeline,
        "rows": trained.inputs(trained.rows),
        **change,
    }
    with pytest.raises(ModelError, match=says):
        check_parity(arguments.pop("pmml"), name="fraud", **arguments)


@pytest.mark.parametrize("name", ["hand_apply_dates", "hand_schema_outlier_extreme", "lr_titanic_ohe", "mlp_iris"])
def test_models_from_elsewhere_are_held_against_pypmml(name: str) -> None:
    case = read_case(name)
    report = check_parity(case.pmml, name=name, rows=case.rows, rows_are="examples", reference="pypmml")
    assert report.passed, report
    assert {each.set for each in report.pairs} >= {"examples", "generated", "bad"}


# Export.


def without_imputer(payments: pl.DataFrame) -> TrainedModel:
    """A model as `train` would make it, but that its forest was fitted on gaps."""
    from sklearn2pmml.pipeline import PMMLPipeline

    model = RandomForestClassifier(n_estimators=3, max_depth=4)
    trained = train(payments, target="fraud", features=["amount", "tries"], model=model, name="gaps")
    target = pd.Series(trained.rows["fraud"].cast(pl.Int64).to_numpy(), name="fraud")
    bare = PMMLPipeline([("model", RandomForestClassifier(n_estimators=3, max_depth=4, random_state=0))])
    bare.fit(trained.inputs(trained.rows), target)
    return replace(trained, pipeline=bare)


def test_a_model_that_answers_otherwise_as_pmml_is_not_exported(payments: pl.DataFrame, tmp_path: Path) -> None:
    trained = without_imputer(payments)
    where = tmp_path / "gaps.pmml"
    with pytest.raises(
        ModelError, match=r"does not answer as scikit-learn does.*known: a forest trained on gaps"
    ) as no:
        trained.export(where, verify_rows=0)
    assert no.value.hint == 'see model.parity; parity="report" exports it all the same'
    assert not where.exists()
    assert trained.parity is not None
    assert not trained.parity.passed
    pmml = trained.export(where, verify_rows=0, parity="report")
    assert where.read_bytes() == pmml
    assert trained.meta()["parity"]["passed"] is False
    with pytest.raises(ModelError, match="unknown word for parity"):
        trained.export(parity="ignore")  # type: ignore[arg-type]


def test_what_the_check_found_is_kept_beside_the_model(payments: pl.DataFrame) -> None:
    trained = train(payments, target="fraud", features=FEATURES, name="fraud")
    assert trained.parity is None
    assert "parity" not in trained.meta()
    pmml = trained.export()
    assert trained.parity == trained.check(pmml)
    kept = ParityReport.from_json(json.loads(json.dumps(trained.meta()["parity"])))
    assert kept.passed
    assert kept.verdict == trained.parity.verdict
    assert not any(each.examples for each in kept.pairs)


def test_a_file_that_hangs_on_32_bits_is_verified_to_them(payments: pl.DataFrame) -> None:
    model = VotingClassifier(
        [("tree", DecisionTreeClassifier(max_depth=3)), ("line", LogisticRegression(max_iter=2_000))], voting="soft"
    )
    trained = train(payments, target="fraud", features=FEATURES, model=model, name="vote")
    pmml = trained.export()
    assert b'zeroThreshold="1.0E-6"' in pmml
    NativeScorer("vote@1", pmml).close()  # loads: its embedded rows come out within that
    with pytest.raises(ModelError, match="does not answer as scikit-learn does"):
        trained.export(precision=1e-12)


# The parts.


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_neighbours_are_the_next_numbers(value: float) -> None:
    found = dict(neighbours(value, single=True))
    assert found["on"] == value
    if "1 up" in found:
        assert found["1 up"] == np.nextafter(value, np.inf)
    if "1 up, 32 bits" in found:
        above = np.float32(found["1 up, 32 bits"])
        assert above == np.nextafter(np.float32(value), np.float32(np.inf))
        # A tie, and the doubles beside it, round to one of the two.
        assert {float(np.float32(found[label])) for label in ("half up", "half up, +", "half up, -")} <= {
            value,
            float(above),
        }


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=20),
    st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=20),
    st.integers(0, 5),
)
def test_generated_rows_are_of_the_kind_that_was_seen(
    numbers: list[float | None], texts: list[str | None], seed: int
) -> None:
    size = min(len(numbers), len(texts))
    rows = pl.DataFrame(
        {"x": numbers[:size], "k": texts[:size], "y": range(size)},
        schema={"x": pl.Float64, "k": pl.String, "y": pl.Int64},
    )
    found = generated_rows(rows, ["x", "k"], seed=seed, count=50)
    drawn, corners = found.parts
    assert drawn.schema == corners.schema == rows.schema
    assert len(found.labels) == len(found)
    seen = rows["x"].drop_nulls()
    if len(seen):
        assert drawn["x"].drop_nulls().is_between(seen.min(), seen.max()).all()
    assert set(drawn["k"].drop_nulls()) <= set(rows["k"].drop_nulls())
    assert set(drawn["y"]) <= set(rows["y"])
    again = generated_rows(rows, ["x", "k"], seed=seed, count=50)
    assert all(one.equals(other) for one, other in zip(found.parts, again.parts, strict=True))


VALUES = st.one_of(st.none(), st.floats(allow_infinity=False, allow_nan=False, width=64), st.just(0.0))


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30), st.sampled_from([0.0, 1e-9, 1e-3]))
def test_each_row_is_counted_once_as_the_obvious_comparison_has_it(
    rows: list[tuple[float | None, float | None]], precision: float
) -> None:
    def told(values: list[float | None]) -> Answers:
        errors = pl.Series("error", ["no" if value is None else None for value in values], dtype=pl.String)
        return Answers({SCORE: pl.Series(SCORE, values, dtype=pl.Float64)}, errors)

    examples = ExampleSet("some", (pl.DataFrame({"x": range(len(rows))}),))
    left, right = [a for a, _ in rows], [b for _, b in rows]
    found = compare(examples, ("a", told(left)), ("b", told(right)), precision=precision)
    usual = [abs(a) for a in left if a]
    floor = 1e-3 * (float(np.median(usual)) if usual else 1.0)
    both = [(a, b) for a, b in rows if a is not None and b is not None]
    apart = [a != b and not abs(a - b) <= precision * max(abs(a), abs(b), floor) for a, b in both]
    assert found.differing == sum(apart)
    assert found.equal == len(both) - sum(apart)
    assert found.refused == sum(a is None and b is None for a, b in rows)
    assert found.only_left_refuses == sum(a is None and b is not None for a, b in rows)
    assert found.only_right_refuses == sum(a is not None and b is None for a, b in rows)
    assert sum(found.decades.values()) == len(both)
