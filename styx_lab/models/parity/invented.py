"""Rows where there are none: from the verification rows in a file, else from the values and thresholds it names.

Law: every value is one that the file names, or lies between or beside its thresholds.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import polars as pl

from styx_lab.models.fields import InputField
from styx_lab.models.parity.boundaries import Thresholds
from styx_lab.models.summary import PmmlSummary, local_name
from styx_lab.models.verification import verification_frame

__all__ = ["invented_rows"]

_ROWS: Final = 200


def invented_rows(summary: PmmlSummary, root: Element, drawn: Thresholds, *, seed: int) -> pl.DataFrame:
    """Rows for a model without any.

    Args:
        summary: what the file says.
        root: the file.
        drawn: its boundaries.
        seed: of all that is random.
    """
    embedded = verification_frame(summary)
    if embedded is not None and embedded.height > 1:
        return embedded.select(
            embedded.get_column(each.name).cast(pl.Float64 if each.dtype.is_numeric() else pl.String, strict=False)
            for each in summary.fields
        )
    named = _named(root)
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        [_values(each, drawn.of.get(each.name, ()), named.get(each.name, []), random) for each in summary.fields]
    )


def _values(field: InputField, drawn: tuple[float, ...], named: list[str], random: np.random.Generator) -> pl.Series:
    kinds: list[Any] = list(dict.fromkeys([*field.values, *named]))
    if field.dtype.is_numeric() and not field.values:
        limits = [edge for each in field.intervals for edge in (each.low, each.high) if np.isfinite(edge)]
        ends = [*drawn, *limits] or [-1.0, 1.0]
        low, high = min(ends), max(ends)
        span = (high - low) or max(abs(high), 1.0)
        numbers = random.uniform(low - span / 10, high + span / 10, _ROWS)
        if limits:
            numbers = np.clip(numbers, min(limits), max(limits))
        return pl.Series(field.name, np.floor(numbers) if field.dtype.is_integer() else numbers)
    if field.dtype.is_numeric():
        kinds = [float(each) for each in kinds]
    chosen = [kinds[at] for at in random.integers(0, len(kinds), _ROWS)] if kinds else ["text"] * _ROWS
    return pl.Series(field.name, chosen)


def _named(root: Element) -> dict[str, list[str]]:
    """The values that predicates and predictors name, by field."""
    found: dict[str, list[str]] = {}
    for node in root.iter():
        tag, value = local_name(node), node.get("value")
        if value is not None and tag in ("SimplePredicate", "CategoricalPredictor"):
            found.setdefault(node.get("field", node.get("name", "")), []).append(value)
    return found
