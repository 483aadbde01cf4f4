"""A schema: the names and types of an event's own columns, pinned when a flow is built.

Law: types never come from the data of a batch, for then they would change from batch to batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from styx_lab.errors import SchemaError

__all__ = ["RESERVED_PREFIX", "TIME_DTYPE", "Schema", "dtype_from_json", "dtype_to_json"]

RESERVED_PREFIX: Final = "_"
"""Columns that begin so belong to Styx (see `docs/events.md`)."""
TIME_DTYPE: Final = pl.Datetime("ms", "UTC")

_WORDS: Final[dict[str, pl.DataType]] = {
    "str": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
    "datetime": TIME_DTYPE,
}
_PYTHON: Final = {str: "str", int: "int", float: "float", bool: "bool"}


class Schema(Mapping[str, str]):
    """Names and types of an event's columns: `Schema({"card_id": "str", "amount": "float", "ts": "int"})`.

    Types are the words `str`, `int`, `float`, `bool`, `datetime` (or Python's `str`, `int`, `float`, `bool`).
    Order is kept. A column may be null unless it is the time or part of the key. Columns of an event that the
    schema does not name are left out when it is decoded.

    >>> Schema({"card_id": str, "amount": "float"}).polars
    {'card_id': String, 'amount': Float64}

    Raises:
        SchemaError: on an unknown type, an empty schema, or a name that begins with `_`.
    """

    def __init__(self, columns: Mapping[str, str | type]) -> None:
        if not columns:
            raise SchemaError("a schema needs at least one column", hint="Schema({'card_id': 'str', 'ts': 'int'})")
        words = {}
        for name, kind in columns.items():
            word = _PYTHON.get(kind) if isinstance(kind, type) else kind
            if word not in _WORDS:
                raise SchemaError(
                    "unknown type", where=f"column {name!r}", got=kind, hint=f"one of {', '.join(_WORDS)}"
                )
            if not name or name.startswith(RESERVED_PREFIX):
                raise SchemaError(
                    f"a column name must not be empty nor begin with {RESERVED_PREFIX!r}: those are Styx's own",
                    where=f"column {name!r}",
                    hint="rename it in the data, or choose another name",
                )
            words[name] = str(word)
        self._words = words

    def __getitem__(self, name: str) -> str:
        return self._words[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and list(self._words.items()) == list(other._words.items())

    def __hash__(self) -> int:
        return hash(tuple(self._words.items()))

    def __repr__(self) -> str:
        return f"Schema({self._words})"

    @property
    def polars(self) -> dict[str, pl.DataType]:
        """The same as Polars types."""
        return {name: _WORDS[word] for name, word in self._words.items()}

    def to_json(self) -> dict[str, str]:
        """The words, in order."""
        return dict(self._words)


_NAMED: Final[dict[str, pl.DataType]] = {
    **_WORDS,
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "uint8": pl.UInt8(),
    "uint16": pl.UInt16(),
    "uint32": pl.UInt32(),
    "uint64": pl.UInt64(),
    "float32": pl.Float32(),
    "date": pl.Date(),
    "binary": pl.Binary(),
    "null": pl.Null(),
}
_NAME_OF: Final = {dtype: name for name, dtype in reversed(_NAMED.items())}

JsonType = str | dict[str, object]


def dtype_to_json(dtype: pl.DataType) -> JsonType:
    """Our own, stable JSON of a Polars type (Polars' own form changes between versions).

    >>> dtype_to_json(pl.List(pl.Int64))
    {'list': 'int'}
    """
    if isinstance(dtype, pl.List):
        return {"list": dtype_to_json(_instance(dtype.inner))}
    if isinstance(dtype, pl.Struct):
        return {"struct": {field.name: dtype_to_json(_instance(field.dtype)) for field in dtype.fields}}
    if dtype in _NAME_OF:
        return _NAME_OF[dtype]
    if isinstance(dtype, pl.Datetime):
        return {"datetime": [dtype.time_unit, dtype.time_zone]}
    if isinstance(dtype, pl.Duration):
        return {"duration": dtype.time_unit}
    raise SchemaError("Styx keeps no column of this type", got=dtype, hint="cast it to a number, text, bool or time")


def dtype_from_json(value: JsonType) -> pl.DataType:
    """The Polars type of `dtype_to_json`'s answer."""
    match value:
        case str() if value in _NAMED:
            return _NAMED[value]
        case {"list": inner}:
            return pl.List(dtype_from_json(inner))  # type: ignore[arg-type]
        case {"struct": dict() as fields}:
            return pl.Struct({name: dtype_from_json(inner) for name, inner in fields.items()})
        case {"datetime": ["ms" | "us" | "ns" as unit, str() | None as zone]}:
            return pl.Datetime(unit, zone)
        case {"duration": unit}:
            return pl.Duration(unit)  # type: ignore[arg-type]
    raise SchemaError("unknown type in a stored schema", got=value, hint="it was written by a newer Styx, or changed")


def _instance(dtype: Any) -> pl.DataType:
    # Polars lets an inner type be a class (pl.Int64) or an instance of it.
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
