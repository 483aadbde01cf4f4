"""Typed columns against a schema: widened where nothing is lost, refused otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from styx_lab.connectors.formats.columns import conform, nan_to_null
from styx_lab.core.schema import TIME_DTYPE, Schema
from styx_lab.errors import SchemaError


@pytest.mark.parametrize(
    ("column", "word", "values"),
    [
        (pl.Series([1, None], dtype=pl.Int16), "int", [1, None]),
        (pl.Series([1, 2], dtype=pl.UInt32), "float", [1.0, 2.0]),
        (pl.Series([0.5], dtype=pl.Float32), "float", [0.5]),
        (pl.Series(["x", None], dtype=pl.Categorical()), "str", ["x", None]),
        (pl.Series([None, None]), "bool", [None, None]),
    ],
)
def test_types_that_widen_without_loss(column, word, values):
    found = conform(pl.DataFrame({"a": column, "other": column}), Schema({"a": word}), where="here")
    assert found.schema == Schema({"a": word}).polars
    assert found["a"].to_list() == values


@pytest.mark.parametrize(
    ("column", "word"),
    [
        (pl.Series([1], dtype=pl.UInt64), "int"),
        (pl.Series([1.0]), "int"),
        (pl.Series(["1"]), "int"),
        (pl.Series([1]), "str"),
        (pl.Series([1]), "bool"),
        (pl.Series([date(2024, 1, 1)]), "datetime"),
        (pl.Series([1]), "datetime"),
    ],
)
def test_types_that_do_not_are_refused_by_name(column, word):
    with pytest.raises(SchemaError, match=f"here: column 'a' .*expected {word}; got '{column.dtype}'"):
        conform(pl.DataFrame({"a": column}), Schema({"a": word}), where="here")


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="no column 'b'"):
        conform(pl.DataFrame({"a": [1]}), Schema({"b": "int"}), where="here")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times_become_ms_in_utc_and_floor(unit, zone):
    moment = datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC)
    shown = moment if zone != "Europe/Berlin" else moment.astimezone(timezone(timedelta(hours=1)))
    column = pl.Series("a", [shown.replace(tzinfo=None)], dtype=pl.Datetime("us"))
    if zone:
        column = column.dt.replace_time_zone(zone)
    found = conform(pl.DataFrame([column.dt.cast_time_unit(unit)]), Schema({"a": "datetime"}), where="here")["a"]
    assert found.dtype == TIME_DTYPE
    assert found.dt.epoch("ms").to_list() == [-1]


def test_nan_becomes_null_and_is_counted():
    frame = pl.DataFrame({"a": [1.0, float("nan"), None], "b": ["x", "y", "z"], "c": [float("nan")] * 3})
    found, count = nan_to_null(frame)
    assert count == 4
    assert found.rows() == [(1.0, "x", None), (None, "y", None), (None, "z", None)]
