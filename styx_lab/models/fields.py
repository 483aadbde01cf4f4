"""What a PMML file says about one input field: its type, the values it admits, and what to do with others.

Law: what is read here is exactly what `inputs.py` enforces; an attribute that is not understood is refused,
not ignored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, cast
from xml.etree.ElementTree import Element

import polars as pl

from styx_lab.errors import ModelError

__all__ = ["InputField", "Interval", "polars_type", "read_input_field"]

_TYPES: Final[dict[str, pl.DataType]] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "double": pl.Float64(),
    "float": pl.Float32(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "time": pl.Time(),
    "dateTime": pl.Datetime("ms"),
    "timeSeconds": pl.Int64(),
}
_COUNTS: Final = ("dateDaysSince", "dateTimeSecondsSince")

_Text = TypeVar("_Text", str, str | None)

InvalidTreatment = Literal["returnInvalid", "asIs", "asMissing", "asValue"]
_INVALID: Final = ("returnInvalid", "asIs", "asMissing", "asValue")
_MISSING: Final = (None, "asIs", "asMean", "asMode", "asMedian", "asValue", "returnInvalid")
_OUTLIERS: Final = ("asIs", "asExtremeValues", "asMissingValues")


@dataclass(frozen=True, slots=True)
class Interval:
    """Admitted numbers: from `low` to `high`, each end included or not."""

    low: float = -math.inf
    high: float = math.inf
    low_included: bool = True
    high_included: bool = True


@dataclass(frozen=True, slots=True)
class InputField:
    """One input of a model as its PMML declares it (DataField and MiningField together).

    Attributes:
        name: the column.
        data_type: PMML's word: `double`, `string`, ...
        dtype: the Polars type of that.
        values: the values it admits; empty when all are.
        intervals: the numbers it admits; empty when all are.
        missing_values: values that stand for a missing one.
        invalid_values: values that are never admitted.
        invalid: what becomes of a value that is not admitted.
        invalid_replacement: the value to put there, for `asValue`.
        missing: whether a missing value is refused (`returnInvalid`).
        missing_replacement: the value to put where one is missing.
        outliers: what becomes of numbers below `low` or above `high`.
    """

    name: str
    data_type: str
    dtype: pl.DataType
    values: tuple[str, ...] = ()
    intervals: tuple[Interval, ...] = ()
    missing_values: tuple[str, ...] = ()
    invalid_values: tuple[str, ...] = ()
    invalid: InvalidTreatment = "returnInvalid"
    invalid_replacement: str | None = None
    missing: bool = False
    missing_replacement: str | None = None
    outliers: str = "asIs"
    low: float | None = None
    high: float | None = None


def polars_type(data_type: str, *, where: str) -> pl.DataType:
    """The Polars type of a PMML dataType; `float` is 32 bits wide, as the file says.

    >>> polars_type("integer", where="doc")
    Int64

    Raises:
        ModelError: when it is no type of PMML.
    """
    if data_type in _TYPES:
        return _TYPES[data_type]
    if data_type.startswith(_COUNTS):
        return pl.Int64()
    raise ModelError("unknown dataType", where=where, got=data_type, hint=f"one of {', '.join(_TYPES)}")


def read_input_field(data: Element, mining: Element, *, where: str) -> InputField:
    """Read one input from its DataField and its MiningField.

    Raises:
        ModelError: on a type or a treatment that PMML does not know.
    """
    name = data.get("name", "")
    where = f"{where}, field {name!r}"
    data_type = data.get("dataType", "")
    values: dict[str, list[str]] = {"valid": [], "missing": [], "invalid": []}
    intervals = []
    for child in data:
        tag = child.tag.rpartition("}")[2]
        if tag == "Value":
            values[_one_of(child.get("property", "valid"), tuple(values), "property", where)].append(
                child.get("value", "")
            )
        elif tag == "Interval":
            intervals.append(_interval(child, where))
    invalid = mining.get("invalidValueTreatment", "returnInvalid")
    missing = mining.get("missingValueTreatment")
    outliers = mining.get("outliers", "asIs")
    _one_of(invalid, _INVALID, "invalidValueTreatment", where)
    _one_of(missing, _MISSING, "missingValueTreatment", where)
    _one_of(outliers, _OUTLIERS, "outliers", where)
    invalid_replacement = mining.get("invalidValueReplacement")
    if invalid == "asValue" and invalid_replacement is None:
        raise ModelError("invalidValueTreatment='asValue' comes without invalidValueReplacement", where=where)
    return InputField(
        name=name,
        data_type=data_type,
        dtype=polars_type(data_type, where=where),
        values=tuple(values["valid"]),
        intervals=tuple(intervals),
        missing_values=tuple(values["missing"]),
        invalid_values=tuple(values["invalid"]),
        invalid=cast(InvalidTreatment, invalid),
        invalid_replacement=invalid_replacement,
        missing=missing == "returnInvalid",
        missing_replacement=mining.get("missingValueReplacement"),
        outliers=outliers,
        low=_number(mining.get("lowValue"), "lowValue", where),
        high=_number(mining.get("highValue"), "highValue", where),
    )


def _interval(node: Element, where: str) -> Interval:
    closure = node.get("closure", "")
    _one_of(closure, ("openOpen", "openClosed", "closedOpen", "closedClosed"), "closure", where)
    low = _number(node.get("leftMargin"), "leftMargin", where)
    high = _number(node.get("rightMargin"), "rightMargin", where)
    return Interval(
        -math.inf if low is None else low,
        math.inf if high is None else high,
        closure.startswith("closed"),
        closure.endswith("Closed"),
    )


def _one_of(value: _Text, allowed: tuple[object, ...], attribute: str, where: str) -> _Text:
    if value not in allowed:
        names = ", ".join(str(name) for name in allowed if name)
        raise ModelError(f"unknown {attribute}", where=where, got=value, hint=f"one of {names}")
    return value


def _number(text: str | None, attribute: str, where: str) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise ModelError(f"{attribute} is no number", where=where, got=text) from None
