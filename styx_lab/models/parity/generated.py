"""Rows like the training rows: drawn from their ranges and categories, with the corners that no training row has.

Law: every value lies in the range that was seen, or is a corner that says what it is; the same rows and seed give the
same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.models.parity.examples import ExampleSet, with_values

__all__ = ["generated_rows"]

_GAPS: Final = 0.03
_BEYOND: Final = (0.01, 1.0, 10.0)


def generated_rows(rows: pl.DataFrame, fields: Sequence[str], *, seed: int, count: int = 500) -> ExampleSet:
    """Generate rows from the ranges and categories of others.

    Half of the numbers are drawn between the least and the greatest, half are values that occur; texts are those that
    occur; three in a hundred values are missing. Then one row for each corner of each field: least, greatest, beyond
    them by a hundredth, once and ten times their range, nought, halfway between two neighbours, missing; and rows that
    have all of a kind.

    Args:
        rows: one row or more.
        fields: the columns to vary; the others are copied.
        seed: of all that is random.
        count: how many rows to draw before the corners.
    """
    random = np.random.default_rng(seed)
    base = random.integers(0, rows.height, count)
    drawn = rows[base]
    for name in fields:
        drawn = drawn.with_columns(_draw(rows.get_column(name), count, random))
    changes: list[tuple[int, dict[str, Any]]] = []
    labels = [""] * count
    together: dict[str, dict[str, Any]] = {"least": {}, "greatest": {}, "missing": {}}
    for place, name in enumerate(fields):
        for corner, value in _corners(rows.get_column(name), random):
            changes.append(((place * 7 + len(changes)) % rows.height, {name: value}))
            labels.append(f"{name} {corner}")
            if corner in together:
                together[corner][name] = value
    for corner, values in together.items():
        if values:
            changes.append((0, values))
            labels.append(f"all {corner}")
    corners = with_values(rows, changes)
    return ExampleSet("generated", (drawn, corners) if changes else (drawn,), tuple(labels))


def _draw(column: pl.Series, count: int, random: np.random.Generator) -> pl.Series:
    seen = _seen(column)
    if not len(seen):
        return pl.Series(column.name, [None] * count, dtype=column.dtype)
    values = seen.gather(random.integers(0, len(seen), count).tolist())
    if column.dtype.is_numeric():
        low, high = float(seen.min()), float(seen.max())  # type: ignore[arg-type]
        between = random.uniform(low, high, count) if np.isfinite(high - low) else values.to_numpy()
        if column.dtype.is_integer() or _whole(seen):
            between = np.floor(between)
        chosen = np.where(random.random(count) < 0.5, between, values.cast(pl.Float64).to_numpy())
        values = pl.Series(column.name, chosen).cast(column.dtype)
    gaps = pl.Series(random.random(count) < _GAPS)
    return values.alias(column.name).set(gaps, None)


def _corners(column: pl.Series, random: np.random.Generator) -> list[tuple[str, Any]]:
    seen = _seen(column)
    corners: list[tuple[str, Any]] = [("missing", None)]
    if not len(seen):
        return corners
    if not column.dtype.is_numeric():
        kinds = seen.unique(maintain_order=True).to_list()[:50]
        return [*corners, *((f"is {kind!r}", kind) for kind in kinds)]
    low, high = float(seen.min()), float(seen.max())  # type: ignore[arg-type]
    span = (high - low) or max(abs(high), 1.0)
    corners += [("least", low), ("greatest", high), ("nought", 0.0)]
    for share in _BEYOND:
        corners += [
            (f"beyond by {share:g} ranges", high + share * span),
            (f"below by {share:g} ranges", low - share * span),
        ]
    values = np.unique(seen.cast(pl.Float64).to_numpy())
    if len(values) > 1:
        at = int(random.integers(0, len(values) - 1))
        corners.append(("halfway between two", float(values[at] / 2 + values[at + 1] / 2)))
    if column.dtype.is_integer():
        corners = [(corner, None if value is None else round(value)) for corner, value in corners]
    return corners


def _seen(column: pl.Series) -> pl.Series:
    kept = column.drop_nulls()
    return kept.filter(kept.is_finite()) if column.dtype.is_float() else kept


def _whole(seen: pl.Series) -> bool:
    return bool((seen == seen.floor()).all())
