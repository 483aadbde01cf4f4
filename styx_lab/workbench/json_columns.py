"""Values of JSON as columns that a model is given.

Law: what a value becomes is decided by its field and by itself, never by the values of other rows: a number is the same
to the model alone, beside a text, and beside a number of another kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import polars as pl

__all__ = ["ColumnKinds", "json_column"]

_EXACT: Final = 2**53
"""Whole numbers up to here are the same as Float64; past it only their text tells all of them."""


class ColumnKinds:
    """Which kinds of values a column has, gathered value by value.

    >>> kinds = ColumnKinds()
    >>> for value in (7, None, 7.5):
    ...     kinds.add(value)
    >>> kinds.dtype(), kinds.dtype(pl.String())
    (Float64, String)
    """

    __slots__ = ("_kinds", "_large")

    def __init__(self) -> None:
        self._kinds: set[type] = set()
        self._large = False

    def add(self, value: Any) -> None:
        """Take note of a value."""
        if value is None:
            return
        self._kinds.add(type(value))
        if type(value) is int and abs(value) > _EXACT:
            self._large = True

    def dtype(self, field: pl.DataType | None = None) -> pl.DataType:
        """The type that loses nothing of any of them.

        Args:
            field: the type of the model's field; one of texts is given texts, for 7 would be `7.0` beside 7.5.
        """
        if field == pl.String():
            return pl.String()
        if self._kinds <= {bool}:
            return pl.Boolean()
        if self._large or not self._kinds <= {int, float}:
            return pl.String()
        return pl.Int64() if self._kinds == {int} else pl.Float64()


def json_column(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """A column of a type that `ColumnKinds` found; the model judges a text.

    >>> json_column("code", [7, 7.5, True, None], pl.String()).to_list()
    ['7', '7.5', 'true', None]
    """
    if dtype == pl.String():
        return pl.Series(name, [_text(value) for value in values], dtype=dtype)
    if dtype == pl.Float64():
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=dtype)
    return pl.Series(name, values, dtype=dtype)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)  # the shortest that reads back to the same bits
    return msgspec.json.encode(value).decode() if not isinstance(value, int) or isinstance(value, bool) else str(value)
