"""What is not plain, small PMML with a target is refused by name, before any other parser sees it."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.errors import ModelError
from styx_lab.models import PmmlLimits, check_pmml
from styx_lab.models.summary import positive_class

HEAD = b'<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><DataDictionary>'
FIELDS = b"".join(b'<DataField name="%c" optype="continuous" dataType="double"/>' % name for name in b"xy")
TARGET = b'<MiningField name="y" usageType="target"/>'
TABLE = b'<RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable>'


def regression(target: bytes = TARGET, extra: bytes = b"", head: bytes = HEAD) -> bytes:
    return (
        head
        + FIELDS
        + b'</DataDictionary><RegressionModel functionName="regression"><MiningSchema>'
        + target
        + b'<MiningField name="x"/></MiningSchema>'
        + extra
        + TABLE
        + b"</RegressionModel></PMML>"
    )


def test_a_plain_model_is_summarised() -> None:
    summary = check_pmml(regression(), name="price@1")
    assert summary.inputs == {"x": pl.Float64()}
    assert (summary.target, summary.kind, summary.function) == ("y", "RegressionModel", "regression")
    assert summary.used == {"x"}


def test_an_exported_model_is_summarised(pmml: bytes) -> None:
    summary = check_pmml(pmml, name="fraud@3")
    assert set(summary.inputs) == {"amount", "country", "night", "tries"}
    assert summary.inputs["country"] == pl.String()
    assert summary.classes == ("0", "1")
    assert [each.name for each in summary.outputs] == ["probability(0)", "probability(1)"]
    assert summary.verification is not None
    assert len(summary.verification.rows) == 10


LAUGHS = b"<!DOCTYPE PMML [<!ENTITY a 'ha'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)
)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda good: b"", "is empty"),
        (lambda good: b"<!DOCTYPE PMML SYSTEM 'http://127.0.0.1/x.dtd'>" + good, "DOCTYPE"),
        (lambda good: LAUGHS + b"]>" + good.replace(b"intercept", b"z='&j;' intercept"), "DOCTYPE"),
        (lambda good: good[: len(good) // 2], "broken or cut off"),
        (lambda good: good + b"<more/>", "broken or cut off"),
        (lambda good: b"<html><body/></html>", "no PMML file"),
        (lambda good: good.replace(b"http://www.dmg.org/PMML-4_4", b"urn:other"), "no PMML file"),
        (lambda good: good.replace(b'version="4.4"', b'version="3.1"'), "only PMML 3.2 to 4.4"),
        (lambda good: good.replace(b"RegressionModel", b"Nonsense"), "<Nonsense> in line 1: PMML knows no such model"),
        (lambda good: good[: good.index(b"<RegressionModel")] + b"</PMML>", "no model in it"),
        (lambda good: good.replace(b"<RegressionTable", b"<Oracle/><RegressionTable"), "<Oracle> in line 1"),
        (lambda good: good.replace(b"<RegressionModel", b'<RegressionModel isScorable="false"'), "isScorable"),
        (lambda good: good.replace(b'<DataField name="x"', b'<DataField name="w"'), "input 'x' is not in"),
        (
            lambda good: good.replace(b'name="x" optype="continuous" dataType="double"', b'name="x" dataType="cat"'),
            "dataType",
        ),
        (
            lambda good: good.replace(b'<MiningField name="x"', b'<MiningField name="x" outliers="odd"'),
            "unknown outliers",
        ),
        (lambda good: "é".encode("latin-1").join([good[:-7], good[-7:]]), "not UTF-8"),
        (lambda good: b'<?xml version="1.0" encoding="utf-16"?>' + good, "declared as UTF-8"),
        (
            lambda good: good.replace(b"<RegressionTable", b"<Node>" * 600 + b"</Node>" * 600 + b"<RegressionTable"),
            "deeper",
        ),
    ],
)
def test_bad_files_are_refused_by_name(broken: Callable[[bytes], bytes], says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        check_pmml(broken(regression()), name="fraud@3")
    assert "fraud@3" in str(caught.value)


def test_no_target_is_the_talks_error() -> None:
    with pytest.raises(ModelError, match=r"^No valid target: model 'fraud@3' "):
        check_pmml(regression(target=b""), name="fraud@3")


def test_an_output_is_target_enough() -> None:
    output = b'<Output><OutputField name="p" feature="predictedValue"/></Output>'
    assert check_pmml(regression(target=b"", extra=output), name="m").outputs[0].name == "p"


def test_limits_are_kept() -> None:
    many = regression(extra=b"<Extension/>" * 50)
    assert check_pmml(many)
    with pytest.raises(ModelError, match="more than 40 elements"):
        check_pmml(many, limits=PmmlLimits(elements=40))
    with pytest.raises(ModelError, match="bigger than 100 bytes"):
        check_pmml(many, limits=PmmlLimits(bytes=100))
    with pytest.raises(ModelError, match="more than 2 segments"):
        check_pmml(regression(extra=b"<Segment/>" * 3), limits=PmmlLimits(segments=2))


def test_derived_fields_in_a_circle_are_refused() -> None:
    def derived(name: bytes, needs: bytes) -> bytes:
        return b'<DerivedField name="%s" dataType="double"><FieldRef field="%s"/></DerivedField>' % (name, needs)

    straight = b"<LocalTransformations>%s%s</LocalTransformations>" % (derived(b"a", b"x"), derived(b"b", b"a"))
    assert check_pmml(regression(extra=straight))
    circle = b"<LocalTransformations>%s%s</LocalTransformations>" % (derived(b"a", b"b"), derived(b"b", b"a"))
    with pytest.raises(ModelError, match="circle; got 'a -> b -> a'"):
        check_pmml(regression(extra=circle))


@given(st.integers(0, 600), st.binary(max_size=6))
def test_damage_anywhere_is_an_error_or_a_model(at: int, junk: bytes) -> None:
    good = regression()
    said = "model 'fraud@3'"
    try:
        check_pmml(good[:at] + junk + good[at + len(junk) :], name="fraud@3")
    except ModelError as error:
        said = str(error)
    assert "model 'fraud@3'" in said


@pytest.mark.parametrize(
    ("classes", "positive"), [(("0", "1"), "1"), (("1", "0"), "1"), (("True", "False"), "True"), (("a", "b"), "b")]
)
def test_the_positive_class(classes: tuple[str, ...], positive: str) -> None:
    assert positive_class(classes) == positive
