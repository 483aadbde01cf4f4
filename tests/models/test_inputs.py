"""Inputs are what the file admits, or their row has an error; no value is ever quietly turned into another."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.errors import ModelError
from styx_lab.models import check_pmml
from styx_lab.models.inputs import prepare_inputs


def ask(values: list[Any], data: str, mining: str = "", dtype: Any = None) -> tuple[list[Any], list[str | None]]:
    """What becomes of a column, where the input is declared by `data` (of its DataField) and `mining`."""
    inner = ""
    if "|" in data:
        data, _, inner = data.partition("|")
    pmml = (
        f'<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><DataDictionary><DataField name="x" {data}>{inner}'
        '</DataField></DataDictionary><RegressionModel functionName="regression"><MiningSchema>'
        f'<MiningField name="y" usageType="target"/><MiningField name="x" {mining}/></MiningSchema>'
        "</RegressionModel></PMML>"
    )
    frame = pl.DataFrame({"x": pl.Series(values, dtype=dtype, strict=False)})
    clean, errors = prepare_inputs(check_pmml(pmml.encode(), name="m@1"), frame)
    return clean["x"].to_list(), errors.to_list()


NUMBER = 'optype="continuous" dataType="double"'
WHOLE = 'optype="continuous" dataType="integer"'
TEXT = 'optype="categorical" dataType="string"'
KNOWN = TEXT + '|<Value value="a"/><Value value="b"/><Value value="NA" property="missing"/>'


def test_text_that_is_a_number_is_one_and_other_text_is_an_error() -> None:
    values, errors = ask(["12.5", "abc", "", None, "nan", "1e3"], NUMBER)
    assert values == [12.5, None, None, None, None, 1000.0]
    assert [error is not None for error in errors] == [False, True, True, False, True, False]
    assert errors[1] == "model 'm@1': field 'x': not a number: 'abc'"


def test_nan_is_an_error_unless_the_file_calls_it_missing() -> None:
    _, errors = ask([math.nan, 1.0, None], NUMBER)
    assert [error is not None for error in errors] == [True, False, False]
    values, errors = ask([math.nan, 1.0], NUMBER + '|<Value value="NaN" property="missing"/>')
    assert (values, errors) == ([None, 1.0], [None, None])


def test_whole_numbers() -> None:
    values, errors = ask([3.0, 3.5, 1e300, -7.0], WHOLE)
    assert values == [3, None, None, -7]
    assert [error is not None for error in errors] == [False, True, True, False]
    assert ask(["9007199254740993"], WHOLE)[0] == [9007199254740993]
    assert ask([True, False], NUMBER)[0] == [1.0, 0.0]
    assert ask([[1], [2]], NUMBER)[1][0] is not None


@pytest.mark.parametrize(
    ("mining", "value", "fails"),
    [
        ("", "zzz", True),
        ('invalidValueTreatment="asIs"', "zzz", False),
        ('invalidValueTreatment="asMissing"', None, False),
        ('invalidValueTreatment="asMissing" missingValueReplacement="b"', "b", False),
        ('invalidValueTreatment="asValue" invalidValueReplacement="a"', "a", False),
    ],
)
def test_a_value_the_file_does_not_admit(mining: str, value: str | None, fails: bool) -> None:
    values, errors = ask(["a", "zzz"], KNOWN, mining)
    assert values[0] == "a"
    assert errors[0] is None
    assert (errors[1] is not None) == fails
    assert fails or values[1] == value


def test_missing_values() -> None:
    assert ask(["a", "NA", None], KNOWN)[0] == ["a", None, None]
    assert ask(["a", "NA", None], KNOWN, 'missingValueReplacement="b"')[0] == ["a", "b", "b"]
    _, errors = ask(["a", None], KNOWN, 'missingValueTreatment="returnInvalid"')
    assert [error is not None for error in errors] == [False, True]


def test_intervals_and_outliers() -> None:
    interval = NUMBER + '|<Interval closure="openClosed" leftMargin="0" rightMargin="5"/>'
    _, errors = ask([0.0, 0.1, 5.0, 5.1], interval)
    assert [error is not None for error in errors] == [True, False, False, True]
    limits = 'lowValue="1" highValue="3"'
    assert ask([0.0, 2.0, 9.0], NUMBER, f'outliers="asExtremeValues" {limits}')[0] == [1.0, 2.0, 3.0]
    assert ask([0.0, 2.0, 9.0], NUMBER, f'outliers="asMissingValues" {limits}')[0] == [None, 2.0, None]


def test_an_absent_column_is_an_error_that_names_it() -> None:
    pmml = b'<PMML version="4.4"><DataDictionary><DataField name="x" dataType="double"/></DataDictionary><TreeModel '
    pmml += b'functionName="regression"><MiningSchema><MiningField name="x"/><MiningField name="y" usageType="target"/>'
    summary = check_pmml(pmml + b"</MiningSchema></TreeModel></PMML>", name="m@1")
    with pytest.raises(ModelError, match=r"model 'm@1'.*input 'x'"):
        prepare_inputs(summary, pl.DataFrame({"z": [1]}))


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "NA", "zz", "1", "x1", "1.5", ""])), min_size=1))
def test_a_row_alone_is_treated_as_in_a_batch(column: list[str | None]) -> None:
    for declared in (KNOWN, NUMBER, WHOLE):
        values, errors = ask(column, declared, dtype=pl.String)
        alone = [ask([each], declared, dtype=pl.String) for each in column]
        assert values == [each[0][0] for each in alone]
        assert errors == [each[1][0] for each in alone]
