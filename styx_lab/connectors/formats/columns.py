"""Whole columns against a schema: text columns to typed ones, typed columns to the schema's own types.

Law: a cast never loses or invents a value: what does not fit is a dead letter (text, by row) or a SchemaError (typed
columns, at open), never a silent null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import polars as pl

from styx_lab.connectors.formats.decoded import Decoded, split_good
from styx_lab.connectors.formats.values import WrongValue, time_ms
from styx_lab.core.schema import TIME_DTYPE, Schema
from styx_lab.errors import SchemaError

__all__ = ["conform", "conform_schema", "nan_to_null", "typed_columns"]

_INTS: Final = frozenset({pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32})
_FROM: Final[dict[str, frozenset[type[pl.DataType]]]] = {
    "str": frozenset({pl.String, pl.Categorical, pl.Enum}),
    "int": _INTS,
    "float": frozenset({pl.Float64, pl.Float32, *_INTS}),
    "bool": frozenset({pl.Boolean}),
    "datetime": frozenset({pl.Datetime}),
}
_WHOLE: Final = r"^[+-]?[0-9]+$"
_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SHOWN: Final = 40


def typed_columns(text: Mapping[str, pl.Series], schema: Schema) -> Decoded:
    """Text columns as the schema's types, strictly; a row with a value that does not fit is dead.

    >>> decoded = typed_columns({"a": pl.Series(["1", "x", None])}, Schema({"a": "int"}))
    >>> decoded.frame["a"].to_list(), decoded.dead
    ([1, None], {1: "wrong_type: a: expected int, got 'x'"})

    Args:
        text: a String series for each column of the schema, all of one length; null is null.
        schema: the columns, with their types.

    An int is digits with a sign or none; a float may have a point and an exponent, and `nan` in any case is NaN; a
    bool is `true` or `false` in any case; a time is ISO 8601 text or whole epoch ms. White space is never cut off.
    """
    columns: list[pl.Series] = []
    dead: dict[int, str] = {}
    count = 0
    for name, word in schema.items():
        source = text[name]
        count = len(source)
        column, refused = _typed(source, name, word)
        columns.append(column.alias(name))
        for row, reason in refused.items():
            dead.setdefault(row, reason)
    good = split_good(count, dead)
    frame = pl.DataFrame(columns)
    return Decoded(frame[good] if dead else frame, good, dict(sorted(dead.items())))


def _typed(source: pl.Series, name: str, word: str) -> tuple[pl.Series, dict[int, str]]:
    if word == "str":
        return source, {}
    if word == "datetime":
        return _times(source, name)
    if word == "bool":
        lower = source.str.to_lowercase()
        shaped = lower.is_in(["true", "false"])
        typed = lower == "true"
    elif word == "int":
        shaped = source.str.contains(_WHOLE)
        typed = source.cast(pl.Int64, strict=False)
    else:
        nan = source.str.to_lowercase() == "nan"
        shaped = source.str.contains(_NUMBER) | nan
        typed = source.cast(pl.Float64, strict=False)
        typed = typed.set(typed.is_infinite(), None)
    typed = typed.set(~shaped, None)
    refused: dict[int, str] = {}
    for row in (source.is_not_null() & typed.is_null()).arg_true().to_list():
        shown = _shown(source[row])
        refused[row] = (
            f"out_of_range: {name}: {shown} is no 64-bit {word}"
            if shaped[row]
            else f"wrong_type: {name}: expected {word}, got {shown}"
        )
    return typed, refused


def _times(source: pl.Series, name: str) -> tuple[pl.Series, dict[int, str]]:
    whole = source.cast(pl.Int64, strict=False).set(~source.str.contains(_WHOLE), None)
    found: list[int | None] = []
    refused: dict[int, str] = {}
    for row, (value, digits) in enumerate(zip(source.to_list(), whole.to_list(), strict=True)):
        try:
            found.append(None if value is None else time_ms(name, value if digits is None else digits))
        except WrongValue as reason:
            found.append(None)
            refused[row] = str(reason)
    return pl.Series(name, found, dtype=pl.Int64).cast(TIME_DTYPE), refused


def conform_schema(found: Mapping[str, pl.DataType], schema: Schema, *, where: str) -> None:
    """Check that typed columns can be taken as the schema's, without loss.

    >>> conform_schema({"a": pl.Int32()}, Schema({"a": "float"}), where="doc")

    Args:
        found: names and Polars types of the data; further columns are ignored.
        schema: what is wanted.
        where: what to name in an error, such as the path.

    Raises:
        SchemaError: naming the first column that is missing or of another type, what was expected and what was found.
    """
    for name, word in schema.items():
        if name not in found:
            raise SchemaError(
                f"there is no column {name!r}",
                where=where,
                got=list(found),
                hint="correct the name in the schema, or leave the column out of it",
            )
        kind = found[name].base_type()
        if kind not in _FROM[word] and kind is not pl.Null:
            raise SchemaError(
                f"column {name!r} is not of the schema's type: expected {word}",
                where=where,
                got=str(found[name]),
                hint="correct the schema, or cast the column in the data",
            )


def conform(frame: pl.DataFrame, schema: Schema, *, where: str) -> pl.DataFrame:
    """The schema's columns of a typed frame, in the schema's order and types.

    >>> conform(pl.DataFrame({"b": ["x"], "a": [1]}), Schema({"a": "float"}), where="doc").rows()
    [(1.0,)]

    Ints widen, ints and 32-bit floats become floats, categories become text, times become ms in UTC (a time without a
    zone is UTC; what is finer than a millisecond is floored). Nothing else is cast.

    Raises:
        SchemaError: see `conform_schema`.
    """
    conform_schema(frame.schema, schema, where=where)
    columns = []
    for name, dtype in schema.polars.items():
        column = frame[name]
        if isinstance(column.dtype, pl.Datetime):
            # A zone only says how to show the instant; floor, because a cast truncates what lies before 1970 in some
            # units.
            zoned = column.dt.replace_time_zone("UTC") if column.dtype.time_zone is None else column
            column = zoned.dt.convert_time_zone("UTC")
        columns.append(column if column.dtype == dtype else column.cast(dtype))
    return pl.DataFrame(columns)


def nan_to_null(frame: pl.DataFrame, floats: Iterable[str] | None = None) -> tuple[pl.DataFrame, int]:
    """The frame with each NaN as null, and how many there were.

    >>> nan_to_null(pl.DataFrame({"a": [1.0, float("nan")]}))[1]
    1

    Args:
        frame: events.
        floats: its columns of floats, where they are known: to look for them takes longer than to look into one.
    """
    count = 0
    replaced = []
    for column in frame.iter_columns() if floats is None else map(frame.get_column, floats):
        if column.dtype.is_float():
            # A method of Polars costs as much as a thousand values; without nulls NumPy reads the column where it is,
            # and the least value of all is NaN where there is one.
            if column.null_count():
                nans = int(column.is_nan().sum())
            else:
                values = column.to_numpy()
                nans = int(np.isnan(values).sum()) if np.isnan(values.min(initial=0.0)) else 0
            if nans:
                count += nans
                replaced.append(column.fill_nan(None))
    return (frame.with_columns(replaced) if replaced else frame), count


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
