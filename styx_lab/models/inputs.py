"""Inputs are checked against what the PMML file admits before a model sees them, a whole column at a time.

Law: a value that is not of the declared type, or that the file does not admit, gives its row an error; it is never
turned into another value unless the file itself says into which. The answer for a row depends on that row alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.core.ports import ERROR_KIND
from styx_lab.errors import ModelError
from styx_lab.models.fields import InputField
from styx_lab.models.summary import PmmlSummary

__all__ = ["check_columns", "first_error", "judge_inputs", "missing_inputs", "prepare_inputs"]

_SHOWN: Final = 40
_ROW: Final = "_row_error"


def check_columns(summary: PmmlSummary, frame: pl.DataFrame) -> None:
    """See that a frame has all columns that the model needs.

    Raises:
        ModelError: when one is not there.
    """
    absent = [each.name for each in summary.fields if each.name not in frame.columns]
    if absent:
        raise ModelError(
            f"the data lack the model's input {', '.join(map(repr, absent))}",
            where=f"model {summary.name!r}",
            got=list(frame.columns),
            hint="add or rename the column before the score step",
        )


def missing_inputs(summary: PmmlSummary, frame: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """In which rows an input that the model makes use of is null or NaN."""
    found = np.zeros(frame.height, dtype=np.bool_)
    for each in summary.fields:
        if each.name in summary.used and each.missing_replacement is None:
            given = frame.get_column(each.name)
            if given.null_count():
                found |= given.is_null().to_numpy()
            if given.dtype.is_float():
                found |= given.is_nan().fill_null(False).to_numpy()
    return found


def prepare_inputs(summary: PmmlSummary, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """The model's inputs in their declared types, and for each row its first error; as `judge_inputs`, without kinds.

    Raises:
        ModelError: when a column is not there.
    """
    clean, errors, _ = judge_inputs(summary, frame)
    return clean, errors


def judge_inputs(summary: PmmlSummary, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
    """The model's inputs in their declared types, for each row its first error (null where there is none) and its kind.

    Args:
        summary: what `check_pmml` gave.
        frame: rows with at least the model's input columns; further columns are left out.

    Raises:
        ModelError: when a column is not there.
    """
    where = f"model {summary.name!r}"
    check_columns(summary, frame)
    problems, kinds = [], []
    columns = []
    for each in summary.fields:
        given = frame.get_column(each.name)
        plain = _plain(each, given, where)
        if plain is not None:
            columns.append(plain)
            continue
        clean, problem, kind = _prepare(each, given, where)
        columns.append(clean)
        problems.append(problem)
        kinds.append(kind)
    errors = first_error(problems, frame.height)
    return pl.DataFrame(columns) if columns else pl.DataFrame(), errors, first_error(kinds, frame.height, ERROR_KIND)


def first_error(problems: Sequence[pl.Series], height: int, dtype: pl.DataType | None = None) -> pl.Series:
    """For each row the first error (or its kind) of several columns of them, null where there is none."""
    found = [each for each in problems if each.null_count() < height]
    if not found:
        return pl.Series(_ROW, [None], dtype=dtype or pl.String).new_from_index(0, height)
    return pl.select(pl.coalesce(found).alias(_ROW)).to_series()


def _plain(field: InputField, given: pl.Series, where: str) -> pl.Series | None:
    """The clean column where nothing is amiss in it, in a few passes; `None` where each value must be looked at."""
    if field.missing_values or field.invalid_values or field.intervals or field.outliers != "asIs":
        return None
    dtype = given.dtype
    if field.dtype.is_float() and dtype.is_numeric() and not field.values:
        if dtype.is_float() and given.is_nan().any():
            return None
        clean = given.cast(field.dtype)
    elif isinstance(field.dtype, pl.String) and dtype == pl.String:
        if field.values and field.invalid != "asIs":
            known = given.is_in(_typed(field, field.values, where).implode())
            if not known.all(ignore_nulls=True):
                return None
        clean = given
    else:
        return None
    if clean.null_count():
        if field.missing:
            return None
        if field.missing_replacement is not None:
            clean = clean.fill_null(_typed(field, (field.missing_replacement,), where)[0])
    return clean.alias(field.name)


def _prepare(field: InputField, given: pl.Series, where: str) -> tuple[pl.Series, pl.Series, pl.Series]:
    converted, not_a_number = _convert(field, given)
    work = pl.DataFrame({"given": given.alias("given"), "value": converted, "nan": not_a_number})
    value = pl.col("value")
    present = pl.col("given").is_not_null()
    nan = pl.col("nan")
    written = tuple(text for text in field.missing_values if not _means_nan(field, text))
    if len(written) < len(field.missing_values):
        present, nan = present & ~nan, pl.lit(False)  # the file itself says that NaN is a missing value
    if written:
        present &= ~value.is_in(_typed(field, written, where).implode()).fill_null(False)
    broken = present & value.is_null()
    refused = _refused(field, where)
    invalid = present & (broken | (refused.fill_null(False)))
    shown = _shown(given)

    reason: Any = pl.when(False).then(pl.lit(None, pl.String))
    reason = reason.when(nan).then(
        _say(where, field, "NaN is not a number a model can take; make it null for a missing value")
    )
    if field.invalid in ("returnInvalid", "asIs"):
        reason = reason.when(broken).then(_say(where, field, f"not a {_noun(field)}: ", shown))
    if field.invalid == "returnInvalid":
        known = (
            f" is none of the {len(field.values)} values that the model knows" if field.values else " is out of range"
        )
        reason = reason.when(invalid).then(_say(where, field, "", shown, known))
    # A value that cannot be converted is missing from here on; what the file admits "as is" stays.
    cleaned = value
    if field.invalid == "asMissing":
        cleaned = pl.when(invalid).then(None).otherwise(cleaned)
    elif field.invalid == "asValue":
        replacement = _typed(field, (str(field.invalid_replacement),), where)[0]
        cleaned = pl.when(invalid).then(pl.lit(replacement, field.dtype)).otherwise(cleaned)
    cleaned = pl.when(invalid).then(cleaned).otherwise(_limit_outliers(field, cleaned))
    if field.missing_values:
        cleaned = pl.when(present).then(cleaned).otherwise(None)
    refusal, lacking = reason.otherwise(None), pl.lit(False)
    if field.missing:
        lacking = cleaned.is_null()
        reason = reason.when(lacking).then(_say(where, field, "a value is missing, and the model needs one"))
    if field.missing_replacement is not None:
        cleaned = cleaned.fill_null(pl.lit(_typed(field, (field.missing_replacement,), where)[0], field.dtype))
    kind = pl.when(refusal.is_not_null()).then(pl.lit("invalid")).when(lacking).then(pl.lit("missing"))
    done = work.select(
        cleaned.cast(field.dtype).alias("clean"),
        reason.otherwise(None).alias(_ROW),
        kind.otherwise(None).cast(ERROR_KIND).alias("kind"),
    )
    return done.get_column("clean").alias(field.name), done.get_column(_ROW), done.get_column("kind")


def _convert(field: InputField, given: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The values in the declared type (null where that cannot be), and where they are NaN."""
    dtype = given.dtype
    nan = (
        given.is_nan().fill_null(False)
        if dtype.is_float()
        else pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(given))
    )
    nothing = pl.Series("value", [None], dtype=field.dtype).new_from_index(0, len(given))
    if isinstance(dtype, pl.Null):
        return nothing, nan
    if isinstance(dtype, pl.Categorical | pl.Enum):
        given, dtype = given.cast(pl.String), pl.String()
    kept = given.set(nan, None) if dtype.is_float() else given
    wanted = field.dtype
    if isinstance(wanted, pl.String):
        simple = dtype.is_numeric() or isinstance(dtype, pl.String | pl.Boolean)
        return (kept.cast(pl.String) if simple else nothing), nan
    if wanted.is_numeric():
        return (_number(field, kept) if _is_simple(dtype) else nothing), nan
    if isinstance(wanted, pl.Boolean):
        return (_boolean(kept) if _is_simple(dtype) else nothing), nan
    if isinstance(dtype, pl.String):
        return kept.str.strptime(cast(Any, wanted), strict=False) if len(kept) else nothing, nan
    if isinstance(wanted, pl.Datetime) and isinstance(dtype, pl.Datetime):
        # PMML's dateTime has no zone: the moment is given in UTC.
        utc = kept.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else kept
        return utc.cast(wanted), nan
    same = type(wanted) is type(dtype) or (isinstance(wanted, pl.Date) and isinstance(dtype, pl.Datetime))
    return (kept.cast(wanted) if same else nothing), nan


def _is_simple(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or isinstance(dtype, pl.String | pl.Boolean)


def _number(field: InputField, given: pl.Series) -> pl.Series:
    if field.dtype.is_integer():
        if given.dtype.is_integer() or given.dtype == pl.Boolean:
            return given.cast(field.dtype, strict=False)
        exact = given.cast(pl.Int64, strict=False) if given.dtype == pl.String else None
        number = _parsed(given)
        whole = number.set(number.is_infinite() | (number != number.floor()).fill_null(False), None)
        rounded = whole.cast(pl.Int64, strict=False)
        # Text of more than 53 bits is exact as an integer and not as a double.
        return rounded if exact is None else pl.select(pl.coalesce(exact, rounded)).to_series()
    return _parsed(given).cast(field.dtype, strict=False)


def _parsed(given: pl.Series) -> pl.Series:
    number = given.cast(pl.Float64, strict=False)
    return number.set(number.is_nan().fill_null(False), None)


def _boolean(given: pl.Series) -> pl.Series:
    if given.dtype == pl.Boolean:
        return given
    if given.dtype == pl.String:
        return given.str.to_lowercase().replace_strict(
            {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
        )
    return given.cast(pl.Float64).replace_strict({1.0: True, 0.0: False}, default=None, return_dtype=pl.Boolean)


def _refused(field: InputField, where: str) -> pl.Expr:
    """Where a value of the right type is not admitted."""
    value = pl.col("value")
    refused = pl.lit(False)
    if field.invalid_values:
        refused |= value.is_in(_typed(field, field.invalid_values, where).implode())
    if field.values or field.intervals:
        admitted = pl.lit(False)
        if field.values:
            admitted |= value.is_in(_typed(field, field.values, where).implode())
        for each in field.intervals:
            low = value >= each.low if each.low_included else value > each.low
            high = value <= each.high if each.high_included else value < each.high
            admitted |= low & high
        refused |= ~admitted
    return refused


@lru_cache(maxsize=4_096)
def _typed(field: InputField, texts: tuple[str, ...], where: str) -> pl.Series:
    """Values that the file writes as text, in the field's type."""
    typed, _ = _convert(field, pl.Series(list(texts), dtype=pl.String))
    if typed.null_count():
        raise ModelError(
            f"field {field.name!r} is a {field.data_type}, and the file declares values of another type",
            where=where,
            got=list(texts[:3]),
        )
    return typed


def _limit_outliers(field: InputField, value: pl.Expr) -> pl.Expr:
    if field.outliers == "asIs" or not field.dtype.is_numeric():
        return value
    low, high = (-math.inf if field.low is None else field.low), (math.inf if field.high is None else field.high)
    if field.outliers == "asExtremeValues":
        return value.clip(low, high)
    return pl.when(value.is_between(low, high)).then(value).otherwise(None)


def _means_nan(field: InputField, text: str) -> bool:
    return field.dtype.is_float() and text.lower() == "nan"


def _noun(field: InputField) -> str:
    if field.dtype.is_integer():
        return "whole number"
    return "number" if field.dtype.is_numeric() else {"string": "text"}.get(field.data_type, field.data_type)


def _shown(given: pl.Series) -> pl.Expr:
    if isinstance(given.dtype, pl.String | pl.Categorical | pl.Enum):
        text = pl.col("given").cast(pl.String)
        return pl.format("'{}'", text.str.slice(0, _SHOWN))
    if given.dtype.is_numeric() or given.dtype.is_temporal() or given.dtype == pl.Boolean:
        return pl.col("given").cast(pl.String)
    return pl.lit(f"a value of type {given.dtype}")


def _say(where: str, field: InputField, *parts: str | pl.Expr) -> pl.Expr:
    texts = [pl.lit(part) if isinstance(part, str) else part for part in (f"{where}: field {field.name!r}: ", *parts)]
    return pl.concat_str(texts, ignore_nulls=True)
