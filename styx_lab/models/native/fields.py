"""Inputs: values from outside in the types that the file declares, and what the file says of missing and invalid ones.

Law: each value is valid, missing or invalid by the DataField; the MiningField says what becomes of it. A value that is
refused is an error of that value: rows that do not need it go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import polars as pl

from styx_lab.models.native.column import Bools, Column, Rows, either, first_error, pick, where_error
from styx_lab.models.native.place import children, choice, optional_number, refuse, required
from styx_lab.models.native.values import column_of, constant, is_known_type, parse, show, storage

__all__ = ["DataField", "MiningField", "RawColumn", "admits_all", "read_data_fields", "read_mining_field", "take"]

_SHOWN: Final = 60
_ACTIVE: Final = ("active", "supplementary", "group", "order", "frequencyWeight", "analysisWeight")


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A column of data in a field's type, before it is judged.

    Attributes:
        column: its values; where one cannot be read, the `misread` mask is set and the value means nothing.
        misread: where there is a value that is not of the type.
        given: the text of a value, by row, for messages.
        read: whether values were read from something else, so that some may be NaN.
    """

    column: Column
    misread: Bools | None
    given: Callable[[int], str]
    read: bool = False


@dataclass(frozen=True, slots=True)
class DataField:
    """A DataField: its type and the values it admits."""

    name: str
    type: str
    optype: str
    valid: tuple[Any, ...] = ()
    missing: tuple[Any, ...] = ()
    invalid: tuple[Any, ...] = ()
    intervals: tuple[tuple[float, float, bool, bool], ...] = ()

    @property
    def plain(self) -> bool:
        """Whether it admits every value of its type."""
        return not (self.valid or self.missing or self.invalid or self.intervals)


@dataclass(frozen=True, slots=True)
class MiningField:
    """A MiningField: what to do with missing, invalid and outlying values."""

    name: str
    usage: str
    data: DataField | None
    invalid: str = "returnInvalid"
    invalid_replacement: Column | None = None
    missing: str = "asIs"
    missing_replacement: Column | None = None
    outliers: str = "asIs"
    low: float = -math.inf
    high: float = math.inf

    @property
    def active(self) -> bool:
        """Whether the model reads it."""
        return self.usage in _ACTIVE

    @property
    def passes(self) -> bool:
        """Whether a value that comes from the model around goes through unchanged."""
        return (
            self.outliers == "asIs"
            and self.missing != "returnInvalid"
            and self.missing_replacement is None
            and (self.invalid in ("returnInvalid", "asIs") or self.data is None or self.data.plain)
        )

    def limits(self, column: Column) -> bool:
        """Whether some value is an outlier."""
        if self.outliers == "asIs" or column.type not in ("integer", "float", "double"):
            return False
        return bool(((column.values < self.low) | (column.values > self.high)).any())

    def judge(self, raw: RawColumn, rows: Rows) -> Column:
        """The values of a field that comes from the data."""
        column = raw.column
        data = self.data
        assert data is not None
        if (
            raw.misread is None
            and not raw.read
            and data.plain
            and self.missing != "returnInvalid"
            and self.outliers == "asIs"
        ):
            return self._fill(column)
        missing, valid = _status(data, column, raw.misread)
        invalid = ~valid & ~missing
        return self._treat(column, missing, invalid, raw, rows)

    def inherit(self, column: Column, rows: Rows) -> Column:
        """The values of a field that comes from the model around."""
        errors = None
        if self.data is not None and self.invalid in ("asMissing", "asValue") and not self.data.plain:
            missing, valid = _status(self.data, column, None)
            invalid = ~valid & ~missing
            if self.invalid == "asMissing":
                column = Column(column.type, column.values, column.gaps | invalid, column.errors, column.words)
            elif self.invalid_replacement is not None:
                column = pick(invalid, self.invalid_replacement, column)
        if self.outliers != "asIs":
            column = self._limit(column, np.zeros(1, dtype=np.bool_))
        if self.missing == "returnInvalid" and column.missing is not None:
            errors = where_error(
                column.missing,
                rows.error(f"field {self.name!r}: a value is missing, and the model needs one", "missing"),
            )
        return self._fill(column).with_errors(errors)

    def _treat(self, column: Column, missing: Bools, invalid: Bools, raw: RawColumn, rows: Rows) -> Column:
        errors = None
        gaps = missing
        if invalid.any():
            refused = invalid if self.invalid == "returnInvalid" else None
            if self.invalid == "asIs":
                refused = raw.misread
            if refused is not None:
                errors = _refusals(self.name, refused & invalid, raw, rows)
            if self.invalid == "asMissing":
                gaps = gaps | invalid
        if self.missing == "returnInvalid":
            text = f"field {self.name!r}: a value is missing, and the model needs one"
            errors = first_error(errors, where_error(gaps, rows.error(text, "missing")))
        column = Column(column.type, column.values, gaps if gaps.any() else None, errors, column.words)
        if self.outliers != "asIs":
            column = self._limit(column, invalid)
        if self.invalid == "asValue" and self.invalid_replacement is not None and invalid.any():
            column = pick(invalid, self.invalid_replacement, column)
        return self._fill(column)

    def _limit(self, column: Column, invalid: Bools) -> Column:
        if column.type not in ("integer", "float", "double"):
            return column
        low = column.values < self.low
        high = column.values > self.high
        outside = (low | high) & ~invalid
        if not outside.any():
            return column
        if self.outliers == "asMissingValues":
            return Column(column.type, column.values, either(column.missing, outside), column.errors)
        values = np.where(
            outside & low, np.array(self.low if low.any() else 0).astype(column.values.dtype), column.values
        )
        values = np.where(outside & high, np.array(self.high if high.any() else 0).astype(values.dtype), values)
        return Column(column.type, values, column.missing, column.errors)

    def _fill(self, column: Column) -> Column:
        if column.missing is None or self.missing_replacement is None or self.missing == "returnInvalid":
            return column
        return pick(column.missing, self.missing_replacement, column)


def _refusals(name: str, where: Bools, raw: RawColumn, rows: Rows) -> np.ndarray:
    errors = np.zeros(len(where), dtype=np.int32)
    for row in np.flatnonzero(where).tolist():
        text = f"field {name!r}: the model cannot take the value {raw.given(row)}"
        errors[row] = rows.error(text, "invalid")
    return errors


def _status(data: DataField, column: Column, misread: Bools | None) -> tuple[Bools, Bools]:
    """Where values are missing, and where they are valid."""
    readable = np.ones(1, dtype=np.bool_) if misread is None else ~misread
    missing = column.gaps & readable
    if data.missing:
        missing = missing | (_among(column, data.missing) & readable)
    valid = readable
    if data.type in ("double", "float"):
        valid = valid & ~np.isnan(column.values.astype(np.float64, copy=False))
    if data.invalid:
        valid = valid & ~_among(column, data.invalid)
    if data.valid:
        valid = valid & _among(column, data.valid)
    elif data.intervals:
        inside = np.zeros(1, dtype=np.bool_)
        numbers = column.values.astype(np.float64, copy=False)
        for low, high, low_in, high_in in data.intervals:
            above = numbers >= low if low_in else numbers > low
            below = numbers <= high if high_in else numbers < high
            inside = inside | (above & below)
        valid = valid & inside
    shape = len(column.values)
    return np.broadcast_to(missing, (shape,)), np.broadcast_to(valid, (shape,))


def admits_all(data: DataField, column: Column) -> bool:
    """Whether every value of a column without gaps is valid."""
    missing, valid = _status(data, column, None)
    return bool(valid.all()) and not bool(missing.any())


def _among(column: Column, values: tuple[Any, ...]) -> Bools:
    if column.type == "string":
        table = np.array([word in values for word in column.words] or [False], dtype=np.bool_)
        return np.asarray(table[column.values.astype(np.int32, copy=False)])
    known = np.array(values, dtype=storage(column.type))
    found = np.isin(column.values, known)
    if np.isnan(known.astype(np.float64)).any():
        found |= np.isnan(column.values.astype(np.float64, copy=False))
    return np.asarray(found)


def read_data_fields(dictionary: Element) -> dict[str, DataField]:
    """The fields of a DataDictionary."""
    fields = {}
    for node in children(dictionary, "DataField"):
        name = required(node, "name")
        data_type = required(node, "dataType")
        if not is_known_type(data_type):
            raise refuse(node, f"dataType={data_type!r} is not supported")
        optype = choice(node, "optype", ("categorical", "ordinal", "continuous"))
        values: dict[str, list[Any]] = {"valid": [], "missing": [], "invalid": []}
        for each in children(node, "Value"):
            kind = choice(each, "property", tuple(values), "valid")
            try:
                values[kind].append(parse(data_type, required(each, "value")))
            except ValueError:
                if kind == "valid":
                    raise refuse(each, f"the value is no {data_type}", each.get("value")) from None
        fields[name] = DataField(
            name,
            data_type,
            optype,
            tuple(values["valid"]),
            tuple(values["missing"]),
            tuple(values["invalid"]),
            tuple(read_interval(each) for each in children(node, "Interval")),
        )
    return fields


def read_interval(node: Element) -> tuple[float, float, bool, bool]:
    """An Interval: low, high, and whether each belongs to it."""
    closure = choice(node, "closure", ("openOpen", "openClosed", "closedOpen", "closedClosed"))
    low, high = optional_number(node, "leftMargin"), optional_number(node, "rightMargin")
    return (
        -math.inf if low is None else low,
        math.inf if high is None else high,
        closure.startswith("closed"),
        closure.endswith("Closed"),
    )


def read_mining_field(node: Element, data_fields: Mapping[str, DataField]) -> MiningField:
    """One MiningField."""
    name = required(node, "name")
    usage = choice(
        node,
        "usageType",
        (*_ACTIVE, "target", "predicted"),
        "active",
    )
    data = data_fields.get(name)
    invalid = choice(node, "invalidValueTreatment", ("returnInvalid", "asIs", "asMissing", "asValue"), "returnInvalid")
    missing = choice(
        node, "missingValueTreatment", ("asIs", "asMean", "asMode", "asMedian", "asValue", "returnInvalid"), "asIs"
    )
    outliers = choice(node, "outliers", ("asIs", "asMissingValues", "asExtremeValues"), "asIs")
    if invalid == "asValue" and node.get("invalidValueReplacement") is None:
        raise refuse(node, "invalidValueTreatment='asValue' comes without invalidValueReplacement")
    low, high = optional_number(node, "lowValue"), optional_number(node, "highValue")
    return MiningField(
        name,
        usage,
        data,
        invalid,
        _replacement(node, "invalidValueReplacement", data) if invalid == "asValue" else None,
        missing,
        _replacement(node, "missingValueReplacement", data),
        outliers,
        -math.inf if low is None else low,
        math.inf if high is None else high,
    )


def _replacement(node: Element, attribute: str, data: DataField | None) -> Column | None:
    text = node.get(attribute)
    if text is None:
        return None
    data_type = "double" if data is None else data.type
    try:
        return constant(data_type, parse(data_type, text))
    except ValueError:
        raise refuse(node, f"{attribute} is no {data_type}", text) from None


def take(data: DataField, series: pl.Series) -> RawColumn:
    """A column of the data in the type of its field."""
    dtype = series.dtype
    nulls = series.null_count()
    if data.type in ("double", "float") and dtype.is_numeric() and not dtype.is_decimal():
        if nulls == 0:
            values = series.to_numpy()
            missing = np.isnan(values) if dtype.is_float() else None
        else:
            missing = series.is_null().to_numpy()
            values = series.fill_null(0).to_numpy()
            if dtype.is_float():
                missing = missing | np.isnan(values)
        if missing is not None and not missing.any():
            missing = None
        with np.errstate(over="ignore"):
            values = values.astype(storage(data.type), copy=False)
        return RawColumn(Column(data.type, values, missing), None, _shower(series))
    if data.type == "string" and dtype == pl.String:
        return RawColumn(_text_column(series), None, _shower(series))
    if isinstance(dtype, pl.Categorical | pl.Enum):
        series = series.cast(pl.String)
    return _convert(data, series)


def _shower(series: pl.Series) -> Callable[[int], str]:
    return lambda row: repr(series[row])[:_SHOWN]


def _text_column(series: pl.Series) -> Column:
    missing = series.is_null().to_numpy() if series.null_count() else None
    filled = series.fill_null("")
    words = filled.unique()
    codes = filled.cast(pl.Enum(words)).to_physical().to_numpy().astype(np.int32)
    return Column("string", codes, missing, None, tuple(words.to_list()) or ("",))


def _convert(data: DataField, series: pl.Series) -> RawColumn:
    """Each distinct value on its own, for types that seldom meet."""
    values: list[Any] = []
    misread = np.zeros(len(series), dtype=np.bool_)
    known: dict[tuple[type, Any], Any] = {}
    given = series.to_list()
    for row, value in enumerate(given):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            values.append(None)
            continue
        key = (type(value), value)
        try:
            if key not in known:
                known[key] = _read(data.type, value)
            values.append(known[key])
        except (ValueError, TypeError):
            values.append(None)
            misread[row] = True
    column = column_of(data.type, values)
    return RawColumn(column, misread if misread.any() else None, _shower(series), read=True)


def _read(data_type: str, value: Any) -> Any:
    if isinstance(value, str):
        return parse(data_type, value)
    if isinstance(value, bool):
        if data_type in ("string", "boolean"):
            return show(value, "boolean") if data_type == "string" else value
        if data_type in ("integer", "double", "float"):
            return int(value)
        raise ValueError("a boolean")
    if isinstance(value, int | float):
        if data_type == "string":
            return show(value, "integer" if isinstance(value, int) else "double")
        if data_type in ("integer", "double", "float", "boolean"):
            return parse(data_type, repr(value).replace("inf", "Infinity"))
        raise ValueError("a number")
    return _read_moment(data_type, value)


def _read_moment(data_type: str, value: Any) -> Any:
    import datetime

    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        if data_type == "date" or data_type.startswith("dateDaysSince"):
            return parse(data_type, value.date().isoformat())
        if data_type.startswith("dateTime"):
            return parse(data_type, value.isoformat())
    elif (
        isinstance(value, datetime.date) and data_type.startswith("date") and not data_type.startswith("dateTime")
    ) or (isinstance(value, datetime.time) and data_type in ("time", "timeSeconds")):
        return parse(data_type, value.isoformat())
    raise ValueError(f"a {type(value).__name__}")
