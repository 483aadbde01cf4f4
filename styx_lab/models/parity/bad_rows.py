"""Rows that no model should get, and will: missing, NaN, infinite, huge, of the wrong type, unknown, misspelt.

Law: each row is a good row with one bad value, so what an evaluator makes of it is what it makes of that value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from styx_lab.models.parity.examples import ExampleSet, with_values

__all__ = ["bad_rows"]

_NUMBERS: Final[tuple[tuple[str, Any], ...]] = (
    ("missing", None),
    ("NaN", float("nan")),
    ("infinity", float("inf")),
    ("minus infinity", float("-inf")),
    ("huge", 1e308),
    ("huge below nought", -1e308),
    ("tiny", 5e-324),
    ("minus nought", -0.0),
)
_AS_TEXT: Final = ("abc", "", " ", "12", "1e400", "NaN", "true", "1,5")
UNKNOWN: Final = "no such category"


def bad_rows(rows: pl.DataFrame, fields: Mapping[str, pl.DataType], *, most_fields: int = 200) -> ExampleSet:
    """Make bad rows of good ones, for each field.

    Args:
        rows: one good row or more.
        fields: the model's inputs with the types that they have in the rows.
        most_fields: how many fields to spoil, evenly spread.
    """
    names = list(fields)
    chosen = names if len(names) <= most_fields else [names[i * len(names) // most_fields] for i in range(most_fields)]
    whole = rows.drop_nulls(names)
    bases = whole if whole.height else rows
    same_type: list[tuple[str, dict[str, Any], int]] = []
    parts: list[pl.DataFrame] = []
    labels: list[str] = []
    others: list[tuple[pl.DataFrame, list[str]]] = []
    for place, name in enumerate(chosen):
        base = place % bases.height
        dtype = fields[name]
        if dtype.is_numeric() or isinstance(dtype, pl.Boolean):
            numbers = [(label, value) for label, value in _NUMBERS if dtype.is_float() or value is None]
            same_type += [(f"{name} {label}", {name: value}, base) for label, value in numbers]
            others.append(_part(bases, name, base, _AS_TEXT, pl.String()))
        else:
            same_type += [(f"{name} {label}", {name: value}, base) for label, value in _texts(bases.get_column(name))]
            others.append(_part(bases, name, base, (12.5, float("nan")), pl.Float64()))
    parts.append(with_values(bases, [(base, change) for _, change, base in same_type]))
    labels += [label for label, _, _ in same_type]
    for part, said in others:
        parts.append(part)
        labels += said
    note = "" if len(chosen) == len(names) else f"{len(chosen)} of {len(names)} fields"
    return ExampleSet("bad", tuple(parts), tuple(labels), note)


def _part(
    bases: pl.DataFrame, name: str, base: int, values: Sequence[Any], dtype: pl.DataType
) -> tuple[pl.DataFrame, list[str]]:
    frame = with_values(bases, [(base, {name: value}) for value in values], {name: dtype})
    return frame, [f"{name} is {value!r}" for value in values]


def _texts(column: pl.Series) -> list[tuple[str, Any]]:
    kinds = [str(value) for value in column.drop_nulls().unique(maintain_order=True).to_list()]
    cases: list[tuple[str, Any]] = [("missing", None), ("unknown", UNKNOWN), ("empty", ""), ("blank", " ")]
    if kinds:
        one = kinds[0]
        cases += [(f"is {text!r}", text) for text in (one.swapcase(), f" {one}", f"{one} ") if text not in kinds]
    return cases
